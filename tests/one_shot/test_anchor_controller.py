"""ENAS' controller against the programs' formulas, sample by sample in numpy, and against enumeration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from naopt.latent.controller_memory import memory_loss
from naopt.one_shot.anchor_controller import AnchorController
from naopt.one_shot.bounds import Bounds
from naopt.spaces import ConvCellSpace, NASBench201Space, RecurrentCellSpace, SearchSpace
from naopt.testing.spaces import sequences

Ints = NDArray[np.int64]
Array = NDArray[np.float64]

BOUNDS = Bounds(temperature=2.0, tanh_constant=1.5, operation_tanh_reduce=2.5)
CELLS = ConvCellSpace(2, "sep_conv3x3+identity+sep_conv5x5+max_pool3x3")
SPLIT = ConvCellSpace(2)
TREE = RecurrentCellSpace(3, "tanh+relu")
SPACES = {"cells": CELLS, "split": SPLIT, "tree": TREE, "edges": NASBench201Space()}


def controller(space: SearchSpace, *, layers: int = 2, seed: int = 0, bounds: Bounds = BOUNDS) -> AnchorController:
    """In float64, with weights large enough to matter."""
    built = AnchorController(
        space, 5, layers, bounds=bounds, operation_bias=0.7, fixed_bias=0.25, distance_scale=6.0
    ).double()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.from_numpy(rng.normal(size=tuple(parameter.shape))))
    return built


def some(space: SearchSpace, count: int, seed: int = 0) -> Ints:
    rng = np.random.default_rng(seed)
    return np.array([space.sample(rng).tokens for _ in range(count)], dtype=np.int64)


class Slow:
    """One architecture by the formulas of the programs."""

    def __init__(self, built: AnchorController, row: list[int], initial: list[tuple[Array, Array]]) -> None:
        self.p = {name: value.detach().numpy() for name, value in built.named_parameters()}
        self.built, self.row, self.state = built, row, initial
        self.start = self.p["embedding.weight"][0]
        self.total = self.entropy = 0.0
        self.seen: list[Array] = []

    def step(self, x: Array) -> Array:
        def sigmoid(z: Array) -> Array:
            return np.asarray(1 / (1 + np.exp(-z)))

        for layer, (h, c) in enumerate(self.state):
            gates = self.p[f"lstm.weight_ih_l{layer}"] @ x + self.p[f"lstm.weight_hh_l{layer}"] @ h
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            x = sigmoid(o) * np.tanh(c)
            self.state[layer] = (x, c)
        return x

    def choose(self, position: int, logits: Array) -> int:
        valid = self.built.space.choices(self.row[:position])
        weights = np.array([np.exp(logits[choice]) if choice in valid else 0.0 for choice in range(len(logits))])
        probabilities = weights / weights.sum()
        self.total += float(np.log(probabilities[self.row[position]]))
        self.entropy -= float(sum(p * np.log(p) for p in probabilities if p > 0))
        return self.row[position]

    def attend(self, keys: list[Array], h: Array) -> Array:
        w1, w2, v = (self.p[f"{name}.weight"] for name in ("of_key", "of_query", "attention"))
        raw = np.array([float((v @ np.tanh(w1 @ key + w2 @ h))[0]) for key in keys])
        return np.asarray(1.5 * np.tanh(raw / 2))

    def operate(self, position: int, h: Array, *, first: bool = False, biased: bool = True) -> Array:
        """Chooses an operation; gives its embedding."""
        words = self.built.vocabulary.choice_words(position)
        logits = self.p["output.weight"][words] @ h + biased * self.p["output.bias"][words]
        logits = 1.5 / 2.5 * np.tanh(logits / 2)
        favoured = [name.startswith("sep_conv") for name in self.built.space.positions[position].choices]
        if first and any(favoured):
            logits = logits + np.where(favoured, 0.25, -0.25)
        return np.asarray(self.p["embedding.weight"][words[self.choose(position, logits)]])

    def cells(self) -> None:
        """Two cells of two nodes; an operation is one token or two."""
        width = self.built.space.tokens_per_step
        at = 0
        for cell in range(2):
            keys = [self.step(self.start), self.step(self.start)]
            anchors = [np.zeros(5), np.zeros(5)]
            for _ in range(2):
                x = self.start
                for branch in range(2):
                    index = self.choose(at + branch * width, self.attend(keys, self.step(x)))
                    x = anchors[index]
                for branch in range(2):
                    for part in range(1, width):
                        x = self.operate(at + branch * width + part, self.step(x), first=cell == 0)
                anchors.append(self.step(x))
                keys.append(anchors[-1])
                at += 2 * width

    def tree(self) -> None:
        """Three nodes below the first state."""
        anchors = [self.step(self.start)]
        x = self.start
        for node in range(1, 4):
            h = self.step(x)
            away = np.array([node - other for other in range(node)], dtype=float)
            index = self.choose(2 * node - 2, self.attend(anchors, h) - away**2 / 6)
            x = anchors[index] / (0.1 + node - index)
            anchors.append(h)
            x = self.operate(2 * node - 1, self.step(x), biased=False)
        self.step(x)

    def edges(self) -> None:
        """Six operations of a plain LSTM."""
        x = self.start
        for position in range(6):
            x = self.operate(position, self.step(x))
        self.step(x)


WAYS: dict[str, Callable[[Slow], None]] = {
    "cells": Slow.cells,
    "split": Slow.cells,
    "tree": Slow.tree,
    "edges": Slow.edges,
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("begun", [False, True], ids=["zeros", "state"])
def test_scores_and_states_are_those_of_the_formulas(name: str, begun: bool) -> None:
    space = SPACES[name]
    built, tokens = controller(space), some(space, 6)
    rng = np.random.default_rng(1)
    hidden, cell = (rng.normal(size=(2, 6, 5)) * begun for _ in range(2))
    initial = torch.from_numpy(hidden), torch.from_numpy(cell)
    with torch.no_grad():
        log_probability = built.log_probability(tokens, initial)
        _, entropy = built(tokens)
        states = built.encode(tokens)
    for index, row in enumerate(tokens.tolist()):
        slow = Slow(built, row, [(h[index], c[index]) for h, c in zip(hidden, cell, strict=True)])
        WAYS[name](slow)
        assert log_probability[index].item() == pytest.approx(slow.total, abs=1e-12)
        if not begun:
            assert entropy[index].item() == pytest.approx(slow.entropy, abs=1e-12)
            for layer, (h, c) in enumerate(slow.state):
                np.testing.assert_allclose(states[0][layer, index], h, atol=1e-12)
                np.testing.assert_allclose(states[1][layer, index], c, atol=1e-12)


@pytest.mark.parametrize("space", [ConvCellSpace(1, "sep_conv3x3+identity"), TREE], ids=["cells", "tree"])
def test_samples_have_their_probabilities_which_sum_to_one(space: SearchSpace) -> None:
    built = controller(space, layers=1)
    every = list(sequences(space))
    expected = built(np.array(every, dtype=np.int64))[0].exp().detach().numpy()
    assert expected.sum() == pytest.approx(1, abs=1e-12)
    draws = 20_000
    counts = Counter(built.sample(draws, np.random.default_rng(1)))
    statistic = sum((counts[row] - draws * p) ** 2 / (draws * p) for row, p in zip(every, expected, strict=True))
    assert statistic < len(every) + 6 * np.sqrt(2 * len(every))
    assert set(counts) <= set(every)


def test_sizes_go_with_their_types() -> None:
    """Only half of the pairs of the eleven operations of NAO exist; the masks know after a change of order too."""
    written = controller(SPLIT).sample(300, np.random.default_rng(0))
    assert len(set(written)) > 250
    assert all(map(SPLIT.contains, written))


@pytest.mark.parametrize("name", SPACES)
def test_it_goes_on_from_what_was_decided(name: str) -> None:
    """Completions keep the beginning, and of all of the last decision but one they have the softmax's frequencies."""
    space = SPACES[name]
    built, tokens = controller(space), some(space, 1)
    order = list(built.order)
    assert sorted(order) == list(range(len(space.positions)))
    half = len(order) // 2
    written = built.continued(tokens[:, order[:half]], 30, np.random.default_rng(0))
    assert written.shape == (1, 30, len(order))
    assert (written[:, :, order[:half]] == tokens[:, None, order[:half]]).all()
    assert all(space.contains(row) for row in written[0].tolist())
    last = order[-1]
    counts = Counter(built.continued(tokens[:, order[:-1]], 4000, np.random.default_rng(1))[0][:, last].tolist())
    alternatives = [(*tokens[0][:last], choice, *tokens[0][last + 1 :]) for choice in counts]
    assert last == len(order) - 1 or name in ("cells", "split")
    weights = built(np.array(alternatives, dtype=np.int64))[0].exp().detach().numpy()
    observed = np.array([counts[choice] for choice in counts]) / 4000
    np.testing.assert_allclose(observed, weights / weights.sum(), atol=0.04)


