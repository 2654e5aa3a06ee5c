"""Searchers and jobs that behave in known ways; spawned processes import this module."""

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.searchers import Proposal, Searcher
from naopt.spaces import Architecture, GenericSpace, Position
from naopt.tables import CrossValidation, NoiseModel, Surrogate, Table

SPACE = GenericSpace([Position(name, tuple("01234")) for name in "abc"], "cube")


def cube(goal: str = "max", rows: int = 125, missing: Sequence[int] = ()) -> Table:
    """``score`` of a row is ``10 a + 5 b + c``, ``test`` is 100 more; negative if smaller is better."""
    tokens = np.array(np.meshgrid(*[range(5)] * 3, indexing="ij")).reshape(3, -1).T[:rows]
    score = tokens @ [10.0, 5.0, 1.0]
    score[list(missing)] = np.nan
    sign = 1 if goal == "max" else -1
    info = MetricInfo("max" if goal == "max" else "min", "points")
    return Table(
        "cube", SPACE, tokens, {"score": sign * score, "test": sign * (score + 100)}, {"score": info, "test": info}
    )


def trade_offs(missing: Sequence[int] = ()) -> Table:
    """The cube with a ``price`` that the better rows have more of, and a ``weight`` of its own; smaller is better."""
    table = cube(missing=missing)
    a, b, c = table.tokens.T
    metrics = {**table.metrics, "price": 3.0 * a + (b - 2) ** 2, "weight": 7.0 + (a + 2 * b + 3 * c) % 5}
    return replace(
        table, metrics=metrics, infos={**table.infos, "price": MetricInfo("min"), "weight": MetricInfo("min")}
    )


def surrogate_cube() -> Table:
    """The cube as if a surrogate had filled 25 rows of the score."""
    how = Surrogate(
        model="gbdt",
        seed=0,
        measured=100,
        predicted=25,
        kept=True,
        cv=CrossValidation(folds=5, kendall_tau=0.8, spearman=0.9, r2=0.9, mae=1.0),
        noise=NoiseModel(origin="residuals", edges=(), deviations=(1.0,), repeats=1),
    )
    return replace(cube(), surrogates={"score": how})


class LineSettings(Settings):
    stop_after: int = 1000
    step: int = 1


class LineSearcher(Searcher):
    """Goes through the cube in order, at most 7 at a time."""

    settings_type: ClassVar[type[Settings]] = LineSettings

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        settings = self.settings
        assert isinstance(settings, LineSettings)
        start = len(self.history) + len(pending)
        stop = min(start + min(count, 7), settings.stop_after)
        found = [np.unravel_index(settings.step * index, (5, 5, 5)) for index in range(start, stop)]
        return [
            Proposal(self.space.architecture([int(i) for i in tokens]), "first" if start == 0 else "later")
            for tokens in found
        ]


class FrontSearcher(LineSearcher):
    """Goes the same way, whatever the objectives."""

    several: ClassVar[bool] = True


class BrokenSearcher(Searcher):
    """Raises."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        raise KeyError("no idea")


def square(number: int) -> tuple[int, int, str | None]:
    return number**2, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def refuse(number: int) -> int:
    raise InputError("number", number, "is never right")


class Counted:
    """Knows how often it was unpacked in this process."""

    times = 0

    def __reduce__(self) -> tuple[Callable[[], "Counted"], tuple[()]]:
        return Counted.unpack, ()

    @staticmethod
    def unpack() -> "Counted":
        Counted.times += 1
        return Counted()


def count_unpacked(shared: Counted, number: int) -> tuple[int, int]:
    return number, shared.times


def wait_or_fail(number: int) -> int:
    """0 fails as soon as it may: after the others have ended."""
    if number:
        return number
    time.sleep(1.0)
    raise KeyError("zero")


def die(number: int) -> int:
    os._exit(3)


def run_inline(
    function: Callable[..., Any],
    jobs: Mapping[str, tuple[Any, ...]],
    workers: int,
    shared: tuple[Any, ...] = (),
    by_name: object = (),
) -> Generator[tuple[str, Any], None, None]:
    """``run_jobs`` without processes."""
    for key, arguments in jobs.items():
        yield key, function(*shared, *arguments)
