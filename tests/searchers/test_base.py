"""What all searchers share."""

from __future__ import annotations

import numpy as np

from naopt.configuration import Settings
from naopt.measurement import Measurement
from naopt.searchers import Objective
from naopt.searchers.base import sample_new
from naopt.searchers.random_search import RandomSearcher
from naopt.spaces import NASBench201Space
from tests.spaces.examples import mlp


def searcher(seed: int = 0) -> RandomSearcher:
    return RandomSearcher(mlp(), Objective("accuracy", "min"), Settings(), seed=seed, budget=6)


def test_told_leaves_failures_out_and_turns_the_sign() -> None:
    search = searcher()
    good, bad, other = (proposal.architecture for proposal in search.ask(3))
    search.tell(good, Measurement({"accuracy": 3.0}))
    search.tell(bad, Measurement({"accuracy": 1.0}, 0.0, "diverged", "loss is not finite"))
    search.tell(other, Measurement({"seconds": 1.0}))
    architectures, scores = search.told()
    assert architectures == [good]
    assert scores.tolist() == [-3.0]
    assert search.seen == {good, bad, other}
    assert search.round_log() == {}


def test_nothing_told_gives_no_scores() -> None:
    architectures, scores = searcher().told()
    assert architectures == []
    assert scores.shape == (0,)
    assert scores.dtype == np.float64


def test_randomness_is_a_function_of_seed_purpose_and_history() -> None:
    one, other = searcher(), searcher(1)
    first = one.generator(3).integers(2**62)
    assert first == searcher().generator(3).integers(2**62)
    assert len({first, other.generator(3).integers(2**62), one.generator(4).integers(2**62)}) == 3
    one.tell(mlp().architecture((0, 0)), Measurement({"accuracy": 1.0}))
    assert first != one.generator(3).integers(2**62)


def test_sample_new_gives_fewer_where_there_are_fewer() -> None:
    space = mlp()
    rng = np.random.default_rng(0)
    every = sample_new(space, set(), 10, rng)
    assert len(set(every)) == len(every) == space.size
    assert sample_new(space, set(every), 3, rng) == []
    assert sample_new(space, set(every[1:]), 3, rng) == [every[0]]
    assert len(set(sample_new(NASBench201Space(), set(), 50, rng))) == 50


def test_sample_new_finds_the_last_ones_of_a_small_space() -> None:
    space = NASBench201Space()
    every = list(space.enumerate())
    last = {every[7], every[12_345]}
    found = sample_new(space, set(every) - last, 3, np.random.default_rng(0))
    assert set(found) == last
