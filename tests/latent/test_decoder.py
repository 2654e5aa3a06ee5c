"""Decoding: valid everywhere, exact at the points of architectures, greedy as defined."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from naopt.latent import features
from naopt.latent.decoder import Decoder, choice_slices, train_decoder
from naopt.latent.embedding import Embedding
from naopt.latent.features import one_hot
from naopt.latent.graph_features import GraphFeatures
from naopt.spaces import (
    Architecture,
    EnumeratedSpace,
    GenericSpace,
    SearchSpace,
    Tokens,
    create_space,
    integer,
)
from tests.spaces.examples import SPACES

WEIGHTS = {"spread", "direct", "inner", "inner_bias", "outer", "before", "bias"}


def drawn(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@cache
def learned(name: str, count: int = 40) -> Embedding:
    return Embedding.learn(SPACES[name], drawn(SPACES[name], count))


def random_weights(embedding: Embedding, rng: np.random.Generator, hidden: int = 8) -> dict[str, np.ndarray]:
    """Of a decoder that knows nothing; ``before`` lets positions see later ones, which have to mean nothing."""
    dimensions, columns = embedding.dimensions, sum(len(p.choices) for p in embedding.space.positions)
    shapes = {
        "direct": (dimensions, columns),
        "inner": (dimensions, hidden),
        "inner_bias": (hidden,),
        "outer": (hidden, columns),
        "before": (columns, columns),
        "bias": (columns,),
    }
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()} | {"spread": embedding.spread}


def naive(space: SearchSpace, w: dict[str, np.ndarray], point: np.ndarray) -> Tokens:
    """One token after the other, each the likeliest of the valid ones."""
    tokens: list[int] = []
    starts = np.cumsum([0, *(len(position.choices) for position in space.positions)])
    for position in range(len(space.positions)):
        values = {}
        for choice in space.choices(tokens):
            column = starts[position] + choice
            logit = w["bias"][column]
            for d, coordinate in enumerate(point):
                logit += coordinate / w["spread"][d] * w["direct"][d, column]
            for unit, bias in enumerate(w["inner_bias"]):
                activation = bias + sum(
                    x / s * v for x, s, v in zip(point, w["spread"], w["inner"][:, unit], strict=True)
                )
                logit += max(activation, 0) * w["outer"][unit, column]
            for earlier, token in enumerate(tokens):
                logit += w["before"][starts[earlier] + token, column]
            values[choice] = logit
        tokens.append(max(values, key=lambda choice: values[choice]))
    return tuple(tokens)


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "two-operations", "recurrent-3", "mlp", "listed-dense"])
def test_decoding_is_greedy(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(1)
    weights = random_weights(learned(name), rng)
    points = rng.standard_normal((4, learned(name).dimensions))
    assert Decoder(space, weights).decode(points) == [naive(space, weights, point) for point in points]


@given(st.data())
def test_every_point_decodes_to_a_valid_architecture(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SPACES)))
    space, embedding = SPACES[name], learned(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    scale = 10.0 ** data.draw(st.integers(-3, 6))
    points = scale * rng.standard_normal((5, embedding.dimensions))
    decoded = Decoder(space, random_weights(embedding, rng)).decode(points)
    assert len(decoded) == 5
    for tokens in decoded:
        assert space.explain_invalid(tokens) is None


BUILT_IN: dict[str, int] = {
    "conv-cell": 2500,
    "insta": 300,
    "nasbench101": 700,
    "nasbench201": 300,
    "recurrent-cell": 700,
    "recurrent-baseline": 100,
    "image-baseline": 100,
}
"""Spaces, and from how many architectures is learned."""


@pytest.mark.parametrize("name", BUILT_IN)
def test_unseen_architectures_are_decoded_exactly(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At their points; by the linear inverse, and after some steps on noisy points, too."""
    monkeypatch.setattr(features, "graph_features", lambda *_: GraphFeatures())
    space = create_space(name)
    sample = drawn(space, BUILT_IN[name])
    embedding = Embedding.learn(space, sample)
    seen = one_hot(space, [space.canonical(a.tokens) for a in sample]).max(axis=0) > 0
    unseen = [a for a in drawn(space, 1000, seed=1) if seen[one_hot(space, [space.canonical(a.tokens)])[0] > 0].all()]
    assert len(unseen) > 990  # others hold a choice at a position where no architecture of the sample has it
    points, expected = embedding.encode(unseen), [space.canonical(a.tokens) for a in unseen]
    for steps in (0, 10):
        decoded = Decoder(space, train_decoder(embedding, sample, 32, steps, 1.0)).decode(points)
        assert np.mean([a == b for a, b in zip(decoded, expected, strict=True)]) >= 0.999
    far = Decoder(space, train_decoder(embedding, sample, 8, 1, 1.0)).decode(50 * embedding.spread * points[:100])
    assert all(map(space.contains, far))


