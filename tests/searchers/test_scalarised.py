"""Searchers for one objective that take several, by weights or Chebyshev."""

from __future__ import annotations

from typing import Any

import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Limit, Objective, Problem
from naopt.searchers import EvolutionSearcher, Scalarisation, Scalarised, Searcher, make_searcher, searchers
from naopt.spaces import Architecture, NASBench201Space
from naopt.testing.drives import Drive, SearcherCase, ToyCosts, cost, measure_both
from naopt.testing.objectives import ObjectivesSuite
from tests.searchers.driving import drive

SPACE = NASBench201Space()
PROBLEM = Problem((Objective("score"), Objective("cost", "min")))


def create(text: str = "chebyshev", problem: Problem = PROBLEM, kind: str = "evolution", **settings: Any) -> Searcher:
    parsed = searchers.get(kind).settings_type.parse(settings or {"population": 6, "sample": 3})
    scalarisation = Scalarisation.parse(text) if text else None
    return make_searcher(kind, SPACE, problem, parsed, seed=1, budget=40, scalarisation=scalarisation)


class ScalarisedEvolution(Scalarised):
    settings_type = EvolutionSearcher.settings_type

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named, kind=EvolutionSearcher, scalarisation=Scalarisation(count=3))


def test_it_keeps_the_contract_on_several_objectives() -> None:
    settings = EvolutionSearcher.settings_type(population=5, sample=3)
    ObjectivesSuite().test_several_objectives(SearcherCase(ScalarisedEvolution, SPACE, settings, budget=30, batch=5))


def test_one_objective_alone_is_the_plain_search() -> None:
    """Tournaments see ranks only, so no scale makes a difference; a weight of 0 leaves the other objective out."""
    plain = create("", Problem(PROBLEM.objectives[:1]))
    both = create("weights=1,0")
    one, other = (drive(search, measure_both, 40) for search in (plain, both))
    assert [p.architecture for p in one] == [p.architecture for p in other]
    reverse = create("weights=0,2", Problem(PROBLEM.objectives[::-1]))
    assert [p.architecture for p in drive(reverse, measure_both, 40)] == [p.architecture for p in one]


@pytest.mark.parametrize("size", [1, 2, 5, 8, 10])
def test_all_directions_have_their_turn(size: int) -> None:
    search = create()
    assert isinstance(search, Scalarised)
    turns = [search.turn(size * round_) for round_ in range(80)]
    assert all(6 <= turns.count(direction) <= 14 for direction in range(8))


def test_every_searcher_is_told_everything_in_its_own_direction() -> None:
    search = create("weights=0.25,0.75,score=0:1,cost=0:2", population=4)
    assert isinstance(search, Scalarised)
    drive(search, measure_both, 12)
    search.ask(1)
    (inner,) = search._searchers.values()
    assert [a for a, _ in inner.history] == [a for a, _ in search.history]
    for (_, given), (_, seen) in zip(search.history, inner.history, strict=True):
        expected = 0.25 * given.metrics["score"] + 0.75 * (1 - given.metrics["cost"] / 2)
        assert seen.metrics["score"] == pytest.approx(expected)
    assert search.round_log()["direction"] == 0


def test_what_breaks_a_limit_has_failed_for_all() -> None:
    problem = Problem(PROBLEM.objectives, (Limit("cost", "max", 0.3),))
    search = create("weights", problem, population=4)
    drive(search, measure_both, 12)
    assert isinstance(search, Scalarised)
    inner = search._informed(0)
    assert {m.status for _, m in inner.history} == {"ok", "invalid"}
    assert {m.reason for _, m in inner.history} == {"", "breaks cost <= 0.3"}


def test_known_limits_are_kept_and_counted_once() -> None:
    problem = Problem(PROBLEM.objectives, (Limit("cost", "max", 0.3),), ToyCosts())
    search = create("chebyshev", problem, population=4)
    found = Drive(search, measure_both).run(20, 5)
    assert len(found) == 20
    assert all(cost(architecture) <= 0.3 for architecture in found)
    assert search.seen.forbidden.refused > 0  # type: ignore[attr-defined]


def test_predictions_in_no_unit_are_left_out() -> None:
    search = create("chebyshev", kind="gp", initial=4, random=5, mutations=5)
    proposals = drive(search, measure_both, 8)
    assert {proposal.predicted for proposal in proposals} == {None}


@pytest.mark.parametrize(
    "text", ["weights", "chebyshev", "weights=0.7,0.3", "chebyshev,cost=0:20", "weights=1,2,score=0:1,cost=-5:5"]
)
def test_texts_are_read_and_written(text: str) -> None:
    read = Scalarisation.parse(text)
    assert str(read) == text
    assert Scalarisation.parse(str(read)) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "unknown"),
        ("weigths", "did you mean 'weights'"),
        ("weights=a", "a is no number"),
        ("weights=", "nothing is no number"),
        ("weights=-1,2", "at least 0"),
        ("weights=0,0", "at least 0"),
        ("weights=nan,1", "at least 0"),
        ("weights=0.5", "must be 2, one each for score, cost"),
        ("weights=1,1,1", "must be 2"),
        ("chebyshev,cost=3:3", "two different finite numbers"),
        ("chebyshev,cost=3", "must be METRIC=LOW:HIGH"),
        ("chebyshev,cots=0:3", "did you mean 'cost'"),
    ],
)
def test_mistakes_are_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Scalarised(
            SPACE,
            PROBLEM,
            EvolutionSearcher.settings_type(),
            seed=0,
            budget=5,
            kind=EvolutionSearcher,
            scalarisation=Scalarisation.parse(text),
        )
    assert "\n" not in str(caught.value)


def test_who_can_take_several_is_said() -> None:
    with pytest.raises(InputError, match=r"dppnet, monas, nao, nsga2, random, zero-cost, or --scalarise"):
        create("")
    with pytest.raises(InputError, match="needs several objectives"):
        create("weights", Problem(PROBLEM.objectives[:1]))


def test_a_failure_is_told_as_one() -> None:
    def sometimes(architecture: Architecture) -> Measurement:
        failed = Measurement({"cost": 1.0}, 1.0, "diverged", "loss is not finite")
        return failed if sum(architecture.tokens) % 2 else measure_both(architecture)

    search = create(population=4)
    assert len(drive(search, sometimes, 25)) == 25
