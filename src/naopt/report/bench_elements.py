"""What the pages of comparisons and of quality studies have in common."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from naopt._version import __version__
from naopt.files import write_text
from naopt.report.elements import asset, json_block, number

Document = Mapping[str, Any]
_WRITTEN_OUT = 1e9
"""Larger numbers have an exponent."""


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Writes texts by name. Raises ``NotWrittenError``."""
    for name, text in files.items():
        write_text(folder / name, text)


def table_name(document: Document) -> str:
    """The table's name, with the word surrogate where it is one."""
    name = str(document["table"])
    return name if document["surrogate"] is None or "surrogate" in name else f"{name} (surrogate)"


def surrogate_lines(document: Document) -> list[str]:
    """A sentence on each metric that a surrogate predicted in some rows."""
    return [
        f"{metric} is a surrogate's ({how['model']}) in {how['predicted']:,} of {how['predicted'] + how['measured']:,} "
        f"rows; on rows that it was not fitted to, Kendall tau {how['cv']['kendall_tau']:.3f}"
        for metric, how in (document["surrogate"] or {}).items()
    ]


def surrogate_warning(document: Document) -> str:
    """What a page says at its head about a table that was not measured."""
    return "".join(f'<p class="warn">{escape(line)}</p>' for line in surrogate_lines(document))


def page(title: str, sections: Sequence[str], data: Document) -> str:
    """A self-contained page."""
    from naopt.values import plain

    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{asset('report.css')}</style></head><body>"
        + "".join(sections)
        + f"<footer>Written by naopt {escape(__version__)}.</footer>"
        + json_block("data", plain(data))
        + "</body></html>\n"
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """The boxes at the head of a page."""
    boxes = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in pairs)
    return f'<dl class="facts">{boxes}</dl>'


def figures(drawn: Sequence[tuple[str | None, str, str]]) -> str:
    """Charts that there are, each with title and text."""
    return "".join(
        f"<figure>{svg}<figcaption><b>{escape(title)}.</b> {escape(said)}</figcaption></figure>"
        for svg, title, said in drawn
        if svg is not None
    )


def interval(mean: float | None, ends: Sequence[float] | None, decimals: int, *, sign: bool = False) -> str:
    """Mean and interval; a dash if there is none."""
    if mean is None or ends is None:
        return number(None)
    kind = "f" if max(map(abs, (mean, *ends))) < _WRITTEN_OUT else "g"
    form = f"{'+' if sign else ''}.{max(decimals, 4) if kind == 'g' else decimals}{kind}"
    return f"{mean:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]"


def decimals_of(intervals: Iterable[Sequence[float] | None]) -> int:
    """With how many decimals a table of intervals is written: two digits of the median width, six at most."""
    widths = sorted(ends[1] - ends[0] for ends in intervals if ends is not None and ends[1] > ends[0])
    if not widths:
        return 3
    middle = min(sys.float_info.max, widths[len(widths) // 2])
    return min(6, max(0, 1 - math.floor(math.log10(middle))))
