import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from naopt.bench import Comparison, Crew, JobError, SearchTrial, quality, searches
from naopt.cli.app import run
from naopt.cli.study import own_folder, progress
from naopt.latent import models
from naopt.tables import save_table
from tests.bench.stubs import cube, run_inline, surrogate_cube

pytestmark = pytest.mark.usefixtures("stub_searchers")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "run_jobs", run_inline)
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
    return json_and_lines(capsys)[0]


def json_and_lines(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    out, err = capsys.readouterr()
    found: dict[str, Any] = json.loads(out)
    return found, err


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


def test_bench_compares_settings_of_one_searcher(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its own, those of all that have the key, and those of its name; its own win."""
    competitors = ["evolution", "evolution:population=5,sample=2", "evolution:population=12"]
    options = ["--searchers", ",".join(competitors), "--set", "population=7", "--set", "evolution.sample=3"]
    assert run(bench(file, *options, "--against", competitors[1], "--json")) == 0
    found = document(capsys)
    assert list(found["searchers"]) == competitors
    assert [(one["settings"]["population"], one["settings"]["sample"]) for one in found["searchers"].values()] == [
        (7, 3),
        (5, 2),
        (12, 3),
    ]
    assert list(found["paired"]) == [competitors[0], competitors[2]]
    for wrong, line in (
        ("evolution:size=3", "unknown"),
        ("evolution:population=0", "greater than or equal"),
        ("evolution:population", "KEY=VALUE"),
        ("nobody:population=3", "unknown"),
        ("random,random", "none twice"),
    ):
        assert run(bench(file, "--searchers", wrong)) == 2
        assert line in capsys.readouterr().err


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
    whole = searches.run_trial
    limit = 3

    def stopped(compared: Comparison, name: str, trial: int, crew: Crew) -> SearchTrial:
        if len(calls) == limit:
            raise KeyboardInterrupt
        calls.append((name, trial))
        return whole(compared, name, trial, crew)

    monkeypatch.setattr(searches, "run_trial", stopped)
    assert run(bench(file, "--out", str(tmp_path / "out"), "--json")) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the same command goes on" in captured.err
    limit = 99
    assert run(bench(file, "--out", str(tmp_path / "out"), "--json")) == 0
    assert sorted(calls) == [("line", 0), ("line", 1), ("random", 0), ("random", 1)]
    resumed, said = json_and_lines(capsys)
    assert said == "3 of 4 trials were made before, with the same settings and code\n"
    assert run(bench(file, "--json")) == 0
    direct = document(capsys)
    for found in (resumed, direct):
        for searcher in found["searchers"].values():
            del searcher["seconds_per_trial"], searcher["searcher_seconds_per_trial"]
    assert resumed == direct
    assert run(bench(file, "--out", str(tmp_path / "out"), "--seed", "1")) == 2
    assert "made with seed 0, not 1; choose another folder, or make them again with --force" in capsys.readouterr().err
    assert run(bench(file, "--out", str(tmp_path / "out"), "--seed", "1", "--force", "--json")) == 0
    _, said = json_and_lines(capsys)
    assert said == "4 trials were made with other settings or other code, and are made again\n"
    assert len(calls) == 12


def test_what_was_not_kept_is_said(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(searches, "run_trial", stop)
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


def test_bench_against_another_searcher_with_finer_checkpoints(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", str(tmp_path / "out"))
    assert run(bench(file, *out, "--json")) == 0
    coarse = document(capsys)
    assert run(bench(file, *out, "--json", "--against", "line", "--every", "5")) == 0
    fine = document(capsys)
    assert fine["checkpoints"] == [5, 10, 15, 20, 25]
    assert fine["against"] == fine["paired"]["random"]["against"] == "line"
    assert list(fine["paired"]) == ["random"]
    for name, searcher in coarse["searchers"].items():
        means = fine["searchers"][name]["mean_report_metric"]
        assert [means[1], means[3], means[4]] == searcher["mean_report_metric"]
    turned = fine["paired"]["random"]["mean_difference"][-1]
    assert turned == pytest.approx(-coarse["paired"]["line"]["mean_difference"][-1])
    kept = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    assert kept == fine
    assert "Difference to line" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_bench_says_what_queries_came_from_and_when_the_optimum_was_found(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*bench(file), "--budget", "125"]) == 0
    out = capsys.readouterr().out
    assert "queries of line: first 14 (14 improved), later 236 (116 improved)" in out
    assert "125 [125, 125]" in out
    assert "equal 2" in out


def test_a_failed_trial_is_named_and_the_others_are_kept(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searches.run_trial

    def fails(compared: Comparison, name: str, trial: int, crew: Crew) -> SearchTrial:
        if (name, trial) == ("random", 1):
            raise JobError(f"searcher {name}, trial {trial}: KeyError: 'no idea'")
        return whole(compared, name, trial, crew)

    monkeypatch.setattr(searches, "run_trial", fails)
    assert run(bench(file, "--out", str(tmp_path / "out"))) == 1
    err = capsys.readouterr().err
    assert err == "naopt: searcher random, trial 1: KeyError: 'no idea'; the trials that ended are kept\n"
    assert len((tmp_path / "out" / "trials.jsonl").read_text().splitlines()) == 3
    assert run(bench(file)) == 1
    assert capsys.readouterr().err == "naopt: searcher random, trial 1: KeyError: 'no idea'\n"


def test_a_surrogate_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(surrogate_cube(), tmp_path / "t.npz")
    for command in (bench, quality_of):
        assert run(command(str(tmp_path / "t.npz"))) == 0
        out = capsys.readouterr().out
        assert (
            "score is a surrogate's (gbdt) in 25 of 125 rows; on rows that it was not fitted to, Kendall tau 0.800"
            in out
        )


def test_quality_goes_on_from_what_is_there(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    whole = quality.measure_model

    def counted(study: quality.QualityStudy, name: str, size: int, trial: int) -> dict[str, float]:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append((size, trial))
        return whole(study, name, size, trial)

    monkeypatch.setattr(quality, "measure_model", counted)
    out = ("--out", str(tmp_path / "out"))
    assert run(quality_of(file, *out)) == 3
    assert "the same command goes on" in capsys.readouterr().err
    calls.clear()
    assert run(quality_of(file, *out, "--json")) == 0
    assert calls == [(60, 1)]
    found = document(capsys)
    assert json.loads((tmp_path / "out" / "quality.json").read_text(encoding="utf-8")) == found
    assert (tmp_path / "out" / "report.html").exists()
    assert run(quality_of(file, *out, "--seed", "1")) == 2
    assert "made with seed 0" in capsys.readouterr().err


def test_quality_compares_models(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_objects", {**models._objects, "twin": models.get("boosted-trees")})
    assert run(quality_of(file, "--models", "boosted-trees,twin", "--train-sizes", "20")) == 0
    out = capsys.readouterr().out
    assert "twin against boosted-trees, trained on 20: Kendall tau +0.0000 [+0.0000, +0.0000]" in out
    assert "better 0, equal 2, worse 0" in out
    assert "hamming" not in out


def test_quality_compares_settings_of_one_model(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    quick = "epochs=1,min_steps=1,hidden_size=8,embedding_size=4"
    some = f"paper:{quick},augmentation=none,paper:{quick},boosted-trees"
    names = [f"paper:{quick},augmentation=none", f"paper:{quick}", "boosted-trees"]
    assert run(quality_of(file, "--models", some, "--train-sizes", "20", "--against", names[0], "--json")) == 0
    found = document(capsys)
    assert list(found["models"]) == names
    assert list(found["paired"]) == names[1:]


def test_settings_may_be_lists(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    joint = "nao:preset=joint,predictor_layers=[3,4],max_steps=1,pretraining_steps=1"
    assert run(bench(file, "--searchers", f"{joint},random", "--budget", "4", "--json")) == 0
    found = document(capsys)["searchers"]
    assert list(found) == [joint, "random"]
    assert found[joint]["settings"]["predictor_layers"] == [3, 4]
    model = "paper:epochs=1,min_steps=1,predictor_layers=[3,4]"
    assert run(quality_of(file, "--models", model, "--train-sizes", "20", "--json")) == 0
    assert list(document(capsys)["models"]) == [model]


def test_a_folder_belongs_to_one_process(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with own_folder(out):
        assert run(bench(file, "--out", str(out))) == 2
    assert "is being written by another process" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run(bench(file, "--out", str(tmp_path / "file"))) == 2
    assert "--out" in capsys.readouterr().err


def test_progress_says_how_long_it_takes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with progress("trials", 10, 4) as advance:
        for now[0] in (10.0, 40.0, 4000.0):
            advance()
    # Two done in 40 s leave four; three in 4,000 s leave three.
    assert capsys.readouterr().err.splitlines() == ["6 of 10 trials, 80 s left", "7 of 10 trials, 67 min left"]


def test_progress_in_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, _environ={})
    monkeypatch.setattr("naopt.cli.study.stderr_console", lambda: console)
    with progress("trials", 4, 1) as advance:
        advance()
    assert "2/4" in out.getvalue()


@pytest.mark.parametrize(
    ("command", "more", "rule"),
    [
        (bench, ["--budget", "0"], "budget '0'"),
        (bench, ["--searchers", "rondom"], "did you mean 'random'"),
        (bench, ["--table", "none.npz"], "no such file"),
        (bench, ["--set", "line.stepp=1"], "did you mean 'step'"),
        (bench, ["--against", "randm"], "did you mean 'random'"),
        (bench, ["--every", "0"], "every '0': must be at least 1"),
        (quality_of, ["--against", "nao"], "--against, model 'nao'"),
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
