from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.evaluators.workloads.images import ImageWorkload
from naopt.export import ImageFacts, Subject, build_untrained, read_trained
from naopt.export.subjects import images_of
from naopt.final.request import training_request
from naopt.networks.base import ChildNetwork
from naopt.run.train import train
from naopt.spaces import GenericSpace, Position, parse_architecture
from naopt.tasks import DigitsTask, ImageOptions, Limits
from naopt.tasks.decoding import Picture
from naopt.training.image_transforms import evaluation_image
from tests.export.examples import CELL, ImageSubject
from tests.tasks.examples import write_mixed

TINY = {"epochs": 1, "filters": 2, "cells_per_stage": 1, "train_limit": 60, "valid_limit": 60}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    space, architecture = parse_architecture(CELL)
    overrides = {**TINY, "auxiliary_weight": 0.4}
    train(folder, training_request(space, architecture, "digits", overrides=overrides))
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    for name in ("final.json", "final.safetensors"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    return tmp_path


def classifier(found: Subject) -> ImageSubject:
    assert isinstance(found.network, ChildNetwork)
    assert isinstance(found.facts, ImageFacts)
    return ImageSubject(found.network, found.facts, found.data)


def change(folder: Path, **values: object) -> None:
    path = folder / "final.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, **values}), encoding="utf-8")


def test_a_training_is_read_as_it_was(trained: Path) -> None:
    found = classifier(read_trained(trained))
    document = json.loads((trained / "final.json").read_text(encoding="utf-8"))
    assert found.facts.text == document["architecture"] == CELL
    assert found.facts.test_accuracy == document["test_accuracy"]
    assert (found.facts.task, found.facts.input_shape) == ("digits", (1, 8, 8))
    assert found.facts.settings.filters == 2
    assert tuple(found.data.shape) == (64, 1, 8, 8)
    assert not found.network.training
    test = DigitsTask().load().test.images
    assert all((test == image.numpy()).all((1, 2, 3)).any() for image in found.data)
    weights = load_file(trained / "final.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in found.network.state_dict().items())


def test_trained_networks_say_what_they_said(trained: Path) -> None:
    """The accuracy in the result, from pixels of the whole test part."""
    from naopt.export.deployment import Classifier

    found = classifier(read_trained(trained))
    test = DigitsTask().load().test
    with torch.no_grad():
        logits = Classifier(found.network, found.facts)(torch.tensor(test.images).float())
    accuracy = 100 * float((logits.argmax(1) == torch.tensor(test.labels)).double().mean())
    assert found.facts.test_accuracy == pytest.approx(accuracy)


def test_a_training_on_images_of_many_sizes_is_read(tmp_path: Path) -> None:
    """Whatever parts are loaded, by a search, by final training and here, images have the same shape."""
    write_mixed(tmp_path / "images")
    task = f"images:{tmp_path / 'images'}"
    space, architecture = parse_architecture(CELL)
    settings = {"epochs": 1, "filters": 2, "cells_per_stage": 1, "auxiliary_weight": 0.0}
    train(tmp_path / "run", training_request(space, architecture, task, overrides=settings))
    found = classifier(read_trained(tmp_path / "run"))
    work = create_workload(task, settings)
    assert isinstance(work, ImageWorkload)
    searched = [work.load(torch.device("cpu"), test=test).facts["input_shape"] for test in (False, True)]
    assert found.facts.input_shape == tuple(found.data.shape[1:]) == (1, 4, 6) == work.shapes()[0]
    assert searched == [[1, 4, 6]] * 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "final.json").unlink(), "is not a run's directory"),
        (lambda folder: (folder / "final.safetensors").unlink(), "cannot be read"),
        (lambda folder: (folder / "final.json").write_text("{", encoding="utf-8"), "is damaged: JSONDecodeError"),
        (lambda folder: (folder / "final.json").write_text("{}", encoding="utf-8"), "is damaged: KeyError 'task'"),
        (lambda folder: (folder / "final.json").write_text("[]", encoding="utf-8"), "is damaged: TypeError"),
        (lambda folder: (folder / "final.json").write_bytes(b"\xff\xfe\xff"), "is damaged: UnicodeDecodeError"),
        (lambda folder: (folder / "final.safetensors").write_bytes(b"short"), "cannot be read"),
        (lambda folder: change(folder, architecture="normal:"), "at position 7"),
        (lambda folder: change(folder, task="digist"), "did you mean 'digits'"),
        (lambda folder: change(folder, input_shape=[1, 8]), "is damaged: ValueError"),
        (lambda folder: change(folder, classes=["a", "b"]), "are not those of the network in final.json"),
        (lambda folder: change(folder, input_shape=[1, 9, 9]), "has images (1, 8, 8); the network was trained on"),
        (
            lambda folder: save_file({"weight": torch.zeros(2)}, folder / "final.safetensors"),
            "are not those of the network",
        ),
    ],
)
def test_damaged_trainings(copy: Path, spoil: Callable[[Path], Any], message: str) -> None:
    spoil(copy)
    with pytest.raises(InputError) as caught:
        read_trained(copy)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_can_be_elsewhere(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("images")
    for part in ("train", "valid", "test"):
        for name in "ab":
            (folder / part / name).mkdir(parents=True)
            for index in range(3):
                pixels = np.full((8, 8), 10 * index, np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{index}.png")
    found = read_trained(copy, f"images:{folder}")
    assert tuple(found.data.shape) == (6, 1, 8, 8)
    change(copy, input_shape=[1, 16, 16], settings={**TINY, "image_size": 16, "auxiliary_weight": 0.4})
    assert tuple(read_trained(copy).data.shape) == (64, 1, 16, 16)


def test_streamed_images_are_cropped(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(1)
    for name in ("train/a", "train/b", "valid/a", "valid/b", "test/a", "test/b"):
        (folder / name).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(folder / name / f"{index}.png")
    images, classes = images_of(f"images:{folder}", ImageOptions(14), stream=True)
    assert tuple(images.shape) == (4, 3, 14, 14)
    assert classes == ("a", "b")
    with Image.open(folder / "test/a/0.png") as image:
        expected = np.asarray(evaluation_image(Picture(image), 14)).transpose(2, 0, 1)
    assert (images == torch.tensor(expected.copy())).all((1, 2, 3)).any()
    (folder / "test/b/1.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="cannot be read"):
        images_of(f"images:{folder}", ImageOptions(14), stream=True)


def test_tasks_without_test_images(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DigitsTask().load(Limits(0, 0, 0))
    monkeypatch.setattr(DigitsTask, "load", lambda self, limits: data)
    with pytest.raises(InputError, match="task 'digits': has no test images"):
        read_trained(copy)


# Untrained networks.


def test_untrained_networks_of_a_task() -> None:
    space, architecture = parse_architecture(CELL)
    chosen = {"cells_per_stage": 1, "filters": 4}
    first, second = (classifier(build_untrained(space, architecture, chosen, task="digits", seed=3)) for _ in range(2))
    assert first.facts == second.facts
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name])
    other = build_untrained(space, architecture, chosen, task="digits", seed=4)
    assert not torch.equal(other.network.state_dict()["stem.0.weight"], first.network.state_dict()["stem.0.weight"])
    assert first.facts.classes == tuple("0123456789")
    assert first.facts.task == ""
    assert tuple(first.data.shape) == (64, 1, 8, 8)


def test_statistics_are_those_of_one_batch() -> None:
    space, architecture = parse_architecture(CELL)
    found = classifier(build_untrained(space, architecture, input_shape=(3, 12, 10), classes=4, seed=1))
    assert found.facts.classes == ("0", "1", "2", "3")
    assert tuple(found.data.shape) == (64, 3, 12, 10)
    seen: dict[nn.Module, torch.Tensor] = {}
    norms = [module for module in found.network.modules() if isinstance(module, nn.BatchNorm2d)]

    def note(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        seen[module] = output.clone()

    for norm in norms:
        norm.register_forward_hook(note)
    with torch.no_grad():
        outputs = found.network(found.data)
    assert norms
    assert len(seen) == len(norms)
    for output in seen.values():
        assert float(output.mean((0, 2, 3)).abs().max()) < 0.05
        assert float((output.var((0, 2, 3)) - 1).abs().max()) < 0.05
    assert float(outputs.abs().max()) < 100
    assert not found.network.training


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"task": "digits", "input_shape": (1, 8, 8), "classes": 2},
        {"task": "digits", "classes": 2},
        {"input_shape": (1, 8, 8)},
        {"classes": 3},
    ],
)
def test_untrained_needs_images_of_some_kind(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="needs --task, or --input-shape and --classes"):
        build_untrained(*parse_architecture(CELL), **options)


def test_untrained_needs_a_network() -> None:
    space = GenericSpace((Position("depth", ("1", "2")),), "mine")
    with pytest.raises(InputError, match="have no network"):
        build_untrained(space, space.architecture([0]), input_shape=(1, 8, 8), classes=2)
    with pytest.raises(InputError, match="is text"):
        build_untrained(*parse_architecture(CELL), task="python-docs")
