"""Comparisons with several objectives, and with limits, against counting by hand."""

import dataclasses
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.bench import (
    Comparison,
    Journal,
    SearchTrial,
    Simulation,
    parse_durations,
    run_trial,
    searcher_settings,
    searches,
    summarise_trials,
)
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.problem import Limit
from naopt.searchers import Scalarisation
from naopt.tables import Table, save_table
from tests.bench.stubs import run_inline, trade_offs

pytestmark = pytest.mark.usefixtures("stub_searchers")
TWO, THREE = "score,price", "score,price,weight"


def comparison(metric: str = TWO, names: tuple[str, ...] = ("front",), **changes: Any) -> Comparison:
    values: dict[str, Any] = {"table": trade_offs(), "budget": 25, "trials": 2} | changes
    return Comparison(metric=metric, report_metric=metric, settings=searcher_settings(names), **values)


def scores(table: Table, metric: str) -> np.ndarray:
    """All objectives of every row, larger is better."""
    return np.stack(
        [table.values(name) * (1 if table.info(name).goal == "max" else -1) for name in metric.split(",")], axis=1
    )


def brute_volume(points: np.ndarray, corner: np.ndarray) -> float:
    """Of the boxes of a grid through all coordinates, those that a point covers."""
    columns = zip(points.T, corner, strict=True)
    grids = [np.unique(np.append(column[column > least], least)) for column, least in columns]
    total = 0.0
    for cell in product(*(range(len(grid) - 1) for grid in grids)):
        low = [grid[at] for grid, at in zip(grids, cell, strict=True)]
        high = [grid[at + 1] for grid, at in zip(grids, cell, strict=True)]
        if (points >= high).all(axis=1).any():
            total += float(np.prod(np.subtract(high, low)))
    return total


@pytest.mark.parametrize("metric", [TWO, THREE])
def test_hypervolume_is_that_of_the_rows_on_the_scale_of_the_table(metric: str) -> None:
    compared = comparison(metric)
    trial = run_trial(compared, "front", 0)
    assert trial.rows == list(range(25))
    points = scores(compared.table, metric)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    corner = np.full(points.shape[1], -0.1)
    found = summarise_trials(compared, [trial, trial])["searchers"]["front"]
    whole = brute_volume(points, corner)
    expected = [brute_volume(points[:queries], corner) for queries in (10, 20, 25)]
    assert found["hypervolume"]["mean"] == pytest.approx(expected)
    assert found["hypervolume_share"]["mean"] == pytest.approx([volume / whole for volume in expected])
    assert found["hypervolume_regret"]["mean"] == pytest.approx([whole - volume for volume in expected])


def test_the_whole_table_has_the_whole_front() -> None:
    compared = comparison(budget=125)
    document = summarise_trials(compared, [run_trial(compared, "front", k) for k in range(2)])
    found, front = document["searchers"]["front"], document["front"]
    assert found["hypervolume_share"]["mean"][-1] == pytest.approx(1)
    assert (found["igd_plus"]["mean"][-1], found["front_found"]["mean"][-1]) == (0, 1)
    points = scores(compared.table, TWO)
    best = [not any((o >= p).all() and (o > p).any() for o in points) for p in points]
    assert sorted(member["row"] for member in front["members"]) == np.flatnonzero(best).tolist()
    values = [member["values"] for member in front["members"]]
    assert [one["score"] for one in values] == sorted((one["score"] for one in values), reverse=True)
    assert found["attained"] == [pytest.approx([one["score"], one["price"]]) for one in values[::-1]]
    first, second = document["objectives"]
    assert (first["worst"], first["best"], first["reference"]) == (0, 64, pytest.approx(-6.4))
    assert (second["worst"], second["best"], second["reference"]) == (16, 0, pytest.approx(17.6))


