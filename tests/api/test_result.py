"""Looking at results, and comparing searchers."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import naopt
from naopt.measurement import MetricInfo
from naopt.searchers import RandomSearcher
from naopt.spaces import NASBench201Space
from naopt.tables import Table


def area(values: Mapping[str, Any]) -> dict[str, float]:
    if values["depth"] == 3:
        raise ValueError("<b>deep</b> & wide")
    return {"score": float(values["depth"]), "index": 7.0}


@pytest.fixture(scope="module")
def result() -> naopt.Result:
    choices = {"depth": naopt.integer(1, 3), "status": [1, True, None, "1"], "name": ["<i>", "a&b"], "norm": bool}
    return naopt.search(choices, area, budget=20, searcher="random", seed=3)


def test_a_frame_has_a_row_for_each_trial(result: naopt.Result) -> None:
    frame = result.to_dataframe()
    assert list(frame.columns) == [
        "index", "round", "origin", "status", "reason", "seconds", "architecture",
        "depth", "position:status", "name", "norm", "score", "metric:index",
    ]  # fmt: skip
    assert len(frame) == 20
    assert frame["depth"].dtype == np.int64
    assert frame["norm"].dtype == np.bool_
    assert frame["score"].dtype == np.float64
    assert list(map(repr, frame["position:status"])) == [repr(trial.values["status"]) for trial in result.trials]
    failed = frame[frame["status"] == "failed"]
    assert set(failed["reason"]) == {"ValueError: <b>deep</b> & wide"}
    assert failed["score"].isna().all()
    assert frame["score"].max() == result.best_value


def test_other_spaces_have_their_text_and_a_search_may_have_no_trials() -> None:
    found = naopt.search("nasbench201", lambda cell: sum(cell.tokens), budget=2, searcher="random")
    assert list(found.to_dataframe()["architecture"]) == [trial.text for trial in found.trials]
    assert "score" in found.to_dataframe()
    empty = naopt.search({"x": [1, 2]}, len, budget=2, searcher="random", time=1e-9)
    assert len(empty.to_dataframe()) == 0
    assert "0 of 2 evaluations" in empty._repr_html_()
    assert empty.plot().axes[0].get_title() == "nothing measured"


def test_without_pandas_there_is_a_line(result: naopt.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(naopt.NaoptError, match=r"pip install 'naopt\[pandas\]'"):
        result.to_dataframe()


def test_a_plot_is_a_figure_that_notebooks_show(result: naopt.Result, tmp_path: Path) -> None:
    figure = result.plot()
    axes = figure.axes[0]
    assert axes.get_ylabel() == "score (higher is better)"
    best = next(line for line in axes.get_lines() if line.get_label() == "best so far, random")
    assert max(np.asarray(best.get_ydata(), dtype=float)) == result.best_value
    figure.savefig(tmp_path / "plot.svg")
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_a_notebook_shows_drawing_and_table_with_all_text_escaped(result: naopt.Result) -> None:
    html = result._repr_html_()
    assert html.count("<tr>") == 6
    assert "<svg" in html
    assert "naopt-graph" in html
    assert "<i>" not in html
    assert "a&b" not in html
    assert "&lt;i&gt;" in html or "a&amp;b" in html


def test_a_result_says_what_it_is(result: naopt.Result) -> None:
    failed = len(result.failures)
    first, best, text = repr(result).splitlines()
    assert first == f"Result: 20 of 20 evaluations by random, {failed} failed, finished"
    assert best == f"best score: 2, evaluation {result.best.index} (random)"
    assert text == result.best.text
    assert [trial.value for trial in result.ranked(2)] == [2.0, 2.0]
    assert failed == sum(not trial.ok for trial in result.trials) > 0


# Comparisons.


@pytest.fixture(scope="module")
def table() -> Table:
    space = NASBench201Space()
    rng = np.random.default_rng(0)
    cells = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
    tokens = np.array([cell.tokens for cell in cells])
    metrics = {"accuracy": tokens.sum(axis=1).astype(float), "test": tokens.max(axis=1).astype(float)}
    return Table("small", space, tokens, metrics, {"accuracy": MetricInfo("max", "%"), "test": MetricInfo("max")})


def test_searchers_are_compared(table: Table) -> None:
    found = naopt.compare(table, ["random", "evolution"], budget=15, trials=2, report_metric="test", every=5)
    assert list(found.summary["searchers"]) == ["random", "evolution"]
    assert (found.summary["metric"], found.summary["report_metric"]) == ("accuracy", "test")
    frame = found.to_dataframe()
    assert list(frame.columns) == ["searcher", "trial", "queries", "search_metric", "report_metric"]
    assert len(frame) == 2 * 2 * 3
    last = frame[(frame["searcher"] == "random") & (frame["queries"] == 15)]
    assert last["report_metric"].mean() == found.summary["searchers"]["random"]["mean_report_metric"][-1]
    assert "random: " in repr(found)
    assert "<td>evolution</td>" in found._repr_html_()
    assert found.plot().axes[0].get_title(loc="left") == "small, 2 trials"


def test_searchers_are_compared_by_their_fronts(table: Table) -> None:
    found = naopt.compare(
        table, "random", metric=["accuracy", "test"], budget=20, trials=2, limits="test<=3", reference={"accuracy": -1}
    )
    assert found.summary["objectives"][0]["reference"] == pytest.approx(-1)
    assert found.summary["limits"] == [{"metric": "test", "bound": "max", "value": 3}]
    frame = found.to_dataframe()
    assert list(frame.columns) == ["searcher", "trial", "queries", "hypervolume", "igd_plus", "front_found"]
    last = frame[frame["queries"] == 20]
    own = found.summary["searchers"]["random"]
    assert last["hypervolume"].mean() == pytest.approx(own["hypervolume"]["mean"][-1])
    assert repr(found).endswith(f"random: {own['hypervolume_share']['mean'][-1]:.4f}")
    assert "share of the front&#x27;s hypervolume, of accuracy,test" in found._repr_html_()
    assert found.plot().axes[0].get_ylabel() == "mean regret, hypervolume"


def test_processes_change_nothing_and_settings_are_given_by_name(table: Table) -> None:
    settings = {"evolution": {"population": 3}, "random": None}
    here, there = (naopt.compare(table, settings, budget=10, trials=1, workers=n) for n in (1, 2))
    assert [t.selected for t in here.trials] == [t.selected for t in there.trials]
    assert here.summary["searchers"]["evolution"]["settings"]["population"] == 3


def test_searchers_of_the_main_module_run_in_this_process(
    table: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(RandomSearcher, "__module__", "__main__")
    with caplog.at_level(logging.WARNING, "naopt"):
        found = naopt.compare(table, "random", budget=5, trials=1, workers=2)
    assert len(found.trials) == 1
    assert "RandomSearcher is defined in the main module" in caplog.text


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"workers": 0}, "workers '0': must be at least 1"),
        ({"searchers": ["random", "random"]}, "name at least one, none twice"),
        ({"searchers": ["randm"]}, "searcher 'randm': unknown; did you mean 'random'"),
        ({"searchers": {"random": {"x": 1}}}, "setting of random 'x': unknown"),
        ({"metric": "acuracy"}, "'acuracy': unknown; did you mean 'accuracy'"),
        ({"budget": 1000}, "table small has"),
        ({"noise": "loud"}, "noise 'loud': unknown"),
    ],
)
def test_comparisons_that_cannot_be(table: Table, options: dict[str, Any], line: str) -> None:
    with pytest.raises(naopt.InputError, match=line):
        naopt.compare(table, **{"searchers": ["random"], "budget": 5, "trials": 1, **options})
