"""Rows of features against their definitions, for spaces of every kind."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.latent import features as module
from naopt.latent.features import Features, numeric_choices, one_hot
from naopt.latent.graph_features import graph_features
from naopt.spaces import Architecture, GenericSpace, Position, SearchSpace, integer
from tests.spaces.examples import SPACES


def drawn(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@cache
def learned(name: str) -> Features:
    return Features.learn(SPACES[name], drawn(SPACES[name], 60))


def test_one_hot() -> None:
    space = SPACES["mlp"]
    np.testing.assert_array_equal(one_hot(space, [(0, 1), (2, 0)]), [[1, 0, 0, 0, 1], [0, 0, 1, 1, 0]])
    assert one_hot(space, []).shape == (0, 5)


def test_many_choices_on_a_scale_have_one_column() -> None:
    space = GenericSpace({"width": integer(1, 1000), "kind": ["a", "b"], "word": [f"w{n}" for n in range(70)]})
    rows = one_hot(space, [(0, 1, 0), (999, 0, 69), (333, 0, 1)])
    assert rows.shape == (3, 1 + 2 + 70)
    np.testing.assert_allclose(rows[:, 0], [0, 1, 333 / 999])
    assert (rows[:, 1:].sum(axis=1) == 2).all()
    assert one_hot(GenericSpace({"width": integer(1, 64)}), [(3,)]).shape == (1, 64)


def test_choices_that_are_numbers_have_ranks() -> None:
    space = GenericSpace(
        [
            Position("width", ("16", "256", "64")),
            Position("rate", ("1e-1", "1e-3", "1e-2", "1")),
            Position("flag", ("0", "1")),
            Position("kind", ("1", "2", "max")),
            Position("limit", ("1", "2", "inf")),
            Position("missing", ("1", "2", "nan")),
            Position("twice", ("1", "1.0", "2")),
        ]
    )
    found = numeric_choices(space)
    assert list(found) == [0, 1]
    np.testing.assert_allclose(found[0], [0, 1, 0.5])
    np.testing.assert_allclose(found[1], [2 / 3, 0, 1 / 3, 1])
    architecture = space.architecture([1, 2, 0, 0, 0, 0, 0])
    groups = Features.learn(space, [architecture])([architecture])
    assert list(groups) == ["tokens", "numbers", *(f"position/{at}" for at in range(7))]
    np.testing.assert_allclose(groups["numbers"], [[1, 1 / 3]])
    np.testing.assert_allclose(groups["position/1"], [[1 / 3]])
    np.testing.assert_array_equal(groups["position/3"], [[1, 0, 0]])


def test_positions_stand_alone_where_nothing_flows() -> None:
    assert not [name for name in learned("nasbench201")(drawn(SPACES["nasbench201"], 2)) if name.startswith("position")]
    alone = GenericSpace([Position("width", ("16", "32", "64"))])
    assert list(Features.learn(alone, [alone.architecture([1])])([alone.architecture([1])])) == ["tokens", "numbers"]


def test_a_cells_inputs_are_names() -> None:
    assert "numbers" not in learned("recurrent-5")(drawn(SPACES["recurrent-5"], 2))


@given(st.data())
def test_equal_canonical_forms_have_equal_features(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SPACES)))
    space, features = SPACES[name], learned(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    architecture = space.sample(rng)
    same = space.architecture(space.symmetric(architecture.tokens, rng))
    canonical = space.architecture(space.canonical(architecture.tokens))
    assert features.canonical([architecture, same, canonical]) == [space.canonical(architecture.tokens)] * 3
    for rows in features([architecture, same, canonical]).values():
        assert rows.shape[0] == 3
        assert np.isfinite(rows).all()
        assert (rows == rows[0]).all()


@pytest.mark.parametrize("name", ["nao-11-1", "nasbench101", "nasbench201", "recurrent-3", "listed-cells"])
def test_columns_hold_what_they_are_named_after(name: str) -> None:
    space, sample = SPACES[name], drawn(SPACES[name], 60)
    features = learned(name)
    graphs = [graph_features(space.graph(space.architecture(space.canonical(a.tokens))), space.skips) for a in sample]
    groups = features(sample)
    tokens = np.array([space.canonical(a.tokens) for a in sample])
    np.testing.assert_array_equal(groups["tokens"], one_hot(space, tokens))
    for index, column in enumerate(features.columns["paths"]):
        assert groups["paths"][:, index].tolist() == [float(column in graph.paths) for graph in graphs]
    for index, column in enumerate(features.columns["local"]):
        np.testing.assert_allclose(groups["local"][:, index], [np.log(1 + graph.local[column]) for graph in graphs])
    names = {column for graph in graphs for column in graph.sizes}
    for index, column in enumerate(features.columns["sizes"]):
        if column in names:
            values = np.array([graph.sizes.get(column, 0.0) for graph in graphs])
            scaled = (values - values.mean()) / (values.std() if np.ptp(values) > 0 else 1.0)
            np.testing.assert_allclose(groups["sizes"][:, index], scaled, atol=1e-9)
    for group, counts in (("paths", [g.paths for g in graphs]), ("local", [g.local for g in graphs])):
        often = Counter(column for row in counts for column in row)
        assert set(features.columns[group]) == {column for column, count in often.items() if count > 1}
        assert [often[column] for column in features.columns[group]] == sorted(
            (count for count in often.values() if count > 1), reverse=True
        )


def test_only_the_most_frequent_names_have_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_COLUMNS", 7)
    features = Features.learn(SPACES["nasbench201"], drawn(SPACES["nasbench201"], 60))
    whole = learned("nasbench201")
    assert features.columns["paths"] == whole.columns["paths"][:7]
    assert features.columns["local"] == whole.columns["local"][:7]
    assert features(drawn(SPACES["nasbench201"], 3, seed=1))["local"].shape == (3, 7)


def test_what_never_differs_is_not_blown_up() -> None:
    """A column that is constant among the sample, up to rounding, says nothing of a scale."""
    space = SPACES["nasbench201"]
    sample = [space.architecture((3, 3, 0, 3, 0, 3))] * 49
    other = drawn(space, 30, seed=2)
    rows = Features.learn(space, sample)(other)["sizes"]
    assert np.abs(rows).max() < 1e3


def test_a_full_memory_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    some = drawn(SPACES["enas-5-1"], 12, seed=3)
    expected = learned("enas-5-1")(some)
    monkeypatch.setattr(module, "_MOST_KEPT", 3)
    features = Features.learn(SPACES["enas-5-1"], drawn(SPACES["enas-5-1"], 60))
    for group, rows in features(some).items():
        np.testing.assert_array_equal(rows, expected[group])
