from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run
from naopt.evaluators.table import TableEvaluator
from naopt.measurement import Measurement
from naopt.run import load_run
from naopt.spaces import Architecture
from tests.run.toys import write_table


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "toy.npz")
    return "toy.npz"


@pytest.fixture
def search(table: str) -> list[str]:
    return ["search", "--table", table, "--metric", "score", "--searcher", "random", "--budget", "20", "--seed", "3"]


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    read: dict[str, Any] = json.loads(out)
    return read


def test_the_summary(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--run", "found"]) == 0
    out, err = capsys.readouterr()
    best = load_run("found").best()
    assert best is not None
    assert err == ""
    assert best.text in out
    for line in (
        r"run: +found \(finished\)",
        r"searcher: +random, seed 3",
        r"evaluated: +20 of 20 \(20 random\)",
        r"failed: +\d",
        r"seconds: +\d+\.\d",
        rf"best: +score \d+, evaluation {best.index} of round 0, random",
        r"report: +found/report\.html",
    ):
        assert re.search(line, out)
    assert Path("found/report.html").read_text().startswith("<!doctype html>")


def test_where_nothing_can_be_written(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--run", "found"]) == 0
    for name in ("run.lock", "report.html.part"):
        Path("found", name).unlink(missing_ok=True)
        Path("found", name).mkdir()
    capsys.readouterr()
    assert run(["resume", "found"]) == 0
    out, err = capsys.readouterr()
    assert "evaluated:  20 of 20" in out
    assert "report:" not in out
    assert re.fullmatch(r"run 'found' is finished; nothing to do\nno report: found/report.html: .+\n", err)
    with sqlite3.connect("found/run.db") as connection:
        connection.execute("DELETE FROM results WHERE trial = 19")
    Path("found/run.count").unlink()
    assert run(["resume", "found"]) == 2
    assert capsys.readouterr().err == "naopt: run 'found': cannot be written to: Is a directory\n"


def test_the_document(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--run", "found", "--json"]) == 0
    found = document(capsys)
    record = load_run("found")
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    assert {key: found[key] for key in ("run", "status", "space", "searcher", "seed", "budget", "evaluated")} == {
        "run": "found",
        "status": "finished",
        "space": "toy",
        "searcher": "random",
        "seed": 3,
        "budget": 20,
        "evaluated": 20,
    }
    assert (found["metric"], found["goal"], found["report"]) == ("score", "max", "found/report.html")
    assert found["failed"] == len(record.failed)
    assert found["seconds"] == record.seconds
    assert found["trajectory"] == record.trajectory()
    assert found["best"] == {
        "index": best.index,
        "architecture": best.text,
        "metrics": dict(best.measurement.metrics),
        "origin": "random",
    }


def test_without_success_there_is_no_best(
    search: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TableEvaluator, architecture: Architecture, seed: int) -> Measurement:
        return Measurement(status="oom", reason="too large")

    monkeypatch.setattr(TableEvaluator, "evaluate", fail)
    assert run([*search, "--run", "found"]) == 1
    out, err = capsys.readouterr()
    assert "best:       none; no evaluation has succeeded" in out
    assert "oom:        20 x too large" in out
    line = "naopt: run 'found': no evaluation has succeeded; 20 of 20 failed alike: oom: too large\n"
    assert err.endswith(line)
    assert run(["resume", "found", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["best"] is None
    assert err.endswith(line)
    assert run(["show", "found", "--json"]) == 0
    found = document(capsys)
    assert found["best"] is None
    assert found["failures"] == [{"status": "oom", "reason": "too large", "count": 20}]
    assert run(["show", "found", "--svg", "x.svg"]) == 2
    assert "has no evaluation that succeeded" in capsys.readouterr().err


def test_runs_have_a_place_by_default(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--json"]) == 0
    assert re.fullmatch(r"runs/\d{8}-\d{6}-toy-random", document(capsys)["run"])


def test_configuration_files_flags_and_settings(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.toml").write_text('table = "toy.npz"\nsearcher = "random"\nbudget = 3\nseed = 1\nworkers = 2')
    assert run(["search", "--config", "c.toml", "--seed", "2", "--set", "budget=4", "--run", "a", "--json"]) == 0
    found = document(capsys)
    assert (found["budget"], found["seed"], found["searcher"]) == (4, 2, "random")
    config = load_run("a").config
    assert config.workers == 2
    assert run(["search", "--config", "a/config.toml", "--run", "b", "--json"]) == 0
    assert load_run("b").config == config
    assert document(capsys)["trajectory"] == found["trajectory"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--budget", "0"], "option budget '0'"),
        (["--seed", "-1"], "option seed '-1'"),
        (["--workers", "0"], "option workers '0'"),
        (["--space", "conv-cel"], "did you mean 'conv-cell'"),
        (["--searcher", "randon"], "did you mean 'random'"),
        (["--metric", "scores"], "did you mean 'score'"),
        (["--table", "nothing.npz"], "table 'nothing.npz'"),
        (["--task", "digits"], "give one of them, not both"),
        (["--config", "nothing.toml"], "configuration file 'nothing.toml'"),
        (["--set", "budgte=3"], "did you mean 'budget'"),
        (["--engine", "slurm"], "option engine 'slurm'"),
        (["--run", "toy.npz"], "not an empty directory"),
    ],
)
def test_what_cannot_be_searched(
    search: list[str], capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert run([*search, *extra]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --task, --table or --supernet"),
        (["--task", "digist"], "did you mean 'digits'"),
        (["--task", "images:nowhere"], "nowhere"),
        (["--task", "digits", "--set", "epochs=0", "--searcher", "random"], "training setting epochs '0'"),
    ],
)
def test_tasks_that_cannot_be_searched(
    table: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["search", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_taken_directory_is_to_be_resumed(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--run", "found"]) == 0
    capsys.readouterr()
    assert run([*search, "--run", "found"]) == 2
    assert "go on with: naopt resume found" in capsys.readouterr().err
    assert run(["resume", "found"]) == 0
    out, err = capsys.readouterr()
    assert err == "run 'found' is finished; nothing to do\n"
    assert "(finished)" in out


def test_a_stopped_search_says_how_to_go_on(
    search: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, count = TableEvaluator.evaluate, 0

    def interrupted(self: TableEvaluator, architecture: Architecture, seed: int) -> Measurement:
        nonlocal count
        count += 1
        if count % 8 == 0:
            raise KeyboardInterrupt
        return look_up(self, architecture, seed)

    monkeypatch.setattr(TableEvaluator, "evaluate", interrupted)
    assert run([*search, "--run", "found"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "naopt: stopped after 7 of 20 evaluations; go on with: naopt resume found\n"
    assert run(["resume", "found", "--workers", "2", "--json"]) == 3
    found = document(capsys)
    assert (found["status"], found["evaluated"], found["report"]) == ("unfinished", 14, None)
    assert run(["show", "found"]) == 0
    assert "found (unfinished)" in capsys.readouterr().out
    assert run(["resume", "found", "--json"]) == 0
    assert document(capsys)["evaluated"] == 20


@pytest.mark.parametrize("arguments", [["resume", "nowhere"], ["resume", "."], ["show", "."]])
def test_directories_that_are_no_runs(table: str, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == 2
    wanted = "there is no such directory" if "nowhere" in arguments else "it is not a run's directory"
    assert wanted in capsys.readouterr().err


def test_resume_checks_its_workers(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--run", "found"]) == 0
    assert run(["resume", "found", "--workers", "0"]) == 2
    assert "workers '0': must be at least 1" in capsys.readouterr().err


def test_a_damaged_run(search: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*search, "--run", "found"]) == 0
    connection = sqlite3.connect("found/run.db")
    connection.execute("DROP TABLE meta")
    connection.close()
    capsys.readouterr()
    for command in ("show", "resume"):
        assert run([command, "found"]) == 2
        assert "run.db is not a run's database" in capsys.readouterr().err
