from collections.abc import Mapping

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from naopt.errors import InputError
from naopt.evaluators.final import default_preset, final_workload, train_final
from naopt.evaluators.presets import PRESETS
from naopt.evaluators.workloads import WORKLOADS, Workload
from naopt.networks.build import build_network
from naopt.networks.settings import NetworkSettings
from naopt.spaces import ConvCellSpace, GenericSpace, Position
from naopt.tasks import Dataset as TaskDataset
from naopt.tasks import ImageTask, Limits, create_image_task, tasks
from naopt.training.settings import TrainingSettings

SMALL = {"epochs": 5, "filters": 4}


def test_final_training_uses_all_but_the_test_images_and_tests_once() -> None:
    space = ConvCellSpace(2, "conv3x3+identity+max_pool3x3")
    architecture = space.parse(
        "normal:conv3x3@1+identity@0,conv3x3@2+identity@1/reduction:conv3x3@1+max_pool3x3@0,conv3x3@2+identity@2"
    )
    work = final_workload("digits", overrides=SMALL)
    result = train_final(space, architecture, work, seed=3)
    assert result.metrics["test_accuracy"] > 80
    assert result.settings is work.settings
    assert result.facts["input_shape"] == [1, 8, 8]
    assert result.facts["classes"] == list(map(str, range(10)))
    assert len(result.curve) == 5
    assert result.parameters > 1000
    assert result.seconds > 0
    data = create_image_task("digits").load()
    pixels = np.concatenate([data.train.images, data.valid.images])
    assert result.facts["mean"] == pytest.approx([pixels.mean()])
    assert result.facts["deviation"] == pytest.approx([pixels.std()])

    assert isinstance(work.settings, NetworkSettings)
    restored = build_network(space, architecture, work.settings, 1, 10)
    restored.load_state_dict(load(save(result.state_dict)))
    restored.eval()
    inputs = (torch.tensor(data.test.images).float() - result.facts["mean"][0]) / result.facts["deviation"][0]
    with torch.no_grad():
        accuracy = float((restored(inputs).argmax(1).numpy() == data.test.labels).mean()) * 100
    assert accuracy == pytest.approx(result.metrics["test_accuracy"], abs=0.2)


def test_equal_seeds_give_equal_bits() -> None:
    space = ConvCellSpace(1)
    architecture = space.sample(np.random.default_rng(0))
    work = final_workload("digits", overrides={**SMALL, "epochs": 1, "train_limit": 60, "valid_limit": 20})
    losses = [train_final(space, architecture, work, seed=seed).metrics["test_loss"] for seed in (1, 2, 1)]
    assert losses[0] == losses[2] != losses[1]


def test_presets_are_settings_of_their_kind() -> None:
    for preset in PRESETS.values():
        settings = WORKLOADS[preset.kind].settings_type.parse(dict(preset.values))
        assert set(preset.values) <= set(settings.model_fields_set)
        assert preset.source
    assert {"search", "cifar10-final", "cifar100-final", "imagenet-final", "nao-ws-final"} <= set(PRESETS)


def test_presets_are_chosen_by_task_and_by_name() -> None:
    assert training(final_workload("digits")).filters == PRESETS["digits-final"].values["filters"]
    assert training(final_workload("digits", "recipe")).epochs == create_image_task("digits").recipe["epochs"]
    assert training(final_workload("digits", "cifar10-final", {"epochs": 3})).epochs == 3
    assert [default_preset(task) for task in ("digits", "text:x", "mine:x")] == ["digits-final", "text-final", "recipe"]
    with pytest.raises(InputError, match="preset 'cifar10': unknown; did you mean 'cifar10-final'"):
        final_workload("digits", "cifar10")
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        final_workload("digits", overrides={"epoch": 1})


def training(work: Workload) -> TrainingSettings:
    assert isinstance(work.settings, TrainingSettings)
    return work.settings


def test_a_task_of_somebody_elses_has_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blank(ImageTask):
        """No test images."""

        recipe: Mapping[str, object] = {"epochs": 2}  # type: ignore[misc]

        def load(self, limits: Limits = Limits()) -> TaskDataset:  # noqa: B008
            return create_image_task("digits").load(Limits(20, 20, 0))

    monkeypatch.setitem(tasks._objects, "blank", Blank)
    assert training(final_workload("blank")).epochs == 2
    space = ConvCellSpace(1)
    with pytest.raises(InputError, match="has no test images"):
        train_final(space, space.sample(np.random.default_rng(0)), "blank")


def test_bad_input() -> None:
    space = GenericSpace([Position("depth", ("1", "2"))])
    with pytest.raises(InputError, match="has no networks"):
        train_final(space, space.architecture([0]), "digits")
    with pytest.raises(InputError, match="device"):
        train_final(ConvCellSpace(1), ConvCellSpace(1).sample(np.random.default_rng(0)), "digits", device="cuda:99")
