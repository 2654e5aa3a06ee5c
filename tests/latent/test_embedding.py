"""Principal components of features: distances, shares of variance, and the purity of a point."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from naopt.latent import embedding as module
from naopt.latent.embedding import Embedding
from naopt.spaces import Architecture, EnumeratedSpace, NASBench201Space, SearchSpace
from tests.spaces.examples import SPACES


def drawn(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@cache
def learned(name: str, count: int = 80) -> Embedding:
    return Embedding.learn(SPACES[name], drawn(SPACES[name], count))


KINDS = ["enas-5-1", "nasbench101", "nasbench201", "recurrent-3", "mlp", "awkward", "listed-201"]


@pytest.mark.parametrize("name", KINDS)
def test_distances_are_those_of_the_features(name: str) -> None:
    """Of the tokens exactly, also of architectures that were not learned from; else of the kept components."""
    embedding, sample = learned(name), drawn(SPACES[name], 80)
    features = embedding.features(sample)
    assert set(embedding.blocks) <= features.keys()
    points = embedding.encode(sample)
    for block, at in embedding.blocks.items():
        centred = features[block] - features[block].mean(axis=0)
        left, values, right = np.linalg.svd(centred, full_matrices=False)
        share = np.cumsum(values**2) / (values**2).sum()
        kept = at.stop - at.start
        if block == "tokens":
            assert kept == np.linalg.matrix_rank(centred)
        else:
            assert share[kept - 1] >= 0.999 - 1e-9
            assert kept == 1 or share[kept - 2] < 0.999 + 1e-9
        approximated = (left[:, :kept] * values[:kept]) @ right[:kept]
        share_of_all = 1 / len(SPACES[name].positions) if block.startswith("position/") else 1
        deviation = np.sqrt(np.square(values[:kept]).sum() / len(sample) / share_of_all)
        np.testing.assert_allclose(pdist(points[:, at]), pdist(approximated) / deviation, atol=1e-7)
        assert points[:, at].var(axis=0).sum() == pytest.approx(share_of_all)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(embedding.spread, points.std(axis=0))
    assert (embedding.spread > 0).all()


def test_distances_of_tokens_hold_everywhere() -> None:
    embedding, others = learned("nasbench201", 400), drawn(SPACES["nasbench201"], 100, seed=9)
    tokens = np.array([SPACES["nasbench201"].canonical(a.tokens) for a in others])
    ratio = pdist(embedding.encode(others)[:, embedding.blocks["tokens"]]) ** 2 / pdist(tokens, "hamming").clip(1e-9)
    apart = pdist(tokens, "hamming") > 0
    assert np.ptp(ratio[apart]) < 1e-6


def test_components_are_limited_but_for_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_COMPONENTS", 5)
    space = SPACES["nasbench201"]
    embedding = Embedding.learn(space, drawn(space, 80))
    sizes = {name: at.stop - at.start for name, at in embedding.blocks.items()}
    assert sizes["paths"] == sizes["sizes"] == sizes["local"] == 5
    assert sizes["tokens"] == learned("nasbench201").blocks["tokens"].stop
    points = embedding.encode(drawn(space, 80))
    for block in embedding.split(points):
        assert block.var(axis=0).sum() == pytest.approx(1)


@settings(max_examples=50)
@given(st.data())
def test_a_point_depends_on_nothing_but_the_canonical_form(data: st.DataObject) -> None:
    """Bit for bit: a search that is resumed encodes in other batches."""
    name = data.draw(st.sampled_from(sorted(SPACES)))
    space, embedding = SPACES[name], learned(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    some = [space.sample(rng) for _ in range(data.draw(st.integers(1, 70)))]
    same = [space.architecture(space.symmetric(a.tokens, rng)) for a in some]
    whole = Embedding(space, embedding.names, embedding.arrays).encode(some)
    single = Embedding(space, embedding.names, embedding.arrays)
    for row, architecture in zip(whole, same, strict=True):
        assert (single.encode([architecture])[0] == row).all()
    assert (embedding.encode(some) == whole).all()
    assert whole.shape == (len(some), embedding.dimensions)


def test_a_full_memory_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    some = drawn(SPACES["nasbench201"], 20, seed=4)
    expected = learned("nasbench201").encode(some)
    monkeypatch.setattr(module, "_MOST_KEPT", 3)
    embedding = Embedding(SPACES["nasbench201"], learned("nasbench201").names, learned("nasbench201").arrays)
    for at in range(0, 20, 4):
        np.testing.assert_array_equal(embedding.encode(some[at : at + 4]), expected[at : at + 4])


def test_blocks_side_by_side() -> None:
    embedding = learned("mlp")
    points = embedding.encode(drawn(SPACES["mlp"], 5))
    assert list(embedding.blocks)[:2] == ["tokens", "numbers"]
    count = len(SPACES["mlp"].positions)
    assert list(embedding.blocks)[2:] == [f"position/{at}" for at in range(count)]
    assert embedding.together == range(2, 2 + count)
    for block in [embedding.blocks["tokens"], slice(embedding.blocks["position/0"].start, embedding.dimensions)]:
        assert (embedding.spread[block] ** 2).sum() == pytest.approx(1), "the positions have as much as any block"
    np.testing.assert_array_equal(np.concatenate(embedding.split(points), axis=1), points)
    assert embedding.encode([]).shape == (0, embedding.dimensions)


@pytest.mark.parametrize("name", ["single", "recurrent-only", "listed-one"])
def test_a_space_without_a_choice_has_no_dimension(name: str) -> None:
    embedding = learned(name)
    points = embedding.encode(drawn(SPACES[name], 3))
    assert embedding.dimensions == 0
    assert points.shape == (3, 0)
    assert [block.shape for block in embedding.split(points)] == [(3, 0)]


def test_queries_that_compute_the_same_share_a_point() -> None:
    """In NAS-Bench-201 each of two isomorphic cells is a query of its own."""
    whole = NASBench201Space()
    cell = whole.architecture((3, 3, 0, 3, 0, 3))
    twin = next(whole.architecture(t) for t in whole.symmetries(cell.tokens) if t != cell.tokens)
    assert cell != twin
    embedding = Embedding.learn(EnumeratedSpace(whole, [cell.tokens, twin.tokens]), [cell, twin])
    assert embedding.dimensions == 0
    points = learned("nasbench201").encode([cell, twin])
    np.testing.assert_array_equal(points[0], points[1])
