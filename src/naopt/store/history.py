"""What other searches measured, for a search to begin with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from naopt.errors import InputError, UnknownNameError
from naopt.measurement import Goal, Measurement
from naopt.problem import Objective
from naopt.repeats import pooled
from naopt.spaces import Architecture, SearchSpace, positions_from_document
from naopt.store.sources import Source
from naopt.store.store import DATABASE, RunStore
from naopt.tables import load_table
from naopt.tables.measurements import Measured, measured_in_csv, measured_in_table

_TEXT = (".csv", ".tsv", ".txt")
_OWN_DATA = ("images", "text")
"""Tasks that are what their files are; others are known by name, wherever their files lie."""


class Prior(NamedTuple):
    """An architecture that was measured elsewhere, what that gave, and where."""

    architecture: Architecture
    measurement: Measurement
    source: str


@dataclass(frozen=True)
class Scores:
    """What a source of another task or metric says.

    Attributes:
        name: of the source and the metric.
        values: by architecture, turned so that larger is better.
        metric: what was measured.
        task: on what, as far as the source says.
    """

    name: str
    values: Mapping[Architecture, float]
    metric: str
    task: str


def read_history(
    sources: Sequence[str],
    space: SearchSpace,
    objective: Objective,
    task: str = "",
    contents: Mapping[str, str] | None = None,
) -> list[Prior]:
    """What runs, tables and CSV files say of a space's architectures; of equal ones the first.

    Sources of other tasks and metrics (``SOURCE:METRIC``) are passed over: ``read_scores`` is for these.

    Args:
        sources: directories of runs, naopt-tables, CSV files with a column of architectures or one for each position.
        space: of the search. Architectures of a run are read by their text.
        objective: whose metric the sources have to have.
        task: of the search; empty if none is known.
        contents: of the search's table.

    Raises:
        InputError: a source that cannot be read, of another space, without the metric, or a run on another task.
    """
    found: dict[Architecture, Prior] = {}
    for source in (source for source in map(Source.parse, sources) if source.own):
        rows = list(_read(source.place, space, objective, task, contents or {}))
        if not any(objective.metric in measurement.metrics for _, measurement in rows):
            raise InputError("history", str(source), f"has no {objective.metric} of an architecture of {space.name}")
        for architecture, measurement in rows:
            found.setdefault(architecture, Prior(architecture, measurement, source.place))
    return list(found.values())


def read_scores(source: Source, space: SearchSpace, objective: Objective | None = None) -> Scores:
    """What a source of another task or metric says of a space's architectures; of equal ones the first.

    The direction of a metric is the source's; a CSV file has none, so there it is the one that is given, that of an
    objective of the same name, or larger is better.

    Args:
        source: with a metric.
        space: of the architectures.
        objective: of the search.

    Raises:
        InputError: a source that cannot be read, of another space, without the metric, or better the other way.
    """
    assert source.named is not None
    metric, place = source.named.metric, source.place
    goal: Goal | None
    if Path(place).is_dir():
        with RunStore(Path(place) / DATABASE, writable=False) as store:
            rows = list(_trials(store, place, space))
            infos = store.meta["metrics"]
            goal = infos[metric]["goal"] if metric in infos else None
            task = _measured_on(store.meta)
        if goal is None and not any(metric in measurement.metrics for _, measurement in rows):
            raise UnknownNameError(f"history, metric of {place}", metric, infos)
    elif has_columns(place):
        rows, task = list(measured_in_csv(place, space, metric)), ""
        goal = objective.goal if objective is not None and objective.metric == metric else None
        goal = source.named.goal or goal
    else:
        table = load_table(place)
        goal, task = table.info(metric).goal, table.name
        rows = list(measured_in_table(place, space, metric))
    if None not in (goal, source.named.goal) and goal != source.named.goal:
        raise InputError("history", str(source), f"its {metric} is to be {goal}imised")
    known = Objective(metric, goal or source.named.goal or "max")
    values: dict[Architecture, float] = {}
    for architecture, measurement in rows:
        if (score := known.score(measurement)) is not None:
            values.setdefault(architecture, score)
    if not values:
        raise InputError("history", str(source), f"has no {metric} of an architecture of {space.name}")
    return Scores(source.short, values, metric, task)


def has_columns(place: str) -> bool:
    """Whether a file is of text in columns, by its ending; others are naopt-tables."""
    return Path(place).suffix.lower() in _TEXT


def _read(
    source: str, space: SearchSpace, objective: Objective, task: str, contents: Mapping[str, str]
) -> Iterable[Measured]:
    if Path(source).is_dir():
        return _of_run(source, space, objective, task, contents)
    read = measured_in_csv if has_columns(source) else measured_in_table
    return read(source, space, objective.metric)


def _of_run(
    source: str, space: SearchSpace, objective: Objective, task: str, contents: Mapping[str, str]
) -> Iterator[Measured]:
    with RunStore(Path(source) / DATABASE, writable=False) as store:
        optimised = Objective(store.meta["objective"]["metric"], store.meta["objective"]["goal"])
        if optimised.metric == objective.metric and optimised != objective:
            raise InputError("history", source, f"its {objective.metric} is better the other way")
        theirs = store.meta.get("config", {}).get("task", ""), store.meta.get("contents", {}).get("name", "")
        for here, there in zip((task, contents.get("name", "")), theirs, strict=True):
            if here and there and not _same(here, there):
                rule = f"was measured on {there}, and this search is about {here}; to learn from it as from another "
                raise InputError("history", source, f"{rule}task give {source}:{objective.metric}")
        yield from _trials(store, source, space)


def _same(here: str, there: str) -> bool:
    name = here.partition(":")[0]
    return here == there or (name == there.partition(":")[0] and name not in _OWN_DATA)


def _trials(store: RunStore, source: str, space: SearchSpace) -> Iterator[Measured]:
    own = store.meta["space"], positions_from_document(store.meta["positions"])
    if own[1] != space.positions:
        raise InputError("history", source, f"searched {own[0]}, not {space.name}")
    finalists = store.finalists()
    longer: dict[Architecture, Mapping[str, float]] = {}
    told: list[Measured] = []
    for trial in store.trials(space):
        if trial.measurement is not None and trial.level is None:
            told.append((trial.architecture, trial.measurement))
            if trial.index in finalists:
                longer[trial.architecture] = finalists[trial.index].metrics
    for architecture, found in pooled(told, [store.meta["objective"]["metric"]]):
        yield architecture, replace(found, metrics={**found.metrics, **longer.get(architecture, {})})


def _measured_on(meta: Mapping[str, Any]) -> str:
    config = meta.get("config", {})
    return next((str(config[key]) for key in ("task", "table", "supernet", "function") if config.get(key)), "")
