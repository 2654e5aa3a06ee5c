"""NPENAS: parents, mutants, and which of them the network picks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from naopt.latent import graph_network
from naopt.measurement import Measurement
from naopt.searchers import NPENASSearcher
from naopt.searchers.npenas import NPENASSettings
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from tests.searchers.driving import create, drive, grid, scored

SPACE = NASBench201Space()
QUICK: dict[str, Any] = {"epochs": 2, "width": 8}


def worth(architecture: Architecture) -> float:
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def measure(architecture: Architecture) -> Measurement:
    return scored(worth(architecture))


class Oracle:
    """In place of the network: knows the truth, and says with which deviation."""

    def __init__(self, *settings: Any) -> None:
        self.deviation = 1e4 if settings[4] else 0.0

    def fit(self, space: object, architectures: object, targets: object, *_: object) -> Oracle:
        return self

    def predict(self, architectures: list[Architecture], *_: object) -> tuple[np.ndarray, np.ndarray]:
        mean = np.array([worth(architecture) for architecture in architectures])
        return mean, np.full(len(mean), self.deviation)


def told(count: int = 30) -> list[Architecture]:
    rng = np.random.default_rng(1)
    return list(dict.fromkeys(SPACE.sample(rng) for _ in range(count)))


def test_published_settings_are_those_of_the_program() -> None:
    for preset, epochs in (("np", 300), ("bo", 1000)):
        published = NPENASSettings.parse({"preset": preset})
        assert published.variant == preset
        assert (published.initial, published.batch, published.parents, published.candidates) == (10, 10, 10, 100)
        assert (published.layers, published.width, published.head, published.dropout) == (3, 32, 16, 0.1)
        assert (published.epochs, published.batch_size, published.learning_rate) == (epochs, 16, 0.005)


def test_a_perfect_network_picks_the_best_of_all_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    """By brute force: as many mutants as the ten parents have new neighbours, of which the best ten are measured."""
    monkeypatch.setattr(graph_network, "GraphPredictor", Oracle)
    parents = sorted(told(), key=worth, reverse=True)[:10]
    neighbours = {a for parent in parents for a in SPACE.neighbours(parent)} - set(told())
    search = create(NPENASSearcher, SPACE, 60, candidates=len(neighbours))
    for architecture in told():
        search.tell(architecture, measure(architecture))
    proposals = search.ask(10)
    assert [p.predicted for p in proposals] == sorted((p.predicted for p in proposals), reverse=True)
    assert {p.parent for p in proposals} <= set(parents)
    expected = sorted(map(worth, neighbours), reverse=True)[:10]
    assert [worth(p.architecture) for p in proposals] == expected


def test_bo_draws_from_what_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_network, "GraphPredictor", Oracle)
    mean = {}
    for variant in ("np", "bo"):
        search = create(NPENASSearcher, SPACE, 60, variant=variant)
        for architecture in told():
            search.tell(architecture, measure(architecture))
        mean[variant] = np.mean([worth(p.architecture) for p in search.ask(10)])
    assert mean["np"] > mean["bo"] + 5


def test_parents_without_new_mutants_make_room_for_worse_ones() -> None:
    space = grid(3, 3)
    search = create(NPENASSearcher, space, 9, parents=1, initial=1, batch=4, **QUICK)
    for tokens in ((2, 2), (2, 1), (2, 0), (1, 2), (0, 2)):
        search.tell(space.architecture(tokens), measure(space.architecture(tokens)))
    proposals = search.ask(9)
    assert {p.architecture.tokens for p in proposals} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {p.origin for p in proposals} == {"mutation"}
    for proposal in proposals:
        search.tell(proposal.architecture, measure(proposal.architecture))
    assert search.ask(9) == []


@pytest.mark.parametrize(("space", "variant"), [(ConvCellSpace(2, "enas-5"), "np"), (SPACE, "bo")])
def test_real_networks_find_better_cells_than_random_ones(space: Any, variant: str) -> None:
    def measure(architecture: Architecture) -> Measurement:
        return scored(float(sum(token == 3 for token in architecture.tokens)))

    search = create(NPENASSearcher, space, 40, variant=variant, epochs=20)
    values = [measure(p.architecture).metrics["score"] for p in drive(search, measure, 40)]
    assert np.mean(values[-10:]) > np.mean(values[:10]) + 1
