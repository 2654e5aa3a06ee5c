"""The command that measures joint fits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import typer
from benchmarks import joint_fit
from benchmarks.joint_fit import main
from numpy.typing import NDArray

from naopt.latent import LatentModel, LatentSettings
from naopt.latent.base import PerformanceModel
from naopt.measurement import MetricInfo
from naopt.spaces import Architecture, SearchSpace, Tokens, create_space
from naopt.tables import Table, load_table, save_table


@pytest.fixture
def file(tmp_path: Path) -> Path:
    space = create_space("nasbench201")
    rng = np.random.default_rng(0)
    tokens = np.array(list(dict.fromkeys(space.sample(rng).identity for _ in range(60)))[:40])
    metrics = {"error": tokens.sum(axis=1).astype(float)}
    path = tmp_path / "small.npz"
    save_table(Table("small", space, tokens, metrics, {"error": MetricInfo("min", "%")}), path)
    return path


class Known(PerformanceModel):
    """Knows the scores, and decodes everything but the first position's token, which it takes for 0."""

    def __init__(self) -> None:
        self.fitted: list[tuple[Architecture, float]] = []

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        self.fitted = list(zip(architectures, scores.tolist(), strict=True))
        return {}

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        return -np.array([sum(architecture.tokens) for architecture in architectures], dtype=float)

    def reconstruct(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        return [(0, *architecture.tokens[1:]) for architecture in architectures]


@pytest.mark.parametrize(("preset", "name"), [("paper", "paper"), ("official", "official"), ("default", "nao")])
def test_figures_of_a_model_that_is_known(
    preset: Any, name: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Known()
    registry = mock.Mock()
    registry.get.return_value = lambda _space, _seed: model
    monkeypatch.setattr(joint_fit, "models", registry)
    main(file, "error", train_size=28, preset=preset)
    found = json.loads(capsys.readouterr().out)
    registry.get.assert_called_once_with(name)
    assert (found["preset"], found["train_size"], found["test_size"]) == (preset, 28, 12)
    assert 0 <= found["cpu_seconds"] < 1
    # The error is minimised: a model learns its negative.
    assert all(score == -sum(architecture.tokens) for architecture, score in model.fitted)
    assert found["kendall_tau"] == pytest.approx(1)
    learnt = {architecture for architecture, _ in model.fitted}
    every = [load_table(file).architecture(row) for row in range(40)]
    wrong = np.mean([architecture.tokens[0] != 0 for architecture in every if architecture not in learnt])
    assert found["hamming"] == pytest.approx(wrong)
    assert found["exact_match"] == pytest.approx(1 - wrong)


def test_a_real_fit_costs_time(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def short(space: SearchSpace, seed: int) -> PerformanceModel:
        return LatentModel(space, LatentSettings.parse({"preset": "paper", "epochs": 2, "held_out": 0}), seed)

    monkeypatch.setattr(joint_fit, "models", mock.Mock(get=lambda _: short))
    main(file, "error", train_size=28)
    found = json.loads(capsys.readouterr().out)
    assert found["cpu_seconds"] > 0
    assert -1 <= found["kendall_tau"] <= 1
    assert 0 <= found["exact_match"] <= 1


def test_presets_are_registered_models() -> None:
    from naopt.latent import models

    assert set(joint_fit.MODELS.values()) <= set(models.names())


def test_bad_input_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped:
        main(file, "accuracy", train_size=5)
    assert stopped.value.exit_code == 2
    assert capsys.readouterr().err.startswith("joint_fit: metric of table small 'accuracy'")
    with pytest.raises(typer.Exit):
        main(file, "error", train_size=39, held_out=2)
    assert "train size" in capsys.readouterr().err
