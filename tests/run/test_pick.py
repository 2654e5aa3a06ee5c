"""The front of a run, its knee, and what is picked of it, against going through all pairs."""

from dataclasses import replace

import pytest

from naopt.errors import InputError
from naopt.problem import Limit, Objective, Problem
from naopt.run.pick import Pick
from naopt.run.record import RunRecord
from tests.report.runs import make_run

TWO = Problem((Objective("valid_accuracy"), Objective("parameters", "min")))


@pytest.fixture
def record() -> RunRecord:
    """``parameters`` grow with the index, so what is on the front is better than all before it."""
    return replace(make_run(), problem=TWO)


def values(record: RunRecord) -> dict[int, tuple[float, float]]:
    found = {trial.index: trial.measurement.metrics for trial in record.evaluated if trial.measurement}
    return {index: (m["valid_accuracy"], m["parameters"]) for index, m in found.items() if m}


def test_the_front_is_what_no_other_beats(record: RunRecord) -> None:
    best, expected = -1.0, []
    for index, (accuracy, _) in values(record).items():
        if accuracy > best:
            best = accuracy
            expected.append(index)
    assert len(expected) > 2
    assert [trial.index for trial in record.front()] == expected[::-1]
    assert record.front()[0] is record.best()
    alone = replace(record, problem=Problem(TWO.objectives[:1]))
    assert [trial.index for trial in alone.front()] == [expected[-1]]


def test_what_breaks_a_limit_is_on_no_front(record: RunRecord) -> None:
    limited = replace(record, problem=Problem(TWO.objectives, (Limit("parameters", "min", 100_010),)))
    assert limited.front()[-1].index == 10
    none = replace(record, problem=Problem(TWO.objectives, (Limit("parameters", "max", 1),)))
    assert (none.front(), none.knee()) == ([], None)
    with pytest.raises(InputError, match="no evaluation keeps parameters <= 1; the closest has 100000"):
        Pick().of(none)
    with pytest.raises(InputError, match="breaks parameters >= 100010"):
        Pick.parse("index=5").of(limited)


def test_the_knee_is_on_the_front(record: RunRecord) -> None:
    knee = Pick.parse(" knee ").of(record)
    assert knee is record.knee()
    assert knee in record.front()


def test_what_is_best_within_limits(record: RunRecord) -> None:
    within = {index: accuracy for index, (accuracy, size) in values(record).items() if size <= 100_012}
    found = Pick.parse("max:valid_accuracy, parameters<=100012").of(record)
    assert found.index == max(within, key=lambda index: within[index])
    assert Pick.parse("max:parameters").of(record).index == 29
    assert Pick.parse("min:parameters,valid_accuracy>=90,parameters >= 100004").of(record).index == 4
    assert Pick.parse("max:test_accuracy").of(record) is record.best()
    assert Pick.parse("index=7").of(record).index == 7


@pytest.mark.parametrize(
    "text",
    ["", "best", "knee=1", "index", "index=-1", "index=x", "max:", "max:a<=3"],
)
def test_other_text_is_refused_with_what_may_be_said(text: str) -> None:
    with pytest.raises(InputError, match="must be knee, index=N, or max:METRIC"):
        Pick.parse(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("index=99", "there is no such evaluation"),
        ("index=2", "no result: loss is <nan>"),
        ("max:valid_acuracy", "did you mean 'valid_accuracy'"),
        ("max:valid_accuracy,latency<=3", "unknown"),
        ("max:valid_accuracy,parameters<=10", "no evaluation keeps it; the closest has parameters 100000"),
    ],
)
def test_what_is_not_there_is_refused(record: RunRecord, text: str, line: str) -> None:
    with pytest.raises(InputError, match=line):
        Pick.parse(text).of(record)


@pytest.mark.parametrize("limit", ["b", "b=3", "b<3", "b<=x", "b<=nan", ""])
def test_limits_are_checked_when_a_pick_is_read(limit: str) -> None:
    with pytest.raises(InputError, match="must be METRIC<=N or METRIC>=N"):
        Pick.parse(f"max:a,{limit}")


def test_results_in_python_have_a_front(record: RunRecord) -> None:
    from naopt.api.result import Result

    result = Result(record)
    assert [trial.index for trial in result.front] == [trial.index for trial in record.front()]
    assert result.pick().index == result.pick("knee").index
    assert result.pick("index=4").index == 4
    with pytest.raises(InputError, match="pick 'nothing'"):
        result.pick("nothing")
