"""Who goes on: rungs and brackets against the papers, promotions against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.fidelity import Fidelity
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers import searchers
from naopt.searchers.asha import ASHASearcher
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.searchers.successive_halving import BracketSearcher
from naopt.spaces import Architecture, NASBench201Space

SPACE = NASBench201Space()
FOUR = Fidelity(("a4", "a12", "a36", "a108"), (4, 12, 36, 108))
TWO = Fidelity(("early", "late"), (12, 200))


def make(name: str, fidelity: Fidelity, budget: int = 20, **settings: object) -> MultiFidelitySearcher:
    kind = searchers.get(name)
    problem = Problem((Objective(fidelity.metrics[-1]),), fidelity=fidelity)
    made = kind(SPACE, problem, kind.settings_type.parse(settings), seed=1, budget=budget)
    assert isinstance(made, MultiFidelitySearcher)
    return made


def told(searcher: MultiFidelitySearcher, architecture: Architecture, level: int | None, value: float) -> None:
    fidelity = searcher.problem.fidelity
    assert fidelity is not None
    searcher.tell(architecture, Measurement({fidelity.metrics[fidelity.number(level)]: value}, level=level))


def test_brackets_of_hyperband_are_those_of_the_paper() -> None:
    searcher = make("hyperband", FOUR)
    assert isinstance(searcher, BracketSearcher)
    counts = [[size for _, size in searcher.sizes(bracket)] for bracket in range(5)]
    assert counts == [[27, 9, 3, 1], [12, 4, 1], [6, 2], [4], [27, 9, 3, 1]]
    assert [level for level, _ in searcher.sizes(2)] == [2, 3]
    by_two = make("hyperband", FOUR, eta=2)
    assert isinstance(by_two, BracketSearcher)
    assert [size for _, size in by_two.sizes(0)] == [8, 4, 2, 1]


@pytest.mark.parametrize(("fidelity", "budget"), [(FOUR, 20), (TWO, 30), (FOUR, 100)])
def test_a_bracket_of_successive_halving_costs_the_budget(fidelity: Fidelity, budget: int) -> None:
    searcher = make("successive-halving", fidelity, budget)
    assert isinstance(searcher, BracketSearcher)
    sizes = searcher.sizes(0)
    spent = sum(size * fidelity.step(level, level - 1) for level, size in sizes)
    assert budget - 2 < spent <= budget
    assert all(
        size == math.floor(sizes[0][1] * fidelity.costs[0] / fidelity.costs[level] + 1e-9) for level, size in sizes
    )


def test_the_best_of_a_rung_go_on_and_what_failed_does_not() -> None:
    searcher = make("hyperband", FOUR)
    first = [proposal.architecture for proposal in searcher.ask(100)]
    assert len(first) == 27
    values = dict(zip(first, np.random.default_rng(0).permutation(27).tolist(), strict=True))
    best = max(first, key=lambda a: values[a])
    for architecture in first[:-1]:
        told(searcher, architecture, 0, values[architecture])
    ahead = searcher.ask(5, first[-1:], [0])  # nobody waits: the next bracket, of 12 at the second level, is begun
    assert {(p.level, p.origin, p.architecture in first) for p in ahead} == {(1, "random", False)}
    told(searcher, ahead[0].architecture, 1, -1.0)
    told(searcher, first[-1], 0, values[first[-1]])
    second = searcher.ask(100)
    assert {p.architecture for p in second} == set(sorted(first, key=lambda a: -values[a])[:9])
    assert {(p.level, p.origin) for p in second} == {(1, "promotion")}
    for proposal in second:
        if proposal.architecture == best:
            searcher.tell(best, Measurement({}, 0.0, "diverged", "loss is not finite", level=1))
        else:
            told(searcher, proposal.architecture, 1, values[proposal.architecture])
    third = [proposal.architecture for proposal in searcher.ask(100)]
    assert third == sorted(first, key=lambda a: -values[a])[1:4]
    for level, architectures in ((2, third), (3, third[:1])):
        for architecture in architectures:
            told(searcher, architecture, level, values[architecture])
    assert len(searcher.ask(100)) == 11


def test_promotions_of_asha_are_the_best_so_far_of_each_rung() -> None:
    searcher, rng = make("asha", FOUR, budget=50), np.random.default_rng(3)
    assert isinstance(searcher, ASHASearcher)
    rungs: list[dict[Architecture, float]] = [{}, {}, {}, {}]
    for _ in range(300):
        (proposal,) = searcher.ask(5)
        expected = None
        for level in (2, 1, 0):
            best = sorted(rungs[level], key=lambda a: -rungs[level][a])[: len(rungs[level]) // 3]
            expected = next(((a, level + 1) for a in best if a not in rungs[level + 1]), None)
            if expected is not None:
                break
        level = FOUR.number(proposal.level)
        if expected is None:
            assert level == 0
            assert all(proposal.architecture not in rung for rung in rungs)
        else:
            assert (proposal.architecture, level) == expected
        value = float(rng.random())
        rungs[level][proposal.architecture] = value
        told(searcher, proposal.architecture, proposal.level, value)
    assert len(rungs[3]) >= 3


def test_bohb_asks_its_model_of_the_highest_level_that_has_enough() -> None:
    searcher = make("bohb", TWO, fewest=5, random_share=0)
    first = searcher.ask(100)
    assert {proposal.origin for proposal in first} == {"random"}
    for proposal in first:  # what is right of the first choice is worth nothing
        told(searcher, proposal.architecture, 0, float(-proposal.architecture.tokens[0]))
    while True:
        asked = searcher.ask(100)
        if asked[0].origin == "model":
            break
        for proposal in asked:
            told(searcher, proposal.architecture, proposal.level, float(-proposal.architecture.tokens[0]))
    assert {proposal.architecture.tokens[0] for proposal in asked} == {0}


@pytest.mark.parametrize("name", ["successive-halving", "hyperband", "asha", "bohb"])
def test_without_levels_a_search_is_refused(name: str) -> None:
    kind = searchers.get(name)
    with pytest.raises(InputError, match="needs them: give --fidelities"):
        kind.check(Problem((Objective("late"),)), kind.settings_type())
