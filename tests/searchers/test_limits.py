"""Limits: what they forbid is passed over by every searcher, and costs no query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.execution.loop import search
from naopt.measurement import Measurement
from naopt.metrics import hypervolume
from naopt.problem import Limit, Objective, Problem
from naopt.searchers import searchers
from naopt.searchers.base import Known, sample_new
from naopt.searchers.forbidden import Forbidden, Seen
from naopt.searchers.nao import NAOSearcher, NAOSettings
from naopt.spaces import Architecture, GenericSpace, create_space

SPACE = create_space("nasbench201")
ROOM = 4.0


def cost(architecture: Architecture) -> float:
    """Choices, weighted: about one architecture in 20 keeps to ``ROOM``."""
    return float(sum(architecture.tokens)) - 2.0 * (architecture.tokens[0] == 4)


def quality(architecture: Architecture) -> float:
    return float(np.dot(architecture.tokens, [1, 2, 1, 3, 1, 2]) + (architecture.tokens[2] == 1))


class Sums:
    """Costs of this module."""

    metrics = ("cost",)

    def __init__(self) -> None:
        self.asked = 0

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        self.asked += len(architectures)
        return {"cost": np.array([cost(a) for a in architectures])}


def measure(architecture: Architecture) -> Measurement:
    return Measurement({"quality": quality(architecture), "cost": cost(architecture)})


def problem(*objectives: Objective, known: bool = True, limit: float = ROOM) -> Problem:
    wanted = objectives or (Objective("quality"),)
    return Problem(wanted, (Limit("cost", "max", limit),), Sums() if known else None)


SETTINGS: dict[str, dict[str, Any]] = {
    "nao": {"unlabelled": 200, "pretraining_steps": 30, "decoder_size": 32},
    "gp": {"candidates": "local"},
}
"""An embedding that is soon there; a few candidates of all."""

QUICK = ("local-search", "nao")


@pytest.mark.parametrize("name", QUICK)
def test_what_a_known_cost_forbids_is_never_proposed(name: str) -> None:
    kind = searchers.get(name)
    searcher = kind(SPACE, problem(), kind.settings_type.parse(SETTINGS.get(name, {})), seed=1, budget=24)
    found = search(searcher, measure, 24)
    assert len(found) == 24
    assert all(cost(proposal.architecture) <= ROOM for proposal, _ in found)


@pytest.mark.parametrize("name", ["nao", "gp"])
def test_a_measured_limit_is_learned(name: str) -> None:
    kind = searchers.get(name)
    searcher = kind(
        SPACE, problem(known=False, limit=9.0), kind.settings_type.parse(SETTINGS.get(name, {})), seed=0, budget=50
    )
    found = search(searcher, measure, 50)
    broken = [cost(proposal.architecture) > 9.0 for proposal, _ in found]
    assert sum(broken[-20:]) < sum(broken[:10]) + 5
    told = [measurement for _, measurement in searcher.history]
    seen = [measurement for measurement, over in zip(told, broken, strict=True) if over]
    assert all(measurement.ok == (name == "nao") for measurement in seen)
    if name == "gp":
        assert all(measurement.reason.startswith("breaks cost <= 9: ") for measurement in seen)
    best = max(quality(a) for a in SPACE.enumerate() if cost(a) <= 9.0)
    assert max(quality(p.architecture) for p, _ in found if cost(p.architecture) <= 9.0) >= 0.85 * best


@pytest.mark.parametrize("known", [True, False])
def test_nao_finds_more_of_a_front_than_chance(known: bool) -> None:
    every = np.array([(quality(a), -cost(a)) for a in SPACE.enumerate()])
    reference = every.min(axis=0) - 1.0
    wanted = Problem((Objective("quality"), Objective("cost", "min")), (), Sums() if known else None)
    shares = {}
    for name in ("nao", "random"):
        kind = searchers.get(name)
        found = search(
            kind(SPACE, wanted, kind.settings_type.parse(SETTINGS.get(name, {})), seed=0, budget=50), measure, 50
        )
        mine = np.array([(quality(p.architecture), -cost(p.architecture)) for p, _ in found])
        shares[name] = hypervolume(mine, reference) / hypervolume(every, reference)
    assert shares["nao"] > max(0.9, shares["random"] + 0.1)


def test_an_objective_that_never_changes_hinders_no_other() -> None:
    def flat(architecture: Architecture) -> Measurement:
        return Measurement({"quality": quality(architecture), "cost": 3.0})

    kind = searchers.get("nao")
    wanted = Problem((Objective("quality"), Objective("cost", "min")))
    found = search(kind(SPACE, wanted, kind.settings_type.parse(SETTINGS["nao"]), seed=0, budget=40), flat, 40)
    values = [measurement.metrics["quality"] for _, measurement in found]
    assert max(values[10:]) > max(values[:10])
    assert np.mean(values[-15:]) > np.mean(values[:10]) + 5


def test_nao_goes_on_with_several_objectives_from_what_was_told() -> None:
    wanted = problem(Objective("quality"), Objective("cost", "min"), known=False, limit=12.0)
    kind = searchers.get("nao")
    settings = kind.settings_type.parse(SETTINGS["nao"])
    first = kind(SPACE, wanted, settings, seed=3, budget=40)
    search(first, measure, 26)
    fresh = kind(SPACE, wanted, settings, seed=3, budget=40)
    for architecture, measurement in first.history:
        fresh.tell(architecture, measurement)
    pending = [SPACE.parse(SPACE.format(SPACE.sample(np.random.default_rng(9))))]
    assert first.ask(2, pending) == fresh.ask(2, pending)


def test_a_way_to_the_limit_is_walked_where_chance_finds_none() -> None:
    limit = min(map(cost, SPACE.enumerate())) + 1.0
    wanted = problem(limit=limit)
    seen = Seen(wanted)
    allowed = {a for a in SPACE.enumerate() if cost(a) <= limit}
    drawn = sample_new(SPACE, Known(seen), min(5, len(allowed)), np.random.default_rng(0), attempts=1)
    assert len(drawn) == min(5, len(allowed))
    assert set(drawn) <= allowed


class Total:
    """The sum of the tokens: what a large space has little of within a small one."""

    metrics = ("cost",)
    asked = 0

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        self.asked += len(architectures)
        return {"cost": np.array([float(sum(a.tokens)) for a in architectures])}


LARGE = GenericSpace({f"p{index}": list(range(10)) for index in range(10)})


def test_ways_to_a_limit_that_little_keeps_take_few_costs() -> None:
    costs = Total()
    seen = Seen(Problem((Objective("quality"),), (Limit("cost", "max", 5.0),), costs))
    drawn = sample_new(LARGE, Known(seen), 300, np.random.default_rng(0))
    assert len(set(drawn)) == len(drawn) == 10
    assert all(sum(architecture.tokens) <= 5 for architecture in drawn)
    assert costs.asked <= 2_000


@pytest.mark.parametrize("name", ["pnas", "random"])
def test_a_search_ends_when_all_that_a_limit_leaves_of_a_large_space_is_measured(name: str) -> None:
    kind = searchers.get(name)
    wanted = Problem((Objective("quality"),), (Limit("cost", "max", 1.0),), Total())
    searcher = kind(LARGE, wanted, kind.settings_type.parse({}), seed=0, budget=20)
    found = search(searcher, lambda a: Measurement({"quality": float(np.argmax(a.tokens)), "cost": sum(a.tokens)}), 20)
    assert len(found) == 11


def test_a_lookup_is_computed_once_and_refusals_are_counted() -> None:
    wanted = problem()
    forbidden, costs = Forbidden(wanted), wanted.costs
    assert isinstance(costs, Sums)
    dear = SPACE.architecture((4, 4, 4, 4, 4, 4))
    assert [dear in forbidden for _ in range(3)] == [True, True, True]
    assert (costs.asked, forbidden.refused) == (1, 1)
    forbidden.forget()
    assert forbidden.refused == 0
    assert not Forbidden(Problem.of(Objective("quality")))


def nao_after(told: Sequence[Architecture], limit: float) -> NAOSearcher:
    """With so much told, of a search under a known limit."""
    settings = NAOSettings.parse(SETTINGS["nao"])
    searcher = NAOSearcher(SPACE, problem(limit=limit), settings, seed=0, budget=40)
    for architecture in told:
        searcher.tell(architecture, measure(architecture))
    return searcher


def test_all_that_a_limit_leaves_competes_wherever_it_lies() -> None:
    left = [a for a in SPACE.enumerate() if cost(a) <= 2.0]
    best = max(left, key=quality)
    told = [a for a in left if a != best][:-1]
    first, *rest = nao_after(told, 2.0).ask(3)
    assert first.architecture == best, "steps from what is told do not matter"
    assert len(rest) < 2, "one is left"


def test_rounds_under_a_limit_are_the_ordinary_ones() -> None:
    searcher = nao_after([], ROOM)
    assert (searcher.initial, searcher.round_size) == (5, 2)
    free = NAOSearcher(SPACE, Objective("quality"), NAOSettings.parse(SETTINGS["nao"]), seed=0, budget=60)
    assert (free.initial, free.round_size) == (5, 2)
    given = NAOSettings.parse({"initial": 7, "new_per_round": 3})
    mine = NAOSearcher(SPACE, problem(), given, seed=0, budget=60)
    assert (mine.initial, mine.round_size) == (7, 3)
