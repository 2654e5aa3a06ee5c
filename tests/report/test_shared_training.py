"""The report's section on the training of shared weights."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from naopt.errors import InputError
from naopt.execution.training_progress import learning_curve, read_curve
from naopt.report.page import render
from naopt.report.shared_training import shared_training_section
from tests.report.runs import make_run

CURVE = [
    {"train_loss": 2.25, "learning_rate": 0.1, "rollbacks": 0.0, "seconds": 1.5},
    {"train_loss": 2.0, "learning_rate": 0.05, "entropy": 3.5, "pool_mean": 2.5, "pool_best": 1.75, "rollbacks": 2.0},
    {"train_loss": 1.5, "learning_rate": 0.01, "entropy": 3.0, "mine": -1e-9, "rollbacks": 2.0},
]


def write(directory: Path, text: str = learning_curve(CURVE)) -> Path:
    (directory / "supernet.csv").write_text(text)
    return directory


def labels(html: str) -> list[str]:
    return re.findall('aria-label="([^"]+) over epochs"', html)


def test_a_curve_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_curve(write(tmp_path) / "supernet.csv") == CURVE


def test_every_figure_is_drawn_once(tmp_path: Path) -> None:
    html = shared_training_section(write(tmp_path))
    assert labels(html) == ["train_loss", "entropy", "pool_best, pool_mean", "mine"]
    for text in ("training loss of the paths", "entropy, nats", "metric of the pool by shared weights", "mine"):
        assert f">{text}</text>" in html
    assert "3 epochs, each step on paths of some architectures. The weights diverged and went back" in html
    assert "to the last good epoch 2 times." in html
    (block,) = re.findall(r'<script type="application/json" id="shared-training">(.*?)</script>', html)
    assert json.loads(block) == CURVE


def test_a_single_epoch(tmp_path: Path) -> None:
    html = shared_training_section(write(tmp_path, learning_curve(CURVE[:1])))
    assert labels(html) == ["train_loss"]
    assert "1 epoch, each" in html
    assert "diverged" not in html


def test_without_a_curve_there_is_no_section(tmp_path: Path) -> None:
    assert shared_training_section(tmp_path) == ""
    assert shared_training_section(write(tmp_path, "epoch\n")) == ""


def test_a_damaged_curve_is_said(tmp_path: Path) -> None:
    for text in ("epoch,train_loss\n1,many\n", "epoch,train_loss\n1,2,3\n"):
        with pytest.raises(InputError, match=r"learning curve '.*supernet\.csv': cannot be read"):
            shared_training_section(write(tmp_path, text))


def test_a_page_of_shared_weights_names_no_trained_children(tmp_path: Path) -> None:
    run = make_run(searcher="nao-ws", metric="shared_loss", goal="min", directory=write(tmp_path))
    html = render(run)
    assert "Training of the shared weights" in html
    assert "time of all measurements" in html
    assert "one measurement, mean" in html
    assert "child" not in re.sub(r"<(script|style)>?.*?</\1>", "", html, flags=re.DOTALL)
    trained = render(replace(run, problem=make_run().problem, directory=tmp_path / "none"))
    assert "time of all children" in trained
    assert "Training of the shared weights" not in trained
