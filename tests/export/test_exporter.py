from __future__ import annotations

import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from naopt.errors import InputError, NaoptError, UnknownNameError
from naopt.export import KINDS, Kind, check_target, export
from naopt.export.deployment import Classifier, Deployment
from naopt.export.exporter import SUFFIXES
from naopt.export.graphs import METADATA_FILE, quiet, read_onnx, read_torch_export
from naopt.training.images import Normalisation
from tests.export.examples import CELL, EDGES, import_file, logits, subject

NO_UTF8 = "caf\udce9"
"""A name of an old zip file, as Python has it."""
CLASSES = ("Katze", 'naïve "dog"', NO_UTF8)
PRIVATE = (str(Path(__file__).parents[2]).encode(), b"site-packages", b"stack_trace")


@pytest.mark.parametrize("per_image", [False, True])
def test_deployed_networks_take_pixels(per_image: bool) -> None:
    found = subject(EDGES, per_image=per_image, auxiliary_weight=0.4)
    names = [name for name, _ in found.network.named_parameters()]
    deployed = Classifier(found.network, found.facts)
    actual = deployed(found.data.float())
    assert torch.allclose(actual, logits(found), atol=1e-5)
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in (found.facts.mean, found.facts.deviation))
    normalise = Normalisation(mean, 1 / deviation, per_image)
    assert torch.allclose(actual, found.network(normalise(found.data)), atol=1e-5)
    assert not [name for name, _ in deployed.named_parameters() if "auxiliary" in name]
    assert [name for name, _ in found.network.named_parameters()] == names


def test_constant_images_are_normalised() -> None:
    found = subject(CELL, per_image=True)
    constant = replace(found, data=torch.full_like(found.data, 7))
    actual = Classifier(found.network, found.facts)(constant.data.float())
    assert torch.allclose(actual, logits(constant), atol=1e-5)


def test_torch_export(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = subject(EDGES, auxiliary_weight=0.4, classes=CLASSES, task="digits", test_accuracy=97.5)
    folder = tmp_path / NO_UTF8
    folder.mkdir()
    out = folder / "network.pt2"
    result = export(found.network, "torch-export", out, found.facts, found.data)
    assert capfd.readouterr() == ("", "")
    assert result.path == out
    assert result.files == (out,)
    assert result.count == 8
    assert 0 <= result.max_difference < 1e-5
    compute = read_torch_export(out)
    for size in (1, 3, 8):
        assert torch.allclose(compute(found.data[:size].float())[0], logits(found)[:size], atol=1e-5)
    held = {METADATA_FILE: ""}
    with quiet(), out.open("rb") as file:
        program = torch.export.load(file, extra_files=held)
    assert torch.allclose(program.module()(found.data.float()), logits(found), atol=1e-5)
    assert json.loads(held[METADATA_FILE]) == found.facts.metadata()
    assert json.loads(json.loads(held[METADATA_FILE])["classes"]) == list(CLASSES)
    assert not [name for name in program.state_dict if "auxiliary" in name]
    assert not [word for word in PRIVATE if word in out.read_bytes()]
    assert [path.name for path in folder.iterdir()] == ["network.pt2"]


def test_onnx(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    found = subject(EDGES, classes=CLASSES, task="digits", test_accuracy=97.5)
    folder = tmp_path / NO_UTF8
    folder.mkdir()
    out = folder / "network.onnx"
    result = export(found.network, "onnx", out, found.facts, found.data)
    assert capfd.readouterr() == ("", "")
    assert 0 <= result.max_difference < 1e-5
    compute = read_onnx(out)
    for size in (1, 3, 8):
        assert torch.allclose(compute(found.data[:size].float())[0], logits(found)[:size], atol=1e-5)
    model = onnx.load_from_string(out.read_bytes())
    (inputs,), (outputs,) = model.graph.input, model.graph.output
    assert (inputs.name, outputs.name) == ("images", "logits")
    sizes = [size.dim_param or size.dim_value for size in inputs.type.tensor_type.shape.dim]
    assert sizes == ["batch", *found.facts.input_shape]
    assert [size.dim_param or size.dim_value for size in outputs.type.tensor_type.shape.dim] == ["batch", 3]
    held = {prop.key: prop.value for prop in model.metadata_props}
    assert held == found.facts.metadata()
    assert json.loads(held["classes"]) == list(found.facts.classes)
    assert json.loads(held["mean"]) == list(found.facts.mean)
    assert json.loads(held["test_accuracy"]) == 97.5
    assert not [word for word in PRIVATE if word in out.read_bytes()]
    assert [path.name for path in folder.iterdir()] == ["network.onnx"]


def test_metadata_of_untrained_networks() -> None:
    facts = subject(CELL, per_image=True).facts
    metadata = facts.metadata()
    assert "test_accuracy" not in metadata
    assert (metadata["task"], metadata["normalisation"]) == ("", "image")
    assert facts.space.parse(metadata["architecture"]) == facts.architecture


def test_quiet_is_over_after() -> None:
    before = logging.root.manager.disable
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ZeroDivisionError), quiet():
            _fail_with_a_warning()
        warnings.warn("shown", stacklevel=1)
    assert [str(each.message) for each in caught] == ["shown"]
    assert logging.root.manager.disable == before


def _fail_with_a_warning() -> None:
    warnings.warn("hidden", stacklevel=1)
    raise ZeroDivisionError


# What is refused.


@pytest.mark.parametrize("kind", KINDS)
def test_targets(tmp_path: Path, kind: Kind) -> None:
    out = tmp_path / f"network{SUFFIXES[kind]}"
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        check_target(kind, tmp_path / "none" / out.name)
    with pytest.raises(InputError, match="must end in"):
        check_target(kind, out.with_suffix(".zip"))
    out.touch()
    with pytest.raises(InputError, match="exists; replace it with --force"):
        check_target(kind, out)
    assert check_target(kind, out, force=True) == kind
    out.unlink()
    out.mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_target(kind, out, force=True)


def test_kinds_are_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"--to 'onx': unknown; did you mean 'onnx'"):
        check_target("onx", tmp_path / "network.onnx")


