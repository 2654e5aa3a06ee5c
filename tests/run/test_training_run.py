from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from safetensors.numpy import load_file

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.final.request import read_request, training_request
from naopt.run import open_run
from naopt.run.train import train
from naopt.spaces import ConvCellSpace

SPACE = ConvCellSpace(1)
CELL = SPACE.parse("normal:conv3x3@0+conv1x1@1/reduction:conv3x3@0+conv1x1@1")
TINY: dict[str, Any] = {"epochs": 3, "filters": 2, "train_limit": 100, "valid_limit": 60, "batch_size": 20}


def request(**changes: Any) -> Any:
    return training_request(SPACE, CELL, "digits", overrides={**TINY, **changes}, seed=1)


def same_weights(one: Path, other: Path) -> bool:
    first, second = load_file(one / "final.safetensors"), load_file(other / "final.safetensors")
    return first.keys() == second.keys() and all((first[name] == second[name]).all() for name in first)


def test_a_directory_of_a_training(tmp_path: Path) -> None:
    result, document = train(tmp_path / "out", request())
    lines = (tmp_path / "out" / "curve.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,train_acc,learning_rate,seconds"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    assert float(lines[3].split(",")[1]) == pytest.approx(result.curve[2]["train_loss"], rel=1e-6)
    assert json.loads((tmp_path / "out" / "final.json").read_text()) == document
    assert document["test_accuracy"] == result.metrics["test_accuracy"]
    assert read_request(tmp_path / "out") == request()
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()
    with pytest.raises(InputError, match="already holds"):
        train(tmp_path / "out", request())


def train_in_a_process(directory: Path, *more: str) -> subprocess.Popen[bytes]:
    settings = [word for key, value in {**TINY, "epochs": 20}.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "naopt", "train", SPACE.format(CELL), "--task", "digits", "--run", str(directory)]
    return subprocess.Popen(
        [*command, *settings, "--checkpoint-seconds", "0", *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.005)


def test_a_killed_training_goes_on_to_the_same_network(tmp_path: Path) -> None:
    whole = training_request(SPACE, CELL, "digits", overrides={**TINY, "epochs": 20})
    train(tmp_path / "whole", whole)
    out = tmp_path / "killed"
    process = train_in_a_process(out)
    wait_for(out / "checkpoint.safetensors")
    process.kill()
    process.communicate()
    assert not (out / "final.json").exists()
    open_run(out).carry_out()
    assert same_weights(tmp_path / "whole", out)
    found, expected = (json.loads((place / "final.json").read_text()) for place in (out, tmp_path / "whole"))
    assert found["test_loss"] == expected["test_loss"]


def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "stopped"
    process = train_in_a_process(out, "--set", "epochs=100000")
    wait_for(out / "checkpoint.safetensors")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 3
    assert f"go on with: naopt resume {out}" in error.decode()
    assert not (out / "training.lock").exists()
    other = training_request(SPACE, CELL, "digits", overrides={**TINY, "epochs": 7})
    with pytest.raises(InputError, match="holds a training of another settings, not complete"):
        train(out, other)
    text = (out / "training.json").read_text()
    (out / "training.json").write_bytes(
        text.replace("conv1x1@1/", "conv3x3@1/").replace("\n", "\r\n").encode("utf-8-sig")
    )
    with pytest.raises(InputError, match="is of another architecture"):
        open_run(out).carry_out()
    (out / "training.json").write_text("{")
    assert run(["resume", str(out)]) == 2
    assert "line 1, column 2 '{': is not JSON" in capsys.readouterr().err


def test_two_processes_do_not_train_in_one_directory(tmp_path: Path) -> None:
    with FileLock(tmp_path / "training.lock"), pytest.raises(InputError, match="by another process"):
        train(tmp_path, request())


def test_resume_knows_trainings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "out", request())
    assert run(["resume", str(tmp_path / "out")]) == 0
    assert "is finished; nothing to do" in capsys.readouterr().err
    assert run(["resume", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == "float32"
    with pytest.raises(InputError, match=r"has no training\.json"):
        read_request(tmp_path)
    for name in ("final.json", "final.safetensors"):
        (tmp_path / "out" / name).unlink()
    assert run(["resume", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"] == SPACE.format(CELL)


def test_trainings_are_shown_and_transferred(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    train(out, request())
    assert run(["show", out, "--svg", str(tmp_path / "cell.svg")]) == 0
    shown = capsys.readouterr().out
    assert f"training:    {out} (finished)" in shown
    assert "epochs:      3 of 3" in shown
    assert "test accuracy:" in shown
    assert "train_loss" in shown
    assert (tmp_path / "cell.svg").read_text().startswith("<svg")
    assert run(["show", out, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["finished"] is True
    assert [row["epoch"] for row in document["curve"]] == [1, 2, 3]
    (tmp_path / "out" / "final.json").unlink()
    assert run(["show", out]) == 0
    assert "(unfinished" in capsys.readouterr().out
    weights = (tmp_path / "out" / "final.safetensors").read_bytes()
    assert run(["resume", out]) == 0  # as after a kill between the last two files
    capsys.readouterr()
    assert (tmp_path / "out" / "final.safetensors").read_bytes() == weights
    settings = ["--set", "epochs=1", "--set", "filters=2", "--set", "train_limit=60", "--set", "valid_limit=60"]
    arguments = ["train", out, "--task", "digits", "--preset", "recipe", "--run", str(tmp_path / "other")]
    assert run([*arguments, *settings, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"] == SPACE.format(CELL)


def test_several_processes_share_the_batches(tmp_path: Path) -> None:
    """Two processes of torchrun; with batch statistics of their own they come near to one process, not to its bits."""
    settings = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    out = tmp_path / "two"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m"]
    arguments = [
        "--",
        "naopt",
        "train",
        SPACE.format(CELL),
        "--task",
        "digits",
        "--run",
        str(out),
        "--seed",
        "1",
        "--json",
        *settings,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["parameters"] == json.loads((out / "final.json").read_text())["parameters"]
    alone = train(tmp_path / "one", request())[1]
    both = json.loads((out / "final.json").read_text())
    assert both["test_loss"] == pytest.approx(alone["test_loss"], abs=0.3)
