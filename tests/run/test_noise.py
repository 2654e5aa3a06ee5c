"""``--noise repeat`` in a run: deterministic, kept by config.toml, the same after a resume and with more workers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.measurement import Measurement, MetricInfo
from naopt.problem import Objective
from naopt.run import RunConfig, load_run, start_run
from naopt.run.setup import prepare
from naopt.searchers.candidates import standard_errors
from naopt.tables import Table, save_table
from tests.tables.test_surrogate import MADE
from tests.tables.test_table import SPACE, WHOLE

QUICK = {"pretraining_steps": 5, "unlabelled": 100, "decoder_size": 16}
REPEATS = np.arange(18.0).reshape(6, 3)


@pytest.fixture
def file(tmp_path: Path) -> str:
    save_table(Table("toy", SPACE, WHOLE, {"acc": REPEATS}, {"acc": MetricInfo()}), tmp_path / "t.npz")
    return str(tmp_path / "t.npz")


def seen(directory: Path) -> list[float]:
    return [t.measurement.metrics["acc"] for t in load_run(directory).trials if t.measurement]


def test_a_search_sees_single_repeats(file: str, tmp_path: Path) -> None:
    arguments = ["search", "--table", file, "--searcher", "random", "--budget", "6", "--noise", "repeat"]
    assert run([*arguments, "--run", str(tmp_path / "a")]) == 0
    assert run([*arguments, "--run", str(tmp_path / "b"), "--workers", "2"]) == 0
    assert sorted(int(value) // 3 for value in seen(tmp_path / "a")) == list(range(6))
    assert seen(tmp_path / "a") != sorted(REPEATS.mean(axis=1))
    assert seen(tmp_path / "a") == seen(tmp_path / "b")
    assert 'noise = "repeat"' in (tmp_path / "a" / "config.toml").read_text()
    assert RunConfig.read(tmp_path / "a" / "config.toml").noise == "repeat"


def test_by_default_repeats_are_averaged(file: str, tmp_path: Path) -> None:
    start_run(tmp_path / "a", RunConfig(table=file, searcher="random", budget=6))
    assert sorted(seen(tmp_path / "a")) == REPEATS.mean(axis=1).tolist()
    assert RunConfig.from_values({"table": file}).noise == "mean"


def test_noise_needs_a_table(file: str) -> None:
    with pytest.raises(InputError, match="noise 'repeat': has a use only with a table"):
        prepare(RunConfig(task="digits", noise="repeat"))
    assert run(["search", "--table", file, "--noise", "often"]) == 2


def test_a_search_on_a_surrogate_says_so(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = Table("toy", SPACE, WHOLE, {"acc": REPEATS, "cost": REPEATS}, dict.fromkeys(("acc", "cost"), MetricInfo()))
    save_table(replace(toy, surrogates={"acc": MADE}), tmp_path / "t.npz")
    for metric, surrogate in (("acc", True), ("cost", False)):
        out = tmp_path / metric
        arguments = ["search", "--table", file, "--searcher", "random", "--budget", "3", "--metric", metric]
        assert run([*arguments, "--run", str(out)]) == 0
        assert ("acc (surrogate)" in capsys.readouterr().out) == surrogate
        assert ("surrogate, higher is better" in (out / "report.html").read_text()) == surrogate
        assert run(["show", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["surrogate"] is surrogate
        assert load_run(out).meta["surrogates"] == ["acc"]


# What is measured with errors.


@pytest.fixture
def coarse(tmp_path: Path) -> str:
    """Cells of which the best is the one with most convolutions, as 15 images would tell it."""
    from naopt.spaces import NASBench201Space

    space, rng = NASBench201Space(), np.random.default_rng(2)
    tokens = np.array(sorted({tuple(space.sample(rng).tokens) for _ in range(300)}))
    true = 60 + 6 * (tokens == 3).sum(1) - 1.0 * (tokens == 0).sum(1)
    hits = rng.binomial(15, true / 100)
    errors = 100 * np.sqrt(true / 100 * (1 - true / 100) / 15)
    columns = {"acc": 100 * hits / 15, "acc_se": errors, "true": true.astype(float)}
    infos = {"acc": MetricInfo(), "acc_se": MetricInfo("min"), "true": MetricInfo()}
    save_table(Table("coarse", space, tokens, columns, infos), tmp_path / "coarse.npz")
    return str(tmp_path / "coarse.npz")


def test_the_pick_is_what_all_measurements_say(coarse: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "run"
    search = ["search", "--table", coarse, "--searcher", "random", "--budget", "80", "--run", str(directory)]
    assert run([*search, "--metric", "acc", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    record = load_run(directory)
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    assert document["best"]["index"] == best.index
    assert document["as_good"] == record.leaders.level > 0
    ranked = [record.leaders.expected[trial.index] for trial in record.ranked()]
    assert ranked == sorted(ranked, reverse=True)
    measured = [trial.measurement.metrics["acc"] for trial in record.ranked() if trial.measurement]
    assert measured != sorted(measured, reverse=True)  # not by the luck of each
    assert run(["show", str(directory)]) == 0
    shown = capsys.readouterr().out
    assert f"{best.measurement.metrics['acc']:.6g} ± {best.measurement.metrics['acc_se']:.2g}" in shown
    assert f"{document['as_good']} others may be as good\n" in shown  # a table has no finalists
    assert run(["report", str(directory)]) == 0
    assert "may be as good" in (directory / "report.html").read_text()


def test_searchers_are_told_errors_and_nothing_else(coarse: str, tmp_path: Path) -> None:
    """Half as large errors are another search; a column that is called otherwise is none of it."""
    from naopt.tables import load_table

    table = load_table(coarse)
    halved = replace(table, metrics={**table.metrics, "acc_se": table.metrics["acc_se"] / 20})
    renamed = {name.replace("acc_se", "other"): values for name, values in table.metrics.items()}
    infos = {name.replace("acc_se", "other"): info for name, info in table.infos.items()}
    save_table(halved, tmp_path / "halved.npz")
    save_table(replace(table, metrics=renamed, infos=infos), tmp_path / "renamed.npz")
    texts = {}
    for name in ("coarse", "halved", "renamed"):
        config = RunConfig(
            table=str(tmp_path / f"{name}.npz"), metric="acc", searcher="nao", budget=12, searcher_settings=QUICK
        )
        start_run(tmp_path / f"run-{name}", config)
        texts[name] = [trial.text for trial in load_run(tmp_path / f"run-{name}").trials]
    assert len({tuple(found) for found in texts.values()}) == 3
    assert load_run(tmp_path / "run-renamed").leaders.expected == {}


def test_a_comparison_picks_as_a_run_does(coarse: str, tmp_path: Path) -> None:
    import naopt

    def compared(pick: str) -> naopt.ComparisonResult:
        return naopt.compare(coarse, "random", budget=40, trials=2, metric="acc", report_metric="true", pick=pick)

    expected, measured = compared("expected").trials, compared("measured").trials
    assert [trial.queries for trial in expected] == [trial.queries for trial in measured] == [40, 40]
    assert {query for trial in expected for query, _ in trial.selected} <= set(range(5, 41, 5))
    assert [trial.selected[-1] for trial in expected] != [trial.selected[-1] for trial in measured]
    with pytest.raises(InputError, match="pick 'best'"):
        compared("best")


def test_a_negative_error_in_a_table_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {"acc": REPEATS[:, 0], "acc_se": np.array([1.0, -1.0, 1.0, 1.0, 1.0, 1.0])}
    save_table(Table("toy", SPACE, WHOLE, columns, dict.fromkeys(columns, MetricInfo())), tmp_path / "t.npz")
    assert run(["search", "--table", str(tmp_path / "t.npz"), "--metric", "acc"]) == 2
    assert capsys.readouterr().err == "naopt: column acc_se of table toy '-1.0': a standard error is not negative\n"


def test_what_states_no_error_has_the_usual_one() -> None:
    """However far off a single one is."""
    architecture = SPACE.architecture(tuple(WHOLE[0].tolist()))
    stated = [0.1, 0.2, 0.3, 0.4, 1e300, None]
    told = [Measurement({"acc": 1.0} if error is None else {"acc": 1.0, "acc_se": error}) for error in stated]
    found = standard_errors([(architecture, each) for each in told], Objective("acc"))
    assert found is not None
    assert found.tolist() == [0.1, 0.2, 0.3, 0.4, 1e300, 0.3]
