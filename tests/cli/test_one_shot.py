"""Weight-sharing runs on the command line: every wrong combination, and all commands on a run that is right."""

from __future__ import annotations

import json
import re
import signal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from naopt.cli.app import run
from naopt.one_shot.trainer import SharedTrainer
from naopt.run import load_run

TINY = [
    f"training.{text}" for text in ("filters=2", "cells_per_stage=1", "train_limit=60", "valid_limit=60", "epochs=1")
]
SETTINGS = [f"--set={text}" for text in (*TINY, "searcher.epochs=2")]
SEARCH = ["search", "--task", "digits", "--space", "nasbench201", "--budget", "3", *SETTINGS]
ENAS = ["--searcher", "enas", "--set=searcher.controller_steps=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a run of ``enas``, ``ws``."""
    found = tmp_path_factory.mktemp("cli")
    assert run([*SEARCH, *ENAS, "--run", str(found / "ws")]) == 0
    return found


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "digits-nao11", "--searcher", "enas"], "searcher 'enas': shares weights between the networks"),
        (
            ["--supernet", "ws", "--searcher", "enas"],
            "searcher 'enas': shares weights between the networks that it tra",
        ),
        (["--searcher", "enas"], "give --task"),
        (["--task", "digits", "--supernet", "ws"], "task 'digits': and supernet 'ws': give one of them, not both"),
        (["--table", "digits-nao11", "--supernet", "ws"], "supernet 'ws': give one of them, not both"),
        (["--supernet", "nowhere", "--searcher", "random"], "there is no such directory"),
        (["--supernet", ".", "--searcher", "random"], "it is not a run's directory"),
        (["--supernet", "ws", "--searcher", "random", "--space", "conv-cell"], "'ws' is of space nasbench201"),
        (["--supernet", "ws", "--searcher", "random", "--metric", "valid_acc"], "metric 'valid_acc': unknown"),
        (["--supernet", "ws", "--searcher", "random", "--noise", "repeat"], "has a use only with a table"),
        (["--task", "digits", "--searcher", "enas", "--space", "nasbench101"], "space 'nasbench101': has no networks"),
        (["--task", "digits", "--searcher", "enas", "--space", "recurrent-cell"], "space 'recurrent-cell'"),
        (["--task", "digits", "--searcher", "enaz"], "did you mean 'enas'"),
        (["--task", "digits", "--searcher", "nao_ws"], "did you mean 'nao-ws'"),
        (["--task", "digits", "--searcher", "enas", "--metric", "valid_acc"], "metric 'valid_acc': unknown"),
        (["--task", "digits", "--searcher", "enas", "--device", "cuda:99"], "device 'cuda:99': not there"),
        (["--task", "digits", "--searcher", "enas", "--set=warmup=1.0"], "warmup '1.0'"),
        (["--task", "digits", "--searcher", "enas", "--set=weights=cell"], "weights 'cell'"),
        (["--task", "digits", "--searcher", "enas", "--set=preset=imagenet"], "preset 'imagenet'"),
        (["--task", "digits", "--searcher", "parsec", "--set=start=nowhere.json"], "distribution 'nowhere.json'"),
        (
            ["--task", "digits", "--searcher", "nao-ws", "--space", "nasbench201", "--set=weights=node"],
            "weights 'node'",
        ),
        (
            ["--task", "digits", "--searcher", "darts", "--space", "conv-cell:nodes=1", "--set=weights=node"],
            "weights 'node': must be edge where operations are mixed",
        ),
        (["--task", "digits", "--searcher", "enas", "--run", "ws"], "exists and is not an empty directory; go on with"),
    ],
)
def test_what_is_refused(here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """In one line, and nothing is written."""
    before = sorted(here.rglob("*"))
    capsys.readouterr()
    assert run(["search", *([] if "--run" in arguments else ["--run", "new"]), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert sorted(here.rglob("*")) == before


def test_images_are_not_streamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part, label, index in product(("train", "test"), "ab", range(4)):
        path = tmp_path / "images" / part / label / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 60 * index).save(path)
    task = [
        "search",
        "--task",
        f"images:{tmp_path / 'images'}",
        "--searcher",
        "random-ws",
        "--run",
        str(tmp_path / "new"),
    ]
    assert run([*task, "--set=stream=true", "--set=image_size=8", "--set=filters=2"]) == 2
    assert "stream 'true': weight sharing keeps its images in memory" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_supernet_of_a_run_that_has_none(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ["search", "--table", "digits-nao11", "--searcher", "random", "--budget", "2"]
    assert run([*table, "--run", str(tmp_path / "plain")]) == 0
    other = ["search", "--searcher", "random", "--run", str(tmp_path / "new"), "--supernet"]
    assert run([*other, str(tmp_path / "plain")]) == 2
    assert "searcher random shares no weights" in capsys.readouterr().err
    monkeypatch.setattr(SharedTrainer, "apply", lambda *_: signal.raise_signal(signal.SIGINT))
    assert run([*SEARCH, *ENAS, "--run", str(tmp_path / "begun")]) == 3
    assert run([*other, str(tmp_path / "begun")]) == 2
    err = capsys.readouterr().err
    assert f"its supernet is not trained; go on with: naopt resume {tmp_path / 'begun'}" in err
    assert not (tmp_path / "new").exists()


def test_bench_compares_no_searchers_that_need_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    bench = ["bench", "--table", "digits-nao11", "--metric", "valid_acc", "--budget", "2", "--trials", "1"]
    assert run([*bench, "--searchers", "random,enas"]) == 2
    err = capsys.readouterr().err
    assert "searcher 'enas': shares weights between the networks that it trains, which takes a task" in err
    assert run([*bench, "--searchers", "enaz"]) == 2
    assert "did you mean 'enas'" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_documents(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "show", "ws")
    best = load_run("ws").best()
    assert best is not None
    assert best.measurement is not None
    assert (found["status"], found["stopped"], found["evaluated"]) == ("finished", None, 3)
    assert (found["metric"], found["goal"], found["searcher"]) == ("shared_loss", "min", "enas")
    assert found["best"]["architecture"] == best.text
    assert found["best"]["metrics"] == dict(best.measurement.metrics)
    losses = [trial["metrics"]["shared_loss"] for trial in found["top"]]
    assert losses == sorted(losses)
    assert document(capsys, "report", "ws")["best"] == best.index
    assert "Training of the shared weights" in Path("ws/report.html").read_text()
    again = document(capsys, "resume", "ws")
    assert again["best"] == found["best"]


@pytest.mark.usefixtures("here")
def test_the_pick_is_trained_and_exported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    curve = Path("ws/supernet.csv").read_text()
    found = document(capsys, "train", "ws", "--set=epochs=1", "--set=filters=2", "--set=train_limit=60")
    assert found["architecture"] == document(capsys, "show", "ws")["best"]["architecture"]
    assert Path("ws/curve.csv").read_text() != curve
    assert Path("ws/supernet.csv").read_text() == curve, "each training has a curve of its own"
    assert run(["export", "ws", "--to", "pytorch", "--out", str(tmp_path / "net.py")]) == 0
    assert "class" in (tmp_path / "net.py").read_text()


@pytest.mark.usefixtures("here")
def test_another_searcher_on_the_trained_supernet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    search = ("search", "--supernet", "ws", "--searcher", "evolution", "--budget", "4", "--run", str(tmp_path / "next"))
    found = document(capsys, *search)
    assert (found["evaluated"], found["metric"], found["space"]) == (4, "shared_loss", "nasbench201")
    page = (tmp_path / "next" / "report.html").read_text()
    assert "supernet ws" in page
    assert run(["train", str(tmp_path / "next")]) == 2
    assert "give --task" in capsys.readouterr().err


def test_ctrl_c_and_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    directory = str(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(SharedTrainer, "apply", lambda *_: signal.raise_signal(signal.SIGINT))
        assert run([*SEARCH, *ENAS, "--run", directory]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"naopt: stopped in the training of shared weights; go on with: naopt resume {directory}\n"
    assert document(capsys, "show", directory)["status"] == "unfinished"
    assert document(capsys, "resume", directory)["evaluated"] == 3


def test_a_diverged_run_is_shown_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = str(tmp_path / "run")
    search = [*SEARCH, "--searcher", "random-ws", "--set=searcher.learning_rate=1e30", "--run", directory]
    assert run(search) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.match(f"naopt: run '{directory}': shared weights diverged: loss nan .*, after 3 returns", err)
    found = document(capsys, "show", directory)
    assert found["status"] == "unfinished"
    assert f"naopt: run '{directory}': {found['stopped']}\n" == err
    assert run(["show", directory]) == 0
    assert f"stopped:    {found['stopped']}\n" in capsys.readouterr().out
    assert run(["report", directory]) == 2
    assert "has no measured architecture yet" in capsys.readouterr().err
