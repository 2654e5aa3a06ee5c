"""A comparison that is killed several times ends with the results of one that was not."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from naopt.cli.app import run as naopt

TRIALS, BUDGET, KILLS = 20, 20, 2


def bench(folder: Path) -> list[str]:
    arguments = ["bench", "--table", "digits-nao11", "--metric", "valid_acc", "--searchers", "evolution,random"]
    return [*arguments, "--budget", str(BUDGET), "--trials", str(TRIALS), "--workers", "2", "--out", str(folder)]


def begin(folder: Path) -> subprocess.Popen[bytes]:
    code = "import sys; from naopt.cli.app import main; main()"
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    command = [sys.executable, "-c", code, *bench(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=unmeasured)


def lines(folder: Path) -> int:
    path = folder / "trials.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def results(folder: Path) -> list[list[str]]:
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return [[value for name, value in row.items() if "seconds" not in name] for row in csv.DictReader(file)]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kills_change_nothing(tmp_path: Path) -> None:
    assert naopt(bench(tmp_path / "whole")) == 0
    folder, kept = tmp_path / "killed", 0
    for _ in range(KILLS):
        running = begin(folder)
        while lines(folder) < kept + 5 and running.poll() is None:
            time.sleep(0.01)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        assert lines(folder) >= kept + 5
        kept = lines(folder)
    assert kept < 2 * TRIALS
    assert begin(folder).wait() == 0
    assert lines(folder) == 2 * TRIALS
    assert results(folder) == results(tmp_path / "whole")
    assert len(results(folder)) == 2 * TRIALS
    found = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    assert found["paired"]["evolution"]["against"] == "random"
