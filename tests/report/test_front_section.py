"""The front in the report of a run: every member drawn, every dot leads to its row."""

from dataclasses import replace

import pytest

from naopt.cli.show_front import print_front
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.problem import Limit, Objective, Problem
from naopt.report.front_chart import surface
from naopt.report.front_section import front_section
from naopt.report.page import render
from naopt.run.record import RunRecord
from tests.report.runs import make_run
from tests.report.test_page import check

OBJECTIVES = (Objective("valid_accuracy"), Objective("parameters", "min"), Objective("test_accuracy"))


@pytest.mark.parametrize("count", [2, 3])
def test_the_front_replaces_the_best(count: int) -> None:
    record = replace(make_run(), problem=Problem(OBJECTIVES[:count], (Limit("valid_accuracy", "min", 50),)))
    page, text = check(record), render(record)
    front, knee = record.front(), record.knee()
    assert knee is not None
    assert page.sections[0] == "Front"
    assert "Best architecture" not in page.sections
    table = text[text.index('<table id="front">') :]
    table = table[: table.index("</table>")]
    assert table.count("<svg") == len(front)
    assert table.count("(knee)") == 1
    assert [f'<a href="#a{trial.index}">' in table for trial in front] == [True] * len(front)
    measured = [trial for trial in record.evaluated if trial.measurement and trial.measurement.ok]
    for trial in measured:
        assert text.count(f'xlink:href="#a{trial.index}"') >= (1 if count == 2 else 3)
    data = page.blocks["data"]
    assert (data["front"], data["knee"]) == ([trial.index for trial in front], knee.index)
    assert data["limits"] == ["valid_accuracy >= 50"]
    assert text.count("<tr id=") == len(record.evaluated)
    assert text.count('class=best><td class="picture">') == len(front)


def test_a_run_without_a_result_has_no_front() -> None:
    record = replace(make_run(), problem=Problem(OBJECTIVES[:2], (Limit("parameters", "max", 1),)))
    assert "No evaluation has ended well yet" in render(record)


def test_a_run_is_compared_with_one_that_wants_the_same() -> None:
    from naopt.errors import InputError

    record: RunRecord = make_run()
    with pytest.raises(InputError, match="the reported run valid_accuracy"):
        render(replace(record, problem=Problem(OBJECTIVES[:2])), record)


def test_the_line_of_a_front_is_its_staircase() -> None:
    corners = surface([(3.0, 5.0), (1.0, 2.0)], (1, -1), (0.0, 9.0))
    assert corners == [(0, 2), (1, 2), (1, 5), (3, 5), (3, 9)]
    assert surface([], (1, 1), (0.0, 0.0)) == []


@pytest.mark.parametrize(
    ("task", "file", "said"),
    [
        ("digits", "", "latency_ms is measured on the device of the search (cpu, threads: 2, images at a time: 8)"),
        ("digits", "pi.json", "latency_ms is predicted by pi.json"),
        ("", "", ""),
    ],
)
def test_where_latencies_come_from_is_said(task: str, file: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = make_run()
    measured = [replace(trial, measurement=_timed(trial)) for trial in record.trials]
    config = record.config.model_copy(update={"task": task, "device_file": file, "threads": 2, "latency_batch": 8})
    problem = Problem((Objective("valid_accuracy"), Objective("latency_ms", "min")))
    record = replace(record, trials=measured, config=config, problem=problem)
    print_front(record)
    assert (capsys.readouterr().out.splitlines()[-1] == said) == bool(said)
    assert (f" {said}.</p>" in front_section(record)) == bool(said)
    assert replace(record, problem=Problem(OBJECTIVES[:2])).latencies == ""


def _timed(trial: Trial) -> Measurement | None:
    found = trial.measurement
    if found is None or not found.ok:
        return found
    return replace(found, metrics={**found.metrics, "latency_ms": float(trial.index + 1)})
