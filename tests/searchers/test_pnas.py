"""Progressive growth: sizes, beams, and that a perfect surrogate finds what brute force finds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from naopt.latent import mlp_ensemble
from naopt.measurement import Measurement
from naopt.searchers import PNASSearcher
from naopt.searchers.pnas import PNASSettings
from naopt.spaces import Architecture, ConvCellSpace, EnumeratedSpace, NASBench101Space, NASBench201Space, SearchSpace
from tests.searchers.driving import FAILED, create, drive, grid, scored

SPACE = NASBench201Space()
QUICK: dict[str, Any] = {"epochs": 2, "members": 1, "width": 4}
TRUTH = np.random.default_rng(3).normal(size=(6, 5))


def worth(architecture: Architecture) -> float:
    """Each edge counts by itself."""
    return float(sum(TRUTH[index, token] for index, token in enumerate(architecture.tokens)))


def total(architecture: Architecture) -> float:
    return float(sum(architecture.tokens))


def measure(architecture: Architecture) -> Measurement:
    return scored(total(architecture))


class Oracle:
    """In place of the ensemble: knows the truth."""

    def __init__(self, *settings: Any) -> None: ...

    def fit(self, rows: np.ndarray, targets: np.ndarray, seed: int) -> Oracle:
        return self

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.atleast_2d(rows @ TRUTH.ravel())


def test_sizes_grow_one_unit_at_a_time() -> None:
    search = create(PNASSearcher, SPACE, 200, beam=8, **QUICK)
    proposals = drive(search, measure, 45)
    sizes = [search.size(proposal.architecture) for proposal in proposals]
    assert proposals[0].architecture.tokens == (1,) * 6, "all edges pass their input on"
    assert sizes == sorted(sizes)
    assert Counter(sizes) == {0: 1, 1: 4, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8}
    assert {proposal.origin for proposal in proposals} == {"growth"}
    for proposal in proposals[1:]:
        assert proposal.parent is not None
        size, parent = search.size(proposal.architecture), proposal.parent
        assert search.size(parent) < size
        assert proposal.architecture.tokens[: size - 1] == parent.tokens[: size - 1]
        earlier = [p.architecture for p in proposals if search.size(p.architecture) < size]
        assert (
            parent in sorted(earlier, key=total, reverse=True)[:8]
            or total(parent) >= sorted(map(total, earlier), reverse=True)[min(7, len(earlier) - 1)]
        )
    later = drive(search, measure, 10)
    assert {proposal.origin for proposal in later} == {"mutation"}
    for proposal in later:
        assert proposal.parent is not None
        changed = [a != b for a, b in zip(proposal.architecture.tokens, proposal.parent.tokens, strict=True)]
        assert sum(changed) == 1


def test_a_perfect_surrogate_finds_the_best_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges count by themselves, so greedy growth with a beam of one is exact; brute force says what the best is."""
    monkeypatch.setattr(mlp_ensemble, "MLPEnsemble", Oracle)
    monkeypatch.setattr(SPACE, "canonical", lambda tokens: tuple(tokens), raising=False)
    search = create(PNASSearcher, SPACE, 200, beam=1)
    proposals = drive(search, lambda architecture: scored(worth(architecture)), 9)
    best = max(map(worth, SPACE.enumerate()))
    assert max(worth(proposal.architecture) for proposal in proposals) == pytest.approx(best)


@pytest.mark.parametrize(
    "space", [SPACE, ConvCellSpace(3, "enas-5"), ConvCellSpace(), grid(3, 3, 3), NASBench101Space()]
)
def test_the_smallest_is_valid_and_of_size_zero(space: SearchSpace) -> None:
    search = create(PNASSearcher, space, 60)
    assert space.contains(search.smallest.tokens)
    assert search.size(search.smallest) == 0
    assert search.units * space.tokens_per_step == len(space.positions)
    rng = np.random.default_rng(0)
    assert all(search.size(space.sample(rng)) <= search.units for _ in range(20))


def test_branches_are_units_of_cells() -> None:
    space = ConvCellSpace(2, "enas-5")
    search = create(PNASSearcher, space, 60, beam=5, **QUICK)
    step = space.tokens_per_step
    for proposal in drive(search, measure, 20)[1:]:
        size = search.size(proposal.architecture)
        assert (
            proposal.architecture.tokens[size * step :]
            == search.growth.completed(proposal.architecture.tokens[: size * step])[size * step :]
        )


def test_failures_do_not_stop_growth() -> None:
    search = create(PNASSearcher, SPACE, 40, beam=3, **QUICK)
    proposals = drive(search, lambda a: FAILED if total(a) % 2 == 0 else measure(a), 40)
    assert len({proposal.architecture for proposal in proposals}) == 40
    nothing = create(PNASSearcher, SPACE, 40, beam=3, **QUICK)
    assert len(drive(nothing, lambda a: FAILED, 40)) == 40


def test_many_expansions_are_thinned_out() -> None:
    search = create(PNASSearcher, SPACE, 100, beam=8, expansions=3, **QUICK)
    drive(search, measure, 5)
    assert len(search.ask(8)) == 3
    assert search.round_log()["expansions"] == 3


def test_parts_of_a_space_are_searched_to_the_end() -> None:
    rng = np.random.default_rng(0)
    part = EnumeratedSpace(SPACE, [SPACE.sample(rng).tokens for _ in range(60)])
    assert len(drive(create(PNASSearcher, part, 100, **QUICK), measure, 100)) == part.size


def test_published_beam_and_default_beam() -> None:
    assert PNASSettings.parse({"preset": "published"}).beam == 256
    assert create(PNASSearcher, SPACE, 150).beam == 15
    assert create(PNASSearcher, ConvCellSpace(), 100).beam == 4
    assert create(PNASSearcher, ConvCellSpace(), 1).beam == 1
