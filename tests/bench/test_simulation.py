"""Simulated workers: the clock, the durations, and what is noted of a search."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from naopt.bench import (
    Crew,
    SearchTrial,
    parse_durations,
    run_trial,
    searches,
)
from naopt.bench.crews import ALONE
from naopt.bench.durations import ColumnDurations, LogNormalDurations
from naopt.bench.simulated_engine import SimulatedEngine
from naopt.bench.simulated_summary import values_at
from naopt.bench.trials import Timing
from naopt.errors import InputError
from naopt.execution import Job
from naopt.measurement import Measurement
from tests.bench.simulated import simulated, timed, timing
from tests.bench.stubs import SPACE, cube, run_inline

pytestmark = pytest.mark.usefixtures("stub_searchers")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "run_jobs", run_inline)


def engine(workers: int, durations: list[float]) -> SimulatedEngine:
    jobs = SimulatedEngine(
        lambda job: Measurement({"score": float(job.index)}), workers, lambda a: durations[a.tokens[2]]
    )
    for index in range(len(durations)):
        jobs.submit(Job(index, SPACE.architecture([0, 0, index]), 0))
    return jobs


def test_jobs_go_to_the_worker_that_is_free_first() -> None:
    workers = engine(2, [3.0, 1.0, 1.0, 1.0, 5.0])
    found = [workers.next_done() for _ in range(5)]
    # The second worker does 1, 2 and 3; both are free at 3, when the last begins.
    assert [job.index for job, _ in found] == [1, 2, 0, 3, 4]
    assert [measurement.metrics["score"] for _, measurement in found] == [1, 2, 0, 3, 4]
    assert workers.spans == {0: (0.0, 3.0), 1: (0.0, 1.0), 2: (1.0, 2.0), 3: (2.0, 3.0), 4: (3.0, 8.0)}
    assert workers.now == pytest.approx(8)


def test_time_passes_only_while_one_waits() -> None:
    workers = engine(2, [2.0, 2.0])
    assert workers.next_done()[0].index == 0
    workers.submit(Job(2, SPACE.architecture([0, 0, 0]), 0))
    assert workers.spans[2] == (2.0, 4.0)
    workers.close()
    with pytest.raises(IndexError):
        workers.next_done()


def test_shares_are_of_all_worker_time() -> None:
    noted = Timing.of({0: (0.0, 4.0), 1: (0.0, 2.0), 2: (2.0, 3.0)}, [], None)
    assert (noted.wall, noted.last_begun, noted.busy, noted.busy_before) == (4, 2, 7, 4)
    assert Timing.of({}, [], None) == Timing(0, 0, 0, 0, [], None)


def test_an_ordinary_search_has_one_worker_and_a_query_takes_one() -> None:
    ordinary = dataclasses.replace(simulated(), simulation=None)
    found = timing(run_trial(ordinary, "line", 0))
    assert (found.wall, found.last_begun, found.busy, found.busy_before) == (21, 20, 21, 20)
    assert found.selected == list(range(1, 22))
    assert ordinary.crews == [ALONE]


@pytest.mark.parametrize("name", ["line", "random", "evolution"])
def test_workers_in_rounds_change_the_time_and_nothing_else(name: str) -> None:
    compared = simulated((1, 4), names=(name,), schedules=("rounds",))
    alone, four = (run_trial(compared, name, 0, crew) for crew in (ALONE, Crew(4)))
    assert alone.report_metric[-1] == four.report_metric[-1]
    assert {row for _, row in alone.selected[-1:]} == {row for _, row in four.selected[-1:]}
    assert timing(alone).wall == pytest.approx(timing(alone).busy)
    assert timing(four).busy == pytest.approx(timing(alone).busy)
    assert timing(four).wall < timing(alone).wall


def test_nobody_waits_without_rounds() -> None:
    compared = simulated(names=("line",))
    rounds, free = (timing(run_trial(compared, "line", 0, Crew(4, schedule))) for schedule in ("rounds", "async"))
    assert free.busy_before == pytest.approx(4 * free.last_begun)
    # Seven at a time by four workers: some wait for the last of each round.
    assert rounds.busy_before < 0.9 * 4 * rounds.last_begun
    assert free.wall < rounds.wall


def test_rounds_grow_when_asked() -> None:
    small, large = (simulated((10,), schedules=("rounds",), batch=batch) for batch in (1, "workers"))
    assert [crew.batch for crew in large.crews] == [1, 10]
    walls = [timing(run_trial(compared, "line", 0, compared.crews[1])).wall for compared in (small, large)]
    assert walls[1] < walls[0]


def test_results_are_counted_as_they_come() -> None:
    # The best of all is row 3, which takes 4 minutes: with four workers it is the last of the first four to come.
    table = timed()
    score = table.metrics["score"].copy()
    score[3] = 1000
    compared = simulated(table=dataclasses.replace(table, metrics={**table.metrics, "score": score}))
    found = run_trial(compared, "line", 0, Crew(4, "async"))
    # By minute 4 rows 0, 1, 2, 4 (taken up at 1, for 1), 5 (at 2, for 2) have come; row 3 was submitted before 5.
    assert timing(found).optimum == 4
    assert found.queries_to_optimum is not None
    assert found.queries_to_optimum > 4
    assert run_trial(compared, "line", 0).queries_to_optimum == 4


def test_durations_are_the_same_for_every_crew_and_differ_between_trials() -> None:
    clocks = [LogNormalDurations(0.5, 60.0).clock(cube(), seed) for seed in (0, 0, 1)]
    some = [SPACE.sample(np.random.default_rng(k)) for k in range(200)]
    first, again, other = ([clock(architecture) for architecture in some] for clock in clocks)
    assert first == again
    assert first != other
    logs = np.log([LogNormalDurations(0.5, 60.0).clock(cube(), k)(some[0]) for k in range(2000)])
    assert np.median(logs) == pytest.approx(np.log(60), abs=0.05)
    assert logs.std() == pytest.approx(0.5, abs=0.03)
    assert {LogNormalDurations(0.0, 3.0).clock(cube(), 0)(a) for a in some} == {3.0}


def test_durations_may_be_a_column() -> None:
    clock = parse_durations("minutes").clock(timed(), 0)
    assert [clock(SPACE.architecture([0, 0, c])) for c in range(5)] == [1, 2, 3, 4, 1]
    assert ColumnDurations("minutes").unit(timed()) == "min"
    # Part of the space only: what is not in the table takes no time.
    part = ColumnDurations("minutes").clock(timed(cube(rows=5)), 0)
    assert part(SPACE.architecture([4, 4, 4])) == 0


@pytest.mark.parametrize("text", ["lognormal:", "lognormal:a", "lognormal:1:2:3", "lognormal:-1", "lognormal:1:0",
                                  "lognormal:nan", "lognormal:1:inf"])  # fmt: skip
def test_durations_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="durations"):
        parse_durations(text)


def test_texts_of_durations_come_back() -> None:
    for text in ("lognormal:0.5:60", "minutes"):
        assert parse_durations(text).text == text
    assert parse_durations("lognormal:0.5").text == "lognormal:0.5:1"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"workers": (0,)}, "workers '0': must be at least 1"),
        ({"workers": ()}, "name at least one"),
        ({"workers": (2, 2)}, "none twice"),
        ({"schedules": ("round",)}, "did you mean 'rounds'"),
        ({"batch": 0}, "batch '0'"),
        ({"durations": "minuts"}, "did you mean 'minutes'"),
        ({"durations": "score"}, "durations 'score': is 0 in row 0 of table cube; it must be positive in all rows"),
    ],
)
def test_simulations_that_make_no_sense_are_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        simulated(**changes)


def test_values_at_a_time_are_of_what_was_selected_by_then() -> None:
    compared = simulated()
    blank = SearchTrial("line", 0, [], [], 3, None, 0.0, 0.0, {}, [(1, 4), (2, 9)])
    noted = dataclasses.replace(blank, timing=Timing(9.0, 0.0, 0.0, 0.0, [2.0, 5.0], None))
    found = values_at(compared, [noted], [1.0, 2.0, 4.9, 5.0, 100.0])
    np.testing.assert_array_equal(found, [[np.nan, 104, 104, 109, 109]])
