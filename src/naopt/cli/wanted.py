"""Options that say what is wanted: objectives and limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import typer

from naopt.errors import InputError

MaxOption = Annotated[
    list[str] | None,
    typer.Option("--max", metavar="METRIC=N", help="Limit: the metric is at most N. Repeat for several."),
]
MinOption = Annotated[
    list[str] | None,
    typer.Option("--min", metavar="METRIC=N", help="Limit: the metric is at least N. Repeat for several."),
]
ScalariseOption = Annotated[
    str | None,
    typer.Option(
        metavar="weights|chebyshev[=A,B...]",
        help="Several objectives made one, in directions that spread or in the one given, for searchers that take one.",
    ),
]
KnownOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B|none",
        help="Columns of the table that cost no query; those called params, latency and the like if left out.",
    ),
]


OtherHistoryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--history",
        metavar="SOURCE:METRIC",
        help="Learned from as from another task: a run, a table, a CSV file, or what naopt prior save made; repeat.",
    ),
]
PriorColumnsOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Columns of the table that searchers may look at before a query, and learn what they are worth.",
    ),
]


FidelitiesOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,M",
        help="Of a table: columns that are cheaper versions of the metric M, the cheapest first, M last. Of training: "
        "what cheaper versions change, the cheapest first: epochs=2,epochs=6.",
    ),
]
FidelityCostsOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,N", help="What these cost, in any unit, the full one last; by default what their names say."
    ),
]


RemeasureOption = Annotated[
    int | None,
    typer.Option(
        "--remeasure",
        metavar="K",
        help="How often an architecture may be measured where that tells more than a new one; nao makes use of it.",
    ),
]


def numbers_given(option: str, text: str | None) -> tuple[float, ...]:
    """Numbers, separated by commas. Raises ``InputError`` for other text."""
    try:
        return tuple(map(float, text.split(","))) if text else ()
    except ValueError:
        raise InputError(option, text, "must be numbers, separated by commas") from None


def limits_given(bound: str, given: Sequence[str] | None) -> dict[str, float] | None:
    """Limits by metric; ``None`` if there are none. Raises ``InputError`` as ``by_metric``."""
    return by_metric(f"--{bound}", given) or None


def by_metric(option: str, given: Sequence[str] | None) -> dict[str, float]:
    """Numbers by metric. Raises ``InputError`` for what is not ``METRIC=N``, or a metric given twice."""
    found: dict[str, float] = {}
    for text in given or ():
        metric, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not metric or not math.isfinite(value):
            raise InputError(option, text, "must be METRIC=N, N a finite number")
        if metric in found:
            raise InputError(option, text, f"{metric} is given twice")
        found[metric] = value
    return found
