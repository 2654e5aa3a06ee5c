"""The suite for searchers accepts what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.configuration import Settings
from naopt.searchers import Proposal, Searcher
from naopt.searchers.base import sample_new
from naopt.searchers.random_search import RandomSearcher
from naopt.spaces import (
    ConvCellSpace,
    NASBench201Space,
)
from naopt.testing import SearcherCase, check_searcher
from tests.spaces.examples import mlp


class Forgetful(RandomSearcher):
    """Proposes what was told before."""

    def ask(self, count: int) -> list[Proposal]:
        return [Proposal(a, "random") for a in sample_new(self.space, set(), count, np.random.default_rng(0))]


class Greedy(RandomSearcher):
    """Gives more than it is asked for."""

    def ask(self, count: int) -> list[Proposal]:
        return super().ask(count + 1)


class Stateful(RandomSearcher):
    """Counts its asks."""

    asks = 0

    def ask(self, count: int) -> list[Proposal]:
        self.asks += 1
        rng = np.random.default_rng([self.seed, self.asks])
        return [Proposal(a, "random") for a in sample_new(self.space, self.seen, count, rng)]


class Unseeded(RandomSearcher):
    """Asks the system for randomness."""

    def ask(self, count: int) -> list[Proposal]:
        rng = np.random.default_rng()
        return [Proposal(a, "random") for a in sample_new(self.space, self.seen, count, rng)]


class SameForAllSeeds(RandomSearcher):
    """Does not use its seed."""

    def generator(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng(len(self.history))


class Anonymous(RandomSearcher):
    """Says no origin."""

    def ask(self, count: int) -> list[Proposal]:
        return [Proposal(p.architecture, "") for p in super().ask(count)]


class GivesUp(RandomSearcher):
    """Ends early."""

    def ask(self, count: int) -> list[Proposal]:
        return super().ask(count) if len(self.history) < 5 else []


class WrongSign(RandomSearcher):
    """Takes the raw metric for the score."""

    def generator(self, *purpose: int) -> np.random.Generator:
        raw = [m.metrics.get("score", 0.0) > 0 for _, m in self.history]
        return np.random.default_rng([self.seed, len(raw), sum(raw)])


@pytest.mark.parametrize(
    ("searcher", "message"),
    [
        (Forgetful, "a proposal was told before"),
        (Greedy, "proposals, got"),
        (Stateful, "ask must depend on what was told"),
        (Unseeded, "equal|what was told"),
        (SameForAllSeeds, "two seeds propose the same"),
        (Anonymous, "must say its origin"),
        (GivesUp, "ended after|nothing is proposed"),
        (WrongSign, "minimising -x"),
    ],
)
def test_a_searcher_that_breaks_a_rule(searcher: type[Searcher], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_searcher(SearcherCase(searcher, ConvCellSpace(2, "enas-5")))


def test_good_searchers() -> None:
    check_searcher(SearcherCase(RandomSearcher, NASBench201Space(), Settings()))
    check_searcher(SearcherCase(RandomSearcher, mlp(), budget=3), seed=3)
