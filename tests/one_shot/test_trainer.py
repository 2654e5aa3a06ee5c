"""The training of shared weights: its rate, and its way back from weights that diverge."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

from naopt.one_shot import Memory, RandomSharing
from naopt.one_shot.optimiser import PathAdam
from naopt.one_shot.path_trainer import PathTrainer
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import Architecture
from naopt.training.state import TrainingState
from naopt.training.trainer import DivergedError
from tests.one_shot.toy import ToyData, toy_trainer


class Mishap(RandomSharing):
    """Remembers its steps; something breaks when so many steps have been made in all, however often they are undone."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.remembered, self.made = 0, 0
        self.break_at: dict[int, str] = {}
        self.figure = 0.0
        self.paths: list[Architecture] = []

    def step(self, trainer: PathTrainer) -> float:
        self.made, self.remembered = self.made + 1, self.remembered + 1
        self.paths.append(self.sample())
        loss = trainer.train_path(trainer.path(self.paths[-1]))
        broken = self.break_at.get(self.made)
        if broken == "weights":
            with torch.no_grad():
                next(trainer.network.parameters()).fill_(math.inf)
        self.figure = math.inf if broken == "figure" else 0.5
        return math.nan if broken == "loss" else loss

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:
        return {"figure": self.figure}

    def memory(self) -> Memory:
        return Memory({}, {"remembered": self.remembered})

    def restore(self, memory: Memory) -> None:
        self.remembered = memory.facts["remembered"]


def mishap(trainer: SharedTrainer) -> Mishap:
    assert isinstance(trainer.searcher, Mishap)
    return trainer.searcher


def kept(state: TrainingState) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return {name: tensor.detach().clone() for name, tensor in state.tensors.items()}, copy.deepcopy(state.facts)


def test_the_rate_falls_by_a_cosine() -> None:
    trainer = toy_trainer(RandomSharing, epochs=4, rate=0.4)
    trainer.last_rate = 0.1
    rates: list[float] = []
    trainer.run(lambda: rates.append(trainer.optimizer.param_groups[0]["lr"]))
    assert trainer.data.steps == 6
    expected = [0.1 + 0.3 * (1 + math.cos(math.pi * step / 24)) / 2 for step in range(24)]
    assert rates == pytest.approx(expected)
    ends = [0.1 + 0.3 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in (1, 2, 3, 4)]
    assert [row["learning_rate"] for row in trainer.history] == pytest.approx(ends)


def test_adam_is_a_setting() -> None:
    trainer = toy_trainer(RandomSharing, optimiser="adam", rate=0.2)
    assert isinstance(trainer.optimizer, PathAdam)
    trainer.run()
    assert trainer.history[-1]["train_loss"] < trainer.history[0]["train_loss"]


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("what", "step", "undone"),
    [("loss", 8, 2), ("loss", 12, 6), ("weights", 12, 6), ("figure", 12, 6)],
    ids=["amid", "last-step", "weights", "figure"],
)
def test_what_diverges_goes_back_to_where_the_epoch_began(what: str, step: int, undone: int, optimiser: str) -> None:
    """Weights, moments and searcher are as they were; the rate is halved, and the paths are others."""
    trainer = toy_trainer(Mishap, epochs=3, rate=0.01, optimiser=optimiser)
    searcher = mishap(trainer)
    searcher.break_at = {step: what}
    trainer.train_epoch()
    trainer.epoch = 1
    tensors, facts = kept(trainer.state())
    seen: list[tuple[int, float]] = []
    roll_back, states = trainer._roll_back, []

    def watched() -> None:
        roll_back()
        states.append(kept(trainer.state()))

    trainer._roll_back = watched  # type: ignore[method-assign]
    figures = trainer.train_epoch(lambda: seen.append((trainer.step, trainer.optimizer.param_groups[0]["lr"])))
    ((after, found),) = states
    assert after.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(after[name], tensor) == (name != "generator.cpu"), name
    assert found["own"].pop("rng") != facts["own"].pop("rng")
    assert (found["own"].pop("rollbacks"), facts["own"].pop("rollbacks")) == (1, 0)
    assert found == facts
    full = [rate for at, rate in seen if at == 7]
    assert full[-1] == pytest.approx(0.01 * (1 + math.cos(math.pi / 3)) / 4)
    assert (trainer.step, searcher.remembered, searcher.made) == (12, 12, 12 + undone)
    assert searcher.paths[6 : 6 + undone] != searcher.paths[6 + undone : 6 + 2 * undone]
    assert figures["rollbacks"] == 1
    assert math.isfinite(figures["train_loss"])


def test_other_batches_follow() -> None:
    trainer = toy_trainer(Mishap, epochs=1)
    mishap(trainer).break_at = {3: "loss"}
    batches: list[float] = []
    next_train = trainer.data.next_train
    trainer.data.next_train = lambda: batches.append(next_train()) or batches[-1]  # type: ignore[method-assign, func-returns-value]
    trainer.run()
    assert len({float(batch) for batch in batches}) == len(batches) == 3 + 6


def test_after_so_many_returns_it_ends_with_a_reason() -> None:
    trainer = toy_trainer(Mishap, epochs=2, rollbacks=2)
    searcher = mishap(trainer)
    searcher.break_at = dict.fromkeys(range(8, 100), "loss")
    trainer.train_epoch()
    trainer.epoch = 1
    tensors, facts = kept(trainer.state())
    with pytest.raises(DivergedError, match=r"^loss nan of shared weights in epoch 2 of 2$"):
        trainer.train_epoch()
    assert searcher.made == 6 + 2 + 1 + 1
    start = trainer.epoch_start()
    assert start.facts == facts, "the last good state is there to be saved"
    assert all(torch.equal(start.tensors[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(("what", "message"), [("weights", "not finite after epoch 1"), ("figure", "figure inf in ep")])
def test_without_returns_the_first_divergence_ends_it(what: str, message: str) -> None:
    trainer = toy_trainer(Mishap, epochs=1, rollbacks=0)
    mishap(trainer).break_at = {6: what}
    with pytest.raises(DivergedError, match=message):
        trainer.run()


def test_a_return_is_counted_once_in_a_training_that_was_stopped_after_it() -> None:
    """What goes on from the start of an epoch diverges and returns just as the one that was stopped did."""

    def make() -> SharedTrainer:
        trainer = toy_trainer(Mishap, epochs=2)
        mishap(trainer).break_at = {3: "loss"}
        return trainer

    whole = make()
    whole.run()
    stopped, steps = make(), 0

    def interrupted() -> None:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(interrupted)
    assert mishap(stopped).made == 5, "it was stopped after the return"
    again = make()
    again.restore(stopped.epoch_start())
    again.run()
    first, second = ([(row["train_loss"], row["rollbacks"]) for row in trainer.history] for trainer in (whole, again))
    assert first == second
    assert first[-1][1] == 1


def test_shared_weights_are_measured_on_validation_data_only() -> None:
    trainer = toy_trainer(RandomSharing)
    assert isinstance(trainer.data, ToyData)
    assert trainer.measure("valid").keys() == {"acc", "loss"}
    with pytest.raises(ValueError, match="not on test"):
        trainer.measure("test")
    assert trainer.epoch_start().facts == trainer.state().facts
