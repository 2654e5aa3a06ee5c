"""Text for shared weights: chunks, what is measured, and training on it against plain loops."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.networks.language_model import ChunkLoss, build_language_model
from naopt.networks.language_settings import LanguageSettings
from naopt.networks.supernet_recurrent import build_shared_language_model
from naopt.one_shot.base import OneShotSearcher
from naopt.one_shot.build import shared_data
from naopt.one_shot.build import shared_trainer as shared_trainer_of
from naopt.one_shot.random_ws import RandomSharing
from naopt.one_shot.settings import OneShotSettings
from naopt.one_shot.text import Chunk, SharedText
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import EnumeratedSpace, RecurrentBaselineSpace, SearchSpace, Tokens
from naopt.spaces.recurrent_cell import RecurrentCellSpace
from naopt.tasks import Corpus
from naopt.testing import OneShotCase, OneShotSuite
from naopt.training.language import LanguageTrainer
from naopt.training.trainer import DivergedError
from tests.networks.paths import path, paths

CPU = torch.device("cpu")
WORDS = 200
SPACE = RecurrentCellSpace(3)
ONE, OTHER = (0, 0, 1, 1, 1, 3), (0, 0, 0, 2, 2, 1)
FEW = {"hidden_size": 8, "batch_size": 4, "chunk_length": 7, "learning_rate": 1.0, "init_range": 0.3, "clip_norm": 0.5}


def corpus(train: int = 203, held_out: int = 120) -> Corpus:
    """Nearly always each word's successor, of 20; the validation text counts up through all words."""
    rng = np.random.default_rng(0)
    steps = rng.choice([1, 1, 1, 5], size=train)
    counted = np.arange(held_out, dtype=np.int32) % WORDS
    return Corpus((np.cumsum(steps) % 20).astype(np.int32), counted, counted, tuple(map(str, range(WORDS))))


def shared_text(text: Corpus | None = None, space: SearchSpace = SPACE, **changes: Any) -> SharedText:
    torch.manual_seed(0)
    training = LanguageSettings.parse({**FEW, **changes})
    network = build_shared_language_model(space, training, WORDS)
    network.numbering = "written"
    network.choose(path(network, ONE))
    return SharedText(network, text or corpus(), training)


def shared_trainer(
    data: SharedText, space: SearchSpace = SPACE, epochs: int = 3, rollbacks: int = 3, **options: Any
) -> SharedTrainer:
    training = data.training
    searcher = RandomSharing(space, OneShotSettings(epochs=epochs, rollbacks=rollbacks), seed=0)
    chosen = {"learning_rate": training.learning_rate, "clip_norm": training.clip_norm, **options}
    return SharedTrainer(data, searcher, device=CPU, **chosen)


def cross_entropy(data: SharedText, chunk: Chunk) -> float:
    """By the logits of all places at once, nothing dropped."""
    data.network.eval()
    with torch.no_grad():
        logits, _ = data.network(chunk.words, chunk.state)
    data.network.train()
    return float(F.cross_entropy(logits.flatten(0, 1).double(), chunk.targets.flatten()))


# Chunks.


