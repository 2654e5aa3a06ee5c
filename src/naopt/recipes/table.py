"""The table of recipes, and the file that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from naopt.measurement import Goal
from naopt.metrics import Estimate
from naopt.recipes.budget import Budget
from naopt.recipes.recipe import FULL
from naopt.store.result_file import read_result, write_result

PROXY = "proxy.json"


@dataclass(frozen=True, slots=True)
class RecipeRow:
    """One recipe; every figure with its 95 % interval is ``None`` where it is not defined.

    Attributes:
        name: ``full``, ``search`` for the search's recipe as it is, or what differs from that: ``epochs=2``.
        changes: the same as values; of ``full`` the settings that differ from its preset.
        trainings: how many there were, and how many ``failed``.
        reason: why these did; empty otherwise.
        seconds: of one training, on average, and ``share`` of the full one's.
        mean: of the metric.
        noise: standard deviation between trainings of one architecture.
        signal: standard deviation between architectures, noise taken out.
        reliability: share of the architectures in the variance of one training.
        correlation: with the full training, noise of both taken out.
        kendall_tau: tau-b of means over repeats with those of the full training; like ``spearman`` ``None`` for that.
        spearman: rank correlation of the same.
        single: tau-b of one training with one full one; of the full training with itself by another seed.
        scores: the metric of each architecture's trainings, in the order of ``architectures``; ``None`` of what failed.
    """

    name: str
    changes: Mapping[str, Any]
    trainings: int
    failed: int
    reason: str
    seconds: float
    share: float
    mean: Estimate | None
    noise: Estimate | None
    signal: Estimate | None
    reliability: Estimate | None
    correlation: Estimate | None
    kendall_tau: Estimate | None
    spearman: Estimate | None
    single: Estimate | None
    scores: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class RecipeTable:
    """How well cheaper recipes stand for the full one; ``proxy.json``.

    Attributes:
        naopt: version.
        task: what was trained on.
        space: of the architectures.
        preset: of the full training, ``recipe`` for the task's own of a search.
        metric: what was measured on the validation data, with ``goal`` and ``unit``.
        seed: by which architectures were drawn, and all trainings' seeds are spawned.
        repeats: trainings of each architecture by each recipe.
        architectures: their text forms.
        rows: the full training first, the others by their cost.
        left_out: what was not tried, and why.
        budgets: what each recipe makes of a time.
        total_seconds: of all trainings together, as if one ran after the other.
    """

    naopt: str
    task: str
    space: str
    preset: str
    metric: str
    goal: Goal
    unit: str
    seed: int
    repeats: int
    architectures: tuple[str, ...]
    rows: tuple[RecipeRow, ...]
    left_out: Mapping[str, str]
    budgets: tuple[Budget, ...]
    total_seconds: float

    def row(self, name: str) -> RecipeRow | None:
        """The row of that name."""
        return next((row for row in self.rows if row.name == name), None)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the full training can be told by at all, and what to take for each time."""
        return (self._ceiling, *(each.sentence for each in self.budgets))

    @property
    def _ceiling(self) -> str:
        full = self.row(FULL)
        if full is None or full.single is None:
            return "How well the full training agrees with itself is not known: too few of its trainings ended well."
        low, high = full.single.ci95
        return (
            f"Two full trainings of the same architectures agree with tau {full.single.value:.2f} ({low:.2f} to "
            f"{high:.2f}): a recipe's single training can only agree better if it is less noisy."
        )

    def document(self) -> dict[str, Any]:
        """The same in JSON values."""
        return {**asdict(self), "sentences": list(self.sentences)}

    def write(self, directory: Path) -> None:
        """Writes ``proxy.json``, whole or not at all. Raises ``NotWrittenError``."""
        write_result(directory / PROXY, self.document())


_ADAPTER = TypeAdapter(RecipeTable)


def read_proxy(directory: Path) -> RecipeTable | None:
    """The table in a directory; ``None`` if there is none. Raises ``InputError`` if the file is damaged."""
    return read_result(directory / PROXY, _ADAPTER, "proxy", "naopt proxy", derived=["sentences"])
