"""A search with real training is killed ten times and ends with the archive of the one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run as naopt
from naopt.run import load_run
from naopt.spaces import ConvCellSpace
from naopt.store.store import RunStore

BUDGET, KILLS = 16, 10
SETTINGS = ["space.nodes=2", "epochs=1", "filters=2", "train_limit=40", "valid_limit=40", "batch_size=20"]


def search(directory: Path) -> list[str]:
    command = ["search", "--task", "digits", "--searcher", "random", "--budget", str(BUDGET), "--seed", "7"]
    return [*command, "--run", str(directory), *(f"--set={setting}" for setting in SETTINGS)]


def begin(directory: Path, workers: int, *, group: bool = False) -> subprocess.Popen[bytes]:
    """``search`` where there is no run yet, ``resume`` after that."""
    command = ["resume", str(directory)] if directory.exists() else search(directory)
    code = "import sys; from naopt.cli.app import main; main()"
    command = [sys.executable, "-c", code, *command, f"--workers={workers}"]
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    err = subprocess.PIPE if group else None
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, env=unmeasured, start_new_session=group)


def results(directory: Path) -> int:
    if not directory.exists():
        return 0
    with RunStore(directory / "run.db", writable=False) as store:
        return sum(trial.measurement is not None for trial in store.trials(ConvCellSpace(2)))


def archive(directory: Path) -> list[tuple[Any, ...]]:
    return [
        (t.index, t.round, t.architecture.tokens, t.text, t.origin, m.status, m.reason, dict(m.metrics))
        for t in load_run(directory).trials
        if (m := t.measurement) is not None
    ]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    assert naopt(search(tmp_path / "whole")) == 0
    whole = archive(tmp_path / "whole")
    assert len(whole) == BUDGET
    assert all(row[5] == "ok" for row in whole)

    chance, directory = random.Random(20180822), tmp_path / "killed"
    for kill in range(KILLS):
        process = begin(directory, 1 + kill % 2)
        if kill in (3, 6):  # amid the evaluations
            enough = results(directory) + chance.randint(1, 2)
            while process.poll() is None and results(directory) < enough:
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 0.05))
        else:  # anywhere from the start of the program on
            time.sleep(chance.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert 0 < results(directory) < BUDGET

    assert begin(directory, 1).wait() == 0
    assert archive(directory) == whole


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("evaluated", [0, 1])
def test_ctrl_c_in_a_terminal(tmp_path: Path, evaluated: int) -> None:
    directory = tmp_path / "run"
    process = begin(directory, 1, group=True)
    while not (directory / "run.lock").exists() or results(directory) < evaluated:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 3
    *progress, last = err.decode().splitlines()
    said = ("evaluated, best valid_acc", "an evaluation takes")
    assert all(any(words in line for words in said) for line in progress), err.decode()
    assert f"of {BUDGET} evaluations; go on with: naopt resume {directory}" in last
    assert evaluated <= results(directory) < BUDGET