@pytest.mark.parametrize(("words", "steps"), [(203, 7), (200, 7), (206, 8), (27, 1), (35, 1), (36, 2)])
def test_a_pass_reads_the_whole_text_in_chunks_of_equal_length(words: int, steps: int) -> None:
    data = shared_text(corpus(words))
    sequences = corpus(words).train[: words // 4 * 4].reshape(4, -1).T
    assert data.steps == steps
    for _ in range(2):
        chunks = [data.next_train() for _ in range(steps)]
        assert np.array_equal(torch.cat([chunk.words for chunk in chunks]), sequences[:-1])
        assert np.array_equal(torch.cat([chunk.targets for chunk in chunks]), sequences[1:])
        lengths = {len(chunk.words) for chunk in chunks}
        assert max(lengths) <= 7
        assert max(lengths) - min(lengths) <= 1


def test_the_state_goes_on_through_a_pass_whatever_the_path() -> None:
    data = shared_text()
    for _ in range(2):
        state = data.network.begin(4)
        for step in range(data.steps):
            chunk = data.next_train()
            assert torch.equal(chunk.state, state)
            last = SPACE.architecture((ONE, OTHER)[step % 2])
            for architecture in (SPACE.architecture(OTHER), last):
                # Of several paths that are trained on one chunk it is the last one's.
                data.network.choose(data.network.path(architecture))
                loss = data.loss(chunk)
            child = build_language_model(SPACE, last, data.training, WORDS)
            child.load_state_dict(data.network.child_state(data.network.path(last)))
            alone = child.loss(chunk.words, chunk.targets, state)
            torch.testing.assert_close(loss, alone.cross_entropy)
            torch.testing.assert_close(data.memory().tensors["state"], alone.state)
            state = data.memory().tensors["state"]
            data.loss(data.next_valid())
            data.reward(chunk)
            assert data.memory().tensors["state"] is state
            assert not state.requires_grad
            assert bool(state.any())


def test_validation_chunks_come_from_everywhere_and_begin_without_a_state() -> None:
    """The program of NAO-WS reads the first 1/35 of the text only."""
    data = shared_text(valid_limit=100)
    starts: Counter[int] = Counter()
    for _ in range(600):
        chunk = data.next_valid()
        assert chunk.words.shape == chunk.targets.shape == (7, 4)
        assert torch.equal(chunk.words, chunk.words[0] + torch.arange(7)[:, None])
        assert torch.equal(chunk.targets, chunk.words + 1)
        assert not chunk.state.any()
        starts.update(chunk.words[0].tolist())
    assert sorted(starts) == list(range(93))
    expected = 2400 / 93
    # Of 92 degrees of freedom: exceeded once in ten thousand.
    assert sum((count - expected) ** 2 / expected for count in starts.values()) < 148


def test_chunks_longer_than_the_validation_text_are_all_of_it() -> None:
    data = shared_text(corpus(2000), chunk_length=300)
    chunk = data.next_valid()
    assert np.array_equal(chunk.words, np.stack([corpus().valid[:-1]] * 4, 1))


@pytest.mark.parametrize(("part", "changes"), [("train", {"batch_size": 150}), ("valid", {"valid_batch_size": 70})])
def test_text_that_is_too_short(part: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{part} is too short for"):
        shared_text(**changes)


# Losses and measures.


def test_penalties_are_added_to_the_loss() -> None:
    data = shared_text(output_penalty=0.4, change_penalty=0.7, output_dropout=0.5)
    chunk = data.next_train()
    torch.manual_seed(5)
    found = data.network.loss(chunk.words, chunk.targets, chunk.state)
    change = (found.raw[1:] - found.raw[:-1]).pow(2).mean()
    torch.manual_seed(5)
    torch.testing.assert_close(data.loss(chunk), found.cross_entropy + 0.4 * found.dropped.pow(2).mean() + 0.7 * change)


def test_the_reward_is_80_over_perplexity() -> None:
    data = shared_text(output_dropout=0.5, output_penalty=1.0)
    chunk = data.next_valid()
    assert data.reward(chunk) == pytest.approx(80 / math.exp(cross_entropy(data, chunk)))
    assert data.reward(chunk) == data.reward(chunk)
    assert data.network.training
    with torch.no_grad():
        data.network.bias.fill_(math.nan)
    assert data.reward(chunk) == 0


@pytest.mark.parametrize("tokens", [ONE, OTHER])
def test_a_path_measures_what_its_child_measures(tokens: Tokens) -> None:
    changes: dict[str, Any] = {"valid_limit": 110, "valid_batch_size": 3, "output_dropout": 0.5}
    data = shared_text(**changes)
    generator = torch.get_rng_state()
    found = data.measure(path(data.shared, tokens))
    assert torch.equal(torch.get_rng_state(), generator)
    assert data.network.training
    architecture = SPACE.architecture(tokens)
    child = build_language_model(SPACE, architecture, data.training, WORDS)
    child.load_state_dict(data.network.child_state(data.network.path(architecture)))
    expected = LanguageTrainer(child, corpus(), data.training, CPU).measure("valid")
    assert found == pytest.approx(expected, rel=1e-6)
    assert found["ppl"] == pytest.approx(math.exp(found["loss"]))
    data.next_train()
    data.next_valid()
    assert data.measure(path(data.shared, tokens)) == found
    assert data.scores(paths(data.shared, [tokens])).tolist() == [-found["ppl"]]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e5])
def test_a_path_without_a_perplexity_gives_no_number(value: float) -> None:
    data = shared_text()
    with torch.no_grad():
        data.network.bias[0] = value
    assert data.measure(path(data.shared, ONE)) == {}
    assert data.scores(paths(data.shared, [ONE, OTHER])).tolist() == [-math.inf] * 2


# Training.


