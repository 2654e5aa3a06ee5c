"""What a report computes, against small runs by hand."""

from dataclasses import replace

import pytest

from naopt.measurement import Measurement
from naopt.report.summary import (
    cost,
    finite,
    metric_names,
    origin_statistics,
    parent_index,
    round_summaries,
    value_of,
)
from naopt.run.record import RunRecord
from naopt.searchers import Objective, Problem
from naopt.spaces import ConvCellSpace
from tests.report.runs import make_run


def by_hand(goal: str = "max") -> RunRecord:
    """Five queries: 1 and 3 at random, then 2 and 5 by ascent with a failure between them."""
    record = make_run(ConvCellSpace(2), 5, goal="min" if goal == "min" else "max", failures=0, budget=8)
    rows = [(0, "random", None, 1.0), (0, "random", None, 3.0), (1, "ascent", 2.5, 2.0), (1, "ascent", 4.0, None),
            (1, "refill", None, 5.0)]  # fmt: skip
    first = record.trials[0].architecture
    trials = [
        replace(
            trial, round=number, origin=origin, predicted=predicted, parent=first if number else None,
            measurement=Measurement({"valid_accuracy": value}, 2.0)
            if value is not None
            else Measurement(seconds=7.0, status="oom", reason="out of memory"),
        )
        for trial, (number, origin, predicted, value) in zip(record.trials, rows, strict=True)
    ]  # fmt: skip
    return replace(
        record,
        trials=trials,
        rounds=[{}, {"fit_seconds": 2.0, "ascent_seconds": 1.0, "train_size": 2, "predicted_mean": 9.0}],
    )


def test_origins_and_what_they_earned() -> None:
    random, ascent, refill = origin_statistics(by_hand())
    assert (random.origin, random.queries, random.measured, random.mean, random.best) == ("random", 2, 2, 2.0, 3.0)
    assert (ascent.queries, ascent.measured, ascent.mean, ascent.best, ascent.improvements) == (2, 1, 2.0, 2.0, 0)
    assert (random.improvements, refill.improvements) == (2, 1)


def test_origins_of_a_metric_to_minimise() -> None:
    random, ascent, _ = origin_statistics(by_hand("min"))
    assert random.best == 1.0
    assert (random.improvements, ascent.improvements) == (1, 0)


def test_an_origin_that_only_failed_has_neither_mean_nor_best() -> None:
    record = by_hand()
    failed = replace(record, trials=record.trials[3:4])
    assert [(o.mean, o.best, o.improvements) for o in origin_statistics(failed)] == [(None, None, 0)]


def test_rounds_compare_the_same_architectures() -> None:
    pool, second = round_summaries(by_hand())
    assert (pool.measured_mean, pool.measured_std, pool.predicted_mean, pool.architectures) == (2.0, 1.0, None, 2)
    assert second.measured_mean == 2.0, "the refill was not predicted"
    assert second.predicted_mean == 3.25, "of the trials, not of the log"
    assert (second.architectures, second.origins) == (5, ("ascent",))
    assert second.number("train_size") == 2.0


def test_rounds_take_the_predicted_mean_of_the_log_where_trials_have_none() -> None:
    record = by_hand()
    record = replace(record, trials=[replace(trial, predicted=None) for trial in record.trials])
    assert [r.predicted_mean for r in round_summaries(record)] == [None, 9.0]
    assert round_summaries(record)[1].measured_mean == 3.5


def test_a_round_that_is_not_measured_yet() -> None:
    record = by_hand()
    record = replace(record, trials=[replace(t, measurement=None) if t.round else t for t in record.trials])
    last = round_summaries(record)[1]
    assert (last.architectures, last.measured_mean, last.measured_std, last.origins) == (2, None, None, ())


@pytest.mark.parametrize("value", [None, "3", True, float("nan"), float("inf"), [1.0]])
def test_what_is_not_a_finite_number(value: object) -> None:
    assert finite(value) is None


def test_cost() -> None:
    spent = cost(by_hand())
    assert (spent.children, spent.mean, spent.median, spent.searcher, spent.wall) == (15.0, 3.0, 2.0, 3.0, 200.5)
    empty = cost(replace(by_hand(), trials=[], rounds=[{"fit_seconds": None}]))
    assert (empty.children, empty.mean, empty.median, empty.searcher) == (0, None, None, 0)


def test_metrics_parents_and_values() -> None:
    record = make_run(ConvCellSpace(2), 12, metric="zeta")
    assert metric_names(record) == ["zeta", "parameters", "test_accuracy"]
    assert value_of(record, replace(record.trials[0], measurement=None)) is None
    assert value_of(record, record.trials[2]) is None
    parents = parent_index(by_hand().trials)
    assert parents == {2: 0, 3: 0, 4: 0}
    assert parent_index(by_hand().trials[2:]) == {}


def test_nothing_comes_from_a_later_query() -> None:
    """What the searcher knew from elsewhere, and measured itself in the end."""
    trials = by_hand().trials
    later = trials[3].architecture
    known = [replace(trials[1], parent=later), replace(trials[3], parent=later), replace(trials[4], parent=later)]
    assert parent_index([*reversed(known), trials[0]]) == {4: 3}


@pytest.mark.parametrize("metric", ["valid_acc", "valid_accuracy", "accuracy", "valid_acc/cifar10"])
def test_of_equal_ones_less_loss_then_size_then_the_earlier(metric: str) -> None:
    loss = {"accuracy": "loss", "valid_acc/cifar10": "valid_loss/cifar10"}.get(metric, "valid_loss")
    rows = [(2.0, 0.5, 9.0), (3.0, 0.5, 9.0), (3.0, 0.4, 9.0), (3.0, 0.4, 8.0), (3.0, 0.4, 8.0)]
    trials = [
        replace(trial, measurement=Measurement({metric: score, loss: lost, "params": size, "test_loss": -score}))
        for trial, (score, lost, size) in zip(by_hand().trials, rows, strict=True)
    ]
    record = replace(by_hand(), trials=trials, problem=Problem.of(Objective(metric)))
    assert [trial.index for trial in record.ranked()] == [3, 4, 2, 1, 0]
    best = record.best()
    assert best is not None
    assert best.index == 3
