"""Runs made up for the tests: the record's own classes, without a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from naopt.execution.trial import Trial
from naopt.measurement import Goal, Measurement
from naopt.metrics import Dependence
from naopt.networks.costs.insta import OperationCosts
from naopt.problem import Objective, Problem
from naopt.run.config import RunConfig
from naopt.run.instances import Example, ImageDecisions, Instances, InstanceStatistics
from naopt.run.operating_points import OperatingPoint
from naopt.run.record import RunRecord
from naopt.searchers.base import sample_new
from naopt.spaces import ConvCellSpace, InstaSpace, SearchSpace


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


def instance_run(directory: Path) -> RunRecord:
    """A run of ``instanas``: two static children, the cheaper one better by accuracy, and one that fails."""
    space = InstaSpace(2, 2, "mb3e1+mb3e2")
    record = make_run(space, 3, searcher="instanas", metric="shared_loss", goal="min", directory=directory)
    found = [{"shared_acc": 80.0, "shared_loss": 0.5}, {"shared_acc": 70.0, "shared_loss": 0.6}]
    trials = [
        replace(trial, architecture=architecture, text=space.format(architecture), measurement=Measurement(metrics))
        for trial, metrics, architecture in zip(
            record.trials, found, (space.architecture([1, 0, 1, 0]), space.architecture([1, 1, 1, 1])), strict=False
        )
    ]
    return replace(record, trials=[*trials, record.trials[2]])


def made_up_instances() -> Instances:
    """Four images, of which the two dear ones have a child of their own; three operating points."""
    points = [
        OperatingPoint(thrift, accuracy, 0.5, latency, 0.01, children, 0.5)
        for thrift, accuracy, latency, children in ((0.0, 90.0, 0.8, 3), (0.5, 89.8, 0.5, 2), (1.0, 60.0, 0.3, 2))
    ]
    texts = ("insta:skip/mb3e1", "insta:mb3e2/mb3e1")
    costs = OperationCosts("MMAC", 2.0, 0.5, ((1.0, 2.0), (2.0, 3.0)))
    images = ImageDecisions(
        texts, (0, 0, 1, 1), (0.4, 0.4, 0.6, 0.6), (True, True, True, False), (0.1, 0.1, 0.2, 2.0), (0, 0, 1, 1),
        (0.1, 0.2, 0.3, 3.0),
    )  # fmt: skip
    statistics = InstanceStatistics(
        0.693, Dependence(0.69, 0.3, 0.25), Dependence(0.69, 0.69, 1.0), 0.89, 0.1, 0.6, 75.0, 0.9, 50.0, 0.02, 100
    )
    examples = (Example(0, (1, 2, 3), "AAECAwQF"), Example(3, (3, 1, 2), "AAECAwQF"))
    return Instances(tuple(points), True, costs, ("cat", "<dog>"), texts[1], images, statistics, examples)
