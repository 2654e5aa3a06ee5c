"""``parameters=N``: the widest network that has at most so many, counted in the networks that are built."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from naopt.errors import InputError
from naopt.evaluators.training import TrainingEvaluator
from naopt.networks.base import count_parameters
from naopt.networks.build import build_network
from naopt.networks.costs import NetworkCosts, sizing
from naopt.networks.costs.sizing import sized
from naopt.networks.settings import NetworkSettings
from naopt.spaces import Architecture, SearchSpace, create_space

SPACES = ("conv-cell:nodes=2", "insta:blocks=4", "nasbench201")


def built(space: SearchSpace, architecture: Architecture, settings: NetworkSettings) -> int:
    with torch.device("meta"):
        return count_parameters(build_network(space, architecture, settings, 3, 10))


@pytest.mark.parametrize("spec", SPACES)
@pytest.mark.parametrize("closed", [True, False])
def test_one_filter_more_would_be_too_many(monkeypatch: pytest.MonkeyPatch, spec: str, closed: bool) -> None:
    monkeypatch.setattr(sizing, "describes", lambda _: closed)
    space = create_space(spec)
    architecture = space.sample(np.random.default_rng(1))
    settings = NetworkSettings(cells_per_stage=1, parameters=20_000)
    found = sized(space, architecture, settings, 3, 10)
    assert found.parameters is None
    wider = found.model_copy(update={"filters": found.filters + 1})
    assert built(space, architecture, found) <= 20_000 < built(space, architecture, wider)


def test_costs_are_those_of_the_sized_network() -> None:
    space = create_space("conv-cell:nodes=2")
    architecture = space.sample(np.random.default_rng(2))
    settings = NetworkSettings(cells_per_stage=1, parameters=30_000)
    costs = NetworkCosts(space, settings, lambda: ((3, 8, 8), 10)).totals(architecture)
    assert costs.params == built(space, architecture, sized(space, architecture, settings, 3, 10))


def test_children_of_a_search_are_equally_large() -> None:
    space = create_space("conv-cell:nodes=1")
    settings = {"epochs": 1, "parameters": 4_000, "cells_per_stage": 1, "train_limit": 20, "valid_limit": 10}
    evaluator = TrainingEvaluator(space, "digits", settings)
    found = evaluator.evaluate(space.sample(np.random.default_rng(0)), seed=0)
    assert 2_500 < found.metrics["params"] <= 4_000


def test_what_cannot_be_had() -> None:
    space = create_space("nasbench201")
    architecture = space.sample(np.random.default_rng(0))
    with pytest.raises(InputError, match=r"parameters '10': the narrowest network of .* has"):
        sized(space, architecture, NetworkSettings(parameters=10), 3, 10)
