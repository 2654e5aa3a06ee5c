"""How other formats become tables: one importer a kind."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.problem import Named
from naopt.registry import Registry
from naopt.spaces import SearchSpace
from naopt.tables.table import Table

TableImporter = Callable[..., Table]
"""From a source, and the metrics that the user declared, to a table: ``importer(path, metrics)``.

One that has a parameter ``space`` may be given the space of the architectures, and so on for what else it names; one
that has ``say`` is given what takes remarks, a line each. Raises ``InputError`` for a bad source.
"""

_METRIC = re.compile(r"(.+?):(?:(max|min)(?::(.*))?|:(.*))", re.DOTALL)

_COSTS = re.compile(
    r"loss|error|perplexity|latency|seconds|rmse|entropy|runtime|duration"
    r"|(?<![a-z])(?:err|ppl|bpc|nll|mae|mse|wer|cer|time|cost|costs|ms)(?![a-z])",
    re.IGNORECASE,
)
"""Names of metrics that are mostly the better the smaller."""

table_importers: Registry[TableImporter] = Registry("kind of table", "naopt.table_importers")


def run_importer(
    kind: str,
    source: str | Path,
    metrics: Mapping[str, MetricInfo],
    space: SearchSpace | None = None,
    *,
    say: Callable[[str], object] | None = None,
    **columns: list[str],
) -> Table:
    """The table that a kind's importer makes of a source.

    Args:
        kind: of the source.
        source: to be read.
        metrics: that the user declared.
        space: of the architectures, for kinds that do not know it.
        say: takes remarks, a line each.
        columns: names of columns for each further parameter of the importer (``skip``, ``position``).

    Raises:
        InputError: an unknown kind (with the nearest one), a space or columns for a kind that takes none, or a bad
            source.
    """
    importer = table_importers.get(kind)
    known = inspect.signature(importer).parameters
    given: dict[str, Any] = {name: names for name, names in columns.items() if names}
    for name, names in given.items():
        if name not in known:
            raise InputError(f"--{name}", names[0], f"files of kind {kind} say themselves what their columns are")
    if space is not None:
        if "space" not in known:
            raise InputError("--space", space.name, f"files of kind {kind} say themselves what space they are of")
        given["space"] = space
    if say is not None and "say" in known:
        given["say"] = say
    return importer(Path(source), metrics, **given)


def refuse_metrics(kind: str, metrics: Mapping[str, MetricInfo]) -> None:
    """Raises ``InputError`` if metrics were declared for a kind of file that says itself what it holds."""
    if metrics:
        raise InputError("--metric", next(iter(metrics)), f"files of kind {kind} name their metrics themselves")


def parse_metric(text: str) -> tuple[str, MetricInfo]:
    """A metric as the command line declares it: ``NAME``, ``NAME:min``, ``min:NAME`` or ``NAME:max:UNIT``.

    A name may hold colons: it ends before the first ``:max``, ``:min`` or, where the goal is left out, ``::``. What has
    none of these is a name as it stands.

    Raises:
        InputError: no name.
    """
    if not text.partition(":")[0].strip():
        raise InputError("metric", text, "must read NAME[:max|min[:UNIT]]")
    found = _METRIC.fullmatch(text)
    if found is not None and found[2]:
        return found[1], MetricInfo("min" if found[2] == "min" else "max", found[3] or "")
    named = Named.split(text if found is None else found[1])
    return named.metric, MetricInfo(named.goal or "max", "" if found is None else found[4])


def explain_goals(texts: Sequence[str], names: Iterable[str]) -> list[str]:
    """Which way is better, in a line for each metric that was declared without it.

    Args:
        texts: as the metrics were declared, see ``parse_metric``.
        names: of the metrics that they are.
    """
    lines = []
    for name in names:
        ends = rf"(?:max|min):{re.escape(name)}(?:::.*)?|{re.escape(name)}:(?:max|min)(?::.*)?"
        if any(re.fullmatch(ends, text, re.DOTALL) for text in texts):
            continue
        other = f"--metric {shlex.quote(f'{name}:min')}"
        if _COSTS.search(name):
            lines.append(f"{name}: larger is better, as no direction was given; if smaller is, declare it with {other}")
        else:
            lines.append(f"{name}: larger is better; {other} for the other way")
    return lines
