"""Settings of all tests."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.disk import not_waited_for

# The tests' networks are tiny: threads only get in each other's way, badly so on a machine that does other work too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is imported and collected stays to the end: to look through it for garbage again and again takes long.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


settings.register_profile("naopt", deadline=None, derandomize=True)
settings.load_profile("naopt")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is cached between processes stays among the tests: nothing is read from a user's cache, or written there."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAOPT_CACHE", str(common / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def disk() -> Iterator[None]:
    with not_waited_for():
        yield


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children are trained and jobs done here: a worker imports torch first, which takes longer than most tests."""
    from tests.bench.stubs import run_inline

    monkeypatch.setattr("naopt.evaluators.TrainingEvaluator.inline", True)
    for room in ("searches", "quality"):
        monkeypatch.setattr(f"naopt.bench.{room}.run_jobs", run_inline)
