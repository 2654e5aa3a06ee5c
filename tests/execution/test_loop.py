from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from naopt.configuration import Settings
from naopt.errors import RunStoppedError
from naopt.execution import Engine, Job, Observer, SearcherError, Start, Trial, run_search, search
from naopt.execution.jobs import evaluation_seed
from naopt.measurement import Measurement
from naopt.searchers import Objective, RandomSearcher
from naopt.spaces import Architecture, create_space
from tests.run.toys import SPACE, Scripted, finished, in_rounds, toy


class Shuffled(Engine):
    """Finishes jobs in an order of its own."""

    workers = 3

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.jobs: list[Job] = []
        self.waiting: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.waiting.append(job)

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        job = self.waiting.pop(int(self.rng.integers(len(self.waiting))))
        return job, self.measure(job)

    def measure(self, job: Job) -> Measurement:
        return finished(job.architecture)

    def close(self) -> None:
        self.waiting.clear()


class Notes(Observer):
    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    def asking(self, round_index: int) -> None:
        self.lines.append(("asking", round_index))

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        self.lines.append(("proposed", [trial.index for trial in trials], log["told"]))

    def measured(self, trial: Trial) -> None:
        self.lines.append(("measured", trial.index))

    def exhausted(self) -> None:
        self.lines.append(("exhausted",))


def archive(trials: Sequence[Trial]) -> list[tuple[int, tuple[int, ...], dict[str, float]]]:
    return [(t.round, t.architecture.tokens, dict(t.measurement.metrics)) for t in trials if t.measurement]


def test_the_order_in_which_evaluations_end_does_not_matter() -> None:
    first, second = (run_search(in_rounds(), Shuffled(seed), 10, observer=Observer()) for seed in (1, 2))
    assert archive(first) == archive(second)
    assert [trial.index for trial in first] == list(range(10))
    assert [trial.round for trial in first] == [0] * 4 + [1] * 4 + [2] * 2
    assert first[0].parent is None
    assert first[4].parent == first[0].architecture
    assert first[4].predicted == 0.5
    assert SPACE.parse(first[3].text) == first[3].architecture


def test_observers_hear_everything_in_order() -> None:
    notes = Notes()
    run_search(in_rounds(), Shuffled(0), 5, observer=notes)
    assert notes.lines[:2] == [("asking", 0), ("proposed", [0, 1, 2, 3], 0)]
    assert {line[1] for line in notes.lines if line[0] == "measured"} == set(range(5))
    assert notes.lines[6:8] == [("asking", 1), ("proposed", [4], 4)]


@pytest.mark.parametrize("proposed", [0, 4, 8])
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_search_cut_off_anywhere_goes_on_to_the_same_archive(proposed: int, kept: int) -> None:
    whole = run_search(in_rounds(), Shuffled(0), 10, observer=Observer())
    order = np.random.default_rng(kept).permutation(range(max(proposed - 4, 0), proposed))
    missing = set(order[kept:].tolist())
    past = [replace(trial, measurement=None) if trial.index in missing else trial for trial in whole[:proposed]]
    executor = Shuffled(3)
    again = run_search(in_rounds(), executor, 10, observer=Observer(), start=Start(past))
    assert archive(again) == archive(whole)
    assert {job.index for job in executor.jobs} == missing | set(range(proposed, 10))


def test_a_complete_past_is_only_told() -> None:
    whole = run_search(in_rounds(), Shuffled(0), 10, observer=Observer())
    searcher, executor = in_rounds(), Shuffled(0)
    assert run_search(searcher, executor, 10, observer=Observer(), start=Start(whole)) == whole
    assert executor.jobs == []
    assert len(searcher.history) == 10


def test_a_searcher_that_finds_nothing_new_ends_the_search() -> None:
    notes = Notes()
    trials = run_search(in_rounds(budget=200), Shuffled(0), 200, observer=notes)
    assert len(trials) == SPACE.size == 90
    assert notes.lines[-1] == ("exhausted",)


def test_metrics_become_plain_floats() -> None:
    class Numpy(Shuffled):
        def measure(self, job: Job) -> Measurement:
            return Measurement({"score": np.float64(1.5)}, np.float64(2))

    (trial,) = run_search(Scripted([[toy("fine")]]), Numpy(0), 1, observer=Observer())
    assert trial.measurement is not None
    assert type(trial.measurement.metrics["score"]) is float
    assert type(trial.measurement.seconds) is float


def test_interrupted_evaluations_stop_the_search_and_are_no_results() -> None:
    class Interrupting(Shuffled):
        def measure(self, job: Job) -> Measurement:
            return finished(job.architecture) if job.index else Measurement(status="interrupted", reason="power cut")

    notes = Notes()
    with pytest.raises(RunStoppedError, match="evaluation 0 was interrupted: power cut"):
        run_search(in_rounds(), Interrupting(0), 2, observer=notes)
    assert notes.lines[2:] == [("measured", 1)]


@pytest.mark.parametrize(
    ("proposals", "message"),
    [
        ([[toy("fine"), toy("fine")]], "twice"),
        ([[toy("fine")], [toy("fine")]], "twice"),
        ([[toy("fine", i) for i in range(4)]], "asked for 3 architectures and proposed 4"),
        ([[Architecture("toy", (0, 10), (0, 10))]], r"invalid architecture \(0 10\): token 10"),
        ([[Architecture("other", (0, 1), (0, 1))]], "an architecture of other, not toy"),
    ],
)
def test_searchers_that_break_their_contract(proposals: list[list[Architecture]], message: str) -> None:
    with pytest.raises(SearcherError, match=message):
        run_search(Scripted(proposals), Shuffled(0), 3, observer=Observer())


def test_evaluation_seeds_are_stable_and_follow_the_identity() -> None:
    seeds = {evaluation_seed(seed, toy("fine", value)) for seed in range(3) for value in range(10)}
    assert len(seeds) == 30
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert evaluation_seed(5, toy("fine", 2)) == 811946795
    same = Architecture("toy", (0, 3), (0, 2))
    assert evaluation_seed(5, same) == evaluation_seed(5, toy("fine", 2))


def test_search_in_memory_is_the_same_search() -> None:
    found = search(in_rounds(), finished, 10)
    whole = run_search(in_rounds(), Shuffled(0), 10, observer=Observer())
    assert [(p.architecture, m) for p, m in found] == [(t.architecture, t.measurement) for t in whole]
    assert found[5][0].origin == "ascent"
    assert found[5][0].parent == found[0][0].architecture


def test_an_exception_in_memory_passes_through() -> None:
    def broken(architecture: Architecture) -> Measurement:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(in_rounds(), broken, 3)


def test_the_searcher_sees_only_the_metric_it_searches_by() -> None:
    space = create_space("nasbench201")
    searcher = RandomSearcher(space, Objective("valid"), Settings(), seed=0, budget=6)
    answers = iter(
        [
            Measurement({"valid": 1.0, "test": 2.0}),
            Measurement({"test": 2.0}),
            Measurement({"valid": 1.0, "test": 2.0}, status="diverged", reason="loss"),
        ]
    )
    found = search(searcher, lambda _: next(answers), 3)
    assert [dict(m.metrics) for _, m in found] == [
        {"valid": 1.0, "test": 2.0},
        {"test": 2.0},
        {"valid": 1.0, "test": 2.0},
    ]
    told = [m for _, m in searcher.history]
    assert [dict(m.metrics) for m in told] == [{"valid": 1.0}, {}, {"valid": 1.0}]
    assert [m.status for m in told] == ["ok", "failed", "diverged"]
