"""ENAS: its controller against enumeration, its rewards, its learning, and what it remembers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from naopt.errors import InputError
from naopt.latent.controller import LSTMController, reinforce_loss
from naopt.one_shot.anchor_controller import AnchorController
from naopt.one_shot.bounds import Bounds
from naopt.one_shot.enas import ENASSearcher, ENASSettings
from naopt.one_shot.squashed import SquashedController
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import ConvCellSpace, SearchSpace
from tests.networks.paths import paths
from tests.one_shot.toy import ToyData, ToyPaths, best, every, toy_space, toy_trainer

CELLS = ConvCellSpace(1, "identity+dil_conv3x3+max_pool3x3")


def controller(
    space: SearchSpace, *, temperature: float = 2.0, constant: float = 1.5, reduce: float = 1.0
) -> SquashedController:
    """In float64, with weights large enough to matter."""
    torch.manual_seed(0)
    built = SquashedController(space, 5, 1, bounds=Bounds(temperature, constant, reduce)).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return built


def searched(trainer: SharedTrainer) -> ENASSearcher:
    assert isinstance(trainer.searcher, ENASSearcher)
    return trainer.searcher


def data(trainer: SharedTrainer) -> ToyData:
    assert isinstance(trainer.data, ToyData)
    return trainer.data


@pytest.mark.parametrize("space", [toy_space(), CELLS], ids=["free", "masked"])
def test_it_samples_what_the_slow_way_samples(space: SearchSpace) -> None:
    built = controller(space)
    fast, slow = (
        sample(built, 50, np.random.default_rng(3)) for sample in (SquashedController.sample, LSTMController.sample)
    )
    assert fast == slow
    assert len(set(fast)) > 5
    assert all(space.contains(tokens) for tokens in fast)


def test_samples_have_their_probabilities() -> None:
    built = controller(toy_space(2))
    counts = Counter(built.sample(20_000, np.random.default_rng(1)))
    expected = built(every(2))[0].exp().detach().numpy()
    assert expected.sum() == pytest.approx(1)
    observed = [counts[tuple(row)] / 20_000 for row in every(2).tolist()]
    np.testing.assert_allclose(observed, expected, atol=0.015)


def test_logits_are_squashed_as_the_formula_says() -> None:
    """Input positions are bounded by c, the others by c / reduce."""
    tokens = np.array([CELLS.sample(np.random.default_rng(seed)).tokens for seed in range(20)], dtype=np.int64)
    built = controller(CELLS, temperature=2.0, constant=1.5, reduce=3.0)
    squashed = built.logits(tokens)
    built.output = built.output[0]  # type: ignore[index]
    raw = built.logits(tokens)
    for index, position in enumerate(CELLS.positions):
        bound = 1.5 if position.kind == "input" else 0.5
        part = slice(len(position.choices))
        torch.testing.assert_close(squashed[:, index, part], bound * (raw[:, index, part] / 2).tanh())


def test_without_a_bound_only_the_temperature_counts() -> None:
    tokens = every()
    built = controller(toy_space(), temperature=4.0, constant=0.0)
    scaled = built.logits(tokens)
    built.output = built.output[0]  # type: ignore[index]
    torch.testing.assert_close(scaled, built.logits(tokens) / 4)


def test_expected_gradient_is_that_of_the_expected_reward() -> None:
    """Over all architectures, weighted with their probabilities, whatever the baseline (policy gradient theorem)."""
    built, tokens = controller(toy_space()), every()
    rewards = np.random.default_rng(5).normal(size=len(tokens))
    probabilities = built(tokens)[0].exp()
    exact = torch.autograd.grad((probabilities * torch.from_numpy(rewards)).sum(), list(built.parameters()))
    weights = probabilities.detach().numpy() * len(tokens)
    loss = reinforce_loss(built, list(map(tuple, tokens.tolist())), (rewards - 0.37) * weights, 0.0)
    for found, expected in zip(torch.autograd.grad(-loss, list(built.parameters())), exact, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_all_paths_of_a_controller_step_see_one_batch() -> None:
    trainer = toy_trainer(ENASSearcher, ToyPaths, positions=6, warmup=0.0, controller_steps=4, controller_samples=7)
    trainer.train_epoch()
    toy = data(trainer)
    assert toy.drawn == 4
    groups = Counter(id(batch) for batch in toy.rewarded)
    assert len(groups) == 4
    assert len(toy.rewarded) > 20, "of 4,096 architectures 7 are mostly different"


def test_the_controller_waits_while_the_weights_warm_up() -> None:
    trainer = toy_trainer(ENASSearcher, ToyPaths, epochs=5, warmup=0.4)
    searcher = searched(trainer)
    before = [parameter.detach().clone() for parameter in searcher.controller.parameters()]
    counts = []

    def heard(figures: dict[str, float]) -> None:
        unchanged = all(map(torch.equal, before, searcher.controller.parameters()))
        counts.append((unchanged, "entropy" in figures))

    trainer.run(on_epoch=heard)
    assert counts == [(True, False)] * 2 + [(False, True)] * 3


def test_figures_and_baseline_as_written_by_hand() -> None:
    """One path a step; the average of 0.9 old + 0.1 new is debiased."""
    trainer = toy_trainer(ENASSearcher, ToyPaths, warmup=0.0, controller_steps=3, controller_samples=1)
    rewards: list[float] = []
    reward = data(trainer).reward
    data(trainer).reward = lambda batch: rewards.append(reward(batch)) or rewards[-1]  # type: ignore[method-assign, func-returns-value]
    figures = trainer.train_epoch()
    a, b, c = rewards
    assert figures["reward"] == pytest.approx((a + b + c) / 3)
    assert figures["baseline"] == pytest.approx((0.081 * a + 0.09 * b + 0.1 * c) / 0.271)
    assert figures["entropy"] == pytest.approx(3 * np.log(4), abs=0.05), "hardly anything is learned yet"


def test_it_finds_the_best_path_and_says_so_by_its_entropy() -> None:
    trainer = toy_trainer(ENASSearcher, ToyPaths, epochs=8, controller_steps=30, controller_learning_rate=0.02)
    trainer.run()
    entropies = [row["entropy"] for row in trainer.history if "entropy" in row]
    assert entropies[-1] < entropies[0] < 3 * np.log(4)
    assert entropies[-1] < 1
    written = searched(trainer).controller.sample(100, np.random.default_rng(0))
    assert Counter(written).most_common(1)[0][0] == best()
    found = [p.architecture.tokens for p in trainer.searcher.candidates(5, trainer)]
    scores = trainer.data.scores(paths(trainer.shared, found))
    assert found[int(scores.argmax())] == best()


def test_a_bounded_controller_stays_uncertain() -> None:
    """With c = 0.1 no choice of four is more than exp(0.2) as probable as another."""
    trainer = toy_trainer(
        ENASSearcher, ToyPaths, epochs=6, controller_steps=30, controller_learning_rate=0.05, tanh_constant=0.1
    )
    trainer.run()
    assert trainer.history[-1]["entropy"] > 3 * np.log(4) - 0.05


def test_candidates_are_filled_up_where_the_controller_insists() -> None:
    trainer = toy_trainer(ENASSearcher, ToyPaths, positions=2, tanh_constant=0.0)
    searcher = searched(trainer)
    controller = searcher.controller
    assert isinstance(controller, AnchorController)
    with torch.no_grad():
        controller.output.bias[1] += 10_000.0
    origins = [p.origin for p in searcher.candidates(6, trainer)]
    assert origins == ["controller"] + ["refill"] * 5


def test_the_buffer_holds_what_was_written_and_is_rehearsed() -> None:
    options: dict[str, Any] = {"warmup": 0.0, "controller_steps": 15, "epochs": 5, "controller_learning_rate": 0.02}
    losses = {}
    for weight in (1e-9, 1.0):
        trainer = toy_trainer(ENASSearcher, ToyPaths, buffer=20, buffer_batch=20, buffer_weight=weight, **options)
        trainer.run()
        losses[weight] = [row["buffer_loss"] for row in trainer.history]
        assert searched(trainer).memory().facts["buffer"] == {"seen": 5 * 15 * 5}
        assert searched(trainer).memory().tensors["buffer.tokens"].shape == (20, 3)
    assert losses[1.0][-1] < losses[1e-9][-1]
    assert "buffer_loss" not in toy_trainer(ENASSearcher, ToyPaths, warmup=0.0).train_epoch()


def test_presets_are_those_of_the_programs() -> None:
    cells = ENASSettings.parse({"preset": "cnn"})
    assert (cells.controller_steps, cells.controller_samples, cells.controller_learning_rate) == (30, 10, 0.0035)
    assert (cells.temperature, cells.tanh_constant, cells.operation_tanh_reduce) == (1.0, 1.1, 2.5)
    assert (cells.controller, cells.hidden_size, cells.layers) == ("anchors", 64, 2)
    assert (cells.operation_bias, cells.fixed_bias) == (10.0, 0.25)
    recurrent = ENASSettings.parse({"preset": "ptb"})
    assert (recurrent.hidden_size, recurrent.layers, recurrent.distance_scale) == (100, 1, 6.0)
    assert ENASSettings.parse({"preset": "ptb"}).entropy_weight == 0.001
    assert ENASSettings.parse({"preset": "ptb", "epochs": 3}).epochs == 3
    with pytest.raises(InputError, match="preset"):
        ENASSettings.parse({"preset": "imagenet"})
