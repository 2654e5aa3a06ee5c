from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from naopt.errors import InputError, NaoptError
from naopt.export import blocks
from naopt.export.operations import identifier, write_operation
from naopt.export.pytorch import run_pytorch, write_pytorch, write_source
from naopt.networks.operations import operations
from naopt.spaces import (
    ConvCellSpace,
    EnumeratedSpace,
    GenericSpace,
    InstaSpace,
    NASBench201Space,
    Position,
    SearchSpace,
    parse_architecture,
)
from tests.export.examples import CELL, EDGES, import_file, logits, subject


def difference(found: Any, path: Path) -> float:
    """Largest difference of a logit between a network and the file that is written of it."""
    write_pytorch(found.deploy(), found.facts, path)
    exported = import_file(path).load()
    assert not exported.training
    with torch.no_grad():
        return float((exported(found.data) - logits(found)).abs().max())


@pytest.mark.parametrize("name", operations.names())
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(9, 7), (8, 8)])
def test_blocks_compute_what_operations_compute(name: str, stride: int, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(3)
    operation = operations.get(name)(6, stride).double().eval()
    for tensor in operation.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator, dtype=torch.float64))
    written = write_operation(name, stride)
    module = nn.Identity()
    if written.module:
        module = eval(written.module, {**vars(blocks), "channels": 6}).double().eval()
        module.load_state_dict(operation.state_dict())
    x = torch.randn(2, 6, *size, generator=generator, dtype=torch.float64)
    holder = SimpleNamespace(module=module)
    actual = eval(written.call.format(name="module", x="x"), {**vars(blocks), "self": holder, "x": x})
    assert torch.allclose(actual, operation(x), rtol=1e-12, atol=1e-12)


def test_other_blocks(tmp_path: Path) -> None:
    assert isinstance(blocks.calibrate(4, 4), nn.Identity)
    assert isinstance(blocks.recalibrate(4, 4), nn.Identity)
    x = torch.randn(2, 3, 5, 7)
    assert blocks.recalibrate(3, 6)(blocks.calibrate(3, 6)(x)).shape == (2, 6, 5, 7)
    parallel = blocks.ParallelBlock(blocks.inverted_residual(3, 6, 5, 2, 2), shortcut=False)
    for block in (blocks.calibrate(3, 6, halved=True), blocks.ResidualReduction(3, 6), parallel):
        assert block(x).shape == (2, 6, 3, 4)
    weights = {"a": torch.randn(2, 3), "b.c": torch.randn(4), "scalar": torch.tensor(2.5)}
    path = tmp_path / "weights.safetensors"
    save_file(weights, path, metadata={"words": json.dumps(["naïve", "<eos>"])})
    assert blocks.read_words(path) == ["naïve", "<eos>"]
    state, product = torch.randn(3, 4), torch.randn(3, 8)
    mixed = blocks.highway(state, product, blocks.identity)
    gate = product[:, :4].sigmoid()
    assert torch.allclose(mixed, state + gate * (product[:, 4:] - state), atol=1e-6)
    found = blocks.read_safetensors(path)
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize("name", operations.names())
@pytest.mark.parametrize("shape", [(2, 9, 7), (1, 8, 8)])
def test_every_operation(tmp_path: Path, name: str, shape: tuple[int, int, int]) -> None:
    space = ConvCellSpace(2, name)
    architecture = space.parse(
        f"normal:{name}@0+{name}@1,{name}@2+{name}@0/reduction:{name}@1+{name}@0,{name}@2+{name}@1"
    )
    found = subject((space, architecture), shape)
    assert float(logits(found).std()) > 1e-3
    assert difference(found, tmp_path / "network.py") < 1e-5


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_networks(tmp_path: Path, seed: int, data: st.DataObject) -> None:
    space: SearchSpace = data.draw(
        st.sampled_from(
            [ConvCellSpace(1), ConvCellSpace(4), ConvCellSpace(5, "enas-5"), InstaSpace(5), NASBench201Space()]
        )
    )
    found = subject(
        (space, space.sample(np.random.default_rng(seed))),
        shape=data.draw(st.sampled_from([(1, 8, 8), (3, 19, 14)])),
        per_image=data.draw(st.booleans()),
        cells_per_stage=data.draw(st.integers(1, 2)),
        filters=data.draw(st.sampled_from([2, 3, 6])),
        head_relu=data.draw(st.booleans()),
        auxiliary_weight=data.draw(st.sampled_from([0, 0.4])),
        auxiliary_at=data.draw(st.sampled_from(["reduction", "cell"])),
        skeleton=data.draw(st.sampled_from(["cifar", "imagenet"])) if isinstance(space, ConvCellSpace) else "cifar",
        calibrate_newer=data.draw(st.sampled_from(["needed", "always", "twice"])),
    )
    expected = logits(found)
    assert difference(found, tmp_path / "network.py") <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("calibrate_newer", ["needed", "always", "twice"])
