"""The benchmark of what a trial costs measures what it says."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks import overhead
from typer.testing import CliRunner

from naopt.store.store import RunStore


def test_as_many_trials_are_timed_as_asked(tmp_path: Path) -> None:
    trials = overhead.past(30)
    assert len({trial.architecture for trial in trials}) == 30
    assert len(overhead.of_naopt(trials, 5)) == 5
    assert (overhead.stored(trials, 5, tmp_path)[:, 0] > 0).all()
    with RunStore(tmp_path / "30.db") as store:
        found = store.trials(overhead.SPACE)
    assert found[:30] == trials
    assert [trial.place for trial in found] == list(range(35))
    assert all(trial.measurement is not None for trial in found)


def test_trials_of_optuna_are_copied_whole(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    assert len(overhead.of_optuna(overhead.past(9), 2, tmp_path)) == 2
    study = optuna.load_study(study_name="overhead", storage=f"sqlite:///{tmp_path / 'optuna-9.db'}")
    assert [trial.number for trial in study.trials] == list(range(11))
    assert {len(trial.params) for trial in study.trials} == {overhead.POSITIONS}
    assert study.trials[0].value == study.trials[8].value
    with closing(sqlite3.connect(tmp_path / "optuna-9.db")) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_every_kind_has_a_line() -> None:
    result = CliRunner().invoke(overhead.app, ["--sizes", "3", "--count", "2"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert len(lines) == 5
    assert all("3 results" in line and "median" in line for line in lines)