def test_states_decode_as_the_initial_ones() -> None:
    """Of one state the likeliest architecture comes most often."""
    space = RecurrentCellSpace(2, "tanh+relu")
    built, every = controller(space, layers=1), np.array(list(sequences(RecurrentCellSpace(2, "tanh+relu"))))
    states = built.encode(every[[1, 6]])
    written = built.decode(states, 6000, np.random.default_rng(2))
    assert written.shape == (2, 6000, 4)
    for index in range(2):
        one = tuple(part[:, index : index + 1].expand(-1, len(every), -1).contiguous() for part in states)
        expected = built.log_probability(every, (one[0], one[1])).exp().detach().numpy()
        counts = Counter(map(tuple, written[index].tolist()))
        np.testing.assert_allclose([counts[tuple(row)] / 6000 for row in every.tolist()], expected, atol=0.03)


@pytest.mark.parametrize("name", ["cells", "tree"])
def test_gradients(name: str) -> None:
    """Of log-probability, entropy and the memory's loss, by central differences."""
    built, tokens = controller(SPACES[name]), some(SPACES[name], 3)
    rng = np.random.default_rng(3)

    def loss() -> torch.Tensor:
        log_probability, entropy = built(tokens)
        found: torch.Tensor = log_probability.sum() + 0.3 * entropy.sum() + memory_loss(built, tokens)
        return found

    loss().backward()  # type: ignore[no-untyped-call]
    for parameter in built.parameters():
        if parameter.grad is None:
            assert name == "tree"
            assert parameter is built.output.bias, "a tree's operations have no bias, and nothing else is left out"
            continue
        flat = parameter.data.view(-1)
        for index in rng.permutation(len(flat))[:4].tolist():
            value = flat[index].item()
            with torch.no_grad():
                flat[index] = value + 1e-6
                above = loss().item()
                flat[index] = value - 1e-6
                below = loss().item()
                flat[index] = value
            assert float(parameter.grad.view(-1)[index]) == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_it_depends_on_which_node_was_chosen() -> None:
    """The anchor is read: after another input of the second node, another softmax of its operations."""
    tokens = some(CELLS, 1).repeat(2, axis=0)
    tokens[:, 4] = 0, 2
    logits = controller(CELLS).logits(tokens)
    assert not torch.allclose(logits[0, 5], logits[1, 5])
    tokens[:, 4] = 0, 1
    logits = controller(CELLS).logits(tokens)
    torch.testing.assert_close(logits[0, 5], logits[1, 5], msg="the anchors of a cell's inputs are zeros")


def test_published_constants() -> None:
    """Fresh: 0.44 tanh(10) and 0.25 for the separable convolutions of the first cell, 0.44 tanh(10) in the second."""
    space = ConvCellSpace(1, "enas-5")
    torch.manual_seed(0)
    built = AnchorController(space, 64, 2, bounds=Bounds(1.0, 1.1, 2.5), operation_bias=10.0, fixed_bias=0.25)
    options: dict[str, Any] = {"rtol": 0, "atol": 0.01}
    logits = built.logits(np.zeros((1, 8), dtype=np.int64))[0]
    torch.testing.assert_close(logits[1], torch.tensor([0.69, 0.69, -0.25, -0.25, -0.25]), **options)
    torch.testing.assert_close(logits[5], torch.tensor([0.44, 0.44, 0.0, 0.0, 0.0]), **options)
    torch.testing.assert_close(logits[0, :2], torch.zeros(2), **options)
    assert all(parameter.abs().max() <= 0.1 for name, parameter in built.named_parameters() if name != "output.bias")
    assert not any("bias" in name for name, _ in built.lstm.named_parameters())
