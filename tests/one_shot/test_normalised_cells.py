"""Cells that are normalised as DARTS publishes, from the settings to what is measured."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from naopt.evaluators.workloads import create_workload
from naopt.networks.cell_norms import NormalisedPool
from naopt.networks.operations import BatchNorm
from naopt.networks.supernet import path_norms
from naopt.one_shot import one_shot
from naopt.one_shot.build import shared_data, shared_trainer
from naopt.one_shot.images import SharedImages
from naopt.one_shot.settings import OneShotSettings
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import NASBench201Space

SPACE = NASBench201Space()
TINY = {"filters": 2, "cells_per_stage": 1, "train_limit": 50, "valid_limit": 45, "batch_size": 16}
POOLED = SPACE.parse("|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|")


def trained(name: str, **settings: object) -> SharedTrainer:
    torch.manual_seed(0)
    kind, work = one_shot.get(name), create_workload("digits", TINY)
    chosen = kind.settings_type.parse({"epochs": 1, **settings})
    data, _ = shared_data(SPACE, work, chosen, "cpu")
    trainer = shared_trainer(data, kind(SPACE, chosen, seed=0), work, torch.device("cpu"))
    trainer.run()
    return trainer


def fixed(trainer: SharedTrainer) -> set[str]:
    return {name for name, parameter in trainer.network.named_parameters() if not parameter.requires_grad}


@pytest.mark.parametrize("name", one_shot.names())
def test_only_darts_normalises_otherwise_than_children(name: str) -> None:
    settings = one_shot.get(name).settings_type()
    assert isinstance(settings, OneShotSettings)
    assert (settings.affine, settings.normalise_pools) == ((False, True) if name == "darts" else (True, False))


@pytest.mark.parametrize("settings", [{}, {"order": "second"}, {"optimiser": "adam", "learning_rate": 0.01}], ids=str)
def test_what_is_fixed_stays_at_one_and_zero(settings: dict[str, object]) -> None:
    trainer = trained("darts", **settings)
    norms = {name: module for name, module in trainer.network.named_modules() if isinstance(module, BatchNorm)}
    inside = {name for name in norms if name.startswith("cells.")}
    assert fixed(trainer) == {f"{name}.{kind}" for name in inside for kind in ("weight", "bias")}
    for name in inside:
        assert torch.equal(norms[name].weight, torch.ones(len(norms[name].weight)))
        assert torch.equal(norms[name].bias, torch.zeros(len(norms[name].bias)))
    assert any(bool((norms[name].weight != 1).any()) for name in norms.keys() - inside)


def test_the_defaults_of_other_searchers_learn_everything() -> None:
    trainer = trained("random-ws")
    assert not fixed(trainer)
    assert not any(isinstance(module, NormalisedPool) for module in trainer.network.modules())


@pytest.mark.parametrize("statistics", ["batch", "recalibrated"])
def test_a_path_is_measured_with_the_normalisations_of_its_training(statistics: str) -> None:
    """Pools' too: those of the path alone get statistics anew where they are recalibrated."""
    trainer = trained("darts", statistics=statistics, score_batch=45, recalibration_batches=1)
    data = trainer.data
    assert isinstance(data, SharedImages)
    path, measured = data.network.path(POOLED), data.measure(data.network.path(POOLED))
    used: set[str] = set()
    handles = [
        module.register_forward_hook(lambda *_, name=name: used.add(name))
        for name, module in data.network.named_modules()
        if isinstance(module, NormalisedPool)
    ]
    assert data.measure(path) == measured
    assert {name.split(".", 3)[3] for name in used} == {"0.avg_pool_3x3", "5.avg_pool_3x3"}
    for handle in handles:
        handle.remove()
    if statistics == "batch":
        data.network.choose(path)
        order = torch.randperm(len(data.valid), generator=torch.Generator().manual_seed(0))
        images, labels = data.valid.normalize(data.valid.pixels[order]), data.valid.labels[order]
        with torch.no_grad():
            loss = F.cross_entropy(data.network.train()(images), labels)
        assert measured["loss"] == pytest.approx(float(loss), rel=1e-5)
    else:
        for norm in path_norms(data.network):
            assert norm.running_mean is not None
            norm.running_mean.fill_(torch.nan)
        assert data.measure(path) == measured, "all that the path reads were gathered anew"
