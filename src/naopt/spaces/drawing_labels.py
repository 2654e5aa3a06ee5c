"""Labels in pictures of graphs: their letters, their width, and the colours of what they name."""

from __future__ import annotations

import re
import unicodedata
from html import escape

_LONGEST = 48
"""Letters of a label."""
_NOT_XML = re.compile("[^\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FAMILIES = (
    ("sep", ("sep_conv", "dws", "mb3", "mb5", "mb6", "mb7")),
    ("dil", ("dil_",)),
    ("conv", ("conv",)),
    ("max", ("max_pool", "maxpool")),
    ("avg", ("avg_pool", "avgpool", "pool")),
    ("skip", ("identity", "skip", "none", "zero")),
    ("relu", ("relu",)),
    ("tanh", ("tanh",)),
    ("sigmoid", ("sigmoid",)),
)
COLOURS = {
    "conv": "#2563a8",
    "sep": "#0f766e",
    "dil": "#6d4fc2",
    "max": "#b4501e",
    "avg": "#8a6508",
    "skip": "#667085",
    "relu": "#2563a8",
    "tanh": "#0f766e",
    "sigmoid": "#b4501e",
    "other": "#9d3a7c",
}


def operation_family(label: str) -> str:
    """The kind of an operation or activation, which decides its colour; ``other`` if it is none of the known ones."""
    lowered = label.lower()
    return next((family for family, words in _FAMILIES if any(word in lowered for word in words)), "other")


def text_width(text: str) -> float:
    """An upper estimate for 11 px sans-serif type."""
    text = _shorten(text)
    if text.isascii():
        return 6.6 * len(text)
    return sum(12.0 if unicodedata.east_asian_width(letter) in "WF" else 6.6 for letter in text)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def clean(text: str) -> str:
    """As text of XML, short enough."""
    return printable(_shorten(text))


def printable(text: str) -> str:
    """As text of XML, whatever letters it has."""
    return escape(_NOT_XML.sub("\ufffd", text))
