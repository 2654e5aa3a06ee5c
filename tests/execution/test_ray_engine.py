"""The Ray engine on a small cluster of this machine."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from naopt.errors import InputError
from naopt.execution import Engine, Job, WorkerError, create_engine
from naopt.execution.ray_engine import start_ray
from naopt.measurement import Measurement
from tests.execution.functions import FunctionEvaluator, Unready, job
from tests.run.toys import ToyEvaluator, toy


def without_actor(folder: Path, value: int) -> float:
    """Kills the process that its own one was started by: the actor. Once for 1, always for 2."""
    mark = folder / str(value)
    first = not mark.exists()
    mark.write_text("x")
    print("on the cluster")
    if (value == 1 and first) or value == 2:
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    return float(value)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    if importlib.util.find_spec("ray") is None:  # importing it now would be too early for its environment
        pytest.skip("Ray is not installed")
    ray = start_ray(num_cpus=2, num_gpus=0, include_dashboard=False, object_store_memory=80 * 2**20)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def engine(cluster: Any) -> Iterator[Engine]:
    """Three workers on two processors: one of them finds no room."""
    with create_engine("ray", ToyEvaluator(), 3, 1.0) as engine:
        yield engine


def test_whatever_happens_is_a_measurement(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    fates = ["fine", "raise", "exit", "memory", "sleep", "diverged"]
    for index, fate in enumerate(fates):
        engine.submit(Job(index, toy(fate), index))
    assert engine.next_done(0.01) is None
    ended = [engine.next_done() for _ in fates]
    found = {each[0].index: each[1] for each in ended if each is not None}
    assert {index: (measurement.status, measurement.reason) for index, measurement in found.items()} == {
        0: ("ok", ""),
        1: ("failed", "RuntimeError: it broke"),
        2: ("failed", "its process died with exit code 3"),
        3: ("oom", "out of memory: no message"),
        4: ("timeout", "took longer than 1 s"),
        5: ("diverged", "loss is not finite"),
    }
    assert found[0].metrics["pid"] != os.getpid()
    assert "it\nbroke" in found[1].details
    assert capfd.readouterr() == ("", "")


def test_what_an_actor_takes_with_it_is_done_again(
    cluster: Any, engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    engine.close()  # the cluster has two processors
    evaluator = FunctionEvaluator(functools.partial(without_actor, tmp_path))
    with caplog.at_level(logging.WARNING, "naopt"), create_engine("ray", evaluator, 1) as own:
        found = dict(own.evaluate([job(0), job(1)]))
    assert found == {0: Measurement({"score": 0.0}, 0.01), 1: Measurement({"score": 1.0}, 0.01)}
    # On a machine that is busy the place of the actor before is not free at once, which is said, too.
    (said,) = (text for text in caplog.messages if not text.endswith("has no room for a worker; waiting"))
    assert said.startswith("evaluation 1 was lost: its Ray actor was lost: ")
    assert said.endswith("; it is done again")
    assert capfd.readouterr() == ("", "")


def test_workers_that_cannot_begin_end_the_search(cluster: Any, engine: Engine) -> None:
    engine.close()
    with (
        create_engine("ray", Unready(), 1) as own,
        pytest.raises(WorkerError, match="cannot begin: InputError: data 'x': is only here"),
    ):
        list(own.evaluate([Job(0, toy("fine"), 0)]))


def test_bad_data_is_found_before_an_actor_starts(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        create_engine("ray", ToyEvaluator(data=tmp_path / "missing"), 1)
    with pytest.raises(InputError, match="workers '0'"):
        create_engine("ray", ToyEvaluator(), 0)


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"engine 'ray': Ray is not installed; pip install 'naopt\[ray\]'"):
        create_engine("ray", ToyEvaluator(), 1)
