"""Mixtures of recurrent cells against plain loops, paths and children; what is derived from them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from naopt.errors import InputError
from naopt.networks.language_model import build_language_model
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.recurrent_mixture import mixed_function
from naopt.networks.supernet import WeightSharing
from naopt.networks.supernet_recurrent import SharedLanguageModel, build_shared_language_model
from naopt.spaces.recurrent_cell import RecurrentCellSpace
from tests.networks.paths import path

WORDS, STEPS, BATCH = 13, 3, 4
SHARING: tuple[WeightSharing, ...] = ("edge", "branch", "node")


def supernet(
    nodes: int = 3, weights: WeightSharing = "edge", *, normalises: bool = False, **changes: Any
) -> SharedLanguageModel:
    torch.manual_seed(0)
    settings = LanguageNetworkSettings.parse({"hidden_size": 5, "init_range": 0.7, **changes})
    space = RecurrentCellSpace(nodes)
    shared = build_shared_language_model(space, settings, WORDS, weights, normalises=normalises).double()
    shared.numbering = "written"
    return shared


def chunk(network: SharedLanguageModel) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(7)
    words = torch.randint(WORDS, (STEPS + 1, BATCH))
    return words[:-1], words[1:], torch.rand(1, BATCH, network.cell.size, dtype=torch.float64)


def one_hot(network: SharedLanguageModel, tokens: tuple[int, ...]) -> Tensor:
    """All weight on the cell's choice of each node, on none elsewhere."""
    (shape,) = network.mixing_shapes()
    table, start = torch.zeros(shape, dtype=torch.float64), 0
    table[:, -1] = 1
    for node, (source, activation) in enumerate(zip(tokens[::2], tokens[1::2], strict=True), 1):
        table[start + source] = torch.eye(shape[1], dtype=torch.float64)[activation]
        start += node
    return table


@pytest.mark.parametrize("equation", ["highway", "paper"])
@pytest.mark.parametrize("weights", SHARING)
def test_a_mixture_of_single_choices_is_the_path_and_derives_it(weights: WeightSharing, equation: str) -> None:
    network = supernet(weights=weights, equation=equation, state_dropout=0.3, input_dropout=0.2)
    for tokens in ((0, 0, 1, 1, 0, 3), (0, 2, 0, 1, 2, 0)):
        found = []
        for mixed in (False, True):
            network.choose(path(network, tokens))
            if mixed:
                network.mix([one_hot(network, tokens)])
            network.zero_grad()
            torch.manual_seed(1)
            loss = network.loss(*chunk(network)).cross_entropy
            loss.backward()  # type: ignore[no-untyped-call]
            gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
            found.append((loss.detach(), gradients))
        torch.testing.assert_close(found[1][0], found[0][0])
        for name, gradient in found[0][1].items():
            torch.testing.assert_close(found[1][1][name], gradient)
        assert network.derive([one_hot(network, tokens)]) == tokens


@pytest.mark.parametrize("normalises", [False, True])
@pytest.mark.parametrize("weights", SHARING)
def test_a_mixture_is_the_weighted_sum(weights: WeightSharing, normalises: bool) -> None:
    network = supernet(2, weights, normalises=normalises)
    table = torch.rand(network.mixing_shapes()[0], dtype=torch.float64).softmax(1).requires_grad_()
    network.mix([table])
    assert network.path_parameters() == list(network.parameters())
    cell, names = network.cell, network.space.activations
    inputs = torch.randn(STEPS, BATCH, 5, dtype=torch.float64)
    hidden = torch.randn(BATCH, 5, dtype=torch.float64)
    actual, last = cell(inputs, hidden[None])

    def norm(x: Tensor) -> Tensor:
        centred = x - x.mean(0)
        return centred / (centred.square().mean(0) + 1e-5).sqrt() if normalises else x

    def update(old: Tensor, product: Tensor, name: str) -> Tensor:
        gate, value = product[:, :5].sigmoid(), mixed_function(name)(product[:, 5:])
        return (1 - gate) * old + gate * value

    for step in range(STEPS):
        states = [norm(update(hidden, inputs[step] @ cell.input_weight + hidden @ cell.state_weight, "tanh"))]
        for node, rows in ((1, table[:1]), (2, table[1:])):
            total = torch.zeros_like(hidden)
            for source, (column, name) in product(range(node), enumerate(names)):
                w = cell.bank[cell.name(node, source, name)]
                total = total + rows[source, column] * update(states[source], states[source] @ w, name)
            states.append(norm(total))
        hidden = (states[1] + states[2]) / 2
        torch.testing.assert_close(actual[step], hidden)
    assert torch.equal(last[0], actual[-1])
    (gradient,) = torch.autograd.grad(network.loss(*chunk(network)).cross_entropy, [table])
    assert bool((gradient[:, :-1] != 0).all())
    assert not bool(gradient[:, -1].any()), "none adds nothing"


def test_a_normalised_path_is_its_mixture_and_no_child_inherits_it() -> None:
    network, tokens = supernet(normalises=True), (0, 0, 1, 1, 0, 3)
    chosen = path(network, tokens)
    network.choose(chosen)
    alone = network.loss(*chunk(network)).cross_entropy
    network.mix([one_hot(network, tokens)])
    torch.testing.assert_close(network.loss(*chunk(network)).cross_entropy, alone)
    with pytest.raises(InputError, match=r"cannot inherit: this supernet normalises states.*normalise_states=false"):
        network.child_state(chosen)
    other = supernet()
    child = build_language_model(other.space, chosen.architecture, other.settings, WORDS).double()
    child.load_state_dict(other.child_state(path(other, tokens)))
    assert abs(child.loss(*chunk(network)).cross_entropy - alone).item() > 1e-3


def test_a_cell_by_hand() -> None:
    """Node 2 takes 0 for relu's 0.5, node 3 takes 2 for sigmoid's 0.4, though none is strongest elsewhere."""
    network = supernet()
    table = torch.tensor(
        [
            [0.1, 0.1, 0.3, 0.1, 0.4],
            [0.1, 0.5, 0.1, 0.1, 0.2],
            [0.3, 0.1, 0.0, 0.0, 0.6],
            [0.1, 0.1, 0.1, 0.2, 0.5],
            [0.1, 0.0, 0.0, 0.1, 0.8],
            [0.3, 0.2, 0.1, 0.4, 0.0],
        ]
    )
    assert network.space.activations == ("tanh", "relu", "identity", "sigmoid")
    assert network.derive([table]) == (0, 2, 0, 1, 2, 3)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_derived_is_the_strongest_cell_of_all(seed: int) -> None:
    network, generator = supernet(), torch.Generator().manual_seed(seed)
    table = torch.randn(network.mixing_shapes()[0], generator=generator).softmax(1)

    def weight(tokens: tuple[int, ...]) -> float:
        edges = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
        return sum(table[edges.index((n, tokens[2 * n])), tokens[2 * n + 1]].item() for n in range(3))

    branches = [product(range(n), range(4)) for n in (1, 2, 3)]
    cells = [tuple(token for branch in cell for token in branch) for cell in product(*branches)]
    assert len(cells) == network.space.size
    assert network.derive([table]) == max(cells, key=weight)