def test_before_anything_counts_there_is_no_volume() -> None:
    compared = comparison(table=trade_offs(missing=range(10)))
    document = summarise_trials(compared, [run_trial(compared, "front", k) for k in range(2)])
    found = document["searchers"]["front"]
    assert found["hypervolume"]["mean"][0] == found["front_found"]["mean"][0] == 0
    distances = np.linalg.norm(compared.front.distinct - compared.front.reference, axis=1)
    assert found["igd_plus"]["mean"][0] == pytest.approx(distances.mean())
    assert document["rows"] == 115


def test_rows_that_break_a_limit_do_not_count() -> None:
    limit = Limit("price", "max", 2)
    compared = comparison("score,weight", limits=(limit,), budget=125)
    trial = run_trial(compared, "front", 0)
    assert trial.rows is not None
    document = summarise_trials(compared, [trial, trial])
    within = compared.table.values("price") <= 2
    assert document["rows"] == document["rows_within"] == within.sum()
    assert all(within[member["row"]] for member in document["front"]["members"])
    assert document["objectives"][0]["best"] == compared.table.values("score")[within].max()
    found = document["searchers"]["front"]
    assert found["hypervolume_share"]["mean"][-1] == pytest.approx(1)
    assert found["infeasible_per_trial"] == [125 - within.sum()] * 2
    assert all(within[row] for _, row in trial.selected)


def test_one_objective_with_a_limit_selects_what_keeps_it() -> None:
    compared = comparison("score", ("line",), limits=(Limit("price", "max", 5),), budget=125)
    trial = run_trial(compared, "line", 0)
    within = compared.table.values("price") <= 5
    best = compared.table.values("score")[within].max()
    assert compared.optimum == (best, best)
    assert trial.search_metric[-1] == best
    assert trial.queries_to_optimum == 1 + np.flatnonzero(within & (compared.table.values("score") == best))[0]
    document = summarise_trials(compared, [trial, trial])
    assert document["limits"] == [{"metric": "price", "bound": "max", "value": 5}]
    assert document["searchers"]["line"]["infeasible_per_trial"] == [125 - within.sum()] * 2
    assert document["searchers"]["line"]["report_regret"]["mean"][-1] == 0
    free = comparison("score", ("line",))
    assert "limits" not in summarise_trials(free, [run_trial(free, "line", 0)])


def test_a_limit_on_a_cost_is_kept_without_a_query() -> None:
    table = trade_offs()
    metrics = {"score": table.metrics["score"], "params": table.metrics["price"]}
    infos = {"score": table.infos["score"], "params": table.infos["price"]}
    table = dataclasses.replace(table, metrics=metrics, infos=infos)
    compared = comparison("score", ("random",), table=table, limits=(Limit("params", "max", 2),), budget=15)
    trial = run_trial(compared, "random", 0)
    document = summarise_trials(compared, [trial, trial])
    found = document["searchers"]["random"]
    assert found["infeasible_per_trial"] == [0, 0]
    assert found["pruned_per_trial"][0] > 0


