"""The benchmark of knowledge from elsewhere, on a small table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import elsewhere
from benchmarks.elsewhere import Sources, main

from naopt.measurement import MetricInfo
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import GenericSpace, Position
from naopt.tables import Table, load_table, save_table

SPACE = GenericSpace([Position("x", tuple("abcdef")), Position("y", tuple("abcdef"))], "square")
TINY = NAOSettings(unlabelled=60, pretraining_steps=2, decoder_size=8, starts=2, steps=1, neighbours=2)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    tokens = np.array([architecture.tokens for architecture in SPACE.enumerate()])
    x, y = tokens.T.astype(float)
    metrics = {"one": x + y, "two": 3 * x + 2 * y, "size": np.abs(x - y)}
    infos = {"one": MetricInfo(), "two": MetricInfo(), "size": MetricInfo("min")}
    save_table(Table("square", SPACE, tokens, metrics, infos), tmp_path / "square.npz")
    return tmp_path / "square.npz"


def test_histories_are_what_they_are_called(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "_ROWS", 12)
    sources = Sources(load_table(table), "two", "size")
    whole = sources.whole(0)
    assert whole[SPACE.architecture([5, 5])] == 25.0
    assert len(whole) == 36
    assert set(sources.drawn(1).items()) <= set(whole.items())
    assert len(sources.drawn(1)) == 12
    assert sources.negated(0) == {architecture: -score for architecture, score in whole.items()}
    assert sources.negated_drawn(1) == {architecture: -score for architecture, score in sources.drawn(1).items()}
    shuffled = sources.shuffled(0)
    assert sorted(shuffled.values()) == sorted(whole.values())
    assert list(shuffled) == list(whole)
    assert shuffled != whole
    assert sources.unlike(0)[SPACE.architecture([5, 0])] == -5.0


def test_the_table_and_where_it_goes_on(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(elsewhere, "searcher_settings", lambda names: dict.fromkeys(names, TINY))
    command = ["--table", str(table), "--metrics", "one,two", "--unrelated", "size", "--budget", "12", "--trials", "2"]
    command += ["--histories", "none,whole,shuffled", "--out", str(tmp_path / "out")]
    main(command)
    out, err = capsys.readouterr()
    assert err.count("trial 0: ") == 6
    assert out == (tmp_path / "out/elsewhere.md").read_text(encoding="utf-8")
    rows = json.loads((tmp_path / "out/elsewhere.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["metric"], row["history"]) for row in rows] == [
        (metric, name) for metric in ("one", "two") for name in ("none", "whole", "shuffled")
    ]
    assert rows[1]["median"] == rows[4]["median"] == 1
    assert rows[1]["minus_none"] == pytest.approx(1 - rows[0]["mean"])
    main(command)
    assert capsys.readouterr() == (out, "")


def test_bad_input_ends_in_one_line(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--table", str(table), "--histories", "hole", "--out", "out"])
    assert end.value.code == 2
    assert "did you mean 'whole'" in capsys.readouterr().err
