"""A training that is stopped after any step and goes on equals the one that was not, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from naopt.errors import InputError
from naopt.networks.build import build_network
from naopt.spaces import ConvCellSpace
from naopt.training.checkpoint import load_checkpoint, save_checkpoint
from naopt.training.image_trainer import ImageTrainer
from naopt.training.images import channel_statistics, to_device
from naopt.training.reproducible import reproducible
from naopt.training.settings import TrainingSettings
from naopt.training.state import TrainingState

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(
    epochs=3, batch_size=8, filters=4, cells_per_stage=1, drop_path_keep=0.7, dropout=0.2, auxiliary_weight=0.4,
    crop_padding=1, cutout=2, rotation=5, zoom=0.1,
)  # fmt: skip


class StopError(Exception):
    """The process was killed here."""


def trainer(**changes: Any) -> ImageTrainer:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(20, 1, 8, 8)).astype(np.uint8)
    images = to_device(pixels, rng.integers(3, size=20), channel_statistics(pixels), CPU)
    space = ConvCellSpace(2)
    settings = SETTINGS.model_copy(update=changes)
    network = build_network(space, space.sample(rng), settings, 1, 3)
    return ImageTrainer(network, {"train": images, "valid": images}, settings, CPU)


def outcome(training: ImageTrainer) -> dict[str, Any]:
    history = [{k: v for k, v in figures.items() if k != "seconds"} for figures in training.history]
    return {"history": history, "step": training.step, **training.measure("valid")}


@pytest.mark.parametrize("stop", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path, stop: int, precision: str) -> None:
    path = tmp_path / "state.safetensors"
    with reproducible(5, CPU, 1):
        whole = trainer(precision=precision)
        whole.run()
        expected = outcome(whole)
    with reproducible(5, CPU, 1):
        first = trainer(precision=precision)

        def step() -> None:
            if first.step == stop:
                save_checkpoint(path, first.state(), {})
                raise StopError

        with pytest.raises(StopError):
            first.run(step)
    with reproducible(99, CPU, 1):
        second = trainer(precision=precision)
        second.restore(load_checkpoint(path))
        assert second.step == stop
        second.run()
        assert outcome(second) == expected
    for (name, tensor), other in zip(
        whole.network.state_dict().items(), second.network.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, other), name


def test_a_precision_that_was_chosen_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with reproducible(0, CPU, 1):
        first = trainer(precision="auto", epochs=1)
        before = torch.get_rng_state()
        first.run()
        assert first.precision in ("float32", "bfloat16")
        assert not torch.equal(before, torch.get_rng_state())
        save_checkpoint(path, first.state(), {})
        second = trainer(precision="auto", epochs=1)
        second.restore(load_checkpoint(path))
        assert second.precision == first.precision


def test_probing_the_precision_leaves_no_trace() -> None:
    losses = {}
    for precision in ("auto", "float32"):
        with reproducible(0, CPU, 1):
            training = trainer(precision=precision, epochs=1)
            training.run()
            if training.precision == "float32":
                losses[precision] = training.history[0]["train_loss"]
    assert len(set(losses.values())) == 1


def test_what_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(path)
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="holds no training"):
        load_checkpoint(path)


def test_a_checkpoint_that_is_not_what_was_saved_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    state = TrainingState({"x": torch.arange(3), "y": torch.tensor(2.0)}, {"epoch": 1, "loss": [0.1]})
    save_checkpoint(path, state, {"seed": 1})
    saved = path.read_bytes()
    assert load_checkpoint(path, {"seed": 1}).facts == state.facts
    flipped = saved[:-1] + bytes([saved[-1] ^ 64])
    other = saved.replace(b'epoch\\": 1', b'epoch\\": 2')
    assert other != saved
    for content in (flipped, other):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is damaged: it is not what was saved"):
            load_checkpoint(path, {"seed": 1})
    for was, now in ((b"version", b"verzion"), (b'version\\": 1', b'version\\": [')):
        path.write_bytes(saved.replace(was, now))
        with pytest.raises(InputError, match="its facts cannot be read"):
            load_checkpoint(path)


def test_folders_may_have_names_that_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9").mkdir()
    path = tmp_path / "caf\udce9" / "state.safetensors"
    save_checkpoint(path, TrainingState({"x": torch.ones(1)}, {}), {})
    assert load_checkpoint(path).tensors["x"] == 1


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, TrainingState({"x": torch.arange(3)}, {"step": 1}), {"architecture": "a", "seed": 1})
    state = load_checkpoint(path, {"architecture": "a"})
    assert torch.equal(state.tensors["x"], torch.arange(3))
    assert state.facts == {"step": 1}
    with pytest.raises(InputError, match="is of another architecture: a, not b"):
        load_checkpoint(path, {"architecture": "b"})
    assert not path.with_name("state.safetensors.part").exists()
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