def test_the_user_says_where_hypervolume_is_measured_from() -> None:
    compared = comparison(reference={"price": 8.0})
    low, high = 0.0, 64.0
    points = scores(compared.table, TWO)
    corner = np.array([low - 0.1 * (high - low), -8.0])
    assert compared.front.hypervolume * 64 * 16 == pytest.approx(brute_volume(points, corner))
    with pytest.raises(InputError, match="better in every objective"):
        comparison(reference={"price": -1.0})
    with pytest.raises(InputError, match="unknown"):
        comparison(reference={"weight": 1.0})
    with pytest.raises(InputError, match="for several objectives"):
        comparison("score", ("line",), reference={"score": 1.0})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"metric": "score,score"}, "named twice"),
        ({"metric": "score,prize"}, "did you mean 'price'"),
        ({"names": ("line",)}, "line takes one"),
        ({"report_metric": "test"}, "the front counts"),
        ({"noise": "repeat"}, "one value a row"),
        ({"limits": (Limit("price", "max", -3),)}, "closest has price 0"),
        ({"limits": (Limit("price", "max", 1), Limit("score", "min", 60))}, "no row of table cube keeps it"),
        ({"simulation": Simulation(parse_durations("lognormal:1"), [2])}, "one objective only"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(changes: dict[str, Any], line: str) -> None:
    values = {"metric": TWO, "report_metric": changes.get("metric", TWO), "names": ("front",), **changes}
    settings = searcher_settings(values.pop("names"))
    with pytest.raises(InputError, match=line):
        Comparison(table=trade_offs(), settings=settings, budget=10, trials=1, **values)


def test_goals_may_be_said_and_are_checked() -> None:
    infos = trade_offs().infos
    for text in ("{1}:{0}", "{0}:{1}"):
        said = ",".join(text.format(name, infos[name].goal) for name in TWO.split(","))
        compared = comparison(said)
        assert (compared.metric, compared.report_metric, compared.problem) == (TWO, TWO, comparison().problem)
    first = TWO.split(",")[0]
    other = "min" if infos[first].goal == "max" else "max"
    with pytest.raises(InputError, match=f"objective '{other}:{first}': {first} is to be"):
        comparison(f"{first}:{other}")


def test_searchers_for_one_objective_are_scalarised() -> None:
    compared = comparison(names=("front", "evolution"), scalarisation=Scalarisation.parse("weights=1,3"), trials=1)
    trials = [run_trial(compared, name, 0) for name in compared.settings]
    document = summarise_trials(compared, trials)
    assert document["scalarise"] == "weights=1,3"
    assert trials[0].rows == list(range(25))
    assert document["searchers"]["evolution"]["queries_per_trial"] == [25]
    with pytest.raises(InputError, match="needs several objectives"):
        comparison("score", ("line",), scalarisation=Scalarisation())


def test_a_folder_belongs_to_one_problem(tmp_path: Path) -> None:
    compared = comparison()
    trial = run_trial(compared, "front", 0)
    Journal(tmp_path, compared).append(trial)
    assert Journal(tmp_path, compared).trials == [trial]
    for other in (comparison(THREE), comparison(limits=(Limit("weight", "max", 9),))):
        with pytest.raises(InputError, match="its trials were made with"):
            Journal(tmp_path, other)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(searches, "run_jobs", run_inline)
    save_table(trade_offs(), tmp_path / "cube.npz")
    return str(tmp_path / "cube.npz")


def test_bench_of_several_objectives(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--table", file, "--objective", TWO, "--searchers", "front,front:step=3", "--budget", "30",
               "--trials", "2", "--max", "weight=10", "--against", "front", "--out", str(tmp_path / "out")]  # fmt: skip
    assert run([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "out" / "bench.json").read_text())
    assert document["paired"]["front:step=3"]["mean_difference"][-1] > 0
    assert run(command) == 0
    out = capsys.readouterr().out
    assert "hypervolume of score,price" in out
    assert "limits: weight <= 10, which 100 rows keep" in out
    assert "front:step=3 against front after 30 queries, hypervolume: " in out
    page = (tmp_path / "out" / "report.html").read_text()
    for title in ("Share of the front&#x27;s hypervolume", "Front of the table", "Limits", "Over queries"):
        assert f"<h2>{title}</h2>" in page
    assert "What half of the trials attain" in page
    assert (tmp_path / "out" / "regret.svg").read_text().startswith("<svg")
    header, first, *_ = (tmp_path / "out" / "trials.csv").read_text().splitlines()
    assert header.endswith(",hypervolume,rows")
    assert first.endswith(",0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29")


@pytest.mark.parametrize("option", ["price", "price=", "=3", "price=many", "price=nan"])
def test_limits_are_written_as_metric_and_number(option: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--table", file, "--metric", "score", "--searchers", "line", "--budget", "5", "--trials", "1"]
    assert run([*command, "--max", option]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_trials_of_before_are_read(file: str) -> None:
    blank = SearchTrial("line", 0, [], [], 30, None, 0.0, 0.0, {}, [])
    assert (blank.rows, blank.pruned) == (None, 0)
