"""Searchers on a real task at equal time: what the benchmark trains, and what its tables say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.real_searches import Contestant, main, markdown

from naopt.baselines.training import AlikeEvaluator
from naopt.errors import InputError
from naopt.evaluators.training import TrainingEvaluator
from naopt.run import load_run

TINY = ["epochs=1", "filters=2", "cells_per_stage=1", "train_limit=60", "valid_limit=60"]


def test_how_searches_are_written() -> None:
    assert Contestant.parse("nao") == Contestant("nao", "nao", ())
    found = Contestant.parse("levels: nao; fidelities=epochs=2; searcher.seeds=5")
    assert found == Contestant("levels", "nao", ("fidelities=epochs=2", "searcher.seeds=5"))
    for bad in ("", "levels:", " ; epochs=2"):
        with pytest.raises(InputError, match="SEARCHER"):
            Contestant.parse(bad)


def test_picks_and_baselines_are_trained_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for evaluator in (TrainingEvaluator, AlikeEvaluator):
        monkeypatch.setattr(evaluator, "inline", True)
    out = tmp_path / "out"
    arguments = ["--task", "digits", "--space", "nasbench201", "--budget", "2", "--seeds", "1", "--search", "random"]
    arguments += ["--search", "longer: random; finalists=1", "--set", *TINY, "--networks", "resnet-8"]
    arguments += ["--parameters", "4000", "--preset", "recipe", "--full", "epochs=1", "--out", str(out), "--json"]
    main(arguments)
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((out / "real_searches.json").read_text())
    runs = {label: load_run(out / f"{label}-1") for label in ("random", "longer")}
    for row in document["searches"]:
        record = runs[row["search"]]
        best = record.best()
        assert best is not None
        assert best.measurement is not None
        assert (row["evaluations"], row["architecture"]) == (2, best.text)
        assert row["searched"] == best.measurement.metrics["valid_acc"]
        assert 0 < row["parameters"] <= 4000
    assert [len(runs[label].finalists) for label in ("random", "longer")] == [0, 1]
    (resnet,) = document["baselines"]
    assert (resnet["network"], resnet["parameters"] <= 4000) == ("resnet-8", True)
    before = (out / "real_searches.json").stat().st_mtime_ns
    main([*arguments, "--first-seed", "1"])
    again = json.loads(capsys.readouterr().out)
    assert again == document
    assert (out / "real_searches.json").stat().st_mtime_ns > before
    for changed, key in ((["--time", "5m"], "time"), (["--set", "epochs=2"], "training")):
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, *changed])
        assert stopped.value.code == 2
        assert f"was begun with {key}" in capsys.readouterr().err


def test_tables_pair_seeds() -> None:
    def search(label: str, seed: int, test: float) -> dict[str, object]:
        return {"search": label, "seed": seed, "evaluations": 10 * seed, "seconds": 1800.0, "valid": 50.0, "test": test,
                "searched": None if label == "random" else 70.0 + seed}  # fmt: skip

    rows = [search("nao", 1, 80.0), search("random", 1, 79.0), search("nao", 2, 84.0), search("random", 2, 83.0)]
    document = {
        "settings": {"task": "digits", "space": "conv-cell", "time": "30m", "set": []},
        "searches": rows,
        "baselines": [{"network": "resnet-8", "seed": 1, "valid": 1.0, "test": 81.0}],
    }
    text = markdown(document)
    assert "2 seeds, 2.0 core-hours" in text
    assert "| `nao` | 15 | 71.5 (65.1 to 77.9) | 50.0 | 82.0" in text
    assert "| `random` | 15 | - | 50.0 | 81.0" in text
    assert "| 79.0, 83.0 | -1.0 |" in text
    assert "| `resnet-8` | | | 1.0 | 81.0 | 81.0 | +1.0 |" in text
