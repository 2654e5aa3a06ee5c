"""The suite for searchers accepts what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from naopt.configuration import Settings
from naopt.measurement import Measurement
from naopt.searchers import Proposal, Searcher
from naopt.searchers.base import Known, sample_new
from naopt.searchers.random_search import RandomSearcher
from naopt.spaces import (
    Architecture,
    ConvCellSpace,
    NASBench201Space,
)
from naopt.testing import SearcherCase, check_searcher
from tests.spaces.examples import mlp


class Forgetful(RandomSearcher):
    """Proposes what was told before."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        return [Proposal(a, "random") for a in sample_new(self.space, set(pending), count, np.random.default_rng(0))]


class Greedy(RandomSearcher):
    """Gives more than it is asked for."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        return super().ask(count + 1, pending)


class Stateful(RandomSearcher):
    """Counts its asks."""

    asks = 0

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        self.asks += 1
        rng = np.random.default_rng([self.seed, self.asks])
        return [Proposal(a, "random") for a in sample_new(self.space, Known(self.seen, pending), count, rng)]


class Unseeded(RandomSearcher):
    """Asks the system for randomness."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        rng = np.random.default_rng()
        return [Proposal(a, "random") for a in sample_new(self.space, Known(self.seen, pending), count, rng)]


class SameForAllSeeds(RandomSearcher):
    """Does not use its seed."""

    def generator(self, *purpose: int, pending: Sequence[Architecture] = ()) -> np.random.Generator:
        return np.random.default_rng([len(self.history), len(pending)])


class Anonymous(RandomSearcher):
    """Says no origin."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        return [Proposal(p.architecture, "") for p in super().ask(count, pending)]


class GivesUp(RandomSearcher):
    """Ends early."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        return super().ask(count, pending) if len(self.history) < 5 else []


class WrongSign(RandomSearcher):
    """Takes the raw metric for the score."""

    def generator(self, *purpose: int, pending: Sequence[Architecture] = ()) -> np.random.Generator:
        raw = [m.metrics.get("score", 0.0) > 0 for _, m in self.history]
        return np.random.default_rng([self.seed, len(raw), sum(raw), len(pending)])


class Hasty(RandomSearcher):
    """Proposes what is pending."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        return super().ask(count)


class Impatient(RandomSearcher):
    """Counts its asks while others are pending."""

    asks = 0

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        self.asks += len(pending) > 0
        rng = np.random.default_rng([self.seed, len(self.history), self.asks])
        return [Proposal(a, "random") for a in sample_new(self.space, Known(self.seen, pending), count, rng)]


class OfAnEarlierVersion(RandomSearcher):
    """Does not know of pending architectures."""

    def ask(self, count: int) -> list[Proposal]:  # type: ignore[override]
        return super().ask(count)


class Deaf(RandomSearcher):
    """Says that it learns, and gives all that it is asked for at once."""

    learns = True

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        if not self.history:
            return super().ask(count, pending)
        best = max(self.history, key=lambda pair: self.objective.score(pair[1]) or 0.0)[0]
        known = Known(self.seen, pending)
        new = [a for a in self.space.neighbours(best) if a not in known][:1]
        return [Proposal(a, "mutation") for a in new] or super().ask(1, pending)


class Endless(RandomSearcher):
    """Looks for something new until it finds it."""

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        while (found := self.space.sample(rng)) in known:
            pass
        return [Proposal(found, "random")]


class AsksInOrder(RandomSearcher):
    """Has no use for anything but what it asked for, in that order."""

    several = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.expected: list[Architecture] = []

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        proposals = super().ask(count, pending)
        self.expected = [*pending, *(proposal.architecture for proposal in proposals)]
        return proposals

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        assert architecture == self.expected.pop(0), "out of order"
        super().tell(architecture, measurement)


@pytest.mark.parametrize(
    ("searcher", "message"),
    [
        (Forgetful, "a proposal was told before|is in seen"),
        (Greedy, "proposals, got"),
        (Stateful, "asks otherwise"),
        (Unseeded, "asks otherwise"),
        (SameForAllSeeds, "two seeds propose the same"),
        (Anonymous, "must say its origin"),
        (GivesUp, "ended after|nothing is proposed"),
        (WrongSign, "minimising -x"),
        (Hasty, "is pending already"),
        (Impatient, "asks otherwise"),
        (Deaf, "the same 24 architectures whatever it is told, asked for all that is left"),
        (Endless, "draws 20000 times in a space of 1: an ask that finds nothing new is empty"),
        (OfAnEarlierVersion, r"takes no pending: make it ask\(self, count, pending=\(\)\)"),
        (AsksInOrder, "out of order"),
    ],
)
def test_a_searcher_that_breaks_a_rule(searcher: type[Searcher], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_searcher(SearcherCase(searcher, ConvCellSpace(2, "enas-5")))


def test_good_searchers() -> None:
    check_searcher(SearcherCase(RandomSearcher, NASBench201Space(), Settings()))
    check_searcher(SearcherCase(RandomSearcher, mlp(), budget=3), seed=3)
