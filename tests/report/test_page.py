"""The report's page: complete, self-contained, and never broken by what it shows."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from naopt.errors import InputError
from naopt.report import write_report
from naopt.report.charts import (
    origin_colours,
    prediction_chart,
    quality_chart,
    rounds_chart,
    trajectory_chart,
)
from naopt.report.elements import duration, number
from naopt.report.page import render
from naopt.report.readme_figure import main, readme_figure
from naopt.run.record import RunRecord
from naopt.spaces import ConvCellSpace, GenericSpace, NASBench201Space, Position
from tests.report.runs import make_run

VOID = {"meta", "br", "wbr", "link", "img", "input"}


class Page(HTMLParser):
    """Checks nesting and unique ids; collects sections, scripts and table rows."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.rows: list[str] = []
        self.outside: list[str] = []
        self.links: list[str] = []
        self.sections: list[str] = []
        self.blocks: dict[str, Any] = {}
        self._block = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.rows += [values["id"]] if "data-picture" in values else []
        self.outside += [v for k, v in values.items() if k in ("src", "href", "xlink:href") and not v.startswith("#")]
        self.links += [v for k, v in values.items() if k in ("href", "xlink:href") and v.startswith("#")]
        self._block = values.get("id", "") if values.get("type") == "application/json" else ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._block:
            self.blocks[self._block] = json.loads(data)
            self._block = ""
        elif self.open[-1:] == ["h2"]:
            self.sections.append(data)


def check(record: RunRecord, against: RunRecord | None = None) -> Page:
    text = render(record, against)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert page.outside == []
    assert set(page.links) <= {f"#{name}" for name in page.ids}
    assert not re.search(r"@import|url\((?!#)", text)
    assert len(page.rows) == len(page.blocks["pictures"]) == len(page.blocks["data"]["trials"])
    for picture in page.blocks["pictures"]:
        ET.fromstring(picture)
    for svg in re.findall(r"<svg.*?</svg>", text.split('<script type="application/json"')[0], re.DOTALL):
        ET.fromstring(svg)
    return page


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return make_run()


def test_a_run_with_everything(record: RunRecord) -> None:
    page = check(record, make_run(searcher="random", seed=1))
    assert page.sections == [
        "Best architecture", "The search", "Where the queries came from", "Rounds", "Cost", "Failures",
        "All architectures", "Configuration",
    ]  # fmt: skip
    data = page.blocks["data"]
    best = record.best()
    assert best is not None
    assert data["best"] == best.index
    assert data["trajectory"] == record.trajectory()
    assert len(data["against"]) == 30
    assert [r["hamming"] for r in data["rounds"][1:]] == [3.0, 1.5]
    assert data["trials"][2]["reason"] == "loss is <nan> & stays so"
    assert {o["origin"]: o["queries"] for o in data["origins"]} == {"random": 10, "refill": 4, "ascent": 16}


def test_it_shows_the_best_cell_where_it_came_from_and_the_settings(record: RunRecord) -> None:
    text = render(record)
    best = record.best()
    assert best is not None
    assert best.origin == "ascent"
    assert best.text in text.replace("<wbr>", "")
    assert "found by moving uphill in the learned space, from <a href=" in text
    for word in ("searcher.seeds", "training.epochs", "torch", "2.9", "2026-01-02T03:04:05", "200"):
        assert word in text
    assert "loss is &lt;nan&gt; &amp; stays so" in text


def test_it_is_the_same_each_time() -> None:
    assert render(make_run(count=12)) == render(make_run(count=12))


def test_an_unfinished_run_says_so() -> None:
    record = make_run(count=6, budget=20)
    text = render(replace(record, trials=[*record.trials[:4], replace(record.trials[4], measurement=None)]))
    assert "This run is not finished: 4 of 20" in text
    assert len(Page(text).rows) == 4
    assert "not finished" not in render(make_run(count=6))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_runs(count: int) -> None:
    page = check(make_run(count=count, failures=0, budget=5))
    assert len(page.rows) == count


def test_all_failed() -> None:
    record = make_run(count=5, failures=0)
    failed = make_run(count=5, failures=5).trials[2]
    record = replace(record, rounds=[{}], trials=[replace(t, measurement=failed.measurement) for t in record.trials])
    page = check(record)
    assert "The search" not in page.sections
    assert page.blocks["data"]["trajectory"] == [None] * 5
    assert "No evaluation has ended well yet" in render(record)
    against = make_run(count=5)
    assert "The search" not in check(record, against).sections


def test_a_comparison_that_found_nothing_is_no_curve(record: RunRecord) -> None:
    chart = trajectory_chart(record, replace(record, trials=[]))
    assert chart is not None
    assert "other run" not in chart


def test_a_metric_to_minimise() -> None:
    record = make_run(goal="min")
    data = check(record).blocks["data"]
    assert data["trajectory"] == sorted(data["trajectory"], reverse=True)
    assert "lower is better" in render(record)


def test_a_searcher_that_logs_nothing() -> None:
    record = make_run(searcher="random")
    page = check(record)
    assert "Rounds" not in page.sections
    assert quality_chart(record) is None
    assert prediction_chart(record) is None
    assert rounds_chart(record) is not None


