"""The benchmark of what cheaper levels earn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import fidelities
from benchmarks.fidelities import main, reached

from naopt.tables import save_table
from tests.run.test_fidelities import TABLE


def test_a_goal_is_reached_where_a_curve_first_gets_to_it() -> None:
    assert reached(np.array([np.nan, 1.0, 2.0, 2.0]), 2.0) == 3
    assert reached(np.array([1.0, 2.0]), 2.1) is None


def test_the_benchmark_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from naopt.bench import run_trial

    def compare(comparison, workers, done, on_trial):  # type: ignore[no-untyped-def]
        known = {(trial.searcher, trial.trial) for trial in done}
        new = [(name, trial) for name, trial, _ in comparison.searches if (name, trial) not in known]
        for name, trial in new:
            on_trial(run_trial(comparison, name, trial))
            done = [*done, run_trial(comparison, name, trial)]
        return done

    monkeypatch.setattr(fidelities, "compare", compare)
    save_table(TABLE, tmp_path / "t.npz")
    command = ["--table", str(tmp_path / "t.npz"), "--fidelities", "acc/1,acc/5", "--searchers", "hyperband,asha"]
    command += [
        "--single",
        "random",
        "--budget",
        "6",
        "--single-budget",
        "10",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    main([*command, "--trials", "1"])
    first = json.loads(capsys.readouterr().out)
    main([*command, "--trials", "2"])
    document = json.loads(capsys.readouterr().out)
    assert first["goal"] == first["rows"][0]["means"]["10"]
    assert [row["searcher"] for row in document["rows"]] == ["random, full only", "hyperband", "asha"]
    assert document["rows"][0]["reached"] == 2
    assert document["costs"] == [1, 2, 5, 10]
    page = (tmp_path / "out" / "fidelities.md").read_text(encoding="utf-8")
    assert "levels and costs acc/1 0.2, acc/5 1: acc/5 of what is selected, mean over 2 trials" in page
    with pytest.raises(SystemExit):
        main([*command[:2], "--fidelities", "acc/1"])