def test_training_on_one_path_is_that_of_a_child() -> None:
    space = EnumeratedSpace(SPACE, [SPACE.architecture(ONE).identity])
    data = shared_text(space=space, change_penalty=0.3)
    architecture = space.architecture(ONE)
    child = build_language_model(SPACE, architecture, data.training, WORDS).double()
    data.network.double()
    child.load_state_dict(data.network.child_state(data.network.path(architecture)))
    others = {name: weight.detach().clone() for name, weight in data.network.named_parameters()}
    training = shared_trainer(data, space, epochs=2, weight_decay=0.01)
    training.run()
    optimizer = torch.optim.SGD(child.parameters(), weight_decay=0.01)
    text = torch.from_numpy(corpus().train[:200].reshape(4, 50).T.astype("int64"))
    for epoch in range(2):
        state = child.begin(4)
        for step in range(7):
            at, stop = 7 * step, 7 * step + 7
            found = child.loss(text[at:stop], text[at + 1 : stop + 1], state)
            optimizer.zero_grad()
            loss = found.cross_entropy + 0.3 * (found.raw[1:] - found.raw[:-1]).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(child.parameters(), 0.5)
            optimizer.param_groups[0]["lr"] = (1 + math.cos(math.pi * (epoch + step / 7) / 2)) / 2
            optimizer.step()
            state = found.state
    expected = child.state_dict()
    for name, weight in data.network.child_state(data.network.path(architecture)).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-9, atol=1e-9)
    trained = {id(weight) for weight in data.network.path_parameters()}
    for name, weight in data.network.named_parameters():
        assert torch.equal(weight, others[name]) == (id(weight) not in trained), name


def test_shared_weights_learn_for_all_paths() -> None:
    text = corpus(2000)
    data = shared_text(Corpus(text.train, text.train[-500:], text.test, text.words), hidden_size=16, learning_rate=3.0)
    training = shared_trainer(data, epochs=6)
    training.run()
    losses = [row["train_loss"] for row in training.history]
    assert losses[0] > 2 > 1.5 > losses[-1] > 0.56  # the entropy of a step
    ppl = -data.scores([data.shared.path(SPACE.sample(np.random.default_rng(seed))) for seed in range(5)])
    assert ppl.max() < 4.5
    assert "ppl" in training.measure("valid")


def test_a_training_that_was_killed_goes_on_bit_for_bit() -> None:
    def make(searcher: OneShotSearcher) -> SharedTrainer:
        data = shared_text(word_dropout=0.2, state_dropout=0.3)
        return SharedTrainer(data, searcher, learning_rate=1.0, momentum=0.5, device=CPU)

    case = OneShotCase(RandomSharing, OneShotSettings(epochs=2), SPACE, make)
    OneShotSuite().test_a_search_goes_on_from_where_it_was_stopped(case)


def test_memory_before_the_first_step() -> None:
    data, other = shared_text(), shared_text()
    other.loss(other.next_train())
    other.restore(data.memory())
    assert other.memory() == data.memory()
    assert torch.equal(other.next_train().state, data.next_train().state)


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_weights_that_diverge_for_good_end_with_a_reason(rate: float) -> None:
    data = shared_text()
    training = shared_trainer(data, learning_rate=rate, clip_norm=0.0)
    with pytest.raises(DivergedError, match=r"^loss \S+ of shared weights in epoch \d of 3$"):
        training.run()


def test_weights_that_diverge_once_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shared_text()
    own, calls = data.network.loss, []

    def loss(tokens: Tensor, targets: Tensor, state: Tensor) -> ChunkLoss:
        found = own(tokens, targets, state)
        calls.append(state)
        if len(calls) != 10:
            return found
        return ChunkLoss(found.cross_entropy * math.nan, found.raw, found.dropped, found.state * math.nan)

    monkeypatch.setattr(data.network, "loss", loss)
    training = shared_trainer(data)
    training.run()
    # Seven steps an epoch: the third of the second fails, and the epoch begins again, with a state of zeros.
    assert not calls[10].any()
    assert len(calls) == 3 * 7 + 3
    assert [row["rollbacks"] for row in training.history] == [0, 1, 1]
    assert all(bool(weight.isfinite().all()) for weight in data.network.parameters())


# From a task.


def test_a_text_task_has_a_supernet_of_recurrent_cells(tmp_path: Path) -> None:
    file = tmp_path / "counting.txt"
    file.write_text("\n".join("one two three four five six seven eight" for _ in range(300)))
    work = create_workload(f"text:{file}", {**FEW, "epochs": 1, "chunk_length": 20})
    data, facts = shared_data(SPACE, work, OneShotSettings(weights="node"), "cpu")
    assert isinstance(data, SharedText)
    assert data.network.words == len(facts["words"]) == 9
    assert len(data.network.cell.bank) == 3
    training = shared_trainer_of(data, RandomSharing(SPACE, OneShotSettings(epochs=2), seed=0), work, CPU)
    assert (training.rate, training.clip_norm) == (1.0, 0.5)
    training.run()
    assert training.step == 2 * data.steps
    assert training.measure("valid")["ppl"] < 9
    with pytest.raises(InputError, match="'recurrent-baseline': has no supernet for text"):
        shared_data(RecurrentBaselineSpace(), work, OneShotSettings(), "cpu")
