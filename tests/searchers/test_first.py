"""What is measured first where other tasks say what is promising."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from naopt.measurement import Measurement
from naopt.problem import Costs, Objective, Problem
from naopt.searchers.base import Proposal
from naopt.searchers.first import candidates_elsewhere, first, first_count
from naopt.searchers.nao import NAOSearcher, NAOSettings
from naopt.spaces import Architecture, GenericSpace, Position

SPACE = GenericSpace([Position("x", tuple(map(str, range(100))))], "line")
AT = [SPACE.architecture([index]) for index in range(100)]


class Sources:
    """Two of them, one for large and one for small numbers."""

    metrics = ("large", "small")
    promising = {"large": AT[::-1], "small": AT}  # noqa: RUF012

    def of(self, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
        values = np.array([float(a.tokens[0]) for a in architectures])
        return {"large": values, "small": -values}


class Columns:
    """Nobody knows which way is better."""

    metrics = ("large",)
    of = Sources.of


def asked(priors: Costs | None, known: set[Architecture], begun: int, random: list[int]) -> list[tuple[str, int]]:
    found = first(priors, known, begun, len(random), [Proposal(AT[index], "random") for index in random])
    return [(proposal.origin, proposal.architecture.tokens[0]) for proposal in found]


def test_every_second_is_promising_of_one_source_after_another() -> None:
    expected = [("prior", 99), ("random", 50), ("prior", 0), ("random", 51), ("prior", 98), ("random", 52)]
    assert asked(Sources(), set(), 0, [50, 51, 52, 53, 54, 55]) == expected
    known = {AT[99], AT[50], AT[0]}
    assert asked(Sources(), known, 3, [51, 52, 53]) == [("random", 51), ("prior", 98), ("random", 52)]
    assert asked(Sources(), set(), 0, [99, 51, 52]) == [("prior", 99), ("random", 51), ("prior", 0)]


def test_without_sources_all_is_random() -> None:
    for priors in (None, Columns()):
        assert asked(priors, set(), 0, [7, 8, 9]) == [("random", 7), ("random", 8), ("random", 9)]
        assert candidates_elsewhere(priors, set()) == []
        assert first_count(priors, 10) == 10
    assert first_count(Sources(), 10) == 6
    assert first_count(Sources(), 3) == 3


def test_candidates_are_what_is_promising_and_not_known() -> None:
    found = candidates_elsewhere(Sources(), {AT[0], AT[99]})
    assert {architecture.tokens[0] for architecture in found} == set(range(1, 99))
    assert len(found) == 98


def test_workers_that_never_wait_get_the_same_first_ones() -> None:
    """What is pending counts, so the turn of sources and random ones does not depend on what was told."""
    options = NAOSettings(unlabelled=60, pretraining_steps=2, decoder_size=8, initial=6)
    problem = Problem((Objective("score"),), priors=Sources())
    searcher = NAOSearcher(SPACE, problem, options, seed=0, budget=12)
    asked: list[Proposal] = []
    for number in range(6):
        asked += searcher.ask(1, [proposal.architecture for proposal in asked[number // 2 :]])
        if number % 2:
            searcher.tell(asked[number // 2].architecture, Measurement({"score": float(number)}))
    assert [proposal.origin for proposal in asked] == ["prior", "random"] * 3
    assert [proposal.architecture.tokens[0] for proposal in asked[::2]] == [99, 0, 98]
    assert len({proposal.architecture for proposal in asked}) == 6
