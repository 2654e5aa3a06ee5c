from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.final.request import training_request
from naopt.run import load_run, open_run
from tests.run.toys import write_table

CELL = "normal:conv3x3@0+conv1x1@1/reduction:conv3x3@0+conv1x1@1"
TINY = ["--set", "epochs=1", "--set", "training.filters=2", "--set", "train_limit=60", "--set", "valid_limit=60"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_architecture_is_trained_and_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", CELL, "--task", "digits", "--run", "out", *TINY]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"^test accuracy: \d+\.\d % \(standard error \d+(\.\d+)?\)$", out, re.MULTILINE)
    assert err == f"training {CELL} on digits for 1 epoch\n"
    result = json.loads(Path("out/final.json").read_text())
    assert f"test accuracy: {result['test_accuracy']:.1f} %" in out
    assert (result["architecture"], result["task"], result["settings"]["filters"]) == (CELL, "digits", 2)
    assert result["input_shape"] == [1, 8, 8]
    assert result["preset"] == json.loads(Path("out/training.json").read_text())["preset"] == "digits-final"
    weights = load_file("out/final.safetensors")
    assert result["parameters"] <= sum(array.size for array in weights.values())
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "curve.csv", "final.json", "final.safetensors", "training.json",
    ]  # fmt: skip
    assert run(["train", CELL, "--task", "digits", "--run", "out", *TINY]) == 2
    assert "already holds final.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["curve.csv", "vocabulary.txt", "checkpoint.safetensors", "final.safetensors"])
def test_files_of_others_are_not_replaced(capsys: pytest.CaptureFixture[str], name: str) -> None:
    Path("out").mkdir()
    Path("out", name).write_text("mine")
    assert run(["train", CELL, "--task", "digits", "--run", "out", *TINY]) == 2
    assert f"run 'out': already holds {name}; name another directory with --run" in capsys.readouterr().err
    assert [path.read_text() for path in Path("out").iterdir()] == ["mine"]


@pytest.mark.usefixtures("in_this_process")
def test_the_best_of_a_run_or_another_is_trained_on_its_task(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ["search", "--task", "digits", "--searcher", "random", "--budget", "2", "--run", "found"]
    assert run([*search, "--set", "space.nodes=1", *TINY]) == 0
    capsys.readouterr()
    best, other = load_run("found").ranked()
    picked = ["--pick", f"index={other.index}"]
    assert run(["train", "found", *picked, "--json", *TINY]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["run"], found["task"], found["space"]) == ("found", "digits", "conv-cell:nodes=1")
    assert Path(found["weights"]) == Path("found/final.safetensors")
    assert found["architecture"] == other.text
    assert run(["show", "found"]) == 0
    assert found["architecture"] in capsys.readouterr().out
    assert run(["train", "found", *TINY]) == 2
    assert "already holds final.safetensors" in capsys.readouterr().err
    export = ["export", "found", "--to", "pytorch", "--out"]
    assert run([*export, "a.py", "--pick", f"index={best.index}"]) == 2
    assert f"'index={best.index}': is not trained in found; train it" in capsys.readouterr().err
    assert run([*export, "a.py", *picked]) == 0
    assert run([*export, "b.py", "--untrained", "--set", "training.filters=2"]) == 0
    assert (other.text in Path("a.py").read_text(), best.text in Path("b.py").read_text()) == (True, True)


def test_settings_may_come_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.toml").write_text("budget = 3\n[training]\nepochs = 1\nfilters = 3\ntrain_limit = 60\n")
    arguments = ["train", CELL, "--task", "digits", "--config", "small.toml", "--set", "filters=2", "--json"]
    assert run(arguments) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["epochs"], settings["filters"], settings["train_limit"]) == (1, 2, 60)
    Path("small.toml").write_text("training = 3")
    assert run(arguments) == 2
    assert "section training '3'" in capsys.readouterr().err


def test_architectures_have_a_place_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", CELL, "--task", "digits", "--json", *TINY]) == 0
    assert re.fullmatch(r"runs/\d{8}-\d{6}-train", json.loads(capsys.readouterr().out)["run"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([CELL], "give --task"),
        ([CELL, "--task", "digist"], "did you mean 'digits'"),
        ([CELL, "--task", "digits", "--preset", "huge"], "preset 'huge'"),
        ([CELL, "--task", "digits", "--set", "epohcs=1"], "did you mean 'epochs'"),
        ([CELL, "--task", "digits", "--set", "epochs"], "must be KEY=VALUE"),
        ([CELL, "--task", "digits", "--device", "tpu"], "device 'tpu'"),
        ([CELL, "--task", "digits", "--run", "file/out"], "run 'file/out'"),
        ([CELL, "--task", "digits", "--seed", "-1"], "--seed"),
        ([CELL, "--task", "digits", "--pick", "knee"], "is for the directory of a search"),
        ([CELL, "--task", "digits", "--pick", "best"], "--pick 'best': must be knee, index=N"),
        (["normal:", "--task", "digits"], "at position"),
        (["nowhere", "--task", "digits"], "neither a directory"),
    ],
)
def test_what_cannot_be_trained(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    Path("file").touch()
    assert run(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]


def test_a_run_on_a_table_has_no_task(capsys: pytest.CaptureFixture[str]) -> None:
    table = str(write_table(Path("toy.npz")))
    search = ["search", "--table", table, "--searcher", "random", "--budget", "5", "--metric", "score"]
    assert run([*search, "--run", "found"]) == 0
    assert run(["train", "found"]) == 2
    assert "has no networks that could be trained" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError("8 GiB"), 1), (InputError("task", "x", "has no test images"), 2)]
)
def test_training_that_ends_badly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("naopt.final.phase.train_final", fail)
    assert run(["train", CELL, "--task", "digits", "--run", "out"]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == ("naopt: training ended as oom: 8 GiB" if code == 1 else f"naopt: {error}")
    assert not Path("out").exists()


def test_bugs_in_training_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("naopt.final.phase.train_final", fail)
    with pytest.raises(ZeroDivisionError):
        run(["train", CELL, "--task", "digits", "--run", "out"])


def test_images_are_as_large_as_in_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless somebody says otherwise, or the preset does."""
    search = ["search", "--task", "digits", "--space", "conv-cell:nodes=1", "--searcher", "random", "--budget", "1"]
    small = ["--set", "training.epochs=1", "--set", "train_limit=20", "--set", "filters=2", "--set", "image_size=6"]
    assert run([*search, *small, "--set", "valid_limit=10", "--run", "found", "--engine", "inline"]) == 0
    capsys.readouterr()
    assert run(["train", "found", "--json", *TINY, "--set", "cells_per_stage=1"]) == 0
    assert json.loads(capsys.readouterr().out)["input_shape"] == [1, 6, 6]
    found = open_run("found")
    for more, side in ({"overrides": {"image_size": 4}}, 4), ({"preset": "imagenet-final"}, 224):
        request = training_request(*found.subject, "digits", suggested=found.suggested_settings, **more)
        assert request.settings["image_size"] == side
