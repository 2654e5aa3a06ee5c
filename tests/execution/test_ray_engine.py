"""The Ray executor against a stand-in for Ray that runs everything at once, in this process."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from naopt.errors import InputError
from naopt.execution import Job, create_engine
from naopt.measurement import Measurement
from tests.run.toys import ToyEvaluator, toy


class RayError(Exception):
    pass


class _Method:
    def __init__(self, call: Callable[[Job], Measurement]) -> None:
        self.call = call

    def remote(self, job: Job) -> Callable[[], Measurement]:
        return lambda: self._run(job)

    def _run(self, job: Job) -> Measurement:
        if job.architecture == toy("exit"):
            raise RayError("the actor\ndied")
        return self.call(job)


class FakeRay(types.ModuleType):
    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = types.SimpleNamespace(RayError=RayError)
        self.started = False
        self.actors: list[Any] = []
        self.killed: list[Any] = []
        self.options: dict[str, Any] = {}
        self.now = 0.0

    def is_initialized(self) -> bool:
        return self.started

    def init(self, **_: Any) -> None:
        self.started = True

    def remote(self, **options: Any) -> Callable[[type], Any]:
        self.options = options

        def make(evaluator: ToyEvaluator, kind: type) -> Any:
            worker = kind(evaluator)
            self.actors.append(types.SimpleNamespace(evaluate=_Method(worker.evaluate)))
            return self.actors[-1]

        return lambda kind: types.SimpleNamespace(remote=lambda evaluator: make(evaluator, kind))

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        ended = [r for r in references if r.__closure__[0].cell_contents.architecture != toy("sleep")][:1]
        self.now += 0 if ended else timeout
        return ended, [r for r in references if r not in ended]

    def get(self, reference: Callable[[], Measurement]) -> Measurement:
        return reference()

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr("naopt.execution.ray_engine.time", types.SimpleNamespace(monotonic=lambda: fake.now))
    return fake


def test_whatever_happens_is_a_measurement(ray: FakeRay) -> None:
    fates = ["fine", "raise", "exit", "sleep", "memory"]
    jobs = [Job(index, toy(fate), 0) for index, fate in enumerate(fates)]
    jobs += [Job(index, toy("fine", index), 0) for index in range(5, 9)]
    with create_engine("ray", ToyEvaluator(), 2, timeout=1.5) as executor:
        results = dict(executor.evaluate(jobs))
        assert len(ray.actors) == 4
        assert dict(executor.evaluate([Job(9, toy("fine", 9), 0)]))[9].ok
        assert len(ray.actors) == 4
    assert sorted(results) == list(range(9))
    assert [results[index].status for index in range(5)] == ["ok", "failed", "failed", "timeout", "oom"]
    assert results[2].reason == "its actor failed: the actor died"
    assert results[3].reason == "took longer than 1.5 s"
    assert all(results[index].ok for index in range(5, 9))
    assert len(ray.killed) == 4
    assert (ray.started, ray.options) == (True, {"num_cpus": 1, "num_gpus": 0})


def test_a_cuda_evaluator_reserves_a_gpu_and_a_running_cluster_is_used(ray: FakeRay) -> None:
    ray.started = True
    evaluator = ToyEvaluator()
    evaluator.device = "cuda:0"  # type: ignore[attr-defined]
    create_engine("ray", evaluator, 1)
    assert ray.options["num_gpus"] == 1


def test_lookups_need_no_cluster(ray: FakeRay) -> None:
    with create_engine("ray", ToyEvaluator(inline=True), 2) as executor:
        assert dict(executor.evaluate([Job(0, toy("fine"), 0)]))[0].ok
    assert not ray.started


def test_bad_data_is_found_before_the_cluster_starts(ray: FakeRay, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        create_engine("ray", ToyEvaluator(data=tmp_path / "missing"), 1)
    assert not ray.started


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"engine 'ray': Ray is not installed; pip install 'naopt\[ray\]'"):
        create_engine("ray", ToyEvaluator(), 1)
