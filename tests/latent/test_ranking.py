"""Every ranking loss against a double loop in float64 over the bootstrap sample written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naopt.latent.ranking import (
    bpr_loss,
    draw_pairs,
    hinge_loss,
    listmle_loss,
    logistic_loss,
    prediction_loss,
)
from naopt.latent.settings import LatentSettings

MEMBERS = 3


@st.composite
def cases(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """Scores, targets with ties, bootstrap counts, and a threshold."""
    count, seed = draw(st.integers(1, 7)), draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.normal(size=(MEMBERS, count)) * 2)
    targets = torch.from_numpy(rng.integers(0, 5, size=count) * 0.5)
    weights = rng.poisson(1.0, (MEMBERS, count)) if draw(st.booleans()) else np.ones((MEMBERS, count))
    return scores, targets, torch.from_numpy(weights.astype(np.float64)), draw(st.sampled_from([0.0, 0.6]))


def samples(
    scores: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> list[tuple[list[float], list[float]]]:
    """Each member's scores and targets, every architecture as often as its bootstrap sample holds it."""
    found = []
    for member, row in zip(scores.tolist(), weights.tolist(), strict=True):
        copies = [i for i, w in enumerate(row) for _ in range(int(w))]
        found.append(([member[i] for i in copies], [targets.tolist()[i] for i in copies]))
    return found


def pairwise(case: Any, term: Any) -> float:
    scores, targets, weights, threshold = case
    means = []
    for s, y in samples(scores, targets, weights):
        terms = [term(s[i] - s[j]) for i in range(len(s)) for j in range(len(s)) if y[i] - y[j] > threshold]
        means.append(sum(terms) / len(terms) if terms else 0.0)
    return sum(means) / len(means)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_logistic(case: Any) -> None:
    scores, targets, weights, threshold = case
    expected = pairwise(case, lambda margin: math.log1p(math.exp(-margin)))
    assert logistic_loss(scores, targets, weights, threshold).item() == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from([0.1, 1.5]))
def test_hinge(case: Any, margin: float) -> None:
    scores, targets, weights, threshold = case
    expected = pairwise(case, lambda difference: max(0.0, margin - difference))
    assert hinge_loss(scores, targets, weights, threshold, margin).item() == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_listmle(case: Any) -> None:
    scores, targets, weights, threshold = case
    means = []
    for s, y in samples(scores, targets, weights):
        total = 0.0
        for i in range(len(s)):
            total += math.log(sum(math.exp(s[j]) for j in range(len(s)) if y[j] - y[i] <= threshold)) - s[i]
        means.append(total / len(s) if s else 0.0)
    expected = sum(means) / len(means)
    assert listmle_loss(scores, targets, weights, threshold).item() == pytest.approx(expected)


def test_listmle_without_ties_is_the_likelihood_of_the_order() -> None:
    rng = np.random.default_rng(0)
    scores, targets = rng.normal(size=6), rng.permutation(6).astype(np.float64)
    left, likelihood = list(np.argsort(-targets)), 1.0
    while left:
        likelihood *= math.exp(scores[left[0]]) / sum(math.exp(scores[j]) for j in left)
        left.pop(0)
    found = listmle_loss(torch.from_numpy(scores)[None], torch.from_numpy(targets), torch.ones(1, 6))
    assert found.item() == pytest.approx(-math.log(likelihood) / 6)


def test_bpr_is_the_mean_over_the_pairs_it_is_given() -> None:
    scores = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 4)))
    weights = torch.tensor([[1.0, 2.0, 0.0, 1.0], [0.0, 0.0, 3.0, 1.0]], dtype=torch.float64)
    pairs = [(0, 1), (2, 3), (0, 1), (3, 0)]
    means = []
    for member in range(2):
        total = counts = 0.0
        for i, j in pairs:
            count = float(weights[member, i] * weights[member, j])
            total -= count * math.log(1 / (1 + math.exp(-float(scores[member, i] - scores[member, j]))))
            counts += count
        means.append(total / max(counts, 1.0))
    assert bpr_loss(scores, weights, torch.tensor(pairs)).item() == pytest.approx(sum(means) / 2)


def test_drawn_pairs_are_uniform_over_the_unequal_ones_and_estimate_the_logistic_loss() -> None:
    targets = torch.tensor([0.0, 1.0, 1.0, 3.0, 1.2], dtype=torch.float64)
    torch.manual_seed(0)
    pairs = draw_pairs(targets, 0.5, 30_000)
    assert (targets[pairs[:, 0]] - targets[pairs[:, 1]] > 0.5).all()
    kinds, counts = torch.unique(pairs, dim=0, return_counts=True)
    assert len(kinds) == 7
    assert counts.double().numpy() == pytest.approx(30_000 / 7, rel=0.06)
    scores, weights = torch.randn(2, 5, dtype=torch.float64), torch.ones(2, 5, dtype=torch.float64)
    expected = logistic_loss(scores, targets, weights, 0.5).item()
    assert bpr_loss(scores, weights, pairs).item() == pytest.approx(expected, rel=0.03)
    assert draw_pairs(torch.ones(4), 0.0, 9).shape == (0, 2)


@pytest.mark.parametrize("loss", ["mse", "logistic", "hinge", "listmle", "bpr"])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_settings_name_the_loss(loss: str, share: float) -> None:
    settings = LatentSettings.parse({"loss": loss, "mse_share": share, "pair_threshold": 0.2, "margin": 0.7})
    rng = np.random.default_rng(2)
    scores, weights = torch.from_numpy(rng.normal(size=(2, 5))), torch.ones(2, 5, dtype=torch.float64)
    targets = torch.from_numpy(rng.normal(size=5))
    squared = (scores - targets).square().mean()
    torch.manual_seed(7)
    pairs = draw_pairs(targets, 0.2, 5)
    order = {
        "mse": squared,
        "logistic": logistic_loss(scores, targets, weights, 0.2),
        "hinge": hinge_loss(scores, targets, weights, 0.2, 0.7),
        "listmle": listmle_loss(scores, targets, weights, 0.2),
        "bpr": bpr_loss(scores, weights, pairs),
    }[loss]
    expected = squared if loss == "mse" else share * squared + (1 - share) * order
    torch.manual_seed(7)
    assert prediction_loss(settings)(scores, targets, weights).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("loss", ["logistic", "hinge", "listmle", "bpr"])
def test_gradients_are_finite_whatever_the_batch(loss: str) -> None:
    settings = LatentSettings.parse({"loss": loss})
    for targets in (torch.zeros(4), torch.tensor([0.0, 1.0, 2.0, 3.0])):
        for weights in (torch.zeros(2, 4), torch.tensor([[1.0, 0.0, 0.0, 2.0], [0.0, 0.0, 0.0, 1.0]])):
            scores = torch.tensor([[1e4, -1e4, 0.0, 1.0]] * 2, requires_grad=True)
            value = prediction_loss(settings)(scores, targets, weights)
            value.backward()  # type: ignore[no-untyped-call]
            assert torch.isfinite(value)
            assert scores.grad is not None
            assert torch.isfinite(scores.grad).all()
