"""Random search with weight sharing: uniform paths, uniform candidates."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from naopt.one_shot import RandomSharing
from tests.networks.paths import paths
from tests.one_shot.toy import best, every, toy_trainer


def test_plain_sampling_is_uniform() -> None:
    searcher = toy_trainer(RandomSharing, positions=2, draws=1).searcher
    counts = Counter(searcher.sample() for _ in range(16_000))
    assert sorted(a.tokens for a in counts) == [tuple(row) for row in every(2).tolist()]
    assert max(abs(count / 16_000 - 1 / 16) for count in counts.values()) < 0.008


def test_candidates_are_uniform_and_distinct() -> None:
    trainer = toy_trainer(RandomSharing, positions=2)
    counts = Counter[tuple[int, ...]]()
    for _ in range(2000):
        found = trainer.searcher.candidates(4, trainer)
        assert {p.origin for p in found} == {"random"}
        assert len({p.architecture for p in found}) == 4
        counts.update(p.architecture.tokens for p in found)
    assert max(abs(count / 8000 - 1 / 16) for count in counts.values()) < 0.01


def test_the_best_of_them_by_shared_weights_is_the_best() -> None:
    trainer = toy_trainer(RandomSharing, epochs=6)
    trainer.run()
    found = [p.architecture.tokens for p in trainer.searcher.candidates(64, trainer)]
    assert len(found) == 64
    several = paths(trainer.shared, found)
    assert found[int(trainer.data.scores(several).argmax())] == best()
    accuracies = [trainer.data.measure(path)["acc"] for path in several]
    assert trainer.data.scores(several) == pytest.approx(np.array(accuracies))
