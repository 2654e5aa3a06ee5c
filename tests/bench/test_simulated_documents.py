"""What is made of searches with simulated workers: documents, folders, pages, the command."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from naopt.bench import (
    Crew,
    Journal,
    compare,
    run_trial,
    searches,
    summarise_trials,
)
from naopt.bench.crews import ALONE
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.report.bench_page import render_bench, write_bench
from naopt.tables import save_table
from tests.bench.simulated import simulated, timed, timing
from tests.bench.stubs import run_inline

pytestmark = pytest.mark.usefixtures("stub_searchers")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "run_jobs", run_inline)


def test_documents_compare_at_equal_wall_time() -> None:
    compared = simulated((1, 4), names=("line", "random"))
    found = summarise_trials(compared, compare(compared))
    assert found["searchers"]["line"]["queries_per_trial"] == [21, 21]
    own = found["simulated"]
    assert (own["durations"], own["unit"], own["workers"], own["schedules"]) == (
        "minutes", "min", [1, 4], ["rounds", "async"]
    )  # fmt: skip
    walls = [np.mean(one["wall_per_trial"]) for searcher in own["searchers"].values() for one in searcher["4"].values()]
    assert own["wall"]["4"][-1] == pytest.approx(min(walls))
    assert own["wall"]["4"][4] == pytest.approx(min(walls) / 2)
    line = own["searchers"]["line"]["4"]
    assert line["async"]["busy_before_last"]["mean"] == pytest.approx(1)
    assert line["rounds"]["busy"]["mean"] < line["async"]["busy"]["mean"] < 1
    assert len(line["async"]["mean_report_metric"]) == len(own["fractions"]) == 10
    pair = own["paired"]["line"]["4"]
    assert pair["against"] == "rounds"
    assert pair["mean_difference"][-1] == pytest.approx(
        line["async"]["mean_report_metric"][-1] - line["rounds"]["mean_report_metric"][-1]
    )
    assert sum(pair["better"]) > 0
    assert sum(pair["worse"]) == 0


def test_queries_are_compared_with_those_of_one_worker() -> None:
    compared = simulated((4,), budget=125, schedules=("async",))
    found = summarise_trials(compared, compare(compared))
    own = found["simulated"]["searchers"]["line"]["4"]["async"]
    assert own["query_ratio"] == own["median_queries_to_optimum"] / 125
    assert own["optimum_found"] == 2
    assert own["median_wall_to_optimum"] <= own["wall_per_trial"][0]
    assert found["simulated"]["paired"] == {"line": {}}


def test_where_all_begin_at_once_nothing_is_said_of_the_time_before() -> None:
    compared = simulated((64,), schedules=("async",))
    own = summarise_trials(compared, compare(compared))["simulated"]["searchers"]["line"]["64"]["async"]
    assert own["busy_before_last"] is None
    assert own["busy"]["mean"] < 0.5


def test_comparisons_with_a_simulation_can_be_packed() -> None:
    compared = simulated()
    again = pickle.loads(pickle.dumps(compared))
    assert again.crews == compared.crews == [ALONE, Crew(4), Crew(4, "async")]
    crew = Crew(4, "async")
    assert timing(run_trial(again, "line", 1, crew)) == timing(run_trial(compared, "line", 1, crew))


def test_trials_come_back_and_crews_may_join(tmp_path: Path) -> None:
    compared = simulated()
    journal = Journal(tmp_path, compared)
    trials = compare(compared, on_trial=journal.append)
    again = Journal(tmp_path, simulated((4, 8), schedules=("async",))).trials
    assert sorted(again, key=str) == sorted(trials, key=str)
    with pytest.raises(InputError, match="made with durations minutes, not lognormal:1:1"):
        Journal(tmp_path, simulated(durations="lognormal:1"))
    with pytest.raises(InputError, match="made with durations minutes, not None"):
        Journal(tmp_path, dataclasses.replace(compared, simulation=None))


def test_a_folder_of_an_older_version_is_one_without_simulation(tmp_path: Path) -> None:
    ordinary = dataclasses.replace(simulated(), simulation=None)
    journal = Journal(tmp_path, ordinary)
    journal.append(run_trial(ordinary, "line", 0))
    lines = tmp_path / "trials.jsonl"
    old = {k: v for k, v in json.loads(lines.read_text()).items() if k not in ("crew", "timing")}
    lines.write_text(json.dumps(old) + "\n")
    settings = json.loads((tmp_path / "settings.json").read_text())
    del settings["durations"]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    (found,) = Journal(tmp_path, ordinary).trials
    assert (found.crew, found.timing) == (ALONE, None)
    assert summarise_trials(dataclasses.replace(ordinary, trials=1), [found])["simulated"] is None


def test_the_page_has_a_section_and_a_curve_for_each_search(tmp_path: Path) -> None:
    compared = simulated((4,), names=("line", "random"))
    trials = compare(compared)
    found = summarise_trials(compared, trials)
    page = render_bench(found)
    assert "Simulated workers" in page
    assert "async less rounds at equal wall time" in page
    for name in ("line, rounds", "line, async", "random, rounds", "random, async"):
        assert name in page
    assert "simulated wall time (min)" in page
    assert "Simulated workers" not in render_bench({**found, "simulated": None})
    write_bench(found, trials, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "simulated.csv").read_text())))
    assert len(rows) == 2 * 2 * 2
    assert {(row["workers"], row["schedule"]) for row in rows} == {("4", "rounds"), ("4", "async")}
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 1 + 2 * 2
    one = summarise_trials(simulated(schedules=("async",)), [t for t in trials if t.searcher == "line"])
    assert "async less rounds" not in render_bench(one)


@pytest.fixture
def file(tmp_path: Path) -> str:
    save_table(timed(), tmp_path / "cube.npz")
    return str(tmp_path / "cube.npz")


def command(file: str, *more: str) -> list[str]:
    return ["bench", "--table", file, "--metric", "score", "--report-metric", "test", "--searchers", "line,random",
            "--budget", "25", "--trials", "2", *more]  # fmt: skip


def test_bench_says_how_busy_workers_are(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(file, "--workers-simulated", "1,4", "--durations", "minutes")) == 0
    out = capsys.readouterr().out
    assert "simulated workers, durations minutes" in out
    assert "line with 4 workers, async against rounds at equal wall time" in out
    assert "random with 1 worker, async" in out
    (row,) = [line.split() for line in out.splitlines() if line.split()[:3] == ["line", "4", "async"]]
    assert "100.0" in row


def test_bench_goes_on_with_other_workers(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("--out", str(tmp_path / "out"), "--durations", "lognormal:0.5", "--json")
    assert run(command(file, *out, "--workers-simulated", "2", "--schedule", "async")) == 0
    few = json.loads(capsys.readouterr().out)["simulated"]
    assert run(command(file, *out, "--workers-simulated", "2,3", "--batch", "workers")) == 0
    more = json.loads(capsys.readouterr().out)["simulated"]
    assert len((tmp_path / "out" / "trials.jsonl").read_text().splitlines()) == 2 * 2 * (2 + 3)
    assert more["searchers"]["line"]["3"]["rounds"]["batch"] == 3
    for name in ("line", "random"):
        then, now = (found["searchers"][name]["2"]["async"] for found in (few, more))
        assert then["wall_per_trial"] == now["wall_per_trial"]


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        (["--durations", "minutes"], "--durations 'minutes': is for simulated workers"),
        (["--schedule", "async"], "needs --workers-simulated"),
        (["--batch", "4"], "needs --workers-simulated"),
        (["--workers-simulated", "4"], "needs --durations"),
        (["--workers-simulated", "4,x", "--durations", "minutes"], "'x': must be whole numbers"),
        (["--workers-simulated", "4", "--durations", "minutes", "--batch", "x"], "a whole number, or workers"),
        (["--workers-simulated", "4", "--durations", "minutes", "--schedule", "asink"], "did you mean 'async'"),
    ],
)
def test_bad_options_are_one_line(more: list[str], rule: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(file, *more)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert rule in captured.err
    assert len(captured.err.splitlines()) == 1