@pytest.mark.parametrize("kept", ["pairwise_accuracy", "hamming"])
def test_quality_with_only_one_of_its_two_curves(record: RunRecord, kept: str) -> None:
    rounds = [{key: value for key, value in log.items() if key in ("train_size", kept)} for log in record.rounds]
    chart = quality_chart(replace(record, rounds=rounds))
    assert chart is not None
    assert ("Hamming" in chart) == (kept == "hamming")
    assert ("pairwise" in chart) == (kept == "pairwise_accuracy")


def test_hostile_names_stay_text() -> None:
    nasty = "</script><!--<script>&\"'$x$"
    space = GenericSpace([Position(nasty, (nasty, "b")), Position("n", tuple(map(str, range(9))))], nasty)
    record = make_run(space, 12, metric=nasty)
    page = check(record, make_run(space, 12, metric=nasty, searcher="random"))
    assert page.blocks["data"]["metric"] == nasty
    assert page.blocks["data"]["space"] == nasty


def test_other_spaces_and_other_origins() -> None:
    record = make_run(NASBench201Space(), 20)
    trials = [replace(trial, origin=f"kind<{trial.index % 6}>") for trial in record.trials]
    page = check(replace(record, trials=trials))
    assert len(page.blocks["data"]["origins"]) == 6
    assert len(set(origin_colours([f"kind{i}" for i in range(4)]).values())) == 7


def test_one_measured_value_for_all() -> None:
    record = make_run(count=20, failures=0)
    value = record.trials[0].measurement
    record = replace(record, trials=[replace(t, measurement=value, predicted=None) for t in record.trials])
    check(record)
    constant = replace(record, trials=[replace(t, predicted=1.0) for t in record.trials])
    assert "; Kendall tau" not in render(constant)
    assert "; Kendall tau" in render(make_run())


def test_charts_hold_no_ids_in_common(record: RunRecord) -> None:
    charts = [chart(record) for chart in (trajectory_chart, prediction_chart, quality_chart, rounds_chart)]
    ids = [name for chart in charts for name in re.findall(r' id="([^"]+)"', chart or "")]
    assert len(ids) == len(set(ids)) > 40
    for chart in charts:
        assert chart is not None
        used = set(re.findall(r"url\(#([^)]+)\)", chart)) | {
            name for name in re.findall(r'href="#([^"]+)"', chart) if not re.fullmatch(r"a\d+", name)
        }
        assert used <= set(ids)


def test_outliers_leave_the_trajectory_readable(record: RunRecord) -> None:
    assert record.trials[0].measurement is not None
    metrics = {**record.trials[0].measurement.metrics, "valid_accuracy": -1e9}
    broken = replace(record.trials[0], measurement=replace(record.trials[0].measurement, metrics=metrics))
    trials = [*record.trials[1:12], broken, *record.trials[12:]]
    chart = trajectory_chart(replace(record, trials=trials))
    assert chart is not None
    assert "1e9" not in chart
    ticks = [float(text) for text in re.findall(r">(\d+(?:\.\d+)?)</text>", chart)]
    assert max(ticks) < 200


def test_the_page_stays_small() -> None:
    """A thousand two-cell architectures in 8 MB; what does not grow with them is counted as if it did."""
    assert len(render(make_run(ConvCellSpace(), 150)).encode()) < 150 * 8_000 + 100_000


def test_two_runs_of_different_metrics_are_not_compared(record: RunRecord) -> None:
    with pytest.raises(InputError, match="optimises loss"):
        render(record, make_run(metric="loss", goal="min"))


def test_write_report_replaces_the_file(record: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(record, path)
    assert Page(path.read_text(encoding="utf-8")).blocks["data"]["budget"] == 30


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"), (97.12345, "97.123"), (5, "5"), (144_600_000.0, "144,600,000"), (1e-7, "1e-07"), (0.0, "0"),
        (1e20, "1e+20"),
    ],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(None, "\u2013"), (3.456, "3.46 s"), (600, "10.0 min"), (9000, "2.5 h")])
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_readme_figure(record: RunRecord) -> None:
    root = ET.fromstring(readme_figure(record, make_run(searcher="random")))
    chart, cell = list(root)
    right_of_chart = float(chart.attrib["x"]) + float(chart.attrib["width"])
    assert float(cell.attrib["x"]) > right_of_chart
    assert float(cell.attrib["x"]) + float(cell.attrib["width"]) == float(root.attrib["width"])
    with pytest.raises(InputError, match="ended well"):
        readme_figure(replace(record, trials=[]))


@pytest.fixture
def stored(record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where every run but ``missing`` is the record."""

    def load(path: Path) -> RunRecord:
        if path.name == "missing":
            raise InputError("run", str(path), "is missing")
        return record

    monkeypatch.setattr("naopt.run.record.load_run", load)
    return tmp_path


def test_readme_figure_as_a_program(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = stored / "figure.svg"
    assert main([str(stored / "a"), str(stored / "b"), str(out)]) == 0
    ET.parse(out)
    assert main([str(stored / "a")]) == 2
    assert "usage:" in capsys.readouterr().err
    assert main([str(stored / "missing"), str(out)]) == 2
    assert main([str(stored / "a"), str(stored / "no" / "folder.svg")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
