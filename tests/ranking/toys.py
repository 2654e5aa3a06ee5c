"""A real weight-sharing run, and children whose training is made up; importable in worker processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from naopt.evaluators.training import TrainingEvaluator
from naopt.measurement import Measurement
from naopt.run import RunConfig, RunRecord, start_run
from naopt.spaces import Architecture

TINY = {"epochs": 1, "filters": 2, "cells_per_stage": 1, "train_limit": 60, "valid_limit": 60}


def sharing_run(directory: Path, seed: int = 0, **changes: Any) -> RunRecord:
    """Random search with shared weights: six candidates on 60 digits."""
    values = {
        "space": "nasbench201",
        "task": "digits",
        "searcher": {"name": "random-ws", "epochs": 1},
        "training": TINY,
        "budget": 6,
        "seed": seed,
    }
    return start_run(directory, RunConfig.from_values({**values, **changes}))


def made_up(architecture: Architecture, seed: int) -> float:
    """Accuracy of a made-up training."""
    return 50 + 2.5 * sum(architecture.tokens) + seed % 1000 / 1000


class MadeUpTraining(TrainingEvaluator):
    """Trains nothing; counts what it was asked for."""

    inline = True
    asked: ClassVar[list[tuple[Architecture, int]]] = []
    failing: ClassVar[set[Architecture]] = set()
    stop_after: ClassVar[int | None] = None

    def prepare(self) -> None:
        pass

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        if self.stop_after == len(self.asked):
            raise KeyboardInterrupt
        self.asked.append((architecture, seed))
        if architecture in self.failing:
            return Measurement({"params": 1.0}, 0.25, "diverged", "loss is nan")
        return Measurement({"valid_acc": made_up(architecture, seed), "params": 1.0}, 0.5)


class SlowTraining(TrainingEvaluator):
    """Trains nothing, slowly, in worker processes."""

    def prepare(self) -> None:
        pass

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        time.sleep(0.1)
        return Measurement({"valid_acc": made_up(architecture, seed)}, 0.1)


def make_up_trainings(monkeypatch: pytest.MonkeyPatch) -> type[MadeUpTraining]:
    """Until the test ends, children of rankings are not really trained."""
    monkeypatch.setattr("naopt.ranking.standalone.TrainingEvaluator", MadeUpTraining)
    monkeypatch.setattr(MadeUpTraining, "asked", [])
    monkeypatch.setattr(MadeUpTraining, "failing", set())
    monkeypatch.setattr(MadeUpTraining, "stop_after", None)
    return MadeUpTraining


def rank_slowly(directory: str, workers: int) -> None:
    """What a process does that is killed."""
    from naopt.ranking.rank import rank

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("naopt.ranking.standalone.TrainingEvaluator", SlowTraining)
        rank(directory, children=12, top=2, workers=workers)


if __name__ == "__main__":
    # Under its own name: worker processes have to find the classes above.
    from tests.ranking.toys import rank_slowly as begin

    begin(sys.argv[1], int(sys.argv[2]))
