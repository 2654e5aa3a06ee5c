"""Training of language models, against plain loops; and that it can be interrupted at any step."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.errors import InputError
from naopt.networks.language_model import ChunkLoss, LanguageModel
from naopt.networks.language_settings import LanguageSettings
from naopt.networks.recurrent_cells import make_cell
from naopt.spaces.recurrent_cell import RecurrentSpec
from naopt.tasks import Corpus
from naopt.training.checkpoint import load_checkpoint, save_checkpoint
from naopt.training.language import LanguageTrainer
from naopt.training.reproducible import reproducible
from naopt.training.trainer import DivergedError

CPU = torch.device("cpu")
WORDS = 12
SPEC = RecurrentSpec(((0, "tanh"), (0, "relu"), (1, "sigmoid"), (1, "identity")))
FEW = {"hidden_size": 6, "batch_size": 4, "chunk_length": 7, "learning_rate": 1.0, "init_range": 0.3, "rollbacks": 0}


def corpus(train: int = 200, held_out: int = 73) -> Corpus:
    rng = np.random.default_rng(0)
    # Mostly each word's successor: something that can be learnt.
    steps = rng.choice([1, 1, 1, 5], size=train + 2 * held_out)
    ids = (np.cumsum(steps) % WORDS).astype(np.int32)
    first, valid, test = (part.copy() for part in np.split(ids, [train, train + held_out]))
    return Corpus(first, valid, test, tuple(map(str, range(WORDS))))


def trainer(text: Corpus | None = None, cell: RecurrentSpec | str = SPEC, **changes: Any) -> LanguageTrainer:
    settings = LanguageSettings.parse({**FEW, **changes})
    network = LanguageModel(make_cell(cell, settings.hidden_size, settings), WORDS, settings)
    return LanguageTrainer(network, text or corpus(), settings, CPU)


def side_by_side(ids: Any, batch: int) -> Tensor:
    return torch.tensor(np.stack(np.split(ids[: len(ids) // batch * batch], batch), 1), dtype=torch.int64)


def perplexity(network: LanguageModel, ids: Any, batch: int) -> float:
    """By the logits of all places at once."""
    text = side_by_side(ids, batch)
    network.eval()
    with torch.no_grad():
        logits, _ = network(text[:-1], network.begin(batch))
    return math.exp(float(F.cross_entropy(logits.flatten(0, 1).double(), text[1:].flatten())))


def weights(training: LanguageTrainer) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in training.network.named_parameters()}


def break_loss(training: LanguageTrainer, monkeypatch: pytest.MonkeyPatch, when: Callable[[int], bool]) -> list[int]:
    """Makes the loss of those forward passes in training nan that ``when`` says, counted from 1; gives all counts."""
    own = training.network.loss
    calls: list[int] = []

    def loss(tokens: Tensor, targets: Tensor, state: Tensor) -> ChunkLoss:
        found = own(tokens, targets, state)
        if training.network.training:
            calls.append(len(calls) + 1)
            if when(len(calls)):
                return ChunkLoss(found.cross_entropy * math.nan, found.raw, found.dropped, found.state)
        return found

    monkeypatch.setattr(training.network, "loss", loss)
    return calls


@pytest.mark.parametrize("cell", [SPEC, "lstm", "gru"])
def test_what_can_be_learnt_is_learnt(cell: RecurrentSpec | str) -> None:
    with reproducible(0, CPU, 1):
        training = trainer(corpus(2000), cell, epochs=10, schedule="cosine", hidden_size=12)
        training.run()
        found = training.measure("valid")
    # The entropy of a step is 0.56 nats; no model at all has 12.
    assert math.exp(0.56) < found["ppl"] < 2.3
    assert found["loss"] == pytest.approx(math.log(found["ppl"]))
    assert training.history[-1]["train_loss"] < training.history[0]["train_loss"]
    assert training.history[-1]["learning_rate"] == pytest.approx(0, abs=1e-3)


def test_an_epoch_is_that_of_a_plain_loop() -> None:
    with reproducible(3, CPU, 1):
        training = trainer(
            epochs=2, random_length=False, weight_decay=0.01, clip_norm=0.3, change_penalty=0.7, output_penalty=0.4
        )
        network = training.network.double()
        plain = trainer(random_length=False).network.double()
        plain.load_state_dict(network.state_dict())
        training.run()
    optimizer = torch.optim.SGD(plain.parameters(), 1.0, weight_decay=0.01)
    text = side_by_side(corpus().train, 4)
    for _ in range(2):
        state, total = plain.begin(4), 0.0
        for at in range(0, 49, 7):
            tokens, targets = text[at : at + 7], text[at + 1 : at + 8][: 49 - at]
            tokens = tokens[: len(targets)]
            raw, after = plain.cell(plain.embedding[tokens], state)
            logits = raw @ plain.embedding.t() + plain.bias
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
            total += float(loss.detach()) * len(tokens)
            loss = loss + 0.4 * raw.pow(2).mean() + 0.7 * (raw[1:] - raw[:-1]).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            norm = math.sqrt(sum(float(p.grad.square().sum()) for p in plain.parameters() if p.grad is not None))
            for parameter in plain.parameters():
                assert parameter.grad is not None
                parameter.grad.mul_(min(1.0, 0.3 / (norm + 1e-6)))
            optimizer.param_groups[0]["lr"] = len(tokens) / 7
            optimizer.step()
            state = after.detach()
    assert training.step == 14
    assert training.history[-1]["train_loss"] == pytest.approx(total / 49)
    for name, weight in plain.named_parameters():
        torch.testing.assert_close(weight, dict(network.named_parameters())[name], rtol=1e-6, atol=1e-9)


def test_lengths_are_drawn_as_in_the_programs() -> None:
    with reproducible(0, CPU, 1):
        training = trainer(chunk_length=35)
        lengths = np.array([training._draw_length() for _ in range(20_000)])
    assert lengths.min() >= 5
    assert lengths.max() <= 55
    short = lengths < 25
    # A twentieth around half of the base; of the others hardly any is that short.
    assert short.mean() == pytest.approx(0.05 * 0.93 + 0.95 * 0.02, abs=0.01)
    assert lengths[~short].mean() == pytest.approx(34.8, abs=0.3)
    assert lengths[~short].std() == pytest.approx(4.7, abs=0.3)


def test_the_rate_goes_with_a_chunks_length(monkeypatch: pytest.MonkeyPatch) -> None:
    with reproducible(0, CPU, 1):
        training = trainer(corpus(1000), epochs=2, schedule="cosine")
        rates, places = [], []

        def note() -> None:
            rates.append(training.optimizer.param_groups[0]["lr"])
            places.append(training.epoch * 249 + training._at)

        training.run(note)
    starts = [0, *places[:-1]]
    expected = [
        (1 + math.cos(math.pi * start / 498)) / 2 * (stop - start) / 7
        for start, stop in zip(starts, places, strict=True)
    ]
    assert rates == pytest.approx(expected)
    assert places[-1] == 498
    lengths = {stop - start for start, stop in zip(starts, places, strict=True)}
    assert len(lengths) > 5


def test_perplexity_is_that_of_the_whole_text_at_once() -> None:
    with reproducible(0, CPU, 1):
        training = trainer(corpus(300, 5000), valid_batch_size=3, valid_limit=1000)
        text = training.corpus
        before = weights(training)
        training.network.train()
        assert training.measure("valid")["ppl"] == pytest.approx(perplexity(training.network, text.valid[:1000], 3))
        assert training.measure("test")["ppl"] == pytest.approx(perplexity(training.network, text.test, 1))
        assert training.measure("train")["ppl"] == pytest.approx(perplexity(training.network, text.train, 3))
    assert all(torch.equal(before[name], weight) for name, weight in weights(training).items())


def test_measuring_leaves_randomness_and_mode_alone() -> None:
    with reproducible(0, CPU, 1):
        training = trainer(state_dropout=0.5)
        training.network.train()
        state = torch.get_rng_state()
        assert training.measure("valid") == training.measure("valid")
        assert torch.equal(torch.get_rng_state(), state)
        assert training.network.training


# Averaging.


def test_averages_begin_when_validation_has_not_improved_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([5.0, 4.0, 3.0, 3.5, 3.9, 3.2, 2.0, 1.0, 3.0])
    with reproducible(0, CPU, 1):
        training = trainer(epochs=9, averaging="triggered", patience=2)
        monkeypatch.setattr(training, "measure", lambda part: {"loss": next(losses)})
        snapshots: list[dict[str, Tensor]] = []
        began: list[int] = []

        def step() -> None:
            if training._averages is not None:
                snapshots.append(weights(training))

        for _ in range(8):
            training.train_epoch(step)
            training.epoch += 1
            if training._averages is not None:
                began.append(training.epoch)
    # After the sixth epoch: 3.2 is above 3.0, the best of all before it but the latest two.
    assert began[0] == 6
    assert len(snapshots) == training._averaged >= 8
    assert training._averages is not None
    for name, average in training._averages.items():
        expected = torch.stack([weights_then[name].double() for weights_then in snapshots]).mean(0)
        torch.testing.assert_close(average.double(), expected, rtol=1e-4, atol=1e-6)
    assert not any(torch.equal(weight, training._averages[name]) for name, weight in weights(training).items())
    with reproducible(0, CPU, 1):
        training.train_epoch(step)
        training.epoch += 1
    for name, weight in weights(training).items():
        expected = torch.stack([weights_then[name].double() for weights_then in snapshots]).mean(0)
        torch.testing.assert_close(weight.double(), expected, rtol=1e-4, atol=1e-6)


def test_averages_are_what_is_measured() -> None:
    with reproducible(0, CPU, 1):
        training = trainer(epochs=4, averaging="triggered", keep_best=True)
        training.train_epoch()
        own = weights(training)
        training._averages = {name: torch.rand_like(weight) for name, weight in own.items()}
        found = training.measure("valid")["ppl"]
        assert all(torch.equal(own[name], weight) for name, weight in weights(training).items())
        average = trainer()
        average.network.load_state_dict(training._averages)
        assert found == average.measure("valid")["ppl"]
        assert found != trainer().measure("valid")["ppl"]


def test_the_best_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [3.0, 1.0, 2.0, 4.0]
    with reproducible(0, CPU, 1):
        training = trainer(epochs=4, keep_best=True)
        given = iter(losses)
        monkeypatch.setattr(training, "measure", lambda part: {"loss": next(given)})
        after: list[dict[str, Tensor]] = []
        training.run(on_epoch=lambda _: after.append(weights(training)))
    assert [figures["valid_loss"] for figures in training.history] == losses
    for name, weight in weights(training).items():
        assert torch.equal(weight, after[1][name])
        assert not torch.equal(weight, after[2][name])


# Divergence.


@pytest.mark.parametrize("keep_best", [False, True])
def test_a_diverged_training_begins_its_epoch_again_from_good_weights(
    keep_best: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reproducible(0, CPU, 1):
        training = trainer(epochs=2, rollbacks=1, random_length=False, keep_best=keep_best)
        training.train_epoch()
        training.epoch += 1
        good = weights(training)
        seen: list[dict[str, Tensor]] = []
        calls = break_loss(training, monkeypatch, lambda call: call == 4)
        places: list[int] = []

        def step() -> None:
            places.append(training._at)

        roll_back = training._roll_back

        def note() -> None:
            roll_back()
            seen.append(weights(training))

        monkeypatch.setattr(training, "_roll_back", note)
        figures = training.train_epoch(step)
    assert len(seen) == 1
    assert all(torch.equal(good[name], weight) for name, weight in seen[0].items())
    assert places == [7, 14, 21, 7, 14, 21, 28, 35, 42, 49]
    assert len(calls) == 11
    assert math.isfinite(figures["train_loss"])


def test_averages_begin_again_after_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    with reproducible(0, CPU, 1):
        training = trainer(epochs=3, rollbacks=1, averaging="triggered", random_length=False)
        training.train_epoch()
        training.epoch += 1
        training._averages, training._averaged = {k: torch.zeros_like(v) for k, v in weights(training).items()}, 9
        break_loss(training, monkeypatch, lambda call: call == 2)
        training.train_epoch()
    assert training._averaged == 7
    assert all(bool(average.any()) for average in training._averages.values())


def test_rollbacks_end_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with reproducible(0, CPU, 1):
        training = trainer(epochs=2, rollbacks=2)
        calls = break_loss(training, monkeypatch, lambda call: True)
        with pytest.raises(DivergedError, match="training loss nan in epoch 1 of 2"):
            training.run()
    assert len(calls) == 3


def test_a_held_out_loss_that_has_no_perplexity_is_a_divergence() -> None:
    training = trainer()
    with torch.no_grad():
        training.network.bias[0] = 1e6
    with pytest.raises(DivergedError, match="on the valid text"):
        training.measure("valid")


# Interruption.


class StopError(Exception):
    """The process was killed here."""


INTERRUPTED: dict[str, Any] = {
    "epochs": 5, "rollbacks": 2, "keep_best": True, "averaging": "triggered", "patience": 1, "state_dropout": 0.3,
    "word_dropout": 0.1, "output_dropout": 0.4, "schedule": "cosine", "change_penalty": 0.1, "learning_rate": 30.0,
    "clip_norm": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("stop", [1, 4, 7, 8, 15, 22, 29, 31])
def test_a_resumed_training_equals_an_uninterrupted_one(stop: int, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with reproducible(5, CPU, 1):
        whole = trainer(**INTERRUPTED)
        averaged: list[int] = []
        whole.run(lambda: averaged.append(whole._averaged))
    assert 0 < sum(count == 0 for count in averaged) < len(averaged)
    with reproducible(5, CPU, 1):
        first = trainer(**INTERRUPTED)

        def step() -> None:
            if first.step == stop:
                save_checkpoint(path, first.state(), {})
                raise StopError

        with pytest.raises(StopError):
            first.run(step)
    with reproducible(99, CPU, 1):
        second = trainer(**INTERRUPTED)
        second.restore(load_checkpoint(path))
        assert second.step == stop
        second.run()
    figures = [[{k: v for k, v in f.items() if k != "seconds"} for f in t.history] for t in (whole, second)]
    assert figures[0] == figures[1]
    assert whole.step == second.step
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(second)[name]), name
    assert whole.measure("test") == second.measure("test")


# Bad input.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 101}, "train is too short for 101 sequences"),
        ({"valid_batch_size": 40, "keep_best": True}, "valid is too short for 40 sequences"),
    ],
)
def test_text_that_is_too_short(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trainer(**changes)


def test_held_out_text_is_only_needed_where_it_is_measured() -> None:
    training = trainer(valid_batch_size=40)
    with pytest.raises(InputError, match="valid is too short for 40 sequences"):
        training.measure("valid")


def test_settings_that_leave_no_text() -> None:
    with pytest.raises(InputError, match="gives 64 sequences no two words each"):
        LanguageSettings.parse({"train_limit": 127, "batch_size": 64})
