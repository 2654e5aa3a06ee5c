"""Going through all sequences of a space."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from naopt.spaces import EnumeratedSpace, SearchSpace, create_space
from tests.spaces.examples import mlp

CELLS = create_space("conv-cell:nodes=2")


@pytest.mark.parametrize(
    "space",
    [
        create_space("nasbench201"),
        create_space("conv-cell:nodes=1,operations=identity+conv1x1"),
        mlp(),
        EnumeratedSpace(CELLS, [CELLS.sample(np.random.default_rng(i)).tokens for i in range(20)]),
    ],
    ids=lambda space: space.name,
)
def test_every_sequence_comes_once_in_order(space: SearchSpace) -> None:
    every = [architecture.tokens for architecture in space.enumerate()]
    assert len(every) == space.size
    assert every == sorted(set(every))
    assert all(space.contains(tokens) for tokens in every[:: max(1, len(every) // 50)])


def test_it_is_lazy() -> None:
    first = list(islice(create_space("conv-cell").enumerate(), 3))
    assert [a.tokens[-2:] for a in first] == [(0, 0), (1, 0), (1, 1)]
