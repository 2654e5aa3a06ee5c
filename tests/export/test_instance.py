"""Networks that decide for each image what they compute, as files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from naopt.errors import InputError
from naopt.export import InstanceFacts, export
from naopt.export.pytorch import write_pytorch
from naopt.networks.instance import InstanceNetwork
from tests.export.examples import ImageSubject, import_file, inputs_of, instance, logits


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fuses": False, "stages": 1, "per_image": True},
        {"classifies": False, "shape": (1, 8, 8), "stages": 4},
        {"classifies": False, "fuses": False},
    ],
)
def test_the_file_is_the_network_at_every_operating_point(tmp_path: Path, options: dict[str, object]) -> None:
    found, path = instance(**options), tmp_path / "network.py"  # type: ignore[arg-type]
    network = network_of(found)
    write_pytorch(found.deploy(), found.facts, path)
    exported = import_file(path).load()
    decided, beliefs = [], False
    for thrift in (network.thrift, 0.0, 1.0):
        network.thrift = exported.thrift = thrift
        with torch.no_grad():
            difference = (exported(found.data) - logits(found)).abs().max()
        assert difference < 1e-5
        decided.append(network.masks)
        with torch.no_grad():
            alone = network.follow(inputs_of(found), network.masks, None)[0]
        beliefs |= not torch.allclose(alone, logits(found), atol=1e-3)
    assert beliefs == (options.get("classifies", True) and options.get("fuses", True))
    assert len(torch.unique(decided[0].flatten(1), dim=0)) > 3
    assert not torch.equal(decided[0], decided[1])
    assert not torch.equal(decided[1], decided[2])


def network_of(found: ImageSubject) -> InstanceNetwork:
    assert isinstance(found.network, InstanceNetwork)
    return found.network


def test_the_file_computes_what_is_active_and_nothing_else(tmp_path: Path) -> None:
    found, path = instance(), tmp_path / "network.py"
    network = network_of(found)
    write_pytorch(found.deploy(), found.facts, path)
    exported = import_file(path).load()
    seen: dict[tuple[int, int], int] = {}
    for block, module in enumerate(exported.blocks):
        for index, part in enumerate(module.parts):
            part.register_forward_pre_hook(lambda _, inputs, at=(block, index): seen.__setitem__(at, len(inputs[0])))
    with torch.no_grad():
        exported(found.data)
        network(inputs_of(found))
    counts = network.masks.sum(0)
    assert seen == {(block, index): int(counts[block, index]) for block, index in counts.nonzero().tolist()}
    assert (counts > 0).sum() > ((counts > 0) & (counts < len(found.data))).sum() // 2 > 0


def test_what_the_file_says(tmp_path: Path) -> None:
    found, path = instance(thrift=0.25), tmp_path / "network.py"
    write_pytorch(found.deploy(), found.facts, path)
    text, module = path.read_text(encoding="utf-8"), import_file(path)
    assert "naopt" not in {name.split(".")[0] for name in _imported(text)}
    assert (module.THRIFT, module.load().thrift) == (0.25, 0.25)
    assert module.POINTS == ((0, 0.9, 97.25), (1, 0.31, 95))
    assert module.NEEDED == ((2, 1),)


def _imported(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text)))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(("kind", "name"), [("torch-export", "n.pt2"), ("onnx", "n.onnx")])
def test_graphs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> None:
    monkeypatch.setattr("naopt.export.exporter.check_onnx", lambda: None)
    found = instance()
    assert isinstance(found.facts, InstanceFacts)
    with pytest.raises(InputError, match="a graph would compute everything for all; use --to pytorch"):
        export(found.network, kind, tmp_path / name, found.facts, found.data)
    assert not list(tmp_path.iterdir())
