from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from naopt.cli.app import run
from naopt.export.deployment import Deployment
from tests.export.examples import CELL, EDGES, import_file
from tests.golden.test_formats import FORMATS

TINY = ["--set", "epochs=1", "--set", "training.filters=2", "--set", "train_limit=60", "--set", "valid_limit=60"]
SMALL = ["--set", "cells_per_stage=1", "--set", "training.filters=2"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exported files run in this process: a fresh one takes seconds."""

    def compute(deployment: Deployment, path: Path) -> torch.Tensor:
        exported = import_file(path)
        found = {"network": exported.load(), "data": deployment.data}
        with torch.no_grad():
            logits: torch.Tensor = eval(deployment.call, found)
        return logits

    monkeypatch.setattr("naopt.export.exporter.run_pytorch", compute)


@pytest.mark.usefixtures("run_here")
def test_a_training_is_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", EDGES, "--task", "digits", "--run", "found", *TINY]) == 0
    capsys.readouterr()
    assert run(["export", "found", "--to", "pytorch", "--out", "best.py"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:2] == ["written:            best.py", "written:            best.safetensors"]
    assert lines[2].startswith("largest difference: ")
    assert lines[2].endswith(" (logits of 64 test images)")
    assert err == ""
    accuracy = json.loads(Path("found/final.json").read_text(encoding="utf-8"))["test_accuracy"]
    assert f"Test accuracy: {accuracy:.2f} %." in Path("best.py").read_text(encoding="utf-8")
    assert run(["export", "found", "--to", "pytorch", "--out", "best.py"]) == 2
    assert "exists; replace it with --force" in capsys.readouterr().err
    assert run(["export", "found", "--to", "torch-export", "--out", "best.pt2", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == ""
    assert 0 <= document.pop("max_difference") < 1e-4
    assert document == {
        "out": "best.pt2",
        "files": ["best.pt2"],
        "to": "torch-export",
        "space": document["space"],
        "architecture": EDGES,
        "trained": True,
        "task": "digits",
        "checked": 64,
    }
    assert run(["export", "found", "--to", "pytorch", "--out", "found/final.py", "--force"]) == 2
    assert "choose another name" in capsys.readouterr().err


@pytest.mark.usefixtures("run_here")
def test_untrained_architectures(capsys: pytest.CaptureFixture[str]) -> None:
    shape = ["--input-shape", "3,10,12", "--classes", "7"]
    assert run(["export", EDGES, "--untrained", "--to", "pytorch", "--out", "new.py", *shape, *SMALL]) == 0
    assert "64 random images" in capsys.readouterr().out
    network = import_file(Path("new.py")).load()
    assert network(torch.zeros(2, 3, 10, 12)).shape == (2, 7)
    task = ["--untrained", "--task", "digits", "--json", *SMALL]
    assert run(["export", EDGES, "--to", "pytorch", "--out", "new.py", "--force", *task]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["trained"], document["task"], document["checked"]) == (False, None, 64)
    assert "not trained" in Path("new.py").read_text(encoding="utf-8")


@pytest.mark.usefixtures("run_here")
def test_runs_without_weights(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FORMATS / "sharing", "found")
    assert run(["export", "found", "--to", "pytorch", "--out", "best.py"]) == 2
    assert capsys.readouterr().err == (
        "naopt: run 'found': has no trained weights; train it first (naopt train found), or give --untrained\n"
    )
    untrained = ["export", "found", "--untrained", "--to", "pytorch", *SMALL]
    assert run([*untrained, "--out", "best.py"]) == 0
    assert "64 test images" in capsys.readouterr().out
    assert run([*untrained, "--out", "other.py", "--input-shape", "1,9,9", "--classes", "3"]) == 0
    assert "64 random images" in capsys.readouterr().out
    Path("broken").mkdir()
    Path("broken/training.json").touch()
    assert run(["export", "broken", "--to", "pytorch", "--out", "broken.py"]) == 2
    assert "is not complete; go on with: naopt resume broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([CELL], "has no trained weights; train it first (naopt train"),
        (["naonet-a"], "architecture 'naonet-a': has no trained weights"),
        (["normal:"], "at position"),
        (["nowhere"], "neither a directory"),
        ([CELL, "--to", "onx"], "did you mean 'onnx'"),
        ([CELL, "--out", "x.onnx"], "must end in .py"),
        ([CELL, "--out", "nowhere/x.py"], "folder nowhere does not exist"),
        ([CELL, "--set", "filters=2"], "--set 'filters=2': has a meaning only with --untrained"),
        ([CELL, "--classes", "2"], "--classes '2': has a meaning only with --untrained"),
        ([CELL, "--untrained"], "needs --task, or --input-shape and --classes"),
        ([CELL, "--untrained", "--input-shape", "3,8"], "must be channels, height and width"),
        ([CELL, "--untrained", "--input-shape", "3,8,0"], "must be channels, height and width"),
        ([CELL, "--untrained", "--task", "digits", "--set", "epochs=3"], "network setting 'epochs': unknown"),
        ([CELL, "--untrained", "--task", "digist"], "did you mean 'digits'"),
    ],
)
def test_what_cannot_be_exported(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["export", *["--to", "pytorch", "--out", "x.py"], *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(Path().iterdir())


def test_a_file_that_differs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naopt.export.exporter.run_pytorch", lambda deployment, path: torch.zeros(64, 3))
    shape = ["--untrained", "--input-shape", "1,8,8", "--classes", "3", *SMALL]
    assert run(["export", EDGES, "--to", "pytorch", "--out", "x.py", *shape]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "differs from the network by" in err
    assert not list(Path().iterdir())


@pytest.mark.usefixtures("run_here")
def test_a_network_that_decides_for_each_image(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--set", "train_limit=60", "--set", "valid_limit=40", "--set", "training.filters=2"]
    tiny = ["--space", "insta:blocks=2,stages=1,operations=mb3e1", "--set", "searcher.epochs=3", "--budget", "1", *few]
    assert run(["search", "--searcher", "instanas", "--task", "digits", "--run", "found", *tiny]) == 0
    capsys.readouterr()
    assert run(["export", "found", "--to", "pytorch", "--out", "each.py", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["max_difference"] < 1e-4
    module = import_file(Path("each.py"))
    assert document["thrift"] == module.THRIFT
    latencies = sorted(latency for _, latency, _ in module.POINTS)
    wanted = ["--to", "pytorch", "--out", "each.py", "--force", "--latency"]
    assert run(["export", "found", *wanted, f"{max(latencies) + 1}"]) == 2
    assert capsys.readouterr().err.startswith("naopt: latency ")
    assert run(["export", "found", "--to", "torch-export", "--out", "each.pt2"]) == 2
    assert "a graph would compute everything for all" in capsys.readouterr().err
    assert run(["export", "found", *wanted, "0.5", "--pick", "index=0"]) == 2
    assert run(["export", EDGES, *wanted, "0.5"]) == 2
    rule = "naopt: --latency '0.5': is for the directory of a search by instanas, without --pick\n"
    assert capsys.readouterr().err == 2 * rule
    static = ["--untrained", "--pick", "index=0", "--to", "pytorch", "--out", "child.py"]
    assert run(["export", "found", *static]) == 0
