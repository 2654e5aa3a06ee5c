"""Searches in memory."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naopt
from naopt.evaluators import Evaluator, FunctionEvaluator
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import Architecture, NASBench201Space, Value
from tests.run.toys import SPACE as TOYS

CHOICES = {"width": [16, 32, 64], "depth": naopt.integer(1, 4), "norm": bool}


def area(values: Mapping[str, Any]) -> float:
    return float(values["width"] * values["depth"] * (2 if values["norm"] else 1))


def search(evaluate: Callable[..., object] = area, **options: Any) -> naopt.Result:
    return naopt.search(CHOICES, evaluate, **{"searcher": "random", "budget": 8, **options})


def test_a_search_finds_the_best() -> None:
    result = search(budget=24)
    assert (result.finished, len(result.trials), result.failures) == (True, 24, [])
    assert result.best.values == {"width": 64, "depth": 4, "norm": True}
    assert result.best_value == result.best.value == 512.0 == result.best.metrics["score"]
    assert result.objective == naopt.Objective("score")
    assert result.directory is None
    assert result.best.text == "width=64,depth=4,norm=true"
    assert 0 < result.seconds < 60


def test_the_seed_decides_and_a_searcher_is_named_with_its_settings() -> None:
    def texts(**options: Any) -> list[str]:
        return [trial.text for trial in search(**options).trials]

    assert texts(seed=1) == texts(seed=1) != texts(seed=2)
    evolved = search(searcher="evolution", settings={"population": 3}, budget=6)
    assert evolved.record.config.searcher_settings["population"] == 3
    with pytest.raises(naopt.InputError, match="setting of searcher evolution 'popluation': unknown; did you mean"):
        search(searcher="evolution", settings={"popluation": 3})


def test_a_space_may_be_named_and_its_architectures_are_given() -> None:
    seen: list[object] = []

    def convolutions(cell: Architecture) -> int:
        seen.append(cell)
        return sum(cell.tokens)

    result = naopt.search("nasbench201", convolutions, budget=3, searcher="random")
    assert result.space == result.space
    assert seen == [trial.architecture for trial in result.trials]
    assert isinstance(result.space, NASBench201Space)


@settings(max_examples=30)
@given(
    st.lists(
        st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-2, 2), st.text(max_size=4)),
        min_size=1,
        max_size=6,
        unique_by=lambda value: (type(value), value if value != 0 else str(value)),
    )
)
def test_values_are_received_as_they_were_given(values: list[Value]) -> None:
    received: list[Value] = []

    def evaluate(chosen: Mapping[str, Value]) -> float:
        received.append(chosen["x"])
        return 1.0

    result = naopt.search({"x": values}, evaluate, budget=len(values), searcher="random")
    for back in (received, [trial.values["x"] for trial in result.trials]):
        assert {(type(value), value) for value in back} == {(type(value), value) for value in values}


def test_one_and_true_and_text_stay_apart() -> None:
    result = naopt.search(
        {"x": [1, True, None, "1", 1.0]}, lambda v: str(v["x"]) == "True", budget=5, searcher="random"
    )
    assert {repr(trial.values["x"]) for trial in result.trials} == {"1", "True", "None", "'1'", "1.0"}


# What is optimised.


def test_smaller_may_be_better() -> None:
    for objective in ("min:loss", naopt.Objective("loss", "min")):
        result = search(lambda values: {"size": 1.0, "loss": area(values)}, budget=24, objective=objective)
        assert result.best_value == 16.0
        assert result.objective == naopt.Objective("loss", "min")
    assert search(objective="min", budget=24).best_value == 16.0
    assert search(objective="max", budget=24).objective == naopt.Objective("score", "max")


def test_of_a_dictionary_the_first_is_the_score() -> None:
    result = search(lambda values: {"accuracy": area(values), "loss": 0.0})
    assert result.best.metrics == {"score": result.best_value, "accuracy": result.best_value, "loss": 0.0}


@pytest.mark.parametrize("objective", ["", "mean:loss", "min:", ":loss", 3])
def test_objectives_that_are_none(objective: Any) -> None:
    with pytest.raises(naopt.InputError, match="must be METRIC, min:METRIC, max:METRIC or METRIC:min, min or max"):
        search(objective=objective)


@pytest.mark.parametrize(
    ("objective", "meant"),
    [("maximize", "max"), ("Minimise", "min"), ("MAX", "max"), ("minimize:loss", "min:loss"), ("maximum:a", "max:a")],
)
def test_words_for_a_goal_are_no_metrics(objective: str, meant: str) -> None:
    with pytest.raises(naopt.InputError, match=f"min or max; did you mean '{meant}'[?]$"):
        search(objective=objective)
    assert search(lambda _: {"maximum_error": 1.0}, objective="maximum_error", budget=1).best_value == 1.0


# Failures.


class Misspelt(Evaluator):
    """Says that it measures a price, and does not."""

    space, metrics, default_metric = TOYS, {"price": MetricInfo("min")}, "price"

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"prce": 1.0, "size": 2.0}, 0.5)


@pytest.mark.parametrize("schedule", ["rounds", "async"])
def test_a_measurement_without_the_objective_is_a_failure_that_names_the_nearest(schedule: Any) -> None:
    result = naopt.search(None, Misspelt(), budget=4, searcher="random", schedule=schedule)
    assert {trial.status for trial in result.trials} == {"failed"}
    assert {trial.reason for trial in result.trials} == {"gave no price, but prce, size: did you mean prce?"}
    assert result.trials[0].metrics == {"prce": 1.0, "size": 2.0}
    given = search(lambda _: {"Loss": 1.0}, objective="min:loss", budget=1, stop_alike=0)
    assert given.failures[0].reason == "gave no loss, but Loss: did you mean Loss?"


@pytest.mark.parametrize("options", [{}, {"schedule": "async", "workers": 2}])
@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"objective": "min:los"}, "evaluation [01] gave no los, but loss, ms: did you mean loss[?]; say so with"),
        ({"objective": ["min:loss", "min:mss"]}, "evaluation [01] gave no mss, but loss, ms: did you mean ms[?]"),
        ({"objective": "min:loss", "limits": {"heat": "<=5"}}, "evaluation [01] gave no heat, but loss, ms;"),
    ],
)
def test_a_function_that_names_a_metric_otherwise_stops_the_search_at_once(
    wanted: dict[str, Any], options: dict[str, Any], line: str
) -> None:
    with pytest.raises(naopt.SearchStoppedError, match=f"^{line}") as caught:
        search(lambda _: {"loss": 1.0, "ms": 2.0}, searcher="nsga2", **wanted, **options)
    assert 1 <= len(caught.value.result.trials) <= 3


def test_a_metric_that_is_missing_now_and_then_stops_nothing() -> None:
    calls: list[float] = []

    def one_in_three(_: object) -> dict[str, float]:
        calls.append(1.0)
        return {"loss": 1.0} if len(calls) % 3 == 0 else {"loss": 1.0, "ms": math.inf if len(calls) % 3 == 1 else 1.0}

    found = search(one_in_three, objective=["min:loss", "min:ms"], searcher="nsga2", budget=6)
    reasons = [trial.reason for trial in found.trials]
    assert reasons == ["gave no ms, but loss; without ms, which is inf", "", "gave no ms, but loss"] * 2


def test_what_goes_wrong_is_a_failed_measurement() -> None:
    def evaluate(values: Mapping[str, Any]) -> object:
        if values["depth"] == 1:
            raise ValueError("too shallow")
        return {2: math.nan, 3: "no", 4: 1.0}[values["depth"]]

    result = search(evaluate, budget=24)
    by_depth = {trial.values["depth"]: trial for trial in result.trials}
    assert [by_depth[depth].status for depth in (1, 2, 3, 4)] == ["failed", "failed", "failed", "ok"]
    assert by_depth[1].reason == "ValueError: too shallow"
    assert 'raise ValueError("too shallow")' in by_depth[1].details
    assert by_depth[2].reason == "score is nan"
    assert by_depth[3].reason.startswith("gave 'no', not a number")
    assert len(result.failures) == 18
    assert by_depth[1].value is None


def test_without_success_there_is_no_best() -> None:
    result = search(lambda _: None, budget=3)
    assert result.best_value is None
    with pytest.raises(naopt.NaoptError, match="no evaluation has succeeded; 3 failed, the first: gave None"):
        result.best  # noqa: B018


def test_errors_may_be_raised_as_they_are() -> None:
    def evaluate(values: Mapping[str, Any]) -> float:
        try:
            return 1 / 0
        except ZeroDivisionError as error:
            raise KeyError("lost") from error

    with pytest.raises(KeyError, match="lost") as raised:
        search(evaluate, raise_on_error=True)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert "naopt: raised by the evaluation of width=" in raised.value.__notes__[0]
    with pytest.raises(naopt.NaoptError, match="gave None, not a number"):
        search(lambda _: None, raise_on_error=True)


def test_raising_takes_this_process_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    me = threading.get_ident()
    with caplog.at_level(logging.WARNING, "naopt"):
        result = search(lambda _: float(threading.get_ident() == me), raise_on_error=True, workers=3)
    assert result.best_value == 1.0
    assert [r.getMessage() for r in caplog.records] == [
        "raise_on_error: evaluations run in this process, one at a time and without a time limit"
    ]


def test_failures_are_retried_with_other_seeds_and_may_stop_the_search() -> None:
    seeds: list[int] = []

    def evaluate(values: Mapping[str, Any], seed: int) -> float:
        seeds.append(seed)
        raise OSError("no disk")

    with pytest.raises(naopt.SearchStoppedError, match="3 evaluations in a row failed") as stopped:
        search(evaluate, retries=1, stop_after=3)
    assert len(set(seeds)) == len(seeds) > 6
    assert len(stopped.value.result.trials) == 3
    assert not stopped.value.result.finished


# Where and how long.


def test_what_cannot_be_sent_is_measured_in_threads(caplog: pytest.LogCaptureFixture) -> None:
    lock, threads = threading.Lock(), set[int]()

    def evaluate(values: Mapping[str, Any]) -> float:
        with lock:
            threads.add(threading.get_ident())
        return area(values)

    with caplog.at_level(logging.WARNING, "naopt"):
        result = search(evaluate, workers=2, searcher="random", budget=8)
    assert (len(result.trials), result.failures) == (8, [])
    assert threading.get_ident() not in threads
    (said,) = [record.getMessage() for record in caplog.records]
    assert "cannot be pickled" in said
    assert "threads of this process" in said


def test_in_memory_an_interrupt_gives_what_was_found(caplog: pytest.LogCaptureFixture) -> None:
    count = iter(range(10))

    def evaluate(values: Mapping[str, Any]) -> float:
        if next(count) == 4:
            raise KeyboardInterrupt
        return area(values)

    with caplog.at_level(logging.WARNING, "naopt"):
        result = search(evaluate)
    assert (len(result.trials), result.finished) == (4, False)
    assert result.best_value
    assert caplog.records[-1].getMessage() == "interrupted after 4 of 8 evaluations; what was found is returned"


def test_time_may_end_a_search() -> None:
    result = search(lambda values: threading.Event().wait(0.05) or 1.0, budget=24, time=0.2)
    assert 0 < len(result.trials) < 24
    assert result.finished


def test_schedules() -> None:
    assert len(search(schedule="async").trials) == 8
    assert len(search(searcher="evolution", batch=4).trials) == 8


# First, and before.


def test_some_are_measured_first() -> None:
    result = search(
        enqueue=[
            {"width": 64, "depth": 4, "norm": True},
            "depth=1,width=16,norm=false",
            naopt.Space(CHOICES).architecture([1, 1, 1]),
        ]
    )
    assert [trial.text for trial in result.trials[:3]] == [
        "width=64,depth=4,norm=true",
        "width=16,depth=1,norm=false",
        "width=32,depth=2,norm=true",
    ]
    assert {trial.origin for trial in result.trials[:3]} == {"enqueued"}
    with pytest.raises(naopt.InputError, match="value of width '\"64\"'"):
        search(enqueue=[{"width": "64", "depth": 4, "norm": True}])
    with pytest.raises(naopt.InputError, match="is not the space of the search, custom"):
        search(enqueue=TOYS.architecture([0, 0]))


def test_a_search_in_memory_is_no_history() -> None:
    with pytest.raises(naopt.InputError, match="give run=DIR"):
        search(history=[search()])


# Callbacks.


def test_callbacks_see_the_result_so_far() -> None:
    seen: list[tuple[int, float | None]] = []

    def callback(result: naopt.Result) -> None:
        assert result.latest is not None
        assert result.latest == result.trials[-1]
        seen.append((len(result.trials), result.best_value))

    result = search(callbacks=[callback, lambda _: None])
    assert [count for count, _ in seen] == list(range(1, 9))
    assert seen[-1][1] == result.best_value


def test_a_callback_stops_the_search() -> None:
    def stop(result: naopt.Result) -> None:
        if len(result.trials) == 3:
            raise naopt.StopSearch

    result = search(callbacks=stop)
    assert (len(result.trials), result.finished) == (3, False)


def test_what_a_callback_raises_is_raised() -> None:
    def broken(result: naopt.Result) -> None:
        raise LookupError("in the callback")

    with pytest.raises(LookupError, match="in the callback"):
        search(callbacks=[broken])
    with pytest.raises(naopt.InputError, match="callback '3': must be a function"):
        search(callbacks=[3])


# What else may measure.


def test_tables_and_evaluators() -> None:
    table = naopt.load_table("digits-nao11")
    result = naopt.search(None, table, budget=5, searcher="random", objective="valid_acc")
    assert result.best_value == max(table.values("valid_acc")[table.row(t.architecture) or 0] for t in result.trials)
    evaluator = FunctionEvaluator(naopt.Space(CHOICES), area)
    evaluator.inline = True
    assert naopt.search(CHOICES, evaluator, budget=5, searcher="random").objective == naopt.Objective("score")
    with pytest.raises(naopt.InputError, match="space 'custom': what measures is of space conv-cell"):
        naopt.search(CHOICES, table)
    with pytest.raises(naopt.InputError, match="score is to be maximised, says what measures it"):
        naopt.search(None, evaluator, objective="min:score")
    with pytest.raises(naopt.InputError, match="'los': unknown"):
        naopt.search(None, table, objective="los")
    with pytest.raises(naopt.InputError, match="a function needs one"):
        naopt.search(None, area)


def test_a_measurement_may_be_given() -> None:
    result = search(lambda values: Measurement({"score": area(values), "size": 2.0}, seconds=9.0))
    assert result.best.metrics["size"] == 2.0
    assert result.best.seconds == 9.0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"budget": 0}, "argument budget '0'"),
        ({"seed": -1}, "argument seed '-1'"),
        ({"workers": 0}, "argument workers '0'"),
        ({"schedule": "never"}, "argument schedule 'never'"),
        ({"batch": "many"}, "argument batch 'many'"),
        ({"searcher": "noa"}, "searcher 'noa': unknown; did you mean 'nao'"),
        ({"searcher": "nao-ws"}, "shares weights"),
        ({"evaluate": 3}, "evaluate '3': must be a function"),
    ],
)
def test_arguments_that_are_wrong_have_one_line(options: dict[str, Any], line: str) -> None:
    with pytest.raises(naopt.InputError) as error:
        search(**options)
    assert line in str(error.value)
    assert "\n" not in str(error.value)
