from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from naopt.errors import InputError
from naopt.execution import Job, LocalEngine, create_engine
from naopt.execution.local import WorkerError
from naopt.execution.pool import exit_words
from naopt.measurement import Measurement
from tests.run.toys import ToyEvaluator, toy

JOBS = [
    Job(index, toy(fate), index)
    for index, fate in enumerate(["fine", "raise", "exit", "memory", "killed", "sleep", "diverged", "input"])
] + [Job(index, toy("fine", index - 7), 0) for index in range(8, 14)]


@pytest.fixture(scope="module")
def results() -> dict[int, Measurement]:
    with LocalEngine(ToyEvaluator(), workers=2, timeout=1.0) as executor:
        return dict(executor.evaluate(JOBS))


@pytest.mark.parametrize(
    ("index", "status", "reason"),
    [
        (1, "failed", "RuntimeError: it broke"),
        (2, "failed", "its process died with exit code 3"),
        (3, "oom", "out of memory: no message"),
        (4, "failed", "its process died with exit code -9 (SIGKILL)"),
        (5, "timeout", "took longer than 1 s"),
        (6, "diverged", "loss is not finite"),
        (7, "failed", "InputError: image 'x.png': is truncated"),
    ],
)
def test_whatever_happens_is_a_measurement(
    results: dict[int, Measurement], index: int, status: str, reason: str
) -> None:
    assert (results[index].status, results[index].reason) == (status, reason)


def test_the_others_go_on_in_worker_processes(results: dict[int, Measurement]) -> None:
    assert sorted(results) == list(range(14))
    assert all(results[index].ok for index in (0, *range(8, 14)))
    assert os.getpid() not in {results[index].metrics["pid"] for index in range(8, 14)}


def test_one_pool_serves_many_rounds_and_is_left_in_the_middle_of_one() -> None:
    with LocalEngine(ToyEvaluator(), workers=1) as executor:
        (first,) = executor.evaluate([Job(0, toy("fine", 1), 0)])
        (second,) = executor.evaluate([Job(1, toy("fine", 2), 0)])
        assert first[1].metrics["pid"] == second[1].metrics["pid"]
        running = executor.evaluate([Job(2, toy("fine"), 0), Job(3, toy("sleep"), 0)])
        assert next(running)[0] == 2
    assert not _alive(int(first[1].metrics["pid"]))


def test_inline_evaluators_run_here() -> None:
    evaluator = ToyEvaluator(inline=True)
    with create_engine("local", evaluator, 4) as executor:
        results = dict(executor.evaluate([Job(0, toy("fine"), 0), Job(1, toy("raise"), 0)]))
    assert results[0].metrics["pid"] == os.getpid()
    assert results[1].status == "failed"
    assert evaluator.prepared


def test_bad_data_is_found_before_any_worker_starts(tmp_path: Path) -> None:
    for inline in (False, True):
        with pytest.raises(InputError, match="no such folder"):
            LocalEngine(ToyEvaluator(inline=inline, data=tmp_path / "missing"))


def test_the_evaluator_that_is_sent_to_workers_is_not_loaded() -> None:
    evaluator = ToyEvaluator()
    LocalEngine(evaluator)
    assert not evaluator.prepared


def test_no_workers() -> None:
    with pytest.raises(InputError, match="workers '0': must be at least 1"):
        LocalEngine(ToyEvaluator(), workers=0)


def test_workers_that_cannot_begin_end_the_search() -> None:
    with (
        LocalEngine(ToyEvaluator(broken_workers=True)) as executor,
        pytest.raises(WorkerError, match="die before they begin"),
    ):
        list(executor.evaluate([Job(0, toy("fine"), 0)]))


@pytest.mark.parametrize(
    ("code", "text"), [(3, "exit code 3"), (-11, "exit code -11 (SIGSEGV)"), (-99, "exit code -99")]
)
def test_exit_codes_in_words(code: int, text: str) -> None:
    assert exit_words(code) == text


_ORPHANING = """
from naopt.execution import Job, LocalEngine
from tests.run.toys import ToyEvaluator, toy
if __name__ == "__main__":
    with LocalEngine(ToyEvaluator()) as executor:
        for index, found in executor.evaluate([Job(0, toy("fine"), 0), Job(1, toy("sleep"), 0)]):
            print(int(found.metrics["pid"]), flush=True)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphaning.py"
    script.write_text(_ORPHANING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert _alive(worker)
        parent.send_signal(signal.SIGKILL)
    for _ in range(200):
        if not _alive(worker):
            return
        time.sleep(0.05)
    pytest.fail(f"worker {worker} outlives its parent")


def _alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
