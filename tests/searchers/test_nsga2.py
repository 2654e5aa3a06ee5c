"""NSGA-II: sorting, crossover, limits, and its fronts beside those of an independent program."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import optuna

from naopt.measurement import Measurement
from naopt.metrics import hypervolume
from naopt.problem import Limit, Objective, Problem
from naopt.searchers import NSGA2Searcher, RandomSearcher, Searcher
from naopt.searchers.nsga2 import Member, Population, constrained_ranks, crossed
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from tests.searchers.driving import FAILED, drive, grid

SPACE = grid(4, 4, 4, 4, 4, 4, 4, 4)
PROBLEM = Problem((Objective("up"), Objective("down", "min")))
WORTH = np.random.default_rng(7).random((2, 8, 4))


def values(tokens: tuple[int, ...]) -> tuple[float, float]:
    """Two sums over the positions, which want different choices."""
    return tuple(float(each[np.arange(8), list(tokens)].sum()) for each in WORTH)  # type: ignore[return-value]


def measure(architecture: Architecture) -> Measurement:
    up, down = values(architecture.tokens)
    return Measurement({"up": up, "down": down})


def create(kind: type[Searcher] = NSGA2Searcher, problem: Problem = PROBLEM, seed: int = 0, **settings: Any) -> Any:
    return kind(SPACE, problem, kind.settings_type.parse(settings), seed=seed, budget=200)


def volume(points: list[tuple[float, float]]) -> float:
    return hypervolume([[up, -down] for up, down in points], [0, -8])


def test_fronts_are_better_than_random_ones_and_like_those_of_optuna() -> None:
    found: dict[str, list[float]] = {"nsga2": [], "random": [], "optuna": []}
    for seed in range(3):
        for name, kind in (("nsga2", NSGA2Searcher), ("random", RandomSearcher)):
            search = create(kind, seed=seed)
            drive(search, measure, 200)
            found[name].append(volume([values(a.tokens) for a, _ in search.history]))
        found["optuna"].append(volume(_optuna(seed)))
    mean = {name: float(np.mean(each)) for name, each in found.items()}
    assert min(found["nsga2"]) > max(found["random"])
    assert mean["nsga2"] > mean["random"] + 0.8 * (mean["optuna"] - mean["random"])


def _optuna(seed: int) -> list[tuple[float, float]]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.NSGAIISampler(population_size=20, seed=seed)
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        study.optimize(lambda t: values(tuple(t.suggest_categorical(str(i), range(4)) for i in range(8))), 200)
    return [(trial.values[0], trial.values[1]) for trial in study.trials]


def test_what_breaks_limits_comes_after_what_keeps_them() -> None:
    points = np.array([[9.0, 9.0], [1, 2], [2, 1], [1, 1], [8, 8]])
    assert constrained_ranks(points, np.array([2.0, 0, 0, 0, 0.5])).tolist() == [3, 0, 0, 1, 2]
    assert constrained_ranks(points, np.array([2.0, 1, 1, 3, 0.5])).tolist() == [2, 1, 1, 3, 0]


def test_survivors_of_the_last_front_are_the_less_crowded() -> None:
    line = [(0.0, 4.0), (1.0, 3.0), (1.1, 2.9), (2.5, 1.5), (4.0, 0.0)]
    members = [Member(a, point, 0.0) for a, point in zip(SPACE.enumerate(), line, strict=False)]
    kept = Population.best(members, 3)
    assert {member.scores for member in kept.members} == {line[0], line[4], line[3]}


def test_a_population_is_elitist_and_follows_from_whole_generations() -> None:
    search = create(population=8, offspring=4)
    drive(search, measure, 8)
    assert not search.population.members, "nothing was asked since"
    drive(search, measure, 19 - 8)
    search.ask(1)
    told = [a for a, _ in search.history[:16]]
    assert {member.architecture for member in search.population.members} <= set(told)
    assert [p.origin for p in search.ask(4)] == ["child"], "one is left of the generation"
    best = max(values(a.tokens)[0] for a in told)
    assert max(member.scores[0] for member in search.population.members) == best


def test_mixtures_are_valid_and_of_both() -> None:
    rng = np.random.default_rng(0)
    for space in (ConvCellSpace(), NASBench201Space()):
        for _ in range(20):
            one, other = space.sample(rng).tokens, space.sample(rng).tokens
            assert crossed(space, one, other, 0.0, rng) == one
            assert crossed(space, one, other, 1.0, rng) == other
            assert space.contains(crossed(space, one, other, 0.5, rng))
    halves = {crossed(grid(2, 2, 2), (0, 0, 0), (1, 1, 1), 0.5, rng) for _ in range(200)}
    assert halves == set(product((0, 1), repeat=3))


def test_limits_on_what_is_measured_are_searched_for() -> None:
    """Few keep it: the population gets there by breaking it less and less."""
    limit = Limit("down", "max", float(np.quantile([values(a.tokens)[1] for a in _some(2000)], 0.002)))
    search = create(problem=Problem(PROBLEM.objectives, (limit,)), population=10)
    drive(search, measure, 200)
    kept = [limit.met(m.metrics) for _, m in search.history]
    assert sum(map(bool, kept[100:])) > 15
    assert search.population.members[0].violation == 0


def _some(count: int) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [SPACE.sample(rng) for _ in range(count)]


def test_failures_are_no_members() -> None:
    search = create(population=6)
    drive(search, lambda a: FAILED if a.tokens[0] == 0 else measure(a), 60)
    search.ask(1)
    assert len(search.population.members) == 6
    assert all(member.architecture.tokens[0] != 0 for member in search.population.members)
    nothing = create(population=6)
    assert len(drive(nothing, lambda a: FAILED, 30)) == 30
