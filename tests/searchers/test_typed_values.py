"""Searchers on spaces written in Python."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.features import Features, numeric_choices
from naopt.latent.pretraining import _key
from naopt.searchers import searchers
from naopt.spaces import Architecture, Space, integer, ordinal
from tests.searchers.driving import create, drive, scored
from tests.searchers.test_conformance import SETTINGS

MIXED = Space(
    {
        "width": [16, 32, 64],
        "depth": integer(1, 6),
        "size": ordinal(["small", "medium", "large"]),
        "act": ["relu", "gelu", None, "None", ""],
        "norm": bool,
    }
)
SPACES = {
    "mixed": MIXED,
    "one-position": Space({"depth": integer(1, 12)}),
    "one-architecture": Space({"depth": [3], "act": [None]}),
    "million": Space({f"p{index}": integer(0, 9) for index in range(6)}),
}


def value(space: Space, architecture: Architecture) -> float:
    values = space.values(architecture)
    return sum(float(v) for v in values.values() if isinstance(v, int | float))


@pytest.mark.parametrize("name", ["evolution", "gp", "local-search", "nao", "random", "tpe"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_kind_of_space_is_searched(name: str, space: Space) -> None:
    budget = min(space.size, 14)
    search = create(searchers.get(name), space, budget, **SETTINGS.get(name, {}))
    done = drive(search, lambda a: scored(value(space, a)), budget)
    assert len({proposal.architecture for proposal in done}) == len(done) == budget


def test_choices_with_an_order_have_ranks() -> None:
    space = Space({"size": ordinal(["s", "m", "l"]), "rate": ordinal([0.1, 0.001, 0.01]), "kind": ["a", "b", "c"]})
    found = numeric_choices(space)
    assert {index: ranks.tolist() for index, ranks in found.items()} == {0: [0, 0.5, 1], 1: [0, 0.5, 1]}
    assert numeric_choices(
        Space({"a": [64, 16, 32], "b": [1, 2, "3"], "c": [1, 2, True], "d": [0, None, 2]})
    ).keys() == {0}
    sample = [space.architecture((2, 0, 1)), space.architecture((1, 1, 1))]
    np.testing.assert_allclose(Features.learn(space, sample)(sample)["numbers"], np.array([[1.0, 0.0], [0.5, 0.5]]))


def test_an_order_makes_another_embedding() -> None:
    rng = np.random.default_rng(0)
    sample = [Space({"a": ["x", "y", "z"]}).sample(rng)]
    keys = {_key(Space({"a": make(["x", "y", "z"])}), EmbeddingSettings(), sample) for make in (list, ordinal)}
    assert len(keys) == 2
