"""Searches in a directory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import naopt
from naopt.cli.app import run as command
from naopt.evaluators import FunctionEvaluator
from naopt.measurement import Measurement
from naopt.run.config import RunConfig
from tests.run.toys import write_table

CHOICES = {"width": [16, 32, None, "32"], "depth": naopt.integer(1, 4), "norm": bool}


def area(values: Mapping[str, Any]) -> float:
    return float(values["depth"] * 2 + values["norm"])


def other(values: Mapping[str, Any]) -> float:
    return 0.0


class Counted:
    """Calls of a function."""

    def __init__(self, stop_at: int = -1) -> None:
        self.calls, self.stop_at = 0, stop_at
        self.__qualname__ = "area"

    def __call__(self, values: Mapping[str, Any]) -> float:
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return area(values)


def search(run: Path, evaluate: Any = area, space: Any = None, **options: Any) -> naopt.Result:
    given = {"searcher": "evolution", "budget": 10, "settings": {"population": 4}, "run": run, **options}
    return naopt.search(space or CHOICES, evaluate, **given)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    search(tmp_path / "run")
    return tmp_path / "run"


def test_its_report_names_the_function(run: Path) -> None:
    assert command(["report", str(run)]) == 0
    assert "function area" in (run / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_search_goes_on_with_the_same_call(tmp_path: Path, run: Path) -> None:
    stopping = Counted(stop_at=6)
    with pytest.raises(naopt.SearchStoppedError, match="stopped after 5 of 10 evaluations; go on with: the same") as e:
        search(tmp_path / "cut", stopping)
    assert (len(e.value.result.trials), e.value.result.finished) == (5, False)
    going_on = Counted()
    result = search(tmp_path / "cut", going_on)
    assert going_on.calls == 5
    assert [t.text for t in result.trials] == [t.text for t in naopt.load_run(run).trials]
    assert result.finished


def test_a_finished_search_is_only_read(run: Path) -> None:
    counted = Counted()
    before = (run / "config.toml").stat().st_mtime_ns
    result = search(run, counted)
    assert (counted.calls, len(result.trials), result.directory) == (0, 10, run)
    assert (run / "config.toml").stat().st_mtime_ns == before
    assert {repr(trial.values["width"]) for trial in result.trials} <= {"16", "32", "None", "'32'"}


def test_the_budget_may_grow(run: Path) -> None:
    counted = Counted()
    before = [trial.text for trial in naopt.load_run(run).trials]
    result = search(run, counted, budget=14)
    assert (counted.calls, len(result.trials), result.finished) == (4, 14, True)
    assert [trial.text for trial in result.trials[:10]] == before
    assert RunConfig.read(run / "config.toml").budget == 14
    assert naopt.resume(run, area).finished
    with pytest.raises(naopt.InputError, match=r"budget '13': run '.*' was begun with '14'"):
        search(run, budget=13)


def test_a_growth_that_was_cut_off_is_done_again(run: Path) -> None:
    RunConfig.read(run / "config.toml").model_copy(update={"budget": 12}).write(run / "config.toml")
    assert len(search(run, budget=12).trials) == 12


def test_how_a_search_is_carried_out_may_change(run: Path) -> None:
    assert len(search(run, budget=11, time=math.inf, timeout=30.0, stop_after=3).trials) == 11
    assert RunConfig.read(run / "config.toml").stop_after == 3


def test_a_search_of_which_all_fail_alike_stops_and_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    options: dict[str, Any] = {"searcher": "random", "settings": None, "budget": 24}

    def broken(values: Mapping[str, Any]) -> float:
        raise OSError(f"no disk {values['depth']}")

    broken.__qualname__ = "area"
    for asked in (20, 22):
        with pytest.raises(naopt.SearchStoppedError, match=r"all .* evaluations failed alike: failed: OSE") as e:
            search(tmp_path / "run", broken, stop_alike=asked if asked == 20 else 2, **options)
        assert len(e.value.result.trials) == asked
    result = search(tmp_path / "run", **options)
    assert (len(result.failures), len(result.trials), result.finished) == (22, 24, True)
    assert len(search(tmp_path / "other", broken, stop_alike=0, **options).failures) == 24


def test_a_search_whose_time_was_up_goes_on_with_more(tmp_path: Path) -> None:
    assert len(search(tmp_path / "run", time=1e-9).trials) == 0
    assert len(search(tmp_path / "run", time=1e-9).trials) == 0
    assert len(search(tmp_path / "run").trials) == 10


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"seed": 1}, "seed '1': run '.*' was begun with '0'"),
        ({"searcher": "random", "settings": None}, "searcher 'random': run '.*' was begun with 'evolution'"),
        ({"settings": {"population": 5}}, "settings '.*5.*': run '.*' was begun with '.*4.*'"),
        ({"space": {"width": [16]}}, "space 'custom, with other positions': run '.*' was begun with 'custom'"),
        ({"space": naopt.Space(CHOICES, "mine")}, "space 'mine': run '.*' was begun with 'custom'"),
        ({"objective": "min"}, "objective 'min:score': run '.*' was begun with 'max:score'"),
        ({"objective": "loss"}, "objective 'max:loss': run '.*' was begun with 'max:score'"),
        ({"evaluate": other}, "evaluate 'other': run '.*' was begun with 'area'"),
        ({"schedule": "async"}, "schedule 'async': run '.*' was begun with 'rounds'"),
        ({"enqueue": "width=16,depth=1,norm=true"}, "enqueue '.*depth=1.*': run"),
    ],
)
def test_another_search_is_refused_with_the_argument(run: Path, changed: dict[str, Any], line: str) -> None:
    before = (run / "config.toml").read_bytes(), (run / "run.db").read_bytes()
    with pytest.raises(naopt.InputError, match=line):
        search(run, **changed)
    assert before == ((run / "config.toml").read_bytes(), (run / "run.db").read_bytes())


def test_an_error_is_raised_and_the_run_goes_on_when_it_is_mended(tmp_path: Path) -> None:
    def broken(values: Mapping[str, Any]) -> float:
        raise KeyError("x")

    broken.__qualname__ = "area"
    with pytest.raises(KeyError):
        search(tmp_path / "run", broken, raise_on_error=True)
    result = search(tmp_path / "run")
    assert (len(result.trials), result.failures) == (10, [])


def test_callbacks_see_what_was_there_before(tmp_path: Path) -> None:
    counts: list[int] = []

    def callback(result: naopt.Result) -> None:
        counts.append(len(result.trials))
        if len(result.trials) == 4:
            raise naopt.StopSearch

    result = search(tmp_path / "run", callbacks=callback)
    assert (len(result.trials), result.finished, counts) == (4, False, [1, 2, 3, 4])
    search(tmp_path / "run", callbacks=callback)
    assert counts[4:] == [5, 6, 7, 8, 9, 10]


def test_resume_takes_the_function(tmp_path: Path) -> None:
    with pytest.raises(naopt.SearchStoppedError):
        search(tmp_path / "run", Counted(stop_at=3))
    with pytest.raises(naopt.InputError, match="evaluate 'area': measures this search: give it to resume"):
        naopt.resume(tmp_path / "run")
    with pytest.raises(naopt.InputError, match=r"evaluate 'other': run '.*' was begun with 'area'"):
        naopt.resume(tmp_path / "run", other)
    with pytest.raises(naopt.InputError, match="workers '0'"):
        naopt.resume(tmp_path / "run", area, workers=0)
    assert command(["resume", str(tmp_path / "run")]) == 2
    result = naopt.resume(tmp_path / "run", area)
    assert (result.finished, len(result.trials)) == (True, 10)


def test_runs_of_the_command_line(tmp_path: Path) -> None:
    table = str(write_table(tmp_path / "toy.npz"))
    directory = tmp_path / "run"
    arguments = ["search", "--table", table, "--searcher", "random", "--budget", "5", "--run", str(directory)]
    assert command(arguments) == 0
    result = naopt.load_run(directory)
    assert repr(result) == repr(naopt.resume(directory))
    assert len(result.trials) == 5
    with pytest.raises(naopt.InputError, match=r"evaluate 'area': run '.*' was begun with '.*toy.npz'"):
        naopt.resume(directory, area)
    with pytest.raises(naopt.InputError, match="has a use only with a function"):
        naopt.resume(directory, raise_on_error=True)
    with pytest.raises(naopt.InputError, match=r"space '.*': run '.*' was begun with 'toy'"):
        search(directory)


def test_evaluators_and_histories(tmp_path: Path, run: Path) -> None:
    evaluator = FunctionEvaluator(naopt.Space(CHOICES), area)
    evaluator.inline = True
    naopt.search(None, evaluator, budget=4, searcher="random", run=tmp_path / "own")
    assert len(naopt.resume(tmp_path / "own", evaluator).trials) == 4
    seen: list[str] = []

    def noted(values: Mapping[str, Any]) -> Measurement:
        seen.append(repr(values))
        return Measurement({"score": 1.0})

    result = naopt.search(CHOICES, noted, budget=3, searcher="random", history=naopt.load_run(run))
    assert result.record.config.history == (str(run.resolve()),)
    assert not set(seen) & {repr(dict(trial.values)) for trial in naopt.load_run(run).trials}


def test_directories_that_hold_no_search(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(naopt.InputError, match="holds a training, and no search"):
        naopt.resume(tmp_path)
    with pytest.raises(naopt.InputError, match="exists and is not an empty directory"):
        search(tmp_path)
    with pytest.raises(naopt.InputError, match=r"there is no such directory"):
        naopt.load_run(tmp_path / "none")
