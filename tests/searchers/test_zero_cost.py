"""What searchers make of an order that is known beforehand, against a plain sort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Limit, Objective, Problem
from naopt.searchers import EvolutionSearcher, Searcher, ZeroCostSearcher
from naopt.searchers.base import Known, sample_new
from naopt.spaces import Architecture, NASBench201Space
from naopt.testing.drives import ToyCosts, cost
from tests.searchers.driving import grid

SPACE = NASBench201Space()


@dataclass
class Priors:
    """Two quantities, the second of which is not known everywhere; counts what is looked at."""

    looked_at: list[Architecture] = field(default_factory=list)
    metrics = ("first", "second")

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        self.looked_at += architectures
        rows = [(first(a), second(a)) for a in architectures]
        return dict(zip(self.metrics, np.array(rows, dtype=np.float64).reshape(-1, 2).T, strict=True))


def first(architecture: Architecture) -> float:
    return float(np.dot(architecture.identity, [1, 3, 7, 11, 13, 17]))


def second(architecture: Architecture) -> float:
    return math.nan if architecture.identity[0] == 0 else float(architecture.identity[1])


def create(kind: type[Searcher], priors: Priors | None, budget: int = 20, **settings: Any) -> Searcher:
    problem = Problem((Objective("score"),), priors=priors)
    return kind(SPACE, problem, kind.settings_type.parse(settings), seed=3, budget=budget)


def drawn(searcher: Searcher, count: int) -> list[Architecture]:
    return [proposal.architecture for proposal in searcher.ask(count)]


@pytest.mark.parametrize(("proxy", "sign"), [("first", 1), ("min:first", -1)])
def test_the_best_of_the_drawn_come_first(proxy: str, sign: int) -> None:
    priors = Priors()
    searcher = create(ZeroCostSearcher, priors, proxy=proxy, draws=50)
    found = drawn(searcher, 20)
    assert len(set(priors.looked_at)) == 50
    assert sorted((sign * first(a) for a in priors.looked_at), reverse=True)[:20] == [sign * first(a) for a in found]
    for architecture in found[:5]:
        searcher.tell(architecture, Measurement({"score": 0.0}))
    assert drawn(searcher, 15) == found[5:]
    assert len(priors.looked_at) == 50, "looked at again"
    for architecture in [*found[5:], *drawn(searcher, 50)]:
        searcher.tell(architecture, Measurement({"score": 0.0}))
    assert len(priors.looked_at) == 100, "another pool"
    assert len(set(priors.looked_at)) == 100


def test_several_vote_by_their_ranks() -> None:
    priors = Priors()
    found = drawn(create(ZeroCostSearcher, priors, draws=40), 40)
    looked = priors.looked_at

    def rank(values: list[float], value: float) -> float:
        return sum(other < value for other in values) + sum(other == value for other in values) / 2

    ones = [first(a) for a in looked]
    others = [-1.0 if math.isnan(second(a)) else second(a) for a in looked]
    votes = {a: rank(ones, one) + rank(others, other) for a, one, other in zip(looked, ones, others, strict=True)}
    assert [votes[a] for a in found] == sorted(votes.values(), reverse=True)


def test_ten_times_the_budget_is_drawn() -> None:
    priors = Priors()
    create(ZeroCostSearcher, priors, budget=7).ask(1)
    assert len(priors.looked_at) == 70


def test_limits_are_kept() -> None:
    space, limit = grid(4, 4, 4), Limit("cost", "max", 0.3)
    problem = Problem((Objective("score"),), (limit,), ToyCosts(), ToyCosts())
    searcher = ZeroCostSearcher(space, problem, ZeroCostSearcher.settings_type(), seed=0, budget=100)
    found = drawn(searcher, 100)
    assert set(found) == {a for a in space.enumerate() if cost(a) <= 0.3}


def test_evolution_begins_with_the_best() -> None:
    priors = Priors()
    searcher = create(EvolutionSearcher, priors, population=6, sample=2, warmup_proxy="first", warmup_draws=30)
    proposals = searcher.ask(20)
    assert {p.origin for p in proposals} == {"warmup"}
    assert [first(p.architecture) for p in proposals] == sorted(map(first, priors.looked_at), reverse=True)[:6]
    assert len(priors.looked_at) == 30
    for proposal in proposals:
        searcher.tell(proposal.architecture, Measurement({"score": first(proposal.architecture)}))
    assert {p.origin for p in searcher.ask(1)} == {"mutation"}


def test_evolution_goes_on_at_random_when_the_drawn_are_measured() -> None:
    searcher = create(EvolutionSearcher, Priors(), population=6, sample=2, warmup_proxy="all", warmup_draws=4)
    assert [p.origin for p in searcher.ask(20)] == ["warmup"] * 4 + ["random"] * 2


def test_evolution_without_a_proxy_looks_at_nothing() -> None:
    priors = Priors()
    searcher = create(EvolutionSearcher, priors, population=6, sample=2)
    rng = np.random.default_rng([3, 0])
    assert drawn(searcher, 6) == sample_new(SPACE, Known(set()), 6, rng)
    assert not priors.looked_at


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(InputError, match="give --proxies, or --prior-columns"):
        create(ZeroCostSearcher, None)
    with pytest.raises(InputError, match=r"warmup_proxy, prior 'frist': unknown; did you mean 'first'"):
        create(EvolutionSearcher, Priors(), warmup_proxy="frist")
