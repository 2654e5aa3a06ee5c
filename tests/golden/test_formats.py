"""Proves that directories which naopt 0.1.0 wrote are still read, shown and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run as naopt
from naopt.run import RunRecord, load_run, resume_run

FORMATS = Path(__file__).parent / "formats"
NAMES = sorted(path.name for path in FORMATS.iterdir() if path.is_dir())
ONE_IMAGE = 100 / 60
"""In percent of the validation images."""


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All directories, copied to the working directory: opening a database may change its files."""
    for name in NAMES:
        shutil.copytree(FORMATS / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(record: RunRecord) -> list[tuple[Any, ...]]:
    return [
        (t.index, t.round, t.text, t.origin, t.parent, m.status, dict(m.metrics))
        for t in record.trials
        if (m := t.measurement) is not None
    ]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert naopt([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_there_is_one_of_each() -> None:
    assert NAMES == ["search", "search-killed", "sharing", "sharing-stopped", "training", "training-stopped"]


@pytest.mark.parametrize("name", NAMES)
def test_what_show_says(name: str, copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads((FORMATS / f"show_{name}.json").read_text(encoding="utf-8"))
    now = answer(capsys, "show", name)
    now.pop("finalists", None)  # is said since
    assert now == said


@pytest.mark.parametrize(
    ("name", "finished", "trials", "measured"),
    [
        ("search", True, 14, 14),
        ("search-killed", False, 16, 15),
        ("sharing", True, 4, 4),
        ("sharing-stopped", False, 4, 4),
    ],
)
def test_runs_are_read(name: str, finished: bool, trials: int, measured: int, copies: Path) -> None:
    record = load_run(name)
    assert record.finished is finished
    assert (len(record.trials), len(record.evaluated)) == (trials, measured)
    assert naopt(["report", name]) == 0
    assert (copies / name / "report.html").is_file()


def test_a_finished_run_is_left_as_it_is(copies: Path) -> None:
    for name in ("search", "sharing"):
        before = rows(load_run(name))
        assert rows(resume_run(name)) == before


def test_a_killed_search_goes_on_to_the_archive_of_one_that_was_not(
    copies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = load_run("search-killed")
    evolution = ["--searcher", "evolution", "--set", "population=8", "--set", "sample=3", "--set", "batch=4"]
    arguments = ["search", "--table", "digits-nao11", *evolution, "--budget", "20", "--seed", "3", "--run", "whole"]
    assert answer(capsys, *arguments)["status"] == "finished"
    assert answer(capsys, "resume", "search-killed")["evaluated"] == 20
    whole = rows(load_run("whole"))
    assert rows(load_run("search-killed")) == whole
    assert rows(known) == whole[:15]


@pytest.mark.usefixtures("in_this_process")
def test_the_finalist_that_is_missing_is_trained(copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the run that was not stopped; its training in single precision may differ by an image."""
    known = load_run("sharing-stopped")
    assert answer(capsys, "resume", "sharing-stopped")["status"] == "finished"
    record, whole = load_run("sharing-stopped"), load_run("sharing")
    trained = {t.index for t in record.evaluated if t.measurement and "valid_acc" in t.measurement.metrics}
    first = {t.index for t in known.evaluated if t.measurement and "valid_acc" in t.measurement.metrics}
    assert (len(first), len(trained)) == (1, 2)
    for now, then in zip(record.trials, whole.trials, strict=True):
        assert (now.index, now.text, now.origin) == (then.index, then.text, then.origin)
        assert now.measurement is not None
        assert then.measurement is not None
        common = {name: now.measurement.metrics[name] for name in then.measurement.metrics}  # then errors were unknown
        assert common == pytest.approx(dict(then.measurement.metrics), rel=1e-3, abs=ONE_IMAGE)
        if now.index not in trained - first:
            assert dict(now.measurement.metrics) == dict(then.measurement.metrics)


def test_the_order_of_finalists_is_that_of_their_trainings(copies: Path) -> None:
    """Here the second by shared weights is the better one."""
    best, second, *others = load_run("sharing").ranked()
    measured = [trial.measurement.metrics for trial in (best, second) if trial.measurement is not None]
    assert measured[0]["shared_loss"] > measured[1]["shared_loss"]
    assert measured[0]["valid_acc"] > measured[1]["valid_acc"]
    assert all(t.measurement is not None and "valid_acc" not in t.measurement.metrics for t in others)


def test_shared_weights_are_read(copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another search measures with them what naopt 0.1.0 measured."""
    arguments = ["search", "--supernet", "sharing", "--searcher", "random", "--budget", "3", "--seed", "4"]
    assert answer(capsys, *arguments, "--run", "again")["status"] == "finished"
    found = [t.measurement.metrics["shared_loss"] for t in load_run("again").trials if t.measurement]
    assert found == pytest.approx([2.4127072652180988, 2.324257405598958, 2.389532216389974], rel=1e-5)


def test_a_stopped_training_goes_on_to_the_same_result(copies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "show", "training-stopped")["epochs_done"] == 2
    result = answer(capsys, "resume", "training-stopped")
    finished = answer(capsys, "show", "training")
    assert result["test_loss"] == pytest.approx(finished["test_loss"], rel=1e-3)
    assert not (copies / "training-stopped" / "checkpoint.safetensors").exists()
    assert answer(capsys, "resume", "training")["test_loss"] == finished["test_loss"]


@pytest.mark.parametrize("name", ["training", "search", "sharing"])
def test_architectures_are_taken_from_them(name: str, copies: Path) -> None:
    assert naopt(["show", name, "--svg", "cell.svg"]) == 0
    assert (copies / "cell.svg").read_text(encoding="utf-8").startswith("<svg")
