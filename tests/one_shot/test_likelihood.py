"""The likelihood of data under paths: that of the data alone, whatever the training adds to its loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from naopt.evaluators.workloads import create_workload
from naopt.networks.build import build_network
from naopt.networks.supernet import path_norms
from naopt.one_shot.build import shared_data
from naopt.one_shot.images import SharedImages
from naopt.one_shot.settings import OneShotSettings
from naopt.spaces import ConvCellSpace, NASBench201Space, SearchSpace
from tests.networks.paths import path
from tests.one_shot.test_text import ONE, OTHER, cross_entropy, shared_text

ADDED = {"label_smoothing": 0.2, "auxiliary_weight": 0.4, "drop_path_keep": 0.5, "dropout": 0.3}
TINY = {"filters": 2, "cells_per_stage": 1, "train_limit": 50, "valid_limit": 45, "batch_size": 16}


@pytest.mark.parametrize("space", [NASBench201Space(), ConvCellSpace(1, "enas-5")], ids=lambda space: space.name)
def test_of_images_it_is_the_childs_cross_entropy_in_its_batch(space: SearchSpace) -> None:
    torch.manual_seed(0)
    data, _ = shared_data(space, create_workload("digits", TINY | ADDED), OneShotSettings(), "cpu")
    assert isinstance(data, SharedImages)
    data.network.progress = 1.0
    rng = np.random.default_rng(1)
    first, second = (space.sample(rng) for _ in range(2))
    for inputs, labels in (data.next_valid(), data.next_train()):
        found = data.log_likelihoods([data.network.path(a) for a in (first, second, first)], (inputs, labels))
        expected = []
        for architecture in (first, second, first):
            chosen = data.network.path(architecture)
            child = build_network(space, chosen.architecture, data.training, 1, 10).double()
            child.load_state_dict(data.network.child_state(chosen))
            child.eval()
            for norm in path_norms(child):
                norm.train()
            expected.append(-F.cross_entropy(child(inputs.double()), labels).item())
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        assert found[0] != found[1]
    assert data.network.training
    data.network.choose(data.network.path(first))
    assert abs(data.loss((inputs, labels)).item() + found[0]) > 0.1, "the training loss is another"


def test_of_text_nothing_is_dropped_or_penalised_and_the_state_stays() -> None:
    data = shared_text(output_dropout=0.4, output_penalty=2.0, change_penalty=1.0)
    for chunk in (data.next_valid(), data.next_train()):
        before = {name: value.clone() for name, value in data.memory().tensors.items()}
        asked = [path(data.network, tokens) for tokens in (ONE, OTHER, ONE)]
        found = data.log_likelihoods(asked, chunk)
        for one, value in zip(asked, found, strict=True):
            data.network.choose(one)
            assert value == pytest.approx(-cross_entropy(data, chunk), rel=1e-5)
        assert found[0] != found[1]
        after = data.memory().tensors
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_of_a_path_whose_loss_is_not_finite_there_is_none() -> None:
    data = shared_text()
    with torch.no_grad():
        data.network.embedding.fill_(torch.nan)
    assert np.isnan(data.log_likelihoods([path(data.network, ONE)], data.next_valid())).all()
