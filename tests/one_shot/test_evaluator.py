"""Architectures measured with the shared weights of a finished run."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.one_shot import OneShotSettings, SharedWeightsEvaluator
from naopt.one_shot.build import shared_data
from naopt.run.supernet import open_supernet, shared_evaluator
from naopt.spaces import NASBench101Space, RecurrentCellSpace, create_space
from naopt.testing import EvaluatorSuite
from naopt.training.checkpoint import load_checkpoint, save_checkpoint
from tests.ranking.toys import TINY, sharing_run

SPACE = create_space("conv-cell:nodes=1")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("runs") / "run"
    sharing_run(found, space="conv-cell:nodes=1")
    return found


class TestContract(EvaluatorSuite):
    @pytest.fixture
    def evaluator(self, directory: Path) -> SharedWeightsEvaluator:
        return shared_evaluator(directory)


def test_it_measures_what_the_data_measure_with_the_trained_weights(directory: Path) -> None:
    evaluator = shared_evaluator(directory)
    data = open_supernet(directory)
    weights = load_file(directory / "supernet.safetensors")
    state = data.network.state_dict()
    assert all(torch.equal(weights[f"network.{name}"], tensor) for name, tensor in state.items())
    for seed in range(3):
        architecture = evaluator.space.sample(np.random.default_rng(seed))
        measured = evaluator.evaluate(architecture, seed)
        found = data.measure(data.shared.path(architecture))
        assert dict(measured.metrics) == {f"shared_{name}": value for name, value in found.items()}
        assert measured.seconds > 0
    assert evaluator.metrics.keys() == {"shared_acc", "shared_loss"}
    assert evaluator.default_metric == "shared_loss"


def test_a_path_that_is_not_finite_diverged(directory: Path) -> None:
    evaluator = shared_evaluator(directory)
    with torch.no_grad():
        for parameter in evaluator.data.network.parameters():
            parameter.fill_(float("nan"))
    found = evaluator.evaluate(evaluator.space.sample(np.random.default_rng(0)), 0)
    assert (found.status, found.reason, dict(found.metrics)) == ("diverged", "the path's loss is not finite", {})
    fresh: SharedWeightsEvaluator = pickle.loads(pickle.dumps(evaluator))
    assert fresh.evaluate(fresh.space.sample(np.random.default_rng(0)), 0).ok, "weights are read anew"


def test_the_default_metric_is_what_ranks_paths(directory: Path) -> None:
    work, weights = create_workload("digits", TINY), directory / "supernet.safetensors"
    by_accuracy = SharedWeightsEvaluator(SPACE, work, OneShotSettings(score_by="accuracy"), weights)
    assert by_accuracy.default_metric == "shared_acc"
    assert by_accuracy.metrics["shared_acc"].goal == "max"


def test_weights_of_other_settings(directory: Path, tmp_path: Path) -> None:
    work, weights = create_workload("digits", TINY), directory / "supernet.safetensors"
    with pytest.raises(InputError, match="holds shared weights of other settings"):
        SharedWeightsEvaluator(SPACE, work, OneShotSettings(normalise_pools=True), weights).prepare()
    old = shutil.copytree(directory, tmp_path / "old")
    text = (old / "config.toml").read_text()
    (old / "config.toml").write_text(text.replace('numbering = "canonical"\n', ""))
    with pytest.raises(InputError, match="numbered paths otherwise; train it again"):
        open_supernet(old)


def test_spaces_without_a_supernet(tmp_path: Path) -> None:
    work = create_workload("digits", TINY)
    for space in (NASBench101Space(), RecurrentCellSpace()):
        with pytest.raises(InputError, match=f"space '{space.name}': has no networks for images"):
            SharedWeightsEvaluator(space, work, OneShotSettings(), tmp_path)


def test_weights_of_other_data_are_refused(directory: Path, tmp_path: Path) -> None:
    state = load_checkpoint(directory / "supernet.safetensors")
    work = create_workload("digits", {**TINY, "train_limit": 50})
    evaluator = SharedWeightsEvaluator(SPACE, work, OneShotSettings(), directory / "supernet.safetensors")
    with pytest.raises(InputError, match="is of another"):
        evaluator.prepare()
    _, facts = shared_data(SPACE, work, OneShotSettings(), "cpu")
    save_checkpoint(tmp_path / "weights", state, work.identity(facts))
    SharedWeightsEvaluator(SPACE, work, OneShotSettings(), tmp_path / "weights").prepare()
