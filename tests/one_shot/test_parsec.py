"""PARSEC: its weights and gradients against the formulas, what it learns, and its distribution as a file."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.one_shot import ArchitectureDistribution
from naopt.one_shot.parsec import PARSECSearcher, importance_weights
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import GenericSpace, NASBench201Space, Position, SearchSpace
from naopt.training.trainer import DivergedError
from tests.networks.paths import paths
from tests.one_shot.toy import ToyPaths, best, every, toy_space, toy_trainer
from tests.spaces.examples import listed


def make(**settings: Any) -> SharedTrainer:
    return toy_trainer(PARSECSearcher, ToyPaths, **settings)


def searched(trainer: SharedTrainer) -> PARSECSearcher:
    assert isinstance(trainer.searcher, PARSECSearcher)
    return trainer.searcher


def drawn(space: SearchSpace, seed: int = 0, scale: float = 1.0) -> ArchitectureDistribution:
    rng = np.random.default_rng(seed)
    return ArchitectureDistribution.of(space, [scale * rng.normal(size=len(p.choices)) for p in space.positions])


def probability(found: ArchitectureDistribution, tokens: tuple[int, ...]) -> float:
    """Of a sequence, where all are valid."""
    return math.exp(sum(table.log_probabilities[t] for table, t in zip(found.positions, tokens, strict=True)))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.floats(0.05, 10))
def test_weights_are_those_of_the_naive_formula(losses: list[float], temperature: float) -> None:
    weights, likelihood = importance_weights(np.array(losses), temperature)
    naive = [math.exp(-loss / temperature) for loss in losses]
    np.testing.assert_allclose(weights, np.array(naive) / sum(naive), rtol=1e-9, atol=1e-300)
    assert likelihood == pytest.approx(temperature * math.log(sum(naive) / len(naive)), rel=1e-9, abs=1e-9)


def test_weights_of_huge_and_of_missing_losses() -> None:
    weights, likelihood = importance_weights(np.array([1e6, 1e6 + 1, math.nan, math.inf]), 1.0)
    np.testing.assert_allclose(weights, [1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0, 0])
    assert likelihood == pytest.approx(-1e6 + math.log(1 + math.exp(-1)) - math.log(4))
    weights, likelihood = importance_weights(np.array([math.nan, math.inf]), 1.0)
    assert np.isnan(weights).all()
    assert math.isnan(likelihood)


def test_gradient_of_the_distribution_as_written_by_hand() -> None:
    """sum_k (w_k - 1/K) (onehot - softmax), the control variate included."""
    trainer = make(warmup=0.0)
    searcher = searched(trainer)
    paths, weights = [(0, 1, 2), (3, 1, 0), (0, 0, 0)], np.array([0.5, 0.2, 0.3]) - 1 / 3
    with torch.no_grad():
        searcher.controller.weights.copy_(torch.randn(3, 4))
    before = searcher.controller.weights.detach().clone()
    searcher._follow(paths, weights)
    expected = torch.zeros(3, 4)
    for tokens, weight in zip(paths, weights.tolist(), strict=True):
        for row, token in enumerate(tokens):
            expected[row] -= weight * (torch.eye(4)[token] - before[row].softmax(0))
    assert searcher.controller.weights.grad is not None
    torch.testing.assert_close(searcher.controller.weights.grad, expected, atol=1e-6, rtol=1e-5)


def test_the_control_variate_changes_no_expectation_and_less_varies() -> None:
    """Over all pairs of paths of one position with three choices."""
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    probabilities = logits.softmax(0).numpy()
    slopes = np.eye(3) - probabilities
    losses = np.array([1.0, 1.3, 0.9])
    sums: dict[float, NDArray[np.float64]] = {}
    squares = {}
    for shift in (0.0, 0.5):
        gradients, chances = [], []
        for a, b in itertools.product(range(3), repeat=2):
            weights, _ = importance_weights(losses[[a, b]], 0.5)
            gradients.append((weights - shift) @ slopes[[a, b]])
            chances.append(probabilities[a] * probabilities[b])
        sums[shift] = np.array(chances) @ np.array(gradients)
        squares[shift] = np.array(chances) @ (np.array(gradients) ** 2).sum(1)
    np.testing.assert_allclose(sums[0.0], sums[0.5], atol=1e-12)
    assert squares[0.5] < 0.1 * squares[0.0]


def test_more_samples_come_nearer_to_the_exact_gradient() -> None:
    """All 64 architectures of a toy: the expectation of the gradient of the distribution, and its error.

    Directions are compared by cosines: of the mean over many steps, whose distance to 1 is bias, and of one step.
    """
    searcher, temperature, steps = searched(make()), 0.1, 1000
    rng = np.random.default_rng(0)
    table = 0.2 * rng.normal(size=(3, 4))
    paths = [tuple(row) for row in every().tolist()]
    losses = 1 + table[np.arange(3), every()].sum(1)

    def gradient(some: Sequence[tuple[int, ...]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            searcher.controller.weights.zero_()  # uniform
        searcher._follow(some, weights)
        found = searcher.controller.weights.grad
        assert found is not None
        return -found.double().numpy().ravel()

    likelihoods = np.exp(-losses / temperature)
    exact = gradient(paths, likelihoods / likelihoods.sum())
    assert np.abs(exact).max() > 0.1
    cosines, errors, single = [], [], []
    for samples in (8, 16, 64):
        drawn = rng.integers(64, size=(steps, samples))
        weights = np.stack([importance_weights(losses[row], temperature)[0] for row in drawn]) - 1 / samples
        mean = gradient([paths[k] for k in drawn.ravel()], weights.ravel() / steps)
        each = [gradient([paths[k] for k in row], w) for row, w in zip(drawn[:100], weights, strict=False)]
        size = np.linalg.norm(exact)
        cosines.append(mean @ exact / np.linalg.norm(mean) / size)
        errors.append(np.linalg.norm(mean - exact) / size)
        single.append(np.mean([g @ exact / np.linalg.norm(g) / size for g in each]))
    assert cosines[0] > 0.95
    assert cosines[2] > 0.995
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.15
    assert single[0] < 0.7 < single[1] < 0.85 < single[2]


def test_weighted_paths_descend_the_likelihood_of_the_mixture() -> None:
    """One plain gradient step against automatic differentiation of -T log mean exp(-l / T)."""
    trainer = make(weight_samples=5, likelihood_temperature=0.7, warmup=0.9, momentum=0.0)
    trainer.network.double()
    searcher = searched(trainer)
    state, noise = searcher.rng.bit_generator.state, torch.get_rng_state()
    drawn = paths(trainer.shared, searcher.controller.sample(5, searcher.rng))
    batch = trainer.data.next_train()
    losses = torch.stack([trainer.loss_of(path, batch) for path in drawn])
    objective = -0.7 * ((-losses / 0.7).logsumexp(0) - math.log(5))
    weights = list(trainer.network.parameters())
    gradients = torch.autograd.grad(objective, weights, allow_unused=True, materialize_grads=True)
    expected = [weight.detach() - 0.1 * gradient for weight, gradient in zip(weights, gradients, strict=True)]
    searcher.rng.bit_generator.state = state
    torch.set_rng_state(noise)
    found = searcher.step(trainer)
    assert found == pytest.approx(objective.item())
    for weight, value in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.detach(), value)
        assert weight.grad is None


def test_negligible_paths_are_not_trained() -> None:
    trainer = make(weight_samples=20, likelihood_temperature=0.01, warmup=0.9)
    trainer.data.next_train()
    before = torch.stack(tuple(trainer.network.parameters())).detach().clone()
    searched(trainer).step(trainer)
    moved = (torch.stack(tuple(trainer.network.parameters())) != before).sum().item()
    assert 3 <= moved <= 6, "one path, or two that are nearly as good"


def test_it_finds_the_best_path() -> None:
    trainer = make(epochs=30, distribution_learning_rate=0.05)
    trainer.run()
    first, *others = trainer.searcher.candidates(4, trainer)
    assert (first.origin, first.architecture.tokens) == ("mode", best())
    assert {p.origin for p in others} <= {"distribution", "refill"}
    row = trainer.history[-1]
    assert row["entropy"] < 0.5 * 3 * math.log(4)
    assert 1 <= row["effective_samples"] <= 16
    assert row["log_likelihood"] == pytest.approx(-1.1, abs=0.15), "of a path without cost it is about -1"


def test_the_distribution_waits_while_the_weights_warm_up() -> None:
    trainer = make(epochs=5, warmup=0.4)
    uniform, found = searched(trainer).distribution(), []
    trainer.run(on_epoch=lambda row: found.append((searched(trainer).distribution() == uniform, len(row))))
    assert [same for same, _ in found] == [True, True, False, False, False]
    assert trainer.history[0].keys() ^ trainer.history[-1].keys() == {"effective_samples", "log_likelihood"}
    assert trainer.history[0]["entropy"] == pytest.approx(3 * math.log(4), rel=1e-6)


@pytest.mark.parametrize("settings", [{"warmup": 0.0}, {"warmup": 0.9, "weight_samples": 3}])
def test_a_step_where_no_path_has_a_loss_diverges_cleanly(settings: dict[str, Any]) -> None:
    trainer = make(epochs=2, rollbacks=1, **settings)
    before = searched(trainer).distribution()
    trainer.data.loss = lambda batch: torch.tensor(math.nan)  # type: ignore[method-assign]
    with pytest.raises(DivergedError):
        trainer.run()
    assert searched(trainer).distribution() == before


def test_a_search_begins_with_the_distribution_of_another(tmp_path: Path) -> None:
    first = make(epochs=10, distribution_learning_rate=0.05)
    first.run()
    searched(first).leave(tmp_path)
    learned = searched(first).distribution()
    for start in (tmp_path, tmp_path / "distribution.json"):
        second = searched(make(start=str(start)))
        for found, expected in zip(second.distribution().positions, learned.positions, strict=True):
            np.testing.assert_allclose(found.log_probabilities, expected.log_probabilities, atol=1e-5)
    flat = searched(make(start=str(tmp_path), start_temperature=3.0)).distribution()
    for found, expected in zip(flat.positions, learned.tempered(3.0).positions, strict=True):
        np.testing.assert_allclose(found.log_probabilities, expected.log_probabilities, atol=1e-5)


@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_tempering_is_a_power(seed: int, temperature: float) -> None:
    found = drawn(toy_space(2), seed)
    for table, before in zip(found.tempered(temperature).positions, found.positions, strict=True):
        naive = np.exp(before.log_probabilities) ** (1 / temperature)
        np.testing.assert_allclose(np.exp(table.log_probabilities), naive / naive.sum(), rtol=1e-9)


def test_a_distribution_is_read_as_it_was_written(tmp_path: Path) -> None:
    space = NASBench201Space()
    drawn(space).save(tmp_path / "d.json")
    assert ArchitectureDistribution.load(tmp_path / "d.json", space) == drawn(space)
    assert [path.name for path in tmp_path.iterdir()] == ["d.json"]


def test_expectation_and_mode_by_hand() -> None:
    space = toy_space(3)
    found = drawn(space, 3)
    values = {a: float(index) for index, a in enumerate(space.enumerate())}
    naive = sum(probability(found, a.tokens) * value for a, value in values.items())
    assert found.expected(space, values.__getitem__) == pytest.approx(naive, rel=1e-6)
    likeliest = max((tuple(row) for row in every().tolist()), key=lambda tokens: probability(found, tokens))
    assert found.mode(space) == likeliest


def test_only_valid_architectures_count() -> None:
    """In a space of 40 listed cells probabilities still sum to one, and the mode is one of them."""
    space = listed(NASBench201Space(), 40)
    found = drawn(space, 2)
    assert found.expected(space, lambda _: 1.0) == pytest.approx(1.0, rel=1e-6)
    assert space.contains(found.mode(space))


def test_expectations_of_large_spaces_are_refused() -> None:
    space = GenericSpace([Position(f"p{i}", tuple("abcdefghij")) for i in range(6)])
    with pytest.raises(InputError, match="1,000,000 sequences; only 100,000"):
        drawn(space).expected(space, lambda _: 0.0)


def _change(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    return {**values, key: value}


BROKEN: dict[str, tuple[Any, str]] = {
    "no object": (lambda values: [1], "must be a JSON object"),
    "another format": (lambda values: _change(values, "format", "naopt-table"), "naopt-distribution"),
    "another version": (lambda values: _change(values, "version", 2), "version"),
    "another space": (lambda values: _change(values, "space", "conv-cell"), "over another space than toy"),
    "unknown key": (lambda values: {**values, "colour": 1}, "colour"),
    "too few positions": (lambda values: _change(values, "positions", values["positions"][:2]), "has 2 positions"),
    "no positions": (lambda values: _change(values, "positions", []), "positions"),
    "another position": (lambda values: _change(values, "positions", values["positions"][::-1]), "has p0"),
    "too few choices": (
        lambda values: _change(values, "positions", [{**table, "choices": ["a"]} for table in values["positions"]]),
        "one log-probability for each choice",
    ),
    "not finite": (
        lambda values: _change(
            values, "positions", [{**table, "log_probabilities": [math.nan] * 4} for table in values["positions"]]
        ),
        "finite",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_distribution_of_the_space_is_refused(name: str, tmp_path: Path) -> None:
    change, message = BROKEN[name]
    values = json.loads(json.dumps(drawn(toy_space()).model_dump()))
    path = tmp_path / "distribution.json"
    path.write_text(json.dumps(change(values)), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        make(start=str(tmp_path))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        make(start=str(tmp_path))
    (tmp_path / "distribution.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not JSON"):
        make(start=str(tmp_path))
