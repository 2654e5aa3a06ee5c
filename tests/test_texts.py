from pathlib import Path

import pytest

from naopt.errors import InputError
from naopt.texts import read_json, read_text, read_toml

TEXT = 'name = "caf\u00e9"\nbudget = 3\n'


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_ends_of_line_are_read(encoding: str, end: str, tmp_path: Path) -> None:
    path = written(tmp_path, TEXT.replace("\n", end).encode(encoding))
    assert read_text(path, "file") == TEXT
    assert read_toml(path, "file") == {"name": "caf\u00e9", "budget": 3}


def test_big_endian_text_and_the_last_mark_of_dos_are_read(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, b"\xfe\xff" + TEXT.encode("utf-16-be")), "file") == TEXT
    assert read_text(written(tmp_path, TEXT.encode() + b"\x1a"), "file") == TEXT


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (
            TEXT.encode("latin-1"),
            "line 1, column 12 'byte 0xe9': is not UTF-8; save the file as UTF-8 (it may be Windows",
        ),
        (b"a\r\nb\rcd\xff", "line 3, column 3 'byte 0xff'"),
        (TEXT.encode("utf-16-le"), "looks like UTF-16 without a byte order mark; save the file as UTF-8"),
        (TEXT.encode("utf-16")[:-1], "line 2, column 11 'byte 0x0a': is not UTF-16"),
        (b"a = 1\nb = \0", "line 2, column 5 'byte 0x00': is in no text"),
        (b"PK\x03\x04rest", "is a zip archive, perhaps a workbook"),
        (b"\x1f\x8b\x08", "is packed with gzip"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, rule: str, tmp_path: Path) -> None:
    refused(lambda path: read_text(path, "file"), written(tmp_path, content), rule)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "a = 1\nb = \u201cx\u201d\n",
            "line 2, column 5 'b = \u201cx\u201d': is not TOML: Invalid value; '\u201c' is a typographic quote",
        ),
        (
            "a\u00a0= 1",
            "line 1, column 2 'a = 1': is not TOML: Expected '=' after a key in a key/value pair; U+00A0 is a space",
        ),
        (
            "rate = 0,1",
            "line 1, column 9 'rate = 0,1': is not TOML: Expected newline or end of document after a statement; ','",
        ),
        ("a = 1;", "column 6 'a = 1;'"),
        ("a = \u22121", "'\u2212' is a typographic dash"),
        ('\n{"a": 1}', "is JSON; write TOML"),
        ("a = [1,\n2\n\n", "line 2 '2': is not TOML: Unclosed array"),
    ],
)
def test_wrong_toml_is_named_with_its_place(text: str, rule: str, tmp_path: Path) -> None:
    refused(lambda path: read_toml(path, "file"), written(tmp_path, text.encode()), rule)


def test_json(tmp_path: Path) -> None:
    assert read_json(written(tmp_path, '\ufeff{"a":\r\n[1]}'.encode()), "file") == {"a": [1]}
    for text, rule in (
        (
            '{"a": 1,}',
            "line 1, column 9 '{\"a\": 1,}': is not JSON: there is a comma before it, after which nothing comes",
        ),
        ("[1,\n2,\n]", "line 3, column 1 ']': is not JSON: there is a comma before it"),
        ("{\u201ca\u201d: 1}", "line 1, column 2"),
        ("", "line 1, column 1 '': is not JSON"),
    ):
        refused(lambda path: read_json(path, "file"), written(tmp_path, text.encode()), rule)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    refused(lambda path: read_text(path, "file"), tmp_path / "none", "No such file")
    refused(lambda path: read_text(path, "file"), tmp_path, "Is a directory")


def refused(read, path: Path, rule: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as caught:
        read(path)
    assert rule in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
