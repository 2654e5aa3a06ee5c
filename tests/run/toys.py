"""A space, an evaluator and searchers for tests of runs; importable in worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement, MetricInfo
from naopt.searchers import Objective, Proposal, RandomSearcher, Searcher
from naopt.spaces import Architecture, GenericSpace, Position
from naopt.tables import Table, save_table

FATES = ("fine", "raise", "memory", "exit", "killed", "sleep", "interrupted", "diverged", "input")
SPACE = GenericSpace([Position("fate", FATES), Position("value", tuple(map(str, range(10))))], "toy")
OBJECTIVE = Objective("score")


def toy(fate: str, value: int = 0) -> Architecture:
    return SPACE.architecture([FATES.index(fate), value])


class Stop(Observer):
    """Stops a search, as a kill does, after so many results."""

    def __init__(self, results: int) -> None:
        self.left = results

    def measured(self, trial: Trial) -> None:
        self.left -= 1
        if not self.left:
            raise KeyError("killed")


class ToyEvaluator(Evaluator):
    """Scores an architecture by its value, unless its fate is another."""

    default_metric = "score"

    def __init__(self, *, inline: bool = False, data: Path | None = None, broken_workers: bool = False) -> None:
        self.space, self.metrics = SPACE, {"score": MetricInfo("max", "points")}
        self.inline, self.data, self.broken_workers = inline, data, broken_workers
        self.parent = os.getpid()
        self.prepared = False

    def prepare(self) -> None:
        if self.data is not None and not self.data.exists():
            raise InputError("data", str(self.data), "no such folder")
        if self.broken_workers and os.getpid() != self.parent:
            os._exit(7)
        self.prepared = True

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        assert self.prepared
        fate, value = FATES[architecture.tokens[0]], architecture.tokens[1]
        if fate == "raise":
            raise RuntimeError("it\nbroke")
        if fate == "memory":
            raise MemoryError
        if fate == "exit":
            os._exit(3)
        if fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "sleep":
            time.sleep(60)
        if fate == "input":
            raise InputError("image", "x.png", "is truncated")
        if fate == "interrupted":
            return Measurement(status="interrupted", reason="shutdown")
        if fate == "diverged":
            return Measurement({"score": np.float64(1.0)}, 0.1, "diverged", "loss is not finite")
        time.sleep(0.01 * (value % 3))
        return Measurement({"score": value + (seed % 1000) / 1e4, "pid": float(os.getpid())}, 0.01 * value)


def finished(architecture: Architecture, seed: int = 0) -> Measurement:
    return Measurement({"score": float(sum(architecture.tokens))}, 0.5)


class InRounds(RandomSearcher):
    """Random search in rounds of four; each depends on the scores that were told before."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        total = sum(m.metrics.get("score", 0.0) for _, m in self.history)
        rng = np.random.default_rng([self.seed, round(1e6 * total)])
        found: list[Architecture] = []
        while len(found) < min(4, count) and len(self.seen) + len(found) < SPACE.size:
            architecture = self.space.sample(rng)
            if architecture not in self.seen and architecture not in found:
                found.append(architecture)
        parent = self.history[0][0] if self.history else None
        return [Proposal(a, "ascent" if parent else "random", np.float64(0.5), parent) for a in found]

    def round_log(self) -> dict[str, object]:
        return {"told": len(self.history), "loss": np.float32(0.25), "curve": np.arange(2), "gap": float("nan")}


class Scripted(Searcher):
    """Proposes what it is given."""

    def __init__(self, rounds: Sequence[Sequence[Architecture]], budget: int = 10) -> None:
        super().__init__(SPACE, OBJECTIVE, Settings(), seed=0, budget=budget)
        self.rounds = [list(group) for group in rounds]

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        return [Proposal(architecture, "random") for architecture in (self.rounds.pop(0) if self.rounds else [])]


def in_rounds(seed: int = 0, budget: int = 10) -> InRounds:
    return InRounds(SPACE, OBJECTIVE, Settings(), seed=seed, budget=budget)


def write_table(path: Path) -> Path:
    """All ninety architectures: ``score`` (some not measured) and ``cost`` (smaller is better)."""
    tokens = np.array([[a, b] for a in range(len(FATES)) for b in range(10)])
    score = tokens.sum(axis=1).astype(float)
    score[::7] = np.nan
    infos = {"score": MetricInfo("max", "points"), "cost": MetricInfo("min", "s")}
    save_table(Table("toy", SPACE, tokens, {"score": score, "cost": 1.0 + tokens[:, 1]}, infos), path)
    return path
