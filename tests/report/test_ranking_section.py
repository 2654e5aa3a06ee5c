"""The report's section on shared weights against training."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.ranking.rank import Estimate, RankedChild, Ranking
from naopt.ranking.result import ranking_figures
from naopt.report.page import render
from naopt.report.ranking_section import ranking_chart, ranking_rows, ranking_section, ranking_sentence
from tests.report.runs import make_run
from tests.report.test_page import Page


def make_ranking(count: int = 20, noise: float = 5.0, **changes: Any) -> Ranking:
    rng = np.random.default_rng(0)
    shared = rng.uniform(20, 60, count)
    random = tuple(RankedChild(f"a{i}", float(x), float(x + 40 + rng.normal(0, noise))) for i, x in enumerate(shared))
    top = (RankedChild("p", 62.0, 97.0), RankedChild("q", 61.0, None, "diverged: loss is <nan>"))
    return replace(
        Ranking(
            naopt="0",
            run="runs/ws",
            space="nasbench201",
            searcher="nao-ws",
            run_seed=0,
            shared_metric="shared_acc",
            metric="valid_acc",
            goal="max",
            unit="%",
            table="",
            seed=7,
            repeats=1,
            figures=ranking_figures(random, top, "max", "max"),
            random=random,
            top=top,
            trainings=22,
            failed=1,
            seconds=300.0,
            cpu_seconds=290.0,
            shared_seconds=1.0,
        ),
        **changes,
    )


def test_section_holds_chart_figures_failures_and_data() -> None:
    ranking = make_ranking()
    page = Page(f"<html><body>{ranking_section(ranking)}</body></html>")
    assert page.sections == ["Shared weights against training"]
    assert page.blocks["ranking"] == json.loads(json.dumps(ranking.document()))
    text = ranking_section(ranking)
    assert "diverged: loss is &lt;nan&gt;" in text
    assert "20 uniform random children and the run&#x27;s best 2" in text
    rows = {name: (value, interval) for name, value, interval in ranking_rows(ranking)}
    tau = ranking.figures.kendall_tau
    assert tau is not None
    assert rows["Kendall tau"] == (f"{tau.value:.2f}", f"{tau.ci95[0]:.2f} to {tau.ci95[1]:.2f}")
    assert rows["pick: valid_acc, %"] == ("97", "")
    assert rows["overlap of the top 5 (by chance 0.25)"][0] == f"{ranking.figures.overlap[1].share:.2f}"
    assert rows["trainings that failed"] == ("1", "")
    assert rows["time of all trainings"] == ("5.0 min", "")


def test_chart_shows_every_child_once() -> None:
    chart = ranking_chart(make_ranking())
    assert chart is not None
    assert chart.count("<use ") >= 21  # dots and ticks; the child that failed has none
    labels = set(re.findall(r">([^<>]+)</text>", chart))
    assert {"random", "pick", "shared_acc", "valid_acc, trained"} <= labels
    assert "top of the run" not in labels
    assert ranking_chart(make_ranking(random=(RankedChild("a", None, 3.0),), top=())) is None


@pytest.mark.parametrize(
    ("tau", "said"),
    [
        (None, "There is no telling"),
        (Estimate(0.1, (-0.1, 0.3)), "no better than chance, as far as so few can tell"),
        (Estimate(-0.4, (-0.6, -0.2)), "worse than chance"),
        (Estimate(0.2, (0.1, 0.3)), "hardly better than chance"),
        (Estimate(0.4, (0.2, 0.6)), "to some degree"),
        (Estimate(0.7, (0.6, 0.8)), "children well"),
    ],
)
def test_sentence_on_the_order(tau: Estimate | None, said: str) -> None:
    ranking = make_ranking()
    assert said in ranking_sentence(replace(ranking, figures=replace(ranking.figures, kendall_tau=tau)))


@pytest.mark.parametrize(
    ("percentile", "said"),
    [
        (None, "The pick has no stand-alone figure."),
        (Estimate(90.0, (70.0, 95.0)), "beats 90 % of the random children: it is better than a random one."),
        (Estimate(60.0, (40.0, 80.0)), "it may as well be a random one."),
        (Estimate(10.0, (5.0, 20.0)), "it is worse than a random one."),
    ],
)
def test_sentence_on_the_pick(percentile: Estimate | None, said: str) -> None:
    ranking = make_ranking()
    assert said in ranking_sentence(replace(ranking, figures=replace(ranking.figures, pick_percentile=percentile)))


def test_a_table_and_repeats_are_said() -> None:
    looked_up = make_ranking(table="bench", trainings=0, failed=0)
    assert ("looked up", "bench", "") in ranking_rows(looked_up)
    assert ("children without a figure", "1", "") in ranking_rows(looked_up)
    assert "looked up in bench" in ranking_section(looked_up)
    assert "trained alike from scratch, 3 times each" in ranking_section(make_ranking(repeats=3))
    undefined = replace(looked_up.figures, kendall_tau=None, spearman=None)
    assert ("Kendall tau", "\u2013", "") in ranking_rows(replace(looked_up, figures=undefined))


def test_page_shows_the_ranking_of_the_directory(tmp_path: Path) -> None:
    record = make_run(directory=tmp_path)
    assert "Shared weights against training" not in render(record)
    make_ranking().write(tmp_path)
    page = Page(render(record))
    assert "Shared weights against training" in page.sections
    assert len(page.ids) == len(set(page.ids))
    assert page.outside == []
    assert set(page.links) <= {f"#{name}" for name in page.ids}
