"""Comparisons with prior columns, and the benchmark of what they earn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import priors
from benchmarks.priors import main, variants_of, with_misleading

from naopt.bench import Comparison, Journal, run_trial, searcher_settings
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.tables import save_table
from tests.bench.stubs import cube

TABLE = replace(
    cube(),
    metrics={"score": np.random.default_rng(1).permutation(np.arange(125.0)), "test": np.arange(125.0)},
)
KNOWN = replace(
    TABLE,
    metrics={**TABLE.metrics, "told": -(TABLE.metrics["score"] ** 2), "size": np.arange(125.0) % 7},
    infos={**TABLE.infos, "told": MetricInfo(), "size": MetricInfo()},
)


def comparison(*columns: str, searcher: str = "gp", **changes: object) -> Comparison:
    return Comparison(
        table=KNOWN, metric="score", report_metric="test", settings=searcher_settings([searcher], []), budget=30,
        trials=1, prior_columns=columns, **changes,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_column_that_knows_finds_the_best_of_scores_without_structure() -> None:
    without, with_it = (run_trial(comparison(*columns), "gp", 0).queries_to_optimum for columns in ((), ("told",)))
    assert without is not None
    assert with_it is not None
    assert with_it < 20 < without


def test_what_a_comparison_is_about_is_no_prior_column(tmp_path: Path) -> None:
    for column in ("score", "test"):
        with pytest.raises(InputError, match=f"prior column '{column}': is what the search is about"):
            comparison(column)
    with pytest.raises(InputError, match="take no prior knowledge"):
        comparison("told", searcher="local-search")
    Journal(tmp_path, comparison("told"))
    with pytest.raises(InputError, match="priors"):
        Journal(tmp_path, comparison("size"))


def test_the_benchmark_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_jobs(function, jobs, workers, shared):  # type: ignore[no-untyped-def]
        for key, arguments in jobs.items():
            yield key, function(*shared, *arguments)

    monkeypatch.setattr(priors, "run_jobs", run_jobs)
    save_table(KNOWN, tmp_path / "t.npz")
    command = ["--table", str(tmp_path / "t.npz"), "--metric", "score", "--report-metric", "test", "--columns", "size"]
    command += ["--strong", "told", "--searchers", "gp", "--budget", "14", "--trials", "1", "--every", "7"]
    main([*command, "--json", "--out", str(tmp_path / "out")])
    document = json.loads(capsys.readouterr().out)
    assert [row["variant"] for row in document["rows"]] == ["none", "size", "strong", "negated", "noise", "everything"]
    rows = {row["variant"]: row for row in document["rows"]}
    assert rows["none"]["more_than_none"] == 0
    assert rows["strong"]["report_metric"] == rows["negated"]["report_metric"], "the sign of a prior means nothing"
    main([*command, "--variants", "strong", "--out", str(tmp_path / "out")])
    assert "| gp | strong |" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([*command, "--variants", "sharp"])
    assert ended.value.code == 2


def test_variants_are_named_after_what_they_know() -> None:
    assert variants_of(["a", "b"], "c")["together"] == ("a", "b")
    assert "strong" not in variants_of(["a"], None)
    made = with_misleading(KNOWN, "told")
    np.testing.assert_array_equal(made.values("prior/negated"), -KNOWN.values("told"))
    assert abs(np.corrcoef(made.values("prior/noise/0"), made.values("score"))[0, 1]) < 0.3
