import logging
import multiprocessing
import os
import sys
from types import SimpleNamespace

import pytest

from naopt.bench import JobError, run_jobs
from naopt.bench.workers import _begin_worker
from naopt.errors import InputError
from naopt.searchers.random_search import RandomSearcher
from tests.bench.stubs import Counted, count_unpacked, die, refuse, square, wait_or_fail


def test_jobs_run_in_other_processes_with_one_thread() -> None:
    found = dict(run_jobs(square, {f"job {n}": (n,) for n in range(3)}, workers=1))
    assert {key: value[0] for key, value in found.items()} == {"job 0": 0, "job 1": 1, "job 2": 4}
    assert os.getpid() not in {value[1] for value in found.values()}
    assert {value[2] for value in found.values()} == {"1"}


def test_no_jobs_need_no_processes() -> None:
    assert list(run_jobs(square, {}, workers=2)) == []


def test_errors_of_jobs_pass_with_their_name() -> None:
    with pytest.raises(InputError, match="job 3: number '3': is never right"):
        list(run_jobs(refuse, {"job 3": (3,)}, workers=1))
    with pytest.raises(JobError, match="job 3: ProcessExpired"):
        list(run_jobs(die, {"job 3": (3,)}, workers=1))


def test_what_jobs_share_is_sent_to_a_process_once() -> None:
    found = dict(run_jobs(count_unpacked, {n: (n,) for n in range(4)}, 1, (Counted(),)))
    assert found == {n: (n, 1) for n in range(4)}


def test_what_has_ended_is_not_lost_when_a_job_fails() -> None:
    seen = []

    def collect() -> None:
        for key, _ in run_jobs(wait_or_fail, {f"job {n}": (n,) for n in range(6)}, 2):
            seen.append(key)

    with pytest.raises(JobError, match="job 0: KeyError: 'zero'"):
        collect()
    assert sorted(seen) == [f"job {n}" for n in range(1, 6)]


def test_what_the_main_module_defines_is_used_in_this_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(RandomSearcher, "__module__", "__main__")
    with caplog.at_level(logging.WARNING, "naopt"):
        found = dict(run_jobs(square, {"job 3": (3,)}, workers=2, by_name=[RandomSearcher]))
    assert found["job 3"][:2] == (9, os.getpid())
    assert caplog.messages == [
        "RandomSearcher is defined in the main module: this process does all the work, one thing at a time"
    ]
    with pytest.raises(InputError, match="job 3: number '3': is never right"):
        list(run_jobs(refuse, {"job 3": (3,)}, workers=2, by_name=[RandomSearcher]))


@pytest.mark.parametrize("loaded", [True, False])
def test_torch_gets_one_thread_loaded_or_not(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    if loaded:
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=counts.append))
    started = multiprocessing.get_context("spawn").Semaphore(0)
    _begin_worker(started, b"")
    assert started.acquire(block=False)
    assert counts == [1] * loaded
    assert os.environ == {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
