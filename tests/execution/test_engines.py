"""Engines by name, and those without processes."""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
import time
from collections.abc import Callable

import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.execution import (
    FailurePolicy,
    InlineEngine,
    Job,
    LocalEngine,
    RetryingEngine,
    ThreadEngine,
    create_engine,
)
from tests.execution.functions import FunctionEvaluator, job
from tests.run.toys import ToyEvaluator, toy


def locking() -> Callable[[int], float]:
    lock = threading.Lock()

    def locked(value: int) -> float:
        with lock:
            return float(value)

    return locked


@pytest.mark.parametrize("name", ["local", "ray", "threads"])
def test_lookups_run_here_on_every_engine(name: str) -> None:
    evaluator = ToyEvaluator(inline=True)
    with create_engine(name, evaluator, 4) as engine:
        assert isinstance(engine, InlineEngine)
        results = dict(engine.evaluate([Job(0, toy("fine"), 0), Job(1, toy("raise"), 0)]))
    assert results[0].metrics["pid"] == os.getpid()
    assert (results[1].status, results[1].reason) == ("failed", "RuntimeError: it broke")
    assert "it\nbroke" in results[1].details
    assert evaluator.prepared


@pytest.mark.parametrize(
    ("name", "kind"), [("local", LocalEngine), ("threads", ThreadEngine), ("inline", InlineEngine)]
)
def test_engines_by_name(name: str, kind: type) -> None:
    with create_engine(name, ToyEvaluator(), 2) as engine:
        assert type(engine) is kind


def test_unknown_engines() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'local'"):
        create_engine("locl", ToyEvaluator(), 1)


def test_a_policy_that_acts_wraps_the_engine() -> None:
    assert isinstance(create_engine("inline", ToyEvaluator(), 1, failures=FailurePolicy(retries=1)), RetryingEngine)
    assert isinstance(create_engine("inline", ToyEvaluator(), 1, failures=FailurePolicy(stop_after=1)), InlineEngine)


@pytest.mark.parametrize(("thread_safe", "kind"), [(True, ThreadEngine), (False, InlineEngine)])
def test_what_cannot_be_pickled_stays_in_this_process(
    thread_safe: bool, kind: type, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "naopt"):
        engine = create_engine("local", FunctionEvaluator(locking(), thread_safe=thread_safe), 2)
    assert type(engine) is kind
    (record,) = caplog.records
    assert record.name.startswith("naopt.execution")
    assert "variable 'lock' of function 'locked' of the evaluator cannot be pickled" in record.getMessage()


def test_ray_is_not_replaced_by_threads() -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with pytest.raises(InputError, match="engine 'ray': variable 'lock' of function 'locked'"):
        create_engine("ray", FunctionEvaluator(locking()), 1)


def test_threads_work_at_a_time_and_late_ones_are_left_to_themselves() -> None:
    barrier, released = threading.Barrier(2, timeout=5), threading.Event()

    def measured(value: int) -> float:
        if value == 9:
            released.wait(5)
        elif value < 2:
            barrier.wait()  # both are at work, or it breaks
        return float(value)

    with ThreadEngine(FunctionEvaluator(measured), 2, timeout=0.3) as engine:
        assert engine.workers == 2
        first = dict(engine.evaluate([job(0), job(1)]))
        assert {value: found.metrics["score"] for value, found in first.items()} == {0: 0.0, 1: 1.0}
        engine.submit(job(9))
        assert engine.next_done(0.01) is None
        late = engine.next_done()
        assert late is not None
        assert late[1].status == "timeout"
        assert late[1].reason == "took longer than 0.3 s; its thread is left to itself"
        released.set()
        assert dict(engine.evaluate([job(3), job(4)]))[4].metrics == {"score": 4.0}
        engine.submit(job(5))
    started = time.perf_counter()
    engine.close()
    assert time.perf_counter() - started < 1


def test_threads_need_a_worker() -> None:
    with pytest.raises(InputError, match="workers '0': must be at least 1"):
        ThreadEngine(ToyEvaluator(), 0)