@pytest.mark.parametrize("skeleton", ["cifar", "imagenet"])
@pytest.mark.parametrize("output", ["loose-ends", "nodes"])
def test_constructions_of_the_official_programs(
    tmp_path: Path, calibrate_newer: str, skeleton: str, output: str
) -> None:
    space = ConvCellSpace(2, output=output)
    text = CELL.replace("sep_conv3x3", "conv3x3")
    architecture = space.parse(text if output == "loose-ends" else f"{text}/output:nodes")
    found = subject(
        (space, architecture),
        (3, 33, 40),
        cells_per_stage=2,
        skeleton=skeleton,
        calibrate_newer=calibrate_newer,
        auxiliary_weight=0.4,
    )
    assert float(logits(found).std()) > 1e-3
    assert difference(found, tmp_path / "network.py") < 1e-5


def test_listed_rows_are_written_as_their_space(tmp_path: Path) -> None:
    whole, architecture = parse_architecture(EDGES)
    space = EnumeratedSpace(whole, np.array([architecture.tokens]))
    found = subject((space, space.architecture(architecture.tokens)))
    assert difference(found, tmp_path / "network.py") < 1e-5


def test_cells_without_weights(tmp_path: Path) -> None:
    found = subject("|none~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|")
    assert difference(found, tmp_path / "network.py") < 1e-5
    assert difference(subject("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), tmp_path / "none.py") < 1e-5


def test_blocks_with_and_without_operations(tmp_path: Path) -> None:
    some = subject("insta:mb3e1+mb5e3,skip/mb3e3+mb3e6+mb5e6", auxiliary_weight=0.4)
    assert difference(some, tmp_path / "network.py") < 1e-5
    assert difference(subject("insta:skip,skip"), tmp_path / "none.py") < 1e-5


def test_wide_cells(tmp_path: Path) -> None:
    space = ConvCellSpace(16, "conv1x7-7x1+identity")
    node = "conv1x7-7x1@0+conv1x7-7x1@1"
    nodes = ",".join([node] * 16)
    found = subject((space, space.parse(f"normal:{nodes}/reduction:{nodes}")), filters=2)
    path = tmp_path / "network.py"
    assert difference(found, path) < 1e-4
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 88


def test_only_what_is_needed_is_written(tmp_path: Path) -> None:
    path = tmp_path / "network.py"
    found = subject(CELL, auxiliary_weight=0.4)
    write_pytorch(found.deploy(), found.facts, path)
    weights = load_file(tmp_path / "network.safetensors")
    assert not [name for name in weights if "auxiliary" in name or "num_batches" in name or "branches" in name]
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())
    text = path.read_text(encoding="utf-8")
    assert "def conv(" in text
    assert "def conv_pair(" not in text
    assert "naopt" not in text.partition('"""\n\n')[2]


def test_prediction_and_weights_elsewhere(tmp_path: Path) -> None:
    found = subject(CELL)
    path = tmp_path / "network.py"
    write_pytorch(found.deploy(), found.facts, path)
    module = import_file(path)
    elsewhere = (tmp_path / "network.safetensors").rename(tmp_path / "moved.safetensors")
    network = module.load(elsewhere)
    for image, probabilities in zip(found.data, logits(found).softmax(1), strict=True):
        name, probability = module.predict(network, image)
        assert name == found.facts.classes[int(probabilities.argmax())]
        assert probability == pytest.approx(float(probabilities.max()), abs=1e-5)
        assert module.predict(network, image.numpy()) == (name, probability)
    with pytest.raises(ValueError, match=r"the image is \(\d+, \d+, \d+\), not \(\d+, \d+, \d+\)"):
        module.predict(network, found.data[0].permute(1, 2, 0))


def test_files_that_are_renamed(tmp_path: Path) -> None:
    found = subject(CELL)
    path = tmp_path / "network.py"
    write_pytorch(found.deploy(), found.facts, path)
    expected = import_file(path).load().state_dict()
    path = path.rename(tmp_path / "renamed.py")
    for name in ("network.safetensors", "renamed.safetensors"):  # as written, and renamed with it
        (tmp_path / "network.safetensors").rename(tmp_path / name)
        loaded = import_file(path).load().state_dict()
        assert all(torch.equal(loaded[key], tensor) for key, tensor in expected.items())
    (tmp_path / "renamed.safetensors").rename(tmp_path / "elsewhere.safetensors")
    exported = import_file(path)
    line = "network.safetensors is not there; its weights were written as network.safetensors: load(PATH)"
    with pytest.raises(FileNotFoundError, match=re.escape(line)):
        exported.load()
    assert exported.load(tmp_path / "elsewhere.safetensors").state_dict().keys() == expected.keys()


def test_a_stranger_runs_the_file(tmp_path: Path) -> None:
    found = subject(CELL)
    path = tmp_path / "network.py"
    write_pytorch(found.deploy(), found.facts, path)
    assert torch.allclose(run_pytorch(found.deploy(), path), logits(found), atol=1e-5)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["network.py", "network.safetensors"]
    path.write_text("import naopt\n", encoding="utf-8")
    with pytest.raises(NaoptError, match=r"does not run: ModuleNotFoundError: import of naopt halted"):
        run_pytorch(found.deploy(), path)


def test_a_stranger_that_dies_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -9, b"", b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(NaoptError, match="ended with code -9"):
        run_pytorch(subject(CELL).deploy(), tmp_path / "network.py")


def test_operations_of_other_packages_have_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def conv9x9(channels: int, stride: int) -> nn.Module:
        return nn.Identity()

    monkeypatch.setitem(operations._objects, "conv9x9", conv9x9)
    with pytest.raises(InputError, match=r"operation 'conv9x9': has no PyTorch source; export to onnx"):
        write_operation("conv9x9", 1)


def test_spaces_of_other_packages_have_no_source() -> None:
    facts = subject(CELL).facts
    space = GenericSpace((Position("depth", ("1", "2")),), "mine")
    with pytest.raises(InputError, match=r"space 'mine': its networks have no PyTorch source"):
        write_source(space, facts)


@pytest.mark.parametrize(
    ("name", "stride", "module", "call"),
    [
        ("identity", 1, "", "x"),
        ("identity", 2, "halve(channels, channels)", "self.m(x)"),
        ("conv1x1", 1, "conv(channels, channels)", "self.m(x)"),
        ("conv1x1", 2, "conv(channels, channels, 1, 2)", "self.m(x)"),
        ("sep_conv5x5", 1, "sep_conv(channels, 5)", "self.m(x)"),
        ("conv1x7-7x1", 2, "conv_pair(channels, 7, 2)", "self.m(x)"),
        ("avg_pool3x3", 1, "", "avg_pool(x, 3)"),
        ("max_pool2x2", 2, "", "max_pool(x, 2, 2)"),
    ],
)
def test_operations_in_words(name: str, stride: int, module: str, call: str) -> None:
    written = write_operation(name, stride)
    assert (written.module, written.call.format(name="m", x="x")) == (module, call)
    assert identifier(name).isidentifier()
