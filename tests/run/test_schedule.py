"""Time limits, workers that never idle, larger rounds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.run import RunConfig, load_run, open_run, resume_run, start_run
from naopt.spaces import Architecture
from tests.ranking.toys import TINY
from tests.run.toys import FATES, Stop, ToyEvaluator, write_table


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(table=str(write_table(tmp_path / "toy.npz")), metric="score", searcher="random", budget=12)


class Slow(ToyEvaluator):
    """Takes a while, in this process."""

    def __init__(self, seconds: float) -> None:
        super().__init__(inline=True)
        self.seconds = seconds

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        time.sleep(self.seconds)
        return Measurement({"score": float(architecture.tokens[1])}, self.seconds)


FUNCTION = RunConfig(function="slow", searcher="random", budget=8)


def test_a_time_limit_ends_a_search_and_a_longer_one_goes_on(tmp_path: Path) -> None:
    config = FUNCTION.model_copy(update={"time": 0.25})
    record = start_run(tmp_path / "run", config, evaluator=Slow(0.1))
    assert record.time_is_up
    assert record.finished
    assert 1 <= len(record.evaluated) <= 3
    assert resume_run(tmp_path / "run", evaluator=Slow(0.0)).evaluated == record.evaluated
    assert not open_run(tmp_path / "run", time=60.0).finished

    again = resume_run(tmp_path / "run", time=60.0, evaluator=Slow(0.0))
    assert not again.time_is_up
    assert len(again.evaluated) == 8
    assert again.evaluated[: len(record.evaluated)] == record.evaluated
    assert not load_run(tmp_path / "run").time_is_up
    whole = start_run(tmp_path / "whole", FUNCTION, evaluator=Slow(0.0))
    assert [trial.text for trial in again.trials] == [trial.text for trial in whole.trials]


def test_without_a_limit_it_goes_on_too(tmp_path: Path) -> None:
    start_run(tmp_path / "run", FUNCTION.model_copy(update={"time": 0.05}), evaluator=Slow(0.1))
    path = tmp_path / "run/config.toml"
    path.write_text(path.read_text().replace("time = 0.05", "time = 0.0"), encoding="utf-8")
    assert len(resume_run(tmp_path / "run", evaluator=Slow(0.0)).evaluated) == 8


def test_the_time_limit_counts_all_parts_of_a_search(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        start_run(tmp_path / "run", FUNCTION, evaluator=Slow(0.1), observers=[Stop(3)])
    record = resume_run(tmp_path / "run", time=0.2, evaluator=Slow(0.0))
    assert record.time_is_up
    assert len(record.evaluated) == 3


def test_nothing_depends_on_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is set back by a day between results, and again before it goes on."""
    whole = start_run(tmp_path / "whole", FUNCTION, evaluator=Slow(0.0))
    now = [2e9]

    def back() -> float:
        now[0] -= 86400
        return now[0]

    monkeypatch.setattr(time, "time", back)
    with pytest.raises(KeyError):
        start_run(tmp_path / "run", FUNCTION, evaluator=Slow(0.0), observers=[Stop(4)])
    record = resume_run(tmp_path / "run", time=60.0, evaluator=Slow(0.0))
    assert record.trials == whole.trials
    assert [trial.place for trial in record.trials] == list(range(8))
    assert 0 <= record.seconds < 60
    assert not record.time_is_up


def test_shared_weights_keep_to_the_time_limit(tmp_path: Path) -> None:
    values = {
        "task": "digits",
        "space": "nasbench201",
        "searcher": {"name": "random-ws", "epochs": 2},
        "training": {**TINY, "batch_size": 20},
        "budget": 3,
    }
    record = start_run(tmp_path / "run", RunConfig.from_values({**values, "time": 1e-6}))
    assert record.time_is_up
    assert record.finished
    assert record.trials == []
    assert (tmp_path / "run/supernet.safetensors").is_file()
    again = resume_run(tmp_path / "run", time=600.0)
    assert again.finished
    assert len(again.evaluated) == 3


class Rounds(Observer):
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def proposed(self, trials: object, log: object) -> None:
        assert isinstance(trials, list)
        self.sizes.append(len(trials))


def test_rounds_grow_with_the_workers_when_asked(tmp_path: Path, config: RunConfig) -> None:
    evolution = {"searcher": "evolution", "searcher_settings": {"population": 4}, "budget": 16}
    sizes = {}
    for batch in (1, "workers", 5):
        watch = Rounds()
        update = {**evolution, "search_batch": batch, "workers": 3}
        record = start_run(tmp_path / str(batch), config.model_copy(update=update), observers=[watch])
        sizes[batch] = watch.sizes
        assert record.config.search_batch == (3 if batch == "workers" else batch)
    assert sizes == {1: [4, 2, *[1] * 10], "workers": [4, 3, 3, 3, 3], 5: [5, 5, 5, 1]}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_asynchronous_search_that_is_cut_off_keeps_what_it_has(
    tmp_path: Path, config: RunConfig, workers: int
) -> None:
    update = {"search_schedule": "async", "searcher": "evolution", "searcher_settings": {"population": 3}, "budget": 14}
    config = config.model_copy(update={**update, "workers": workers})
    kept: list[Trial] = []
    with pytest.raises(KeyError):
        start_run(tmp_path / "run", config, observers=[Stop(4)])
    for results in (3, 2, 9):
        record = load_run(tmp_path / "run")
        assert record.evaluated[: len(kept)] == kept
        assert len(record.trials) <= len(record.evaluated) + workers
        kept = record.evaluated
        if results == 9:
            break
        with pytest.raises(KeyError):
            resume_run(tmp_path / "run", observers=[Stop(results)])
    record = resume_run(tmp_path / "run", workers=2)
    assert len(record.evaluated) == 14
    assert sorted(t.place for t in record.trials if t.place is not None) == list(range(14))
    indices = {trial.index for trial in kept}
    assert [trial for trial in record.trials if trial.index in indices] == kept


def test_an_asynchronous_search_of_a_small_space_ends(tmp_path: Path, config: RunConfig) -> None:
    record = start_run(
        tmp_path / "run", config.model_copy(update={"search_schedule": "async", "budget": 200, "workers": 3})
    )
    assert len(record.evaluated) == len(FATES) * 10
    assert record.finished
