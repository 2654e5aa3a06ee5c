"""The table of baselines, and the file that holds it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from naopt.measurement import Goal
from naopt.store.result_file import read_result, write_result

BASELINES = "baselines.json"
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over trainings and its standard error; ``None`` where one training says nothing of it."""

    value: float
    error: float | None


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One network.

    Attributes:
        name: ``resnet-20``; ``pick`` for the search's, ``pick, in full`` for its final training.
        architecture: its text form.
        parameters: of the network.
        multiply_adds: for one image or word; ``None`` where they are not known in closed form.
        valid: the metric on the validation data; ``None`` if it was not measured, or every training failed.
        test: likewise on the test data.
        seeds: how many trainings ended well.
        seconds: of one training, on average.
        reason: why nothing, or not all, was measured; empty otherwise.
    """

    name: str
    architecture: str
    parameters: int | None
    multiply_adds: int | None
    valid: Figure | None
    test: Figure | None
    seeds: int
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BaselineTable:
    """Baselines, trained alike; ``baselines.json``.

    Attributes:
        naopt: version.
        task: what they were trained on.
        run: directory of the search whose pick is among them; empty for none.
        preset: of final training, ``recipe`` for the task's own of a search.
        epochs: of each training.
        parameters: that each network has at most.
        metric: what is measured on either part, with ``goal`` and ``unit``.
        seed: all seeds of trainings are spawned from it.
        rows: the best on the validation data first.
    """

    naopt: str
    task: str
    run: str
    preset: str
    epochs: int
    parameters: int
    metric: str
    goal: Goal
    unit: str
    seed: int
    rows: tuple[BaselineRow, ...]

    def row(self, name: str) -> BaselineRow | None:
        """The row of that name."""
        return next((row for row in self.rows if row.name == name), None)

    @property
    def best(self) -> BaselineRow | None:
        """The baseline that is best on the validation data, the pick left out."""
        return next((row for row in self.rows if not row.name.startswith("pick") and row.valid is not None), None)

    @property
    def sentence(self) -> str:
        """How the pick stands to the baseline that is best on the validation data; that of tests decides nothing."""
        pick, best = self.row("pick"), self.best
        if best is None:
            return "No baseline was trained."
        said = f"The best baseline on the validation data is {best.name}"
        if pick is None or pick.test is None or best.test is None:
            return f"{said}."
        ahead = (pick.test.value - best.test.value) * (1 if self.goal == "max" else -1)
        where = "level with it" if ahead == 0 else f"{abs(ahead):.3g} {'ahead of' if ahead > 0 else 'behind'} it"
        said += f"; on the test data the pick is {where}"
        if pick.test.error is None or best.test.error is None:
            return f"{said}, of which one training each says nothing certain."
        spread = _Z * math.hypot(pick.test.error, best.test.error)
        more = ", which so few images and trainings cannot tell from nothing" if abs(ahead) <= spread else ""
        return f"{said} (95 % interval of the difference: +-{spread:.3g}){more}."

    def document(self) -> dict[str, Any]:
        """The same in JSON values."""
        return asdict(self)

    def write(self, directory: Path) -> None:
        """Writes ``baselines.json``, whole or not at all. Raises ``NotWrittenError``."""
        write_result(directory / BASELINES, self.document())


_ADAPTER = TypeAdapter(BaselineTable)


def read_baselines(directory: Path) -> BaselineTable | None:
    """The table in a directory; ``None`` if there is none. Raises ``InputError`` if the file is damaged."""
    return read_result(directory / BASELINES, _ADAPTER, "baselines", "naopt baseline")
