from __future__ import annotations

import ctypes
import functools
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from naopt.errors import InputError
from naopt.evaluators.function import FunctionEvaluator as Functions
from naopt.execution import Job, LocalEngine, WorkerError
from naopt.execution.pool import exit_words
from naopt.measurement import Measurement
from tests.execution.functions import FunctionEvaluator, Unready, job
from tests.run.toys import SPACE, ToyEvaluator, toy

JOBS = [
    Job(index, toy(fate), index)
    for index, fate in enumerate(["fine", "raise", "exit", "memory", "sleep", "diverged", "input"])
] + [Job(index, toy("fine", index - 7), 0) for index in range(8, 14)]


@pytest.fixture(scope="module")
def results() -> dict[int, Measurement]:
    with LocalEngine(ToyEvaluator(), workers=2, timeout=1.0) as engine:
        return dict(engine.evaluate(JOBS))


@pytest.mark.parametrize(
    ("index", "status", "reason"),
    [
        (1, "failed", "RuntimeError: it broke"),
        (2, "failed", "its process died with exit code 3"),
        (3, "oom", "out of memory: no message"),
        (4, "timeout", "took longer than 1 s"),
        (5, "diverged", "loss is not finite"),
        (6, "failed", "InputError: image 'x.png': is truncated"),
    ],
)
def test_whatever_happens_is_a_measurement(
    results: dict[int, Measurement], index: int, status: str, reason: str
) -> None:
    assert (results[index].status, results[index].reason) == (status, reason)


def test_the_others_go_on_in_worker_processes(results: dict[int, Measurement]) -> None:
    assert sorted(results) == [*range(7), *range(8, 14)]
    assert all(results[index].ok for index in (0, *range(8, 14)))
    assert os.getpid() not in {results[index].metrics["pid"] for index in range(8, 14)}


def test_a_failure_keeps_its_traceback_from_the_users_code_on(results: dict[int, Measurement]) -> None:
    first, file, *_, last = results[1].details.splitlines()
    assert first == "Traceback (most recent call last):"
    assert "toys.py" in file
    assert last == "broke"
    assert "naopt" not in results[1].details.replace(str(Path(__file__).parents[2]), "")
    assert results[0].details == ""


def many_fates(folder: Path, value: int) -> float:
    """Does what its value says; what happens once leaves a mark in the folder."""
    mark = folder / str(value)
    first = not mark.exists()
    mark.write_text(str(os.getpid()))
    print("value", value)
    if value == 0 and first:
        os.kill(os.getpid(), signal.SIGKILL)
    if value == 1 and first:
        os.kill(os.getpid(), signal.SIGTERM)
    if value == 2:
        ctypes.string_at(0)
    if value == 3:
        os.write(1, b"native output\n")
        print("\n".join(f"line {index}" for index in range(60)), file=sys.stderr)
        raise ValueError("no")
    if value == 4:
        return float(len(sys.stdin.read()))
    if value == 5:
        with subprocess.Popen(["sleep", "60"]) as sleeper:
            mark.write_text(str(sleeper.pid))
    return float(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks")


@pytest.fixture(scope="module")
def fates(folder: Path) -> dict[int, Measurement]:
    evaluator = FunctionEvaluator(functools.partial(many_fates, folder))
    with LocalEngine(evaluator, workers=2, timeout=1.5) as engine:
        return dict(engine.evaluate([job(value) for value in range(7)]))


def test_what_the_machine_ended_is_done_again(fates: dict[int, Measurement]) -> None:
    assert (fates[0], fates[1]) == (Measurement({"score": 0.0}, 0.01), Measurement({"score": 1.0}, 0.01))


def test_a_crash_is_the_childs_doing_and_says_where(fates: dict[int, Measurement]) -> None:
    assert (fates[2].status, fates[2].reason) == ("failed", "its process died with exit code -11 (SIGSEGV)")
    assert "value 2\n" in fates[2].details
    assert "Segmentation fault" in fates[2].details
    assert "in many_fates" in fates[2].details


def test_the_last_lines_of_output_are_kept_of_failures(
    fates: dict[int, Measurement], capfd: pytest.CaptureFixture[str]
) -> None:
    before, _, output = fates[3].details.partition("\n\nlast lines of output:\n")
    assert before.endswith("ValueError: no")
    assert output.splitlines()[-1] == "line 59"
    assert len(output.splitlines()) == 50
    assert "value" not in output
    assert capfd.readouterr() == ("", "")


def test_standard_input_is_empty(fates: dict[int, Measurement]) -> None:
    assert fates[4].metrics == {"score": 0.0}


def test_what_an_evaluation_has_started_ends_with_it(fates: dict[int, Measurement], folder: Path) -> None:
    assert fates[5].status == "timeout"
    assert not _alive(int((folder / "5").read_text()))
    assert fates[6].metrics == {"score": 6.0}


def test_what_is_lost_again_and_again_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "naopt"), LocalEngine(ToyEvaluator()) as engine:
        ((_, found),) = engine.evaluate([Job(7, toy("killed"), 0)])
    assert found.status == "failed"
    assert found.reason == "lost 4 times, the last time: its process was killed (SIGKILL; out of memory?)"
    again = "evaluation 7 was lost: its process was killed (SIGKILL); it is done again"
    assert [record.getMessage() for record in caplog.records] == [again] * 3 + [
        "evaluation 7 was lost: its process was killed (SIGKILL); it is given up"
    ]


