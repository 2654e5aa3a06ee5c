"""The pages of comparisons and quality studies: complete, self-contained, true to the document."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.bench import Comparison, QualityStudy, QualityTrial, SearchTrial, summarise_quality, summarise_trials
from naopt.bench.trials import OriginCount
from naopt.configuration import Settings
from naopt.files import NotWrittenError
from naopt.report.bench_charts import found_chart, regret_chart
from naopt.report.bench_elements import decimals_of, interval
from naopt.report.bench_page import render_bench, write_bench
from naopt.report.curves import Curve, curves_chart, spread, styles
from naopt.report.quality_page import quality_curves, render_quality, write_quality
from naopt.tables import Table
from tests.bench.stubs import cube, surrogate_cube
from tests.report.test_page import Page

NAMES = ["nao", "random", "evolution", "local-search", "bananas", "npenas", "gp", "boosted-trees", "seminas",
         "reinforce", "tnao", "hierarchical"]  # fmt: skip


def trials_of(compared: Comparison) -> list[SearchTrial]:
    """Made-up searches that find better rows as they go."""
    rng, order = np.random.default_rng(0), np.argsort(-compared.searched)
    trials = []
    for place, name in enumerate(compared.settings):
        for trial in range(compared.trials):
            rows = np.minimum.accumulate(rng.integers(0, 125, compared.budget) // (1 + place))
            changes = [q for q in range(compared.budget) if q == 0 or rows[q] < rows[q - 1]]
            hit = next((q + 1 for q in changes if rows[q] == 0), None)
            selected = [(q + 1, int(order[rows[q]])) for q in changes]
            origins = {"random": OriginCount(compared.budget - 10, 3)}
            if name != "random":
                origins["mutation <&>"] = OriginCount(10, 2)
            blank = SearchTrial(name, trial, [], [], compared.budget, hit, 0.2, 0.1, origins, selected)
            trials.append(compared.at_checkpoints(blank))
    return trials


def comparison(names: list[str], table: Table | None = None, **changes: Any) -> Comparison:
    values: dict[str, Any] = {"budget": 40, "trials": 5} | changes
    return Comparison(table or cube(), "score", "test", {name: Settings() for name in names}, **values)


def document(names: list[str] = NAMES, **changes: Any) -> dict[str, Any]:
    compared = comparison(names, **changes)
    return summarise_trials(compared, trials_of(compared))


def check(text: str) -> Page:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert page.outside == []
    assert set(page.links) <= {f"#{name}" for name in page.ids}
    return page


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


def test_a_page_of_twelve_searchers_is_complete() -> None:
    found = document()
    text = render_bench(found)
    page = check(text)
    assert page.sections == [
        "test, points",
        "Difference to random",
        "Over queries",
        "Queries to the optimum",
        "Where the queries came from",
        "Time of a trial",
    ]
    assert page.blocks["data"] == json.loads(json.dumps(found))
    assert text.count("<svg") == 3
    shown = text.partition('<script type="application/json"')[0]
    assert "surrogate" not in shown
    assert "mutation &lt;&amp;&gt;" in shown
    assert "mutation <&>" not in shown


def test_the_tables_say_what_the_document_says() -> None:
    found = document(["random", "evolution"])
    text = render_bench(found)
    decimals = decimals_of(found["searchers"][name]["ci95"][i] for name in ("random", "evolution") for i in (1, 3))
    own = found["searchers"]["evolution"]
    assert interval(own["mean_report_metric"][3], own["ci95"][3], decimals) in text
    pair = found["paired"]["evolution"]
    assert f"{pair['better'][3]} · {pair['equal'][3]} · {pair['worse'][3]}" in text
    assert f"{own['optimum_found']} of 5" in text


def test_every_searcher_is_named_at_its_curve() -> None:
    found = document()
    for svg in (regret_chart(found, "report_regret"), regret_chart(found, "search_regret"), found_chart(found)):
        assert svg is not None
        assert set(NAMES) <= set(words(svg))
    alone = regret_chart(found, "report_regret", alone=True)
    assert alone is not None
    assert "cube, 5 trials" in words(alone)


def test_one_searcher_and_one_metric_are_enough() -> None:
    compared = Comparison(cube(), "score", "score", {"evolution": Settings()}, 7, 1)
    found = summarise_trials(compared, trials_of(compared))
    page = check(render_bench(found))
    assert "Difference to random" not in page.sections
    assert "evolution on cube" in render_bench(found)


def test_goal_min_turns_regret_and_words() -> None:
    high, low = document(["random", "evolution"]), document(["random", "evolution"], table=cube("min"))
    assert "below zero is worse" in render_bench(high)
    assert "below zero is better" in render_bench(low)
    for found in (high, low):
        for searcher in found["searchers"].values():
            for which in ("report_regret", "search_regret"):
                for mean, (least, most) in zip(searcher[which]["mean"], searcher[which]["ci95"], strict=True):
                    assert 0 <= least <= mean <= most


def test_searchers_that_found_nothing_do_not_break_the_page() -> None:
    compared = comparison(["random", "evolution"], trials=1)
    trials = [
        compared.at_checkpoints(SearchTrial(name, 0, [], [], 0, None, 0.0, 0.0, {}, []))
        for name in ("random", "evolution")
    ]
    found = summarise_trials(compared, trials)
    assert regret_chart(found, "report_regret") is None
    assert found_chart(found) is None
    assert "Over queries" not in check(render_bench(found)).sections


def test_a_surrogate_says_so_everywhere(tmp_path: Path) -> None:
    compared = comparison(["random", "evolution"], table=surrogate_cube())
    trials = trials_of(compared)
    write_bench(summarise_trials(compared, trials), trials, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"bench.json", "trials.csv", "report.html", "regret.svg"}
    for name in names:
        assert "surrogate" in (tmp_path / name).read_text(encoding="utf-8"), name


def test_files_hold_every_trial(tmp_path: Path) -> None:
    compared = comparison(["random", "evolution"], noise="mean")
    trials = trials_of(compared)
    found = summarise_trials(compared, trials)
    write_bench(found, trials, tmp_path)
    assert json.loads((tmp_path / "bench.json").read_text()) == json.loads(json.dumps(found))
    with (tmp_path / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["searcher"], int(row["trial"])) for row in rows] == [(t.searcher, t.trial) for t in trials]
    assert [float(row["report_metric@40"]) for row in rows] == [t.report_metric[-1] for t in trials]
    assert [row["queries_to_optimum"] or None for row in rows] == [
        None if t.queries_to_optimum is None else str(t.queries_to_optimum) for t in trials
    ]
    ET.parse(tmp_path / "regret.svg")
    with pytest.raises(NotWrittenError, match=r"bench\.json"):
        write_bench(found, trials, tmp_path / "none")


def test_noise_is_said() -> None:
    found = document(["random", "evolution"]) | {"noise": "repeat", "unit": ""}
    assert "one repeat seen a query" in render_bench(found)


# Curves.


def test_styles_differ_and_stay() -> None:
    look = styles(NAMES, "random")
    assert len({(style.colour, str(style.dashes)) for style in look.values()}) == len(NAMES)
    assert look["nao"].width > look["evolution"].width
    assert styles(["nao", "random"], "random")["random"] == look["random"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=16))
def test_names_are_spread_without_changing_their_order(heights: list[float]) -> None:
    gap = 0.06
    placed = spread(sorted(heights), gap)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(placed))
    assert placed[0] >= -1e-9
    assert placed[-1] <= 1


def test_nothing_left_to_regret_lies_at_the_foot() -> None:
    kinds = {
        "log_y": {"a": Curve([1, 2, 3], [1.0, 0.1, 0.0], [[0.5, 2.0], None, [0.0, 0.0]])},
        "one point": {"a": Curve([1], [1.0], [[0.5, 2.0]]), "b": Curve([1], [None], [None])},
        "all zero": {"a": Curve([1, 2], [0.0, 0.0])},
    }
    texts = {}
    for kind, curves in kinds.items():
        svg = curves_chart("x", "y", curves, x_label="q", y_label="r", log_x=True, log_y=True)
        assert svg is not None
        texts[kind] = words(svg)
        assert "a" in texts[kind]
    assert {"0", "0.1", "1"} <= set(texts["log_y"])
    assert "b" not in texts["one point"]
    assert not re.search(r"\$|mathdefault", " ".join(t for found in texts.values() for t in found))
    assert curves_chart("x", "y", {"a": Curve([1], [None])}, x_label="q", y_label="r") is None


@pytest.mark.parametrize(
    ("intervals", "decimals"),
    [([], 3), ([None, [1.0, 1.0]], 3), ([[0.0, 0.13]], 2), ([[0.0, 12.0]], 0), ([[0.0, 1e-9]], 6), ([[5, 5.9]], 2)],
)
def test_decimals_show_two_digits_of_an_interval(intervals: list[list[float] | None], decimals: int) -> None:
    assert decimals_of(intervals) == decimals


def test_intervals_are_written_alike() -> None:
    assert interval(None, None, 2) == "\u2013"
    assert interval(1.234, [1.0, 2.0], 2) == "1.23 [1.00, 2.00]"
    assert interval(0.5, [-0.25, 1.0], 1, sign=True) == "+0.5 [-0.2, +1.0]"


# Quality.


def quality_document(table: Table | None = None, models: tuple[str, ...] = ("boosted-trees", "nao")) -> dict[str, Any]:
    study = QualityStudy(table or cube(), "score", models, [20, 60], 3)
    trials = []
    for name in models:
        for size in (20, 60):
            for k in range(3):
                measures: dict[str, float | None] = {
                    "kendall_tau": 0.5 + size / 200 + k / 100, "precision_at_50": None if size == 60 else 0.4,
                    "best_rank_at_10": 1.0 + k, "fit_seconds": 0.1,
                }  # fmt: skip
                measures |= {"exact_match": 1.0, "hamming": 0.0} if name == "nao" else {}
                trials.append(QualityTrial(name, size, k, measures))
    return summarise_quality(study, trials)


def test_a_page_of_models_is_complete(tmp_path: Path) -> None:
    found = quality_document()
    write_quality(found, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = check(text)
    assert page.sections == ["Measures", "Difference to boosted-trees", "Over training architectures"]
    assert page.blocks["data"] == json.loads((tmp_path / "quality.json").read_text()) == json.loads(json.dumps(found))
    assert text.count("<svg") == 6
    svg = quality_curves(found, "exact_match")
    assert svg is not None
    assert "nao" in words(svg)
    assert "boosted-trees" not in words(svg)
    assert quality_curves(found, "spearman") is None


def test_a_page_of_one_model_on_a_surrogate_with_repeats() -> None:
    table = surrogate_cube()
    noisy = dataclasses.replace(table, metrics={**table.metrics, "score": table.tokens @ [[10.0, 9], [5, 6], [1, 0]]})
    text = render_quality(quality_document(noisy, ("nao",)))
    assert check(text).sections == ["Measures", "Over training architectures"]
    assert "surrogate" in text
    assert "perfect predictor" in text
