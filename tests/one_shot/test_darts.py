"""DARTS: its gradients against automatic differentiation, what it finds, and what it leaves as it was."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from naopt.errors import InputError
from naopt.one_shot.darts import DARTSSearcher
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import EnumeratedSpace
from tests.one_shot.toy import ToyMixtures, ToyPaths, ToyWiderMixtures, best, every, toy_trainer


def make(network: type[ToyPaths] = ToyMixtures, **settings: Any) -> SharedTrainer:
    return toy_trainer(DARTSSearcher, network, **settings)


def searched(trainer: SharedTrainer) -> DARTSSearcher:
    assert isinstance(trainer.searcher, DARTSSearcher)
    return trainer.searcher


def precise(**settings: Any) -> SharedTrainer:
    """In float64, with logits that matter."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        trainer = make(**settings)
    finally:
        torch.set_default_dtype(default)
    with torch.no_grad():
        for logits in searched(trainer).logits:
            logits.copy_(torch.randn_like(logits))
    return trainer


def batches() -> tuple[Tensor, Tensor]:
    return torch.tensor(1.2, dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)


def unrolled(trainer: SharedTrainer, train: Tensor, valid: Tensor, rate: float) -> Tensor:
    """Exact gradient of ``L_valid(w - rate grad L_train(w, a), a)`` for the logits a."""
    (logits,), network = searched(trainer).logits, trainer.network
    assert isinstance(network, ToyMixtures)
    network.mix([logits.softmax(-1)])
    weights: dict[str, Tensor] = dict(network.named_parameters())
    noise = torch.get_rng_state()
    loss = functional_call(network, weights, (train,))
    slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    moved = {name: weight - rate * slope for (name, weight), slope in zip(weights.items(), slopes, strict=True)}
    torch.set_rng_state(noise)
    (gradient,) = torch.autograd.grad(functional_call(network, moved, (valid,)), [logits])
    torch.set_rng_state(noise)
    return gradient


def test_first_order_is_the_gradient_without_unrolling() -> None:
    trainer = precise(order="first", rate=0.5)
    train, valid = batches()
    (found,) = searched(trainer).mixture_gradients(trainer, train, valid)
    torch.testing.assert_close(found, unrolled(trainer, train, valid, 0.0))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(("hessian", "tolerance"), [("exact", 1e-12), ("difference", 1e-4)])
def test_second_order_is_the_gradient_through_the_unrolled_step(hessian: str, tolerance: float, dropout: float) -> None:
    trainer = precise(order="second", hessian=hessian, rate=3.0, dropout=dropout)
    train, valid = batches()
    expected = unrolled(trainer, train, valid, 3.0)
    (found,) = searched(trainer).mixture_gradients(trainer, train, valid)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=1e-3 * tolerance)
    flat = unrolled(trainer, train, valid, 0.0)
    assert (flat - expected).norm() > 0.05 * expected.norm(), "the second order matters here"


ORDERS: list[dict[str, Any]] = [{"order": "first"}, {"order": "second"}, {"order": "second", "hessian": "difference"}]


@pytest.mark.parametrize("settings", ORDERS, ids=str)
def test_weights_are_left_as_they_were(settings: dict[str, Any]) -> None:
    """In float32, where adding and subtracting again would leave rounding errors."""
    trainer = make(rate=0.37, **settings)
    before = [(weight.detach().clone(), weight.data_ptr()) for weight in trainer.network.parameters()]
    searched(trainer).mixture_gradients(trainer, torch.tensor(1.2), torch.tensor(0.7))
    for (value, place), weight in zip(before, trainer.network.parameters(), strict=True):
        assert torch.equal(value, weight)
        assert (weight.data_ptr(), weight.grad) == (place, None)


@pytest.mark.parametrize(("settings", "call"), [(ORDERS[1], 2), (ORDERS[2], 3)])
def test_weights_are_restored_where_a_loss_fails(settings: dict[str, Any], call: int) -> None:
    trainer = make(**settings)
    before = [weight.detach().clone() for weight in trainer.network.parameters()]
    loss, calls = trainer.data.loss, []

    def failing(batch: Tensor) -> Tensor:
        calls.append(batch)
        if len(calls) == call:
            raise MemoryError
        return loss(batch)

    trainer.data.loss = failing  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        searched(trainer).mixture_gradients(trainer, torch.tensor(1.2), torch.tensor(0.7))
    assert all(map(torch.equal, before, trainer.network.parameters()))


