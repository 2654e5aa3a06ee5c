"""What commands say about a search whose network decides for each image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import naopt
from naopt.cli.app import run
from naopt.cli.show_curve import instance_document, instance_lines, print_curve
from naopt.one_shot import instance_measures
from naopt.run import instance_measuring
from naopt.run.instance import open_instance
from naopt.run.instances import write_instances
from tests.export.examples import import_file
from tests.report.runs import instance_run, made_up_instances

SPACE = "insta:blocks=2,stages=2,operations=mb3e1+mb3e2"
TINY = [f"--set=training.{text}" for text in ("filters=2", "train_limit=60", "valid_limit=40")]
SEARCH = ["search", "--searcher", "instanas", "--task", "digits", "--space", SPACE, "--budget", "4", *TINY]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance_measures, "_REPEATS", 1)
        patch.setattr(instance_measuring, "PERMUTATIONS", 9)
        patch.setattr(instance_measuring, "THRIFTS", 3)
        assert run([*SEARCH, "--set=searcher.epochs=3", "--run", str(folder)]) == 0
    return folder


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["show", *arguments]) == 0
    return capsys.readouterr().out


def test_the_curve_is_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, str(directory), "--curve")
    assert "operating points on the validation images" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith("  0") or "default" in line]
    found: dict[str, Any] = json.loads(shown(capsys, str(directory), "--curve", "--json"))
    assert [point["thrift"] for point in found["curve"]["points"]] == [0, 0.5, 1]
    (default,) = [point for point in found["curve"]["points"] if point.pop("default")]
    assert default.items() <= found["instances"].items()
    assert len(found["curve"]["static"]) == found["evaluated"]
    assert "curve" not in json.loads(shown(capsys, str(directory), "--json"))
    assert "\ninstances:  accuracy " in shown(capsys, str(directory))


def test_in_python(directory: Path) -> None:
    result = naopt.load_run(directory)
    assert result.instances is not None
    assert result.instances.thrift(result.instances.points[0].latency) >= 0
    assert f"for each image: accuracy {result.instances.default.accuracy:.2f} % at latency" in repr(result)


def test_it_is_exported(directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A process of its own has the same logits, or there is no file."""
    out, result = tmp_path / "network.py", naopt.load_run(directory)
    assert result.instances is not None
    latency = result.instances.points[1].latency
    command = ["export", str(directory), "--to", "pytorch", "--out", str(out), "--latency"]
    assert run([*command, "9"]) == 2
    assert run([*command, str(latency)]) == 0
    capsys.readouterr()
    exported, aware = import_file(out).load(), open_instance(directory)
    aware.network.thrift = exported.thrift
    assert exported.thrift == pytest.approx(result.instances.thrift(latency), abs=1e-4)
    images = aware.parts["valid"]
    with torch.no_grad():
        expected = aware.network(images.normalize(images.pixels))
        assert torch.allclose(exported(images.pixels), expected, atol=1e-5)
        _, believed = aware.network.decide(images.normalize(images.pixels))
    assert believed is not None


def test_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = instance_run(tmp_path)
    assert list(instance_lines(record)) == []
    assert instance_document(record) == {}
    write_instances(tmp_path, made_up_instances())
    assert list(instance_lines(record)) == [
        "instances:  accuracy 89.80 % at latency 0.500 of the whole meta-graph, 2 children, thrift 0.5",
        "            best static child, with shared weights: 80.00 % at 0.500, evaluation 0",
    ]
    still = replace(made_up_instances(), points=(replace(made_up_instances().points[0], children=1),))
    write_instances(tmp_path, still)
    assert ", 1 child, thrift 0" in next(instance_lines(record))
    said = "thrift makes no difference: latency is 0.800 to 0.800 throughout"
    assert list(instance_lines(record))[-1] == f"collapsed:  {said}"
    assert instance_document(record)["instances"]["collapsed"] == said
    print_curve(record, made_up_instances())
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split() == ["0.5", "89.8", "0.5", "0.01", "0.5", "2", "0.5", "default"]
    assert [line.split()[0] for line in lines[8:]] == ["0"]


@pytest.mark.parametrize("subject", ["architecture", "search"])
def test_where_there_is_no_curve(subject: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if subject == "search":
        subject = str(tmp_path / "run")
        assert (
            run(["search", "--table", "digits-nao11", "--searcher", "random", "--budget", "1", "--run", subject]) == 0
        )
    else:
        subject = "insta:skip/mb5e3"
    capsys.readouterr()
    assert run(["show", subject, "--curve"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_before_it_is_measured_there_is_a_way_on(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / "instances.json"
    file.rename(directory / "away")
    try:
        assert run(["show", str(directory), "--curve"]) == 2
        assert f"go on with: naopt resume {directory}\n" in capsys.readouterr().err
        assert "(unfinished)" in shown(capsys, str(directory))
    finally:
        (directory / "away").rename(file)
