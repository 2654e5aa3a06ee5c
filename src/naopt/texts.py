"""The one reader of text that people and their programs write: configurations, spaces, tables, lists of architectures.

Whatever mark an editor or a spreadsheet leaves is read for what it means, or named with its line and column.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
from pathlib import Path
from typing import Any

from naopt.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
"""Byte order marks; that of UTF-32 begins like that of UTF-16."""
_KINDS = {
    b"PK\x03\x04": "is a zip archive, perhaps a workbook (.xlsx, .ods): export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is a workbook or document of an office program: export it as text",
    b"\x1f\x8b": "is packed with gzip: unpack it",
    b"%PDF": "is a PDF document",
    b"SQLite format 3\0": "is a database",
}
_SAVE = "save the file as UTF-8"
_MOST_SHOWN = 40
QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2032\u2033"
"""What editors write for straight quotes."""
_LETTERS = {
    **dict.fromkeys(QUOTES, "a typographic quote; write a straight one"),
    **dict.fromkeys("\u00a0\u2007\u202f\u3000", "a space that is none (no-break space); type it again"),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", "an invisible letter; delete it"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "a typographic dash; write -"),
    ",": "a comma too many; a decimal has a point",
    ";": "a semicolon too many",
}
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_text(path: Path, what: str, errors: str = "strict") -> str:
    r"""A file's text, without byte order mark, every end of line ``\n``.

    UTF-8, or UTF-16 and UTF-32 if they begin with a byte order mark. Ends of line may be those of Unix, Windows and old
    Macs; a last ``Ctrl-Z`` (DOS) is left out.

    Args:
        path: of the file.
        what: it is, for errors.
        errors: what is done about bytes that are of another encoding, as for ``bytes.decode``.

    Raises:
        InputError: the file cannot be read, or is no text; names what it is, or line and column of what is wrong.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(what, str(path), getattr(error, "strerror", None) or "cannot be read") from error
    for start, kind in _KINDS.items():
        if data.startswith(start):
            raise InputError(what, str(path), kind)
    mark, encoding, name = next((known for known in _MARKS if data.startswith(known[0])), (b"", "utf-8", "UTF-8"))
    body = data[len(mark) :]
    if not mark and len(body) > 1 and b"\0" in (body[:1], body[1:2]):
        raise InputError(what, str(path), f"looks like UTF-16 without a byte order mark; {_SAVE}")
    try:
        text = body.decode(encoding, errors)
    except UnicodeDecodeError as error:
        where = _where(_unix(body[: error.start].decode(encoding, "replace")))
        rule = f"is not {name}; {_SAVE}" + ("" if mark else " (it may be Windows-1252 or Latin-1)")
        raise InputError(f"{what} {path}: {where}", f"byte 0x{body[error.start]:02x}", rule) from error
    text = _unix(text).removesuffix("\x1a")
    if "\0" in text:
        where = _where(text[: text.index("\0")])
        raise InputError(
            f"{what} {path}: {where}", "byte 0x00", "is in no text; the file is damaged, or of another kind"
        )
    return text


def read_toml(path: Path, what: str, errors: str = "strict") -> dict[str, Any]:
    """The keys of a TOML file. Raises ``InputError`` as ``read_text``, and with line and column of what is no TOML."""
    text = read_text(path, what, errors)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line, column = (int(place[1]), int(place[2])) if place and place[1] else (text.rstrip().count("\n") + 1, 0)
        rule = "is JSON; write TOML, lines of KEY = VALUE" if text.lstrip().startswith("{") else ""
        reason = f"is not TOML: {_PLACE.sub('', str(error))}"
        raise _wrong(what, path, text, line, column, rule or reason) from error


def read_json(path: Path, what: str) -> Any:
    """The value in a JSON file. Raises ``InputError`` as ``read_text``, and with line and column of what is no JSON."""
    text = read_text(path, what)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        comma = text[: error.pos].rstrip().endswith(",") and text[error.pos : error.pos + 1] in ("]", "}")
        reason = "there is a comma before it, after which nothing comes" if comma else error.msg
        raise _wrong(what, path, text, error.lineno, error.colno, f"is not JSON: {reason}") from error


def typographic(text: str) -> str | None:
    """What the first letter is that editors put for a plain one, and what to do; ``None`` if there is none."""
    return next((_hint(letter) for letter in text if letter in _LETTERS and letter not in ",;"), None)


def _wrong(what: str, path: Path, text: str, line: int, column: int, rule: str) -> InputError:
    """An error with the line's text, and what the letter there, or another of the line, should be."""
    found = text.split("\n")[line - 1]
    at = found[column - 1 : column] if column else ""
    hint = _hint(at) if at in _LETTERS else typographic(found)
    where = f"line {line}, column {column}" if column else f"line {line}"
    shown = found.strip() if len(found.strip()) <= _MOST_SHOWN else f"{found.strip()[:_MOST_SHOWN]}..."
    return InputError(f"{what} {path}: {where}", shown, f"{rule}; {hint}" if hint else rule)


def _hint(letter: str) -> str:
    shown = f"'{letter}'" if letter.isprintable() and not letter.isspace() else f"U+{ord(letter):04X}"
    return f"{shown} is {_LETTERS[letter]}"


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _where(before: str) -> str:
    """Line and column behind some text."""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
