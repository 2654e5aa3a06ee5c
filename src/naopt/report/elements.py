"""Pieces of the report's page: tables, numbers, data blocks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

_DASH = "\u2013"


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows of dotted key and value."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += flat(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, value if isinstance(value, str) else json.dumps(value)))
    return rows


def rows_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = (), wide: Sequence[int] = ()
) -> str:
    """A table of text cells; columns in ``numeric`` stand to the right, those in ``wide`` may break."""
    kind = [" class=n" if i in numeric else " class=wide" if i in wide else "" for i in range(len(columns))]
    head = "".join(f"<th{k}>{escape(name)}</th>" for k, name in zip(kind, columns, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{escape(text)}</td>" for k, text in zip(kind, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def section(title: str, body: str) -> str:
    """A part of the page; ``body`` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def number(value: float | None) -> str:
    """Five significant digits, large numbers whole with separators; a dash for ``None``."""
    if value is None:
        return _DASH
    return f"{value:,.0f}" if isinstance(value, int) or 1e5 <= abs(value) < 1e15 else f"{value:.5g}"


def code(text: str) -> str:
    """An architecture's text, which may break after commas and slashes."""
    return f'<code class="text">{escape(text).replace(",", ",<wbr>").replace("/", "/<wbr>")}</code>'


def duration(seconds: float | None) -> str:
    """Seconds in the unit that reads best; a dash for ``None``."""
    if seconds is None:
        return _DASH
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def json_block(name: str, value: object) -> str:
    """JSON inside the page; nothing in it can end the script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("</", "<\\/").replace("<!", "\\u003c!")
    return f'<script type="application/json" id="{name}">{text}</script>'


def asset(name: str) -> str:
    """A text file of this package."""
    return files("naopt.report").joinpath(name).read_text(encoding="utf-8")