def test_weights_of_something_else_are_never_replaced(tmp_path: Path) -> None:
    weights = tmp_path / "final.safetensors"
    weights.write_bytes(b"of a training")
    with pytest.raises(InputError, match="exists; replace"):
        check_target("pytorch", tmp_path / "final.py")
    with pytest.raises(InputError, match=r"is not of an exported final\.py; choose another name"):
        check_target("pytorch", tmp_path / "final.py", force=True)
    assert weights.read_bytes() == b"of a training"


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naopt.export.graphs.find_spec", lambda name: None if name != "onnx" else object())
    with pytest.raises(InputError) as caught:
        check_target("onnx", tmp_path / "network.onnx")
    assert str(caught.value) == "--to 'onnx': needs onnxscript, onnxruntime; install with: pip install 'naopt[onnx]'"


@pytest.mark.parametrize("images", [torch.zeros(0, 2, 9, 7), torch.zeros(2, 3, 9, 7), torch.zeros(2, 9, 7)])
def test_images_must_fit(tmp_path: Path, images: torch.Tensor) -> None:
    found = subject(CELL)
    with pytest.raises(InputError, match="must be at least one of shape"):
        export(found.network, "pytorch", tmp_path / "network.py", found.facts, images)


@pytest.mark.parametrize("actual", [torch.zeros(8, 3) + 1, torch.full((8, 3), np.nan), torch.zeros(8, 4)])
def test_a_file_that_differs_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, actual: torch.Tensor
) -> None:
    monkeypatch.setattr("naopt.export.exporter.run_pytorch", lambda deployment, path: actual)
    found = subject(CELL)
    out = tmp_path / "network.py"
    for old in (out, out.with_suffix(".safetensors")):
        old.write_text("old", encoding="utf-8")
    with pytest.raises(NaoptError, match=r"differs from the network by .*, more than 0\.0001") as caught:
        export(found.network, "pytorch", out, found.facts, found.data, force=True)
    assert not isinstance(caught.value, InputError)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "network.py": "old",
        "network.safetensors": "old",
    }


def test_replacing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_here(deployment: Deployment, path: Path) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = import_file(path).load()(deployment.data["images"])
        return found

    monkeypatch.setattr("naopt.export.exporter.run_pytorch", run_here)
    out = tmp_path / "network.py"
    first, second = subject(CELL), subject(CELL, filters=6)
    export(first.network, "pytorch", out, first.facts, first.data[:1])
    export(second.network, "pytorch", str(out), second.facts, second.data, force=True)
    assert torch.allclose(run_here(second.deploy(), out), logits(second), atol=1e-5)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.is_file()}
    assert len(modes) == 1


def test_what_the_disk_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("naopt.export.exporter.write_pytorch", full)
    found = subject(CELL)
    with pytest.raises(InputError, match="No space left on device"):
        export(found.network, "pytorch", tmp_path / "network.py", found.facts, found.data)
