"""Runs made up for the tests: the record's own classes, without a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from naopt.execution.trial import Trial
from naopt.measurement import Goal, Measurement
from naopt.problem import Objective, Problem
from naopt.run.config import RunConfig
from naopt.run.record import RunRecord
from naopt.searchers.base import sample_new
from naopt.spaces import ConvCellSpace, SearchSpace


def make_run(
    space: SearchSpace | None = None,
    count: int = 30,
    *,
    searcher: str = "nao",
    goal: Goal = "max",
    budget: int | None = None,
    metric: str = "valid_accuracy",
    seed: int = 0,
    failures: int = 2,
    **changes: Any,
) -> RunRecord:
    """A run of ``count`` measured trials: a third random, then rounds of ten with predictions and a log."""
    space = space or ConvCellSpace()
    rng = np.random.default_rng(seed)
    pool = count if searcher == "random" else max(1, count // 3)
    trials: list[Trial] = []
    rounds: list[dict[str, Any]] = []
    for architecture in sample_new(space, set(), count, rng):
        index = len(trials)
        number = 0 if index < pool else 1 + (index - pool) // 10
        while len(rounds) <= number:
            rounds.append(log_of(len(rounds), index) if rounds else {})
        value = float(97 + rng.normal(0, 1) + 0.5 * number - 25 * (rng.random() < 0.05))
        if goal == "min":
            value = 100 - value
        measured = Measurement({metric: value, "parameters": 1e5 + index, "test_accuracy": value - 1}, seconds=3.5)
        if index in range(2, 2 + failures):
            measured = Measurement(seconds=1.0, status="diverged", reason="loss is <nan> & stays so")
        later = number > 0
        trials.append(
            Trial(
                index,
                number,
                architecture,
                space.format(architecture),
                ("refill" if index % 5 == 0 else "ascent") if later else "random",
                trials[index % pool].architecture if later and index % 5 else None,
                value + float(rng.normal(0, 0.7)) if later and index % 5 else None,
                measured,
            )
        )
    meta = {
        "created": "2026-01-02T03:04:05",
        "seconds": 200.5,
        "versions": {"naopt": "0.1.0", "python": "3.12", "torch": "2.9"},
    }
    config = RunConfig.from_values(
        {
            "space": space.name, "task": "digits", "metric": metric, "budget": budget or len(trials), "seed": seed,
            "searcher": {"name": searcher, "seeds": 100, "preset": "default"}, "training": {"epochs": 5},
        }
    )  # fmt: skip
    record = RunRecord(Path("runs/demo"), config, space, Problem.of(Objective(metric, goal)), trials, rounds, meta)
    return replace(record, **changes)


def log_of(number: int, train_size: int) -> dict[str, Any]:
    """What the NAO searcher says of one round, with a value that it does not know."""
    return {
        "fit_seconds": 4.0, "train_size": train_size, "loss": 0.2 / number, "loss_performance": 0.1,
        "loss_reconstruction": None, "held_out": 10, "pairwise_accuracy": 0.7 + 0.02 * number, "kendall_tau": 0.4,
        "spearman": 0.5, "hamming": 3.0 / number, "exact_match": 0.5, "changed": 0.9, "valid": 1.0, "novel": 0.8,
        "from_ascent": 8, "from_refill": 2, "predicted_mean": 98.0,
    }  # fmt: skip
