"""Intervals of a process, and the table of both embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.learned_space import main, measure

from naopt.measurement import MetricInfo
from naopt.tables import save_table
from naopt.tables.delimited import import_csv


def test_a_smooth_function_is_predicted_and_held() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (160, 2))
    noise = 0.2 * np.random.default_rng(1).standard_normal(160)
    scores = np.sin(points.sum(axis=1)) + noise
    tau, loss, held, left_out = np.mean([measure([points], range(0), scores, 60, seed) for seed in range(5)], axis=0)
    assert tau > 0.6
    assert loss < np.mean([measure([points], range(0), noise, 60, seed)[1] for seed in range(5)]) - 0.3
    assert 0.84 <= held <= 0.96
    assert 0.84 <= left_out <= 0.98


def test_a_row_for_each_embedding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["a,b,score", *(f"x{i},y{j},{i * j + 1}" for i in range(6) for j in range(6))]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    save_table(import_csv(tmp_path / "table.csv", {"score": MetricInfo()}), tmp_path / "table.npz")
    main(tmp_path / "table.npz", "score", [12], trials=1, unlabelled=30, steps=2)
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["components", "learned"]
