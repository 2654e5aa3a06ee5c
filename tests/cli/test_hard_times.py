"""Full disks, folders that one may only read, two processes on one run: one line each, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from naopt.by_hand import search as by_hand
from naopt.cli.app import run
from naopt.locking import locked
from naopt.run import load_run
from tests.full_disk import full_disk
from tests.run.toys import write_table

READ = """
import json, sys
from naopt.cli.app import run
for words in json.loads(sys.argv[1]):
    print(run(words.split()), file=sys.stderr)
"""
SEARCH = ["search", "--table", "toy.npz", "--metric", "cost", "--searcher", "random", "--budget", "60", "--run", "run"]
ASK = ["ask", "lab", "--space", "nasbench201", "--metric", "acc", "--searcher", "random"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "toy.npz")


def test_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk(40_000):
        assert run(SEARCH) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("naopt: run 'run': cannot write run.db: ")
    assert err.count("\n") == 1
    kept = load_run("run").evaluated
    assert len(kept) < 60
    assert run(["resume", "run"]) == 0
    record = load_run("run")
    assert record.evaluated[: len(kept)] == kept
    assert run([*SEARCH[:-1], "whole"]) == 0
    assert load_run("whole").trials == record.trials


def test_a_report_that_cannot_be_written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("naopt.cli.summary.write_report", full)
    assert run(SEARCH) == 0
    out, err = capsys.readouterr()
    assert "evaluated:  60 of 60" in out
    assert "report:" not in out
    assert err == "no report: run/report.html: No space left on device\n"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_folders_that_one_may_only_read(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*SEARCH[:-1], "done"]) == 0
    assert run(ASK) == 0
    commands = ["resume done", "show done", "report done", "resume lab", "show lab", "ask lab --pending", "ask lab"]
    commands += ["tell lab 0 acc=1", " ".join([*SEARCH[:-1], "done/new"])]
    commands += ["report done --out page.html", " ".join([*SEARCH[:-1], "shut/empty"])]
    commands += [f"{verb} hidden/run" for verb in ("show", "resume", "report", "ranking", "probe")]
    commands += ["table info hidden/toy.npz", "search --table toy.npz --run hidden/run", f"show {'x' * 300}:"]
    folders = [Path("done"), Path("lab"), Path("shut")]
    for name in ("shut/empty", "hidden/run"):
        Path(name).mkdir(parents=True)
    for path in [file for folder in folders[:2] for file in folder.iterdir()] + folders:
        path.chmod(0o555)
    Path("hidden").chmod(0)
    command = [sys.executable, "-c", READ, json.dumps(commands)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    for folder in (*folders, Path("hidden")):
        folder.chmod(0o755)
    assert {path.name for path in Path("shut/empty").iterdir()} >= {"config.toml", "run.db"}
    assert said.stderr.splitlines() == [
        "run 'done' is finished; nothing to do",
        "no report: done/report.html: Permission denied",
        "0",
        "0",
        "naopt: --out 'done/report.html': Permission denied",
        "2",
        "naopt: run 'lab': cannot be written to: Permission denied",
        "2",
        "0",
        "0",
        "naopt: run 'lab': cannot be written to: Permission denied",
        "2",
        "naopt: run 'lab': cannot be written to: Permission denied",
        "2",
        "naopt: run 'done/new': Permission denied",
        "2",
        "0",
        "0",
        *["naopt: path 'hidden/run': Permission denied", "2"],
        *["naopt: path 'hidden/run/training.json': Permission denied", "2"] * 2,
        *["naopt: path 'hidden/run': Permission denied", "2"] * 2,
        *["naopt: path 'hidden/toy.npz': Permission denied", "2"],
        *["naopt: run 'hidden/run': Permission denied", "2"],
        f"naopt: architecture '{'x' * 300}:': at position 0: not the text form of any space; "
        "give --space if it has one",
        "2",
    ]


def test_two_processes_on_one_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_hand, "WAIT", 0.01)
    assert run(SEARCH) == 0
    assert run(ASK) == 0
    capsys.readouterr()
    for directory, commands in (("run", ["resume run"]), ("lab", ["resume lab", "ask lab", "tell lab 0 acc=1"])):
        with locked(Path(directory) / "run.lock", "executed"):
            for words in commands:
                assert run(words.split()) == 2
                line = f"naopt: run '{directory}': is being executed by another process\n"
                assert capsys.readouterr() == ("", line)
            assert run(["show", directory]) == 0
        capsys.readouterr()
