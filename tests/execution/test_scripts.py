"""Functions of the main module reach the workers: from a script without a guard, from standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_BEGIN = """
import os, threading
from naopt.execution import create_engine
from naopt.logs import show_logs
from tests.execution.functions import FunctionEvaluator, job

print("main module")
show_logs()
FACTOR = 2

def doubled(value):
    return FACTOR * value + (os.getpid() != PARENT) / 2

class Own(FunctionEvaluator):
    pass

PARENT = os.getpid()
"""
_END = """
with create_engine("local", evaluator, 2, 20.0) as engine:
    found = dict(engine.evaluate([job(value) for value in range(3)]))
print([found[value].metrics.get("score", found[value].reason) for value in range(3)])
"""
_LOCKED = """
def locking():
    lock = threading.Lock()
    def inner(value):
        with lock:
            return float(FACTOR * value)
    return inner
"""


def run(folder: Path, code: str, *, how: str) -> tuple[list[str], str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if how == "script":
        (folder / "script.py").write_text(code)
        command, given = ["script.py"], ""
    else:
        command, given = ["-"], code
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        input=given,
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("how", "evaluator"),
    [("script", "Own(doubled)"), ("stdin", "FunctionEvaluator(lambda value: doubled(value))")],
)
def test_main_modules_need_no_guard(tmp_path: Path, how: str, evaluator: str) -> None:
    out, err = run(tmp_path, f"{_BEGIN}evaluator = {evaluator}\n{_END}", how=how)
    assert out == ["main module", "[0.5, 2.5, 4.5]"]
    assert err == ""


def test_what_cannot_be_sent_is_measured_in_threads_and_said_in_one_line(tmp_path: Path) -> None:
    out, err = run(tmp_path, f"{_BEGIN}{_LOCKED}evaluator = FunctionEvaluator(locking())\n{_END}", how="stdin")
    assert out == ["main module", "[0.0, 2.0, 4.0]"]
    assert err.splitlines() == [
        "naopt: variable 'lock' of function 'inner' of the evaluator cannot be pickled (TypeError: cannot pickle "
        "'_thread.lock' object): evaluations run in threads of this process, not in processes of their own"
    ]
