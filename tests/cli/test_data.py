"""What the commands say about a user's data, and what happens when reading them is interrupted."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from naopt import logs
from naopt.cli.app import run
from tests.cli.test_train import CELL
from tests.tasks.examples import write_images
from tests.tasks.test_reading import drawn

SMALL = ["epochs=1", "filters=2", "cells_per_stage=1", "batch_size=8", "flip=false"]
TINY = [part for setting in SMALL for part in ("--set", f"training.{setting}")]
LEFT_OUT = "left out: 2 of 14 files, not known as images: 2 .heic"
SEEN = "12 of 12 images are transparent in places, and put on grey (alpha)"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_this_process: None) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos() -> str:
    """Shapes in the transparency alone, in folders that may be parts or classes, and two files that are not read."""
    for shape, name in enumerate(("train", "bus")):
        for kind in ("old", "new") if name == "train" else ("",):
            folder = Path("photos") / name / kind
            folder.mkdir(parents=True)
            for index in range(3 if kind else 6):
                drawn(255 - index - 9 * (kind == "old"), shape).save(folder / f"{index}.png")
        (Path("photos") / name / "x.heic").touch()
    return "photos"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``naopt`` logs goes to standard error, as in a process of its own."""
    logger = logging.getLogger("naopt")
    monkeypatch.setattr(logger, "handlers", [*logger.handlers, logs._Lines()])


def test_what_was_done_to_images_is_said_wherever_a_run_is_shown(
    photos: str, shown: None, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ["search", "--task", f"images:{photos}", "--searcher", "random", "--budget", "1", "--run", "found", *TINY]
    assert run(search) == 2
    assert "beside 'bus', which may be parts or classes; say --set parts=train:train" in capsys.readouterr().err
    search += ["--set", "parts=none", "--set", "alpha=grey"]
    assert run(search) == 0
    out, err = capsys.readouterr()
    assert err.splitlines()[:2] == [f"naopt: data: {LEFT_OUT}", f"naopt: data: {SEEN}"]
    for line in (f"data:       {LEFT_OUT}", f"data:       {SEEN}"):
        assert line in out.splitlines()
        assert run(["show", "found"]) == 0
        assert line in capsys.readouterr().out.splitlines()
    assert run(["show", "found", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["remarks"] == [LEFT_OUT, SEEN]
    assert f"Data: {LEFT_OUT}." in Path("found/report.html").read_text()
    # The final training reads the same data in the same way, and says so too.
    assert run(["train", "found", *(f"--set={setting}" for setting in SMALL)]) == 0
    out, err = capsys.readouterr()
    assert f"naopt: data: {SEEN}" in err.splitlines()
    assert f"data:          {SEEN}" in out.splitlines()
    assert json.loads(Path("found/final.json").read_text())["remarks"] == [LEFT_OUT, SEEN]
    Path("found/config.toml").rename("config.toml")
    assert run(["show", "found"]) == 0
    assert f"data:        {SEEN}" in capsys.readouterr().out.splitlines()


def test_a_rehearsal_says_it_too(photos: str, capsys: pytest.CaptureFixture[str]) -> None:
    search = ["search", "--task", f"images:{photos}", "--searcher", "random", "--dry-run", *TINY, "--set", "parts=none"]
    assert run(search) == 0
    assert f"data:       {LEFT_OUT}" in capsys.readouterr().out.splitlines()
    assert run([*search, "--json"]) == 0
    assert LEFT_OUT in json.loads(capsys.readouterr().out)["remarks"]


def test_a_text_that_is_mostly_unknown_is_warned_of_in_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    known, strange = "the cat sat on the mat\n" * 90, "".join(f"{n} {n}a {n}b {n}c\n" for n in range(60))
    Path("text").mkdir()
    for part, text in (("train", known), ("valid", strange), ("test", known)):
        Path(f"text/{part}.txt").write_text(text)
    size = ["--set", "parameters=2000", "--set", "epochs=1", "--set", "train_limit=200"]
    assert run(["train", "gru", "--task", "text:text", "--run", "out", *size]) == 0
    share = "<unk> stands for 0.0 % of train, 80.0 % of valid, 0.0 % of test"
    warning = "warning: more than half of valid is <unk>; perplexity there says little"
    out = capsys.readouterr().out
    assert f"data:          {share}" in out.splitlines()
    assert f"data:          {warning}" in out
    assert run(["show", "out", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["remarks"]
    assert [remark.startswith(text) for remark, text in zip(said, (share, warning), strict=True)] == [True, True]


def test_a_folder_instead_of_a_task_is_understood(photos: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--task", photos]) == 2
    assert capsys.readouterr().err == "naopt: task 'photos': is a folder; write images:photos or text:photos\n"
    Path("notes.txt").touch()
    assert run(["train", CELL, "--task", "notes.txt"]) == 2
    assert "is a file; write images:notes.txt or text:notes.txt" in capsys.readouterr().err
    assert run(["search", "--task", "digist"]) == 2
    assert "did you mean 'digits'" in capsys.readouterr().err


def test_the_home_directory_in_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in "ab":
        write_images(tmp_path / "mine" / name, 5)
    search = ["search", "--task", "images:~/mine", "--searcher", "random", "--budget", "1", "--run", "found", *TINY]
    assert run(search) == 0
    assert f'task = "images:{tmp_path}/mine"' in Path("found/config.toml").read_text()
    assert run(["train", CELL, "--task", "images:~/mine", "--run", "out", *(f"--set={text}" for text in SMALL)]) == 0
    assert json.loads(Path("out/training.json").read_text())["task"] == f"images:{tmp_path}/mine"


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From its call on, a signal comes while images are read."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored

    def begin() -> None:
        monkeypatch.setattr("naopt.tasks.images.read_images", interrupt)

    def interrupt(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("it went on")

    yield begin
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_while_data_are_read(
    interrupted: Callable[[], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        write_images(Path("mine") / name, 5)
    train = ["train", CELL, "--task", "images:mine", "--run", "out", *(f"--set={text}" for text in SMALL)]
    with monkeypatch.context() as patch:
        patch.setattr("naopt.final.phase.TrainingProgress.stepped", lambda *_: signal.raise_signal(signal.SIGINT))
        assert run(train) == 3
    interrupted()
    capsys.readouterr()
    assert run(["resume", "out"]) == 3
    assert capsys.readouterr().err.splitlines()[-1].endswith("go on with: naopt resume out")
    searches = ["random", "random-ws"]
    others = [["search", "--task", "images:mine", "--searcher", name, "--run", "new", *TINY] for name in searches]
    for arguments in (*others, ["train", CELL, "--task", "images:mine", "--run", "new"]):
        assert run(arguments) == 130
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines()[-1] == "naopt: interrupted; there is nothing to be resumed"
        assert not Path("new").exists()
