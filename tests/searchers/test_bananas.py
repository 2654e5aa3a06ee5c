"""BANANAS: candidates, acquisition and published settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from naopt.latent import mlp_ensemble
from naopt.latent.encoding import encoded
from naopt.measurement import Measurement
from naopt.searchers import BananasSearcher
from naopt.searchers.bananas import BananasSettings
from naopt.spaces import Architecture, NASBench201Space
from naopt.tables import load_table
from tests.searchers.driving import create, data, drive, grid, needs_data, scored

SPACE = NASBench201Space()
QUICK: dict[str, Any] = {"epochs": 3, "layers": 2}


def worth(architecture: Architecture) -> float:
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def measure(architecture: Architecture) -> Measurement:
    return scored(worth(architecture))


class Oracle:
    """In place of the ensemble: all members know the truth, and some disagree by a constant."""

    def __init__(self, spread: float) -> None:
        self.spread = spread

    def fit(self, rows: np.ndarray, targets: np.ndarray, seed: int) -> Oracle:
        return self

    def predict(self, rows: np.ndarray) -> np.ndarray:
        truth = rows.reshape(len(rows), 6, 5) @ np.arange(5) @ np.arange(1, 7)
        return truth + self.spread * np.array([[-1.0], [1.0]])


def told(count: int = 30) -> list[Architecture]:
    rng = np.random.default_rng(1)
    return list(dict.fromkeys(SPACE.sample(rng) for _ in range(count)))


def test_published_settings_are_those_of_the_program() -> None:
    published = BananasSettings.parse({"preset": "published"})
    assert (published.initial, published.batch, published.candidates, published.members) == (10, 10, 100, 5)
    assert (published.layers, published.width, published.epochs, published.loss) == (10, 20, 150, "mae")
    assert (published.learning_rate, published.batch_size, published.encoding) == (0.01, 32, "paths")
    assert BananasSettings().candidates == 200


@pytest.mark.parametrize("acquisition", ["mean", "ei", "pi", "ucb", "thompson"])
def test_with_a_perfect_ensemble_the_best_candidates_are_measured(
    acquisition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By brute force over all neighbours of the best: with no spread, every acquisition goes by the mean."""
    monkeypatch.setattr(mlp_ensemble, "MLPEnsemble", lambda *_: Oracle(0.0))
    monkeypatch.setattr(SPACE, "canonical", lambda tokens: tuple(tokens), raising=False)
    best = max(told(), key=worth)
    neighbours = [a for a in SPACE.neighbours(best) if a not in told()]
    options: dict[str, Any] = {
        "encoding": "tokens",
        "acquisition": acquisition,
        "candidates": len(neighbours),
        "parents": 1,
    }
    search = create(BananasSearcher, SPACE, 60, **options)
    for architecture in told():
        search.tell(architecture, measure(architecture))
    proposals = search.ask(10)
    assert {proposal.parent for proposal in proposals} == {best}
    expected = sorted((worth(a) for a in neighbours), reverse=True)[:10]
    assert [worth(proposal.architecture) for proposal in proposals] == expected


def test_thompson_draws_where_the_ensemble_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SPACE, "canonical", lambda tokens: tuple(tokens), raising=False)
    chosen = {}
    for spread in (0.0, 1000.0):
        monkeypatch.setattr(mlp_ensemble, "MLPEnsemble", lambda *_, spread=spread: Oracle(spread))
        search = create(BananasSearcher, SPACE, 60, encoding="tokens")
        for architecture in told():
            search.tell(architecture, measure(architecture))
        chosen[spread] = np.mean([worth(p.architecture) for p in search.ask(10)])
        assert search.round_log() == {"candidates": 200, "mean_deviation": spread}
    assert chosen[0.0] > chosen[1000.0] + 5


def test_worse_parents_are_mutated_only_where_the_best_have_nothing_left() -> None:
    search = create(BananasSearcher, SPACE, 60, parents=1, candidates=30, **QUICK)
    for architecture in told():
        search.tell(architecture, measure(architecture))
    ranking = sorted(told(), key=worth, reverse=True)
    found = search.candidates(ranking, search.turn(10, ()))
    parents = [found.proposal(index, None).parent for index in range(len(found))]
    assert len(found) == 30
    assert parents.count(ranking[0]) == len([a for a in SPACE.neighbours(ranking[0]) if a not in search.seen])
    assert set(parents) == set(ranking[:2])


def test_encodings() -> None:
    cells = told(5)
    widths = {
        encoding: create(BananasSearcher, SPACE, encoding=encoding).rows(cells).shape[1]
        for encoding in ("tokens", "paths", "both", "sizes", "all")
    }
    assert widths["tokens"] == 30
    assert widths["both"] == 30 + widths["paths"]
    every = encoded(SPACE, cells, ("sizes", "local"))
    assert widths["sizes"] == widths["both"] + every["sizes"].shape[1]
    assert widths["all"] == widths["sizes"] + every["local"].shape[1], "what is in two groups is one column"
    truncated = create(BananasSearcher, SPACE, encoding="paths", most_paths=7).rows(cells)
    np.testing.assert_array_equal(truncated, encoded(SPACE, cells, ("paths",))["paths"][:, :7])
    generic = grid(3, 4)
    rows = create(BananasSearcher, generic).rows([generic.architecture((1, 2))])
    assert rows.tolist() == [[0, 1, 0, 0, 0, 1, 0, 1 / 2, 2 / 3]], "generic positions: one-hot, and ranks of numbers"


def test_a_neighbourhood_that_is_used_up_is_left_for_random_architectures() -> None:
    space = grid(2, 2)
    search = create(BananasSearcher, space, 4, initial=2, batch=4, **QUICK)
    assert len(drive(search, measure, 4)) == 4
    assert search.ask(4) == []


@needs_data
def test_it_is_as_strong_as_reported_on_nasbench201() -> None:
    """An independent program, 200 mutations a round: CIFAR-10 optimum after 77 queries (median)."""
    table = load_table(data("nasbench201.npz"))
    accuracy = table.values("valid_acc/cifar10")

    def look_up(architecture: Architecture) -> Measurement:
        row = table.row(architecture)
        assert row is not None
        return scored(float(accuracy[row]))

    best = []
    for seed in range(2):
        drive(search := create(BananasSearcher, SPACE, 80, seed), look_up, 80)
        best.append(max(m.metrics["score"] for _, m in search.history))
    assert max(best) == accuracy.max()
    assert min(best) > np.sort(accuracy)[-20]
