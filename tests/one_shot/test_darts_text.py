"""DARTS on recurrent cells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.networks.language_settings import LanguageSettings
from naopt.networks.supernet_recurrent import build_shared_language_model
from naopt.one_shot.build import shared_data
from naopt.one_shot.darts import DARTSSearcher, DARTSSettings
from naopt.one_shot.text import SharedText
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import SearchSpace
from naopt.spaces.recurrent_cell import RecurrentCellSpace
from naopt.testing import OneShotCase, OneShotSuite
from tests.one_shot.test_text import FEW, WORDS, corpus

SPACE = RecurrentCellSpace(2)


def make(space: SearchSpace = SPACE, **settings: Any) -> SharedTrainer:
    """On text that mostly counts up."""
    searcher = DARTSSearcher(space, DARTSSettings.parse({"epochs": 2, **settings}), seed=0)
    return on_text(searcher)


def on_text(searcher: Any) -> SharedTrainer:
    torch.manual_seed(0)
    training, options = LanguageSettings.parse(FEW), searcher.settings
    network = build_shared_language_model(SPACE, training, WORDS, options.weights, normalises=options.normalise_states)
    network.numbering = "written"
    data = SharedText(network, corpus(), training)
    return SharedTrainer(data, searcher, learning_rate=1.0, clip_norm=0.5, device=torch.device("cpu"))


class TestOnText(OneShotSuite):
    @pytest.fixture
    def case(self) -> OneShotCase:
        return OneShotCase(DARTSSearcher, DARTSSettings(epochs=2, weights="node"), SPACE, on_text)


def test_it_learns_and_measures_what_it_derives() -> None:
    trainer = make(epochs=12, mixture_learning_rate=0.05)
    trainer.run()
    losses = [row["train_loss"] for row in trainer.history]
    assert losses[-1] < losses[0] - 0.5
    assert losses[-1] < math.log(WORDS) - 1
    (found,) = trainer.searcher.candidates(3, trainer)
    assert found.origin == "derived"
    assert trainer.data.measure(trainer.path(found.architecture))["ppl"] < 2 * WORDS


def test_the_second_order_by_differences() -> None:
    trainer = make(order="second", hessian="difference")
    trainer.run()
    assert math.isfinite(trainer.history[-1]["train_loss"])
    assert trainer.history[-1]["entropy"] > 0


def test_batches_of_one_have_no_statistics(tmp_path: Path) -> None:
    file = tmp_path / "counting.txt"
    file.write_text("\n".join("one two three four five six seven eight" for _ in range(300)))
    work = create_workload(f"text:{file}", {**FEW, "valid_batch_size": 1, "chunk_length": 20})
    with pytest.raises(InputError, match="batch size '1': must be at least 2 where states are normalised"):
        shared_data(SPACE, work, DARTSSettings(), "cpu")
    shared_data(SPACE, work, DARTSSettings(normalise_states=False), "cpu")


def test_second_derivatives_that_there_are_not() -> None:
    with pytest.raises(InputError, match="hessian 'exact': must be difference for text"):
        make(order="second")
