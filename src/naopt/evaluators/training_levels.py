"""Cheaper versions of a training: what they are called, what they change, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from naopt.configuration import parse_setting
from naopt.errors import InputError
from naopt.evaluators.workloads import Workload
from naopt.fidelity import Fidelity
from naopt.measurement import error_name
from naopt.spaces import SearchSpace

_DRAWN = 16
"""Architectures whose multiply-adds stand for all."""
_IN_CLOSED_FORM = frozenset({"epochs", "cosine_epochs", "image_size", "filters", "cells_per_stage"})
"""Settings whose share of the cost follows from epochs and multiply-adds."""


@dataclass(frozen=True)
class TrainingLevel:
    """A cheaper version of a training.

    Attributes:
        name: as it was given, ``epochs=4`` or ``image_size=16+epochs=10``.
        workload: with the settings that it is trained by; the full training's own for one that is stopped.
        changes: the settings that are other than in full.
    """

    name: str
    workload: Workload
    changes: Mapping[str, Any]

    @property
    def until(self) -> int | None:
        """Epochs after which the training as it is in full is stopped; ``None`` for a training of its own."""
        return self.changes["epochs"] if set(self.changes) == {"epochs"} else None

    def metric(self, name: str) -> str:
        """What a metric is called at the level, ``valid_acc@epochs=4``; its standard error keeps its ending."""
        base = name.removesuffix(error_name(""))
        return f"{base}@{self.name}{name.removeprefix(base)}"


def training_levels(workload: Workload, names: Sequence[str]) -> tuple[TrainingLevel, ...]:
    """The levels below the full training, by what they change: settings, joined by ``+``.

    One that changes nothing but the epochs is the full training, stopped after so many: with its schedule, and to be
    gone on with. Any other is a training of its own with these settings.

    Raises:
        InputError: no settings of the workload, one that changes nothing, or a training of its own after one that is
            stopped.
    """
    levels = [_level(workload, name.strip()) for name in names]
    stopped = [level.until is not None for level in levels]
    if stopped != sorted(stopped):
        rule = "must have trainings of their own first, then those that are stopped early (epochs alone)"
        raise InputError("fidelities", ", ".join(names), rule)
    return tuple(levels)


def _level(workload: Workload, name: str) -> TrainingLevel:
    full = workload.settings.model_dump()
    parts = [parse_setting(part) for part in name.split("+")]
    given: dict[str, Any] = dict(parts)
    if len(given) < len(parts):
        raise InputError("fidelities", name, "names a setting twice; a comma separates levels")
    settings = type(workload.settings).parse({**full, **given}, f"setting of fidelity {name}")
    changes = {key: value for key, value in settings.model_dump().items() if full[key] != value}
    if not changes:
        raise InputError("fidelities", name, "is the full training: it changes nothing")
    if set(changes) != {"epochs"}:
        return TrainingLevel(name, type(workload)(workload.task, settings), changes)
    if changes["epochs"] > full["epochs"]:
        raise InputError("fidelities", name, f"must be less than the {full['epochs']} epochs of the full training")
    return TrainingLevel(name, workload, changes)


def training_fidelity(
    workload: Workload, space: SearchSpace, metric: str, levels: Sequence[TrainingLevel], costs: Sequence[float] = ()
) -> Fidelity:
    """The levels and the full training, with what they cost.

    Args:
        workload: in full.
        space: of the architectures.
        metric: that is searched by.
        levels: below the full one.
        costs: one for each and one for the full training, in any unit; empty for epochs times the mean multiply-adds of
            16 random architectures, whose seed is 0.

    Raises:
        InputError: costs that do not fit, or that are left out where they do not follow from epochs and multiply-adds.
    """
    metrics = (*(level.metric(metric) for level in levels), metric)
    apart = sum(level.until is None for level in levels)
    return Fidelity(metrics, tuple(costs) or _costs(workload, space, levels), apart)


def _costs(workload: Workload, space: SearchSpace, levels: Sequence[TrainingLevel]) -> tuple[float, ...]:
    own = [level for level in levels if level.until is None]
    for level in own:
        if not set(level.changes) <= _IN_CLOSED_FORM or workload.costs(space) is None:
            rule = "says nothing of its cost that is known beforehand: give --fidelity-costs, the full one last"
            raise InputError("fidelities", level.name, rule)
    passes = _passes(workload, space) if own else 1.0
    shares = [
        level.until if level.until is not None else _epochs(level.workload) * _passes(level.workload, space) / passes
        for level in levels
    ]
    return (*map(float, shares), float(_epochs(workload)))


def relative_cost(workload: Workload, other: Workload, space: SearchSpace) -> float:
    """What a training costs as a part of another's of the same data: epochs times mean multiply-adds.

    Epochs alone, where multiply-adds are not known.
    """
    epochs = _epochs(workload) / _epochs(other)
    if workload.costs(space) is None or other.costs(space) is None:
        return epochs
    return epochs * _passes(workload, space) / _passes(other, space)


def _epochs(workload: Workload) -> int:
    return int(workload.settings.model_dump()["epochs"])


def _passes(workload: Workload, space: SearchSpace) -> float:
    """Mean multiply-adds of networks for one image."""
    rng = np.random.default_rng(0)
    costs = workload.costs(space)
    assert costs is not None
    return math.fsum(costs.of([space.sample(rng) for _ in range(_DRAWN)])["macs"]) / _DRAWN
