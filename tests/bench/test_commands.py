import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from naopt.bench import comparison, quality
from naopt.cli.app import run
from naopt.tables import save_table
from tests.bench.stubs import cube, run_inline

pytestmark = pytest.mark.usefixtures("stub_searchers")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "run_jobs", run_inline)
    monkeypatch.setattr(quality, "run_jobs", run_inline)


@pytest.fixture
def file(tmp_path: Path) -> str:
    save_table(cube(), tmp_path / "cube.npz")
    return str(tmp_path / "cube.npz")


def bench(file: str, *more: str) -> list[str]:
    return ["bench", "--table", file, "--metric", "score", "--report-metric", "test", "--searchers", "line,random",
            "--budget", "25", "--trials", "2", *more]  # fmt: skip


def quality_of(file: str, *more: str) -> list[str]:
    return ["quality", "--table", file, "--metric", "score", "--models", "boosted-trees", "--train-sizes", "20,60",
            "--trials", "2", *more]  # fmt: skip


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_bench_as_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bench(file, "--json", "--set", "line.stop_after=20")) == 0
    found = document(capsys)
    assert found["checkpoints"] == [10, 20, 25]
    line = found["searchers"]["line"]
    assert line["mean_report_metric"] == [109, 119, 119]
    assert line["std"] == [0, 0, 0]
    assert line["ci95"] == [[109, 109], [119, 119], [119, 119]]
    assert line["queries_to_optimum"] == [None, None]
    assert len(line["seconds_per_trial"]) == 2
    assert found["paired"]["line"]["against"] == "random"


def test_bench_in_words(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bench(file)) == 0
    out = capsys.readouterr().out
    assert "cube: test (points) of the architecture selected by score" in out
    assert "124 [124, 124]" in out
    assert "0/2" in out
    assert "line against random after 25 queries" in out


def test_bench_by_one_metric_that_nothing_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(cube(missing=range(10)), tmp_path / "t.npz")
    arguments = ["bench", "--table", str(tmp_path / "t.npz"), "--metric", "score", "--searchers", "line"]
    assert run([*arguments, "--budget", "10", "--trials", "1"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("line")]
    assert line.split()[:2] == ["line", "-"]


def test_bench_goes_on_from_what_is_there(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int]] = []
    whole = comparison.run_trial
    limit = 3

    def stopped(compared: comparison.Comparison, name: str, trial: int) -> comparison.SearchTrial:
        if len(calls) == limit:
            raise KeyboardInterrupt
        calls.append((name, trial))
        return whole(compared, name, trial)

    monkeypatch.setattr(comparison, "run_trial", stopped)
    assert run(bench(file, "--out", str(tmp_path / "out"), "--json")) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the same command goes on" in captured.err
    limit = 99
    assert run(bench(file, "--out", str(tmp_path / "out"), "--json")) == 0
    assert sorted(calls) == [("line", 0), ("line", 1), ("random", 0), ("random", 1)]
    resumed = document(capsys)
    assert run(bench(file, "--json")) == 0
    direct = document(capsys)
    for found in (resumed, direct):
        for searcher in found["searchers"].values():
            del searcher["seconds_per_trial"], searcher["searcher_seconds_per_trial"]
    assert resumed == direct
    assert run(bench(file, "--out", str(tmp_path / "out"), "--seed", "1")) == 2
    assert "made with seed 0" in capsys.readouterr().err


def test_what_was_not_kept_is_said(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "run_trial", stop)
    monkeypatch.setattr(quality, "measure_model", stop)
    assert run(bench(file)) == 1
    assert "with --out DIR" in capsys.readouterr().err
    assert run(quality_of(file)) == 1
    assert "naopt: stopped" in capsys.readouterr().err


def test_quality_as_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(quality_of(file, "--held-out", "30", "--json")) == 0
    found = document(capsys)
    assert set(found["models"]["boosted-trees"]) == {"20", "60"}
    assert len(found["models"]["boosted-trees"]["60"]["kendall_tau"]["trials"]) == 2
    assert found["ceiling"] is None


def test_quality_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = cube()
    noisy = replace(whole, metrics={**whole.metrics, "score": whole.tokens @ [[10.0, 9], [5, 6], [1, 0]]})
    save_table(noisy, tmp_path / "t.npz")
    assert run(quality_of(str(tmp_path / "t.npz"))) == 0
    out = capsys.readouterr().out
    assert "boosted-trees" in out
    assert "kendall tau" in out
    assert "ceiling by the table's repeats" in out


@pytest.mark.parametrize(
    ("command", "more", "rule"),
    [
        (bench, ["--budget", "0"], "budget '0'"),
        (bench, ["--searchers", "rondom"], "did you mean 'random'"),
        (bench, ["--table", "none.npz"], "no such file"),
        (bench, ["--set", "line.stepp=1"], "did you mean 'step'"),
        (quality_of, ["--train-sizes", "20,many"], "--train-sizes 'many': must be a whole number"),
        (quality_of, ["--train-sizes", "200"], "table cube has 125 rows"),
        (quality_of, ["--models", "boosted-tree"], "did you mean 'boosted-trees'"),
    ],
)
def test_bad_input_is_one_line(
    command: Any, more: list[str], rule: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(file, *more)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert rule in captured.err
    assert len(captured.err.splitlines()) == 1