def test_training_teaches_which_architecture_a_point_between_them_means() -> None:
    """With the same noise more points decode to where they came from; without noise all still do."""
    space = SPACES["nasbench201"]
    sample = drawn(space, 300)
    embedding = Embedding.learn(space, sample)
    others = drawn(space, 500, seed=1)
    clean, expected = embedding.encode(others), [space.canonical(a.tokens) for a in others]
    noisy = clean + embedding.spread * np.random.default_rng(2).standard_normal(clean.shape)

    def exact(steps: int, points: np.ndarray) -> float:
        decoded = Decoder(space, train_decoder(embedding, sample, 64, steps, 1.0)).decode(points)
        return float(np.mean([a == b for a, b in zip(decoded, expected, strict=True)]))

    assert exact(0, clean) == exact(200, clean) == 1
    assert exact(200, noisy) > exact(0, noisy) + 0.05


def test_training_is_repeatable_and_leaves_the_threads_alone() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sample = drawn(SPACES["enas-5-1"], 40)
        state = torch.get_rng_state()
        first, second = (train_decoder(learned("enas-5-1"), sample, 16, 5, 1.0) for _ in range(2))
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        torch.set_num_threads(threads)
    assert first.keys() == second.keys() == WEIGHTS
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
        assert array.dtype == np.float64


def test_a_position_sees_those_before_it_only() -> None:
    embedding = learned("nasbench101")
    before = train_decoder(embedding, drawn(SPACES["nasbench101"], 40), 16, 5, 1.0)["before"]
    assert before.any()
    for columns in choice_slices(embedding.space):
        assert not before[columns.start :, columns].any()


def test_slices() -> None:
    assert choice_slices(SPACES["mlp"]) == [slice(0, 3), slice(3, 5)]


@pytest.mark.parametrize("name", ["single", "recurrent-only", "listed-one"])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_space_without_a_choice(name: str, steps: int) -> None:
    space, sample = SPACES[name], drawn(SPACES[name], 3)
    decoder = Decoder(space, train_decoder(learned(name), sample, 4, steps, 1.0))
    assert decoder.decode(learned(name).encode(sample)) == [space.canonical(a.tokens) for a in sample]
    assert decoder.decode(np.zeros((0, 0))) == []


def test_many_choices_on_a_scale_decode_to_the_nearest_rank() -> None:
    space = GenericSpace({"width": integer(1, 1000), "kind": ["a", "b", "c"]})
    sample = drawn(space, 300)
    embedding = Embedding.learn(space, sample)
    tokens = np.array([a.tokens for a in sample])
    points = embedding.encode(sample)
    weights = train_decoder(embedding, sample, 8, 0, 1.0)
    assert weights["before"].shape == (4, 4)
    exact = Decoder(space, weights)
    np.testing.assert_array_equal(exact.decode(points), tokens)
    between = np.array(exact.decode((points[:-1] + points[1:]) / 2))[:, 0]
    assert np.abs(between - (tokens[:-1, 0] + tokens[1:, 0]) / 2).max() <= 1
    few = EnumeratedSpace(space, tokens[::10])
    found = np.array(Decoder(few, weights).decode(points))[:, 0]
    rows = few.rows[:, 0]
    np.testing.assert_array_equal(np.abs(found - tokens[:, 0]), np.abs(rows[:, None] - tokens[:, 0]).min(axis=0))


def test_a_trained_decoder_finds_ranks_again() -> None:
    space = GenericSpace({"width": integer(1, 200), "kind": ["a", "b", "c"]})
    sample = drawn(space, 200)
    embedding = Embedding.learn(space, sample)
    decoder = Decoder(space, train_decoder(embedding, sample, 8, 80, 1.0))
    away = np.abs(np.array(decoder.decode(embedding.encode(sample))) - np.array([a.tokens for a in sample]))
    assert away[:, 0].mean() < 2
    assert (away[:, 1] == 0).all()
