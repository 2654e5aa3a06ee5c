"""What is said of an import, in a line each: what a user would not see in the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.measurement import MetricInfo
from naopt.tables.columns import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANY = 10
"""More choices than this, in most lines another one, are hardly choices."""

Say = Callable[[str], object]


def remark_lines(states: Sequence[str], say: Say) -> None:
    """Says how many lines have no result."""
    without = [state for state in states if state]
    if without:
        which = ", ".join(dict.fromkeys(without))
        say(f"{len(without)} of {len(states)} lines have no result ({which}): they count as not measured")


def remark_column(column: Column, lines: int, say: Say) -> None:
    """Says what a user would not see in the file."""
    name, choices = column.position.name, len(column.position.choices)
    if column.spellings:
        label = min(column.spellings, key=len)
        say(f"column '{name}': {', '.join(column.spellings)} are one choice, {label}")
    if column.rewritten:
        cell, text = max(column.rewritten.items(), key=lambda pair: len(pair[0]))
        marks = f"{len(column.rewritten)} different numbers have a decimal comma or marks between thousands"
        say(f"column '{name}': {marks}: {cell} was read as {text} (if it is a list, separate it by something else)")
    what = "name a result with --metric, leave out what is neither with --skip"
    if column.numbers:
        put = f"{column.numbers} different numbers, put into {choices} ranges of about as many lines each"
        say(f"column '{name}' has {put}, named by their middle ({what}; --position {name} keeps every number)")
    elif choices > max(_MANY, lines / 2):
        say(f"column '{name}' was taken for a choice, and has {choices} different values in {lines} lines ({what})")


def remark_percentages(percentages: Mapping[str, int], metrics: Mapping[str, MetricInfo], say: Say) -> None:
    """Says from which columns a sign % was taken, and the units of those that are metrics."""
    for name, count in percentages.items():
        unit = f"; its unit is {metrics[name].unit}" if name in metrics else ""
        say(f"column '{name}': the sign % was taken off {count} numbers, which are the same without it{unit}")


def remark_unmeasured(values: Mapping[str, NDArray[np.float64]], say: Say) -> None:
    """Says of each metric ``(n,)`` or ``(n, repeats)`` how many rows have no value of it."""
    for name, numbers in values.items():
        without = int(np.isnan(numbers.reshape(len(numbers), -1)).all(axis=1).sum())
        if without:
            rows = f"{without} of {len(numbers)} architectures have no value of {name}"
            say(f"{rows}: a search by {name} that asks for one counts a query, which fails")