@pytest.mark.parametrize("hessian", ["exact", "difference"])
def test_without_a_slope_there_is_no_difference_to_take(hessian: str) -> None:
    """Weights at the target: the validation loss is flat in them."""
    trainer = precise(order="second", hessian=hessian)
    with torch.no_grad():
        for weight in trainer.network.parameters():
            weight.fill_(0.7)
    _, valid = batches()
    (found,) = searched(trainer).mixture_gradients(trainer, valid, valid)
    torch.testing.assert_close(found, unrolled(trainer, valid, valid, 0.0))


def test_one_step_as_written_by_hand() -> None:
    """Adam's first step moves every logit by its rate; then a plain step of the weights, by the mixture."""
    trainer = precise(momentum=0.0, mixture_weight_decay=0.0, mixture_learning_rate=0.01)
    (logits,) = searched(trainer).logits
    before, weights = logits.detach().clone(), list(trainer.network.parameters())
    old = torch.stack(tuple(weights)).detach().clone()
    train, valid = batches()
    expected = unrolled(trainer, train, valid, 0.0)
    trainer.data.next_train = lambda: train  # type: ignore[method-assign]
    trainer.data.next_valid = lambda: valid  # type: ignore[method-assign]
    searched(trainer).step(trainer)
    torch.testing.assert_close(logits.detach(), before - 0.01 * expected.sign(), atol=1e-5, rtol=0)
    slope = (old - train).sinh() * logits.detach().softmax(-1).flatten() / 3
    torch.testing.assert_close(torch.stack(tuple(weights)).detach(), old - 0.1 * slope)


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("network", [ToyMixtures, ToyWiderMixtures])
def test_it_finds_the_best_path(network: type[ToyPaths], order: str) -> None:
    trainer = make(network, epochs=8, order=order, mixture_learning_rate=0.03)
    trainer.run()
    (found,) = trainer.searcher.candidates(5, trainer)
    assert (found.origin, found.architecture.tokens) == ("derived", best())


def test_the_mixture_waits_while_the_weights_warm_up() -> None:
    trainer = make(epochs=5, warmup=0.4)
    before, found = searched(trainer).logits[0].detach().clone(), []
    trainer.run(on_epoch=lambda row: found.append(torch.equal(before, searched(trainer).logits[0])))
    assert found == [True, True, False, False, False]


def test_figures_tell_what_would_be_derived() -> None:
    trainer = make()
    with torch.no_grad():
        searched(trainer).logits[0].copy_(torch.tensor([[0, 9, 0, 0], [0, 0, 9, 0], [0, 9, 0, 0]]) * 1.0)
    trainer.searcher.space.skips = frozenset({"identity"})
    figures = trainer.searcher.end_epoch(trainer)
    assert figures["derived_skip"] == pytest.approx(2 / 3)
    assert figures["derived_none"] == pytest.approx(1 / 3)
    chances = np.exp([9, 0, 0, 0]) / (math.exp(9) + 3)
    assert figures["entropy"] == pytest.approx(-3 * (chances * np.log(chances)).sum(), rel=1e-4)


def test_a_supernet_that_does_not_mix_is_refused() -> None:
    with pytest.raises(InputError, match="conv-cell, nasbench201 and recurrent-cell, not in toy"):
        make(ToyPaths)


def test_a_space_that_lacks_the_derived_architecture() -> None:
    """Candidates are those that the space lists."""
    trainer = make(positions=2)
    rows = np.array([row for row in every(2).tolist() if row != [0, 0]])
    trainer.searcher.space = EnumeratedSpace(trainer.searcher.space, rows)
    with torch.no_grad():
        searched(trainer).logits[0][:, 0] += 2
    found = trainer.searcher.candidates(20, trainer)
    assert len(found) == 15
    assert found[0].origin == "mixture"
    assert "derived" not in {p.origin for p in found}