def test_one_pool_serves_many_rounds_and_is_left_in_the_middle_of_one() -> None:
    with LocalEngine(ToyEvaluator(), workers=1) as engine:
        (first,) = engine.evaluate([Job(0, toy("fine", 1), 0)])
        (second,) = engine.evaluate([Job(1, toy("fine", 2), 0)])
        assert first[1].metrics["pid"] == second[1].metrics["pid"]
        started = time.perf_counter()
        assert len(list(engine.evaluate([Job(index, toy("fine"), 0) for index in range(2, 52)]))) == 50
        assert time.perf_counter() - started < 1.0, "results are not taken as they come"
        running = engine.evaluate([Job(60, toy("fine"), 0), Job(61, toy("sleep"), 0)])
        assert next(running)[0] == 60
        started = time.perf_counter()
        assert engine.next_done(0.05) is None
        assert engine.next_done(0.0) is None
        assert time.perf_counter() - started < 1.0
    assert not _alive(int(first[1].metrics["pid"]))


def test_bad_data_is_found_before_any_worker_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        LocalEngine(ToyEvaluator(data=tmp_path / "missing"))


def test_the_evaluator_that_is_sent_to_workers_is_not_loaded() -> None:
    evaluator = ToyEvaluator()
    LocalEngine(evaluator)
    assert not evaluator.prepared


def test_no_workers() -> None:
    with pytest.raises(InputError, match="workers '0': must be at least 1"):
        LocalEngine(ToyEvaluator(), workers=0)


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (ToyEvaluator(broken_workers=True), r"die before they begin to work with exit code 7 \(out of memory\?\)"),
        (Unready(), "cannot begin: InputError: data 'x': is only here"),
    ],
)
def test_workers_that_cannot_begin_end_the_search(evaluator: ToyEvaluator, message: str) -> None:
    with LocalEngine(evaluator) as engine, pytest.raises(WorkerError, match=message):
        list(engine.evaluate([Job(0, toy("fine"), 0)]))


def test_one_blow_to_all_workers_before_they_begin() -> None:
    with LocalEngine(ToyEvaluator(), workers=4) as engine:
        for index in range(4):
            engine.submit(Job(index, toy("fine", index), 0))
        for worker in list(engine._members):
            os.kill(worker._process.pid, signal.SIGKILL)
        found = [engine.next_done() for _ in range(4)]
    assert sorted(job.index for job, measurement in filter(None, found) if measurement.ok) == [0, 1, 2, 3]


def _puts_away_its_output(values: dict[str, object]) -> float:
    assert values
    sys.stdout = None
    return 1.0


def _raises_what_has_no_text(values: dict[str, object]) -> float:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise KeyError("text")

    raise MuteError(values)


def test_functions_that_disturb_their_worker() -> None:
    for function, told in (
        (_puts_away_its_output, ("ok", "")),
        (_raises_what_has_no_text, ("failed", "MuteError: its text raises KeyError")),
    ):
        with LocalEngine(Functions(SPACE, function)) as engine:
            ((_, found),) = engine.evaluate([Job(0, toy("fine"), 0)])
        assert (found.status, found.reason) == told


@pytest.mark.parametrize(
    ("code", "text"), [(3, "exit code 3"), (-11, "exit code -11 (SIGSEGV)"), (-99, "exit code -99")]
)
def test_exit_codes_in_words(code: int, text: str) -> None:
    assert exit_words(code) == text


_ORPHANING = """
from naopt.execution import Job, LocalEngine
from tests.run.toys import ToyEvaluator, toy
with LocalEngine(ToyEvaluator()) as engine:
    for index, found in engine.evaluate([Job(0, toy("fine"), 0), Job(1, toy("sleep"), 0)]):
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
