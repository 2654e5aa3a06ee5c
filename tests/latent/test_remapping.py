"""Scores of latent points, raw and remapped, and what is proposed from them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from naopt.latent import LatentModel
from naopt.latent.remapping import ScoredPoints, unit_length
from naopt.latent.settings import TNAOLatentSettings
from naopt.spaces import GenericSpace, Position, SearchSpace, Tokens, create_space

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "embedding_size": 8,
    "feed_forward_size": 16,
    "layers": 1,
    "heads": 2,
    "unlabelled": 100,
    "pretraining_steps": 60,
    "max_steps": 20,
    "min_steps": 20,
}


NASBENCH201 = create_space("nasbench201")


class Flawed(LatentModel):
    """A model whose decoder writes something invalid for every third point."""

    def decode(self, states: Tensor) -> list[Tokens]:
        return [(-1,) * 6 if row % 3 == 2 else tokens for row, tokens in enumerate(super().decode(states))]


@cache
def fitted(space: SearchSpace, kind: type[LatentModel] = LatentModel) -> LatentModel:
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(30)]
    model = kind(space, TNAOLatentSettings.parse(SMALL), 0)
    model.fit(architectures, np.array([float(sum(a.tokens)) for a in architectures]))
    return model


def some_points(model: LatentModel, count: int) -> Tensor:
    rng = np.random.default_rng(1)
    states = model.encode([model.space.sample(rng) for _ in range(count)])
    torch.manual_seed(2)
    return unit_length(states + 0.3 * torch.randn_like(states))


def plain_score(model: LatentModel, state: Tensor) -> float:
    """Decode one point, encode it again, predict."""
    (tokens,) = model.decode(state[None])
    return float(model.member_targets(model.encode([model.space.architecture(tokens)])).mean())


def test_a_remapped_score_is_the_prediction_for_what_the_point_decodes_to() -> None:
    model = fitted(NASBENCH201)
    states = some_points(model, 40)
    points = ScoredPoints(model, "remapped")
    scores = points(states)
    assert scores == pytest.approx([plain_score(model, state) for state in states], abs=1e-5)
    assert points(states).tolist() == scores.tolist()
    assert (points.points, points.decoded, points.valid) == (80, 80, 80)
    decoded = [model.space.architecture(tokens) for tokens in model.decode(states)]
    assert points.distinct == len(set(decoded)) < 40
    seen = {decoded[int(np.argmax(scores))]}
    found = points.candidates(5, seen)
    assert len(found) == 5
    left = sorted({a: s for a, s in zip(decoded, scores, strict=True) if a not in seen}.values(), reverse=True)
    assert [c.score for c in found] == pytest.approx(left[:5], abs=1e-6)
    assert not seen & {c.architecture for c in found}


def test_a_raw_score_is_the_prediction_at_the_point_itself() -> None:
    model = fitted(NASBENCH201)
    states = some_points(model, 30)
    points = ScoredPoints(model, "raw")
    scores = np.concatenate([points(states[:10]), points(states[10:])])
    assert scores == pytest.approx(model.member_targets(states).mean(axis=0), abs=1e-6)
    assert points.decoded == 0
    decoded = [model.space.architecture(tokens) for tokens in model.decode(states)]
    best: dict[Any, float] = {}
    for row in np.argsort(-scores, kind="stable"):
        best.setdefault(decoded[row], float(scores[row]))
    seen = {next(iter(best))}
    found = points.candidates(4, seen)
    expected = [(a, s) for a, s in best.items() if a not in seen][:4]
    assert [(c.architecture, c.score) for c in found] == expected
    assert points.decoded == 30


def test_raw_points_are_decoded_only_as_far_as_needed() -> None:
    model = fitted(NASBENCH201)
    points = ScoredPoints(model, "raw")
    points(some_points(model, 200))
    assert len(points.candidates(3, set())) == 3
    assert points.decoded == 64
    assert len(points.candidates(1000, set())) == points.distinct


def test_without_points_there_are_no_candidates() -> None:
    model = fitted(NASBENCH201)
    assert ScoredPoints(model, "raw").candidates(3, set()) == []
    assert ScoredPoints(model, "remapped").candidates(3, set()) == []


def test_what_decodes_to_nothing_valid_has_the_worst_score_and_is_never_proposed() -> None:
    model = fitted(NASBENCH201, Flawed)
    states = some_points(model, 9)
    remapped, raw = ScoredPoints(model, "remapped"), ScoredPoints(model, "raw")
    scores = remapped(states)
    assert np.isneginf(scores).tolist() == [row % 3 == 2 for row in range(9)]
    assert (remapped.valid, remapped.decoded) == (6, 9)
    assert np.isfinite(raw(states)).all()
    for points in (remapped, raw):
        assert all(model.space.contains(c.architecture.tokens) for c in points.candidates(9, set()))
    snapped = remapped.snap(states)
    assert torch.equal(snapped[2::3], states[2::3])
    assert not torch.equal(snapped[0], states[0])
    assert torch.equal(ScoredPoints(model, "remapped").snap(states[:0]), states[:0])


def test_snapping_puts_points_on_embeddings_of_architectures() -> None:
    model = fitted(NASBENCH201)
    states = some_points(model, 12)
    snapped = ScoredPoints(model, "raw").snap(states)
    decoded = [model.space.architecture(tokens) for tokens in model.decode(states)]
    assert torch.allclose(snapped, model.encode(decoded))
    assert ScoredPoints(model, "raw")(snapped) == pytest.approx(ScoredPoints(model, "remapped")(states), abs=1e-5)


def test_equal_architectures_are_scored_once() -> None:
    space = GenericSpace([Position("a", ("x",)), Position("b", ("y",))])
    model = fitted(space)
    points = ScoredPoints(model, "remapped")
    assert len(set(points(some_points(model, 8)).tolist())) == 1
    assert points.distinct == 1
    assert points.candidates(2, {space.architecture((0, 0))}) == []
