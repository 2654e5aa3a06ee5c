"""``--noise repeat`` in a run: deterministic, kept by config.toml, the same after a resume and with more workers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.run import RunConfig, load_run, start_run
from naopt.run.setup import prepare
from naopt.tables import Table, save_table
from tests.tables.test_surrogate import MADE
from tests.tables.test_table import SPACE, WHOLE

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
