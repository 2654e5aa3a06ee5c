"""The recurrent supernet: every path is the child's own language model with the same weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from benchmarks.reference_recurrent import chunk_loss
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from naopt.errors import InputError
from naopt.networks.language_model import LanguageModel, build_language_model, model_width
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.recurrent_cells import TreeCell
from naopt.networks.supernet import WeightSharing
from naopt.networks.supernet_recurrent import SharedLanguageModel, build_shared_language_model
from naopt.spaces import Architecture, ConvCellSpace, EnumeratedSpace, RecurrentBaselineSpace
from naopt.spaces.recurrent_cell import RecurrentCellSpace, RecurrentSpec
from tests.networks.paths import path

NETWORK = LanguageNetworkSettings
WORDS, STEPS, BATCH = 13, 4, 3
DROPOUTS = {
    "word_dropout": 0.3, "embedding_dropout": 0.2, "input_dropout": 0.4, "state_dropout": 0.25, "output_dropout": 0.5,
}  # fmt: skip
SHARING: tuple[WeightSharing, ...] = ("edge", "branch", "node")


def supernet(nodes: int = 4, weights: WeightSharing = "edge", **changes: Any) -> SharedLanguageModel:
    torch.manual_seed(0)
    network = NETWORK.parse({"hidden_size": 5, "init_range": 0.7, **changes})
    shared = build_shared_language_model(RecurrentCellSpace(nodes), network, WORDS, weights).double()
    shared.numbering = "written"
    return shared


def child_of(network: SharedLanguageModel, architecture: Architecture) -> LanguageModel:
    """The architecture's own model with the shared weights."""
    child = build_language_model(network.space, architecture, network.settings, WORDS).double()
    child.load_state_dict(network.child_state(network.path(architecture)))
    return child


def text(batch: int = BATCH, steps: int = STEPS) -> tuple[Tensor, Tensor]:
    torch.manual_seed(7)
    drawn = torch.randint(WORDS, (steps + 1, batch))
    return drawn[:-1], drawn[1:]


def ran(network: LanguageModel, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Loss, and outputs of a chunk in training mode, after a backward pass."""
    tokens, targets = text()
    torch.manual_seed(1)
    state = torch.rand(1, BATCH, network.cell.size, dtype=torch.float64)
    torch.manual_seed(seed)
    found = network.loss(tokens, targets, state)
    (found.cross_entropy + found.raw.square().mean()).backward()  # type: ignore[no-untyped-call]
    return found.cross_entropy.detach(), found.raw.detach()


def node_gradients(child: LanguageModel) -> list[Tensor]:
    """Of W of each node."""
    cell = child.cell
    assert isinstance(cell, TreeCell)
    found = []
    for node in range(1, len(cell.spec.nodes) + 1):
        row = cell.schedule.rows[node]
        place = next(p for p, group in enumerate(cell.schedule.groups) if group.first <= row < group.last)
        gradient = cell.group_weights[place].grad
        assert gradient is not None
        found.append(gradient.split(cell.width, 1)[row - cell.schedule.groups[place].first])
    return found


@given(st.data(), st.integers(1, 6), st.sampled_from(SHARING), st.booleans())
@settings(max_examples=40)
def test_a_path_is_the_child_with_the_same_weights(
    data: st.DataObject, nodes: int, weights: WeightSharing, dropped: bool
) -> None:
    form = {
        "equation": data.draw(st.sampled_from(["highway", "paper"])),
        "output": data.draw(st.sampled_from(["all", "loose-ends"])),
        **(DROPOUTS if dropped else {}),
    }
    network = supernet(nodes, weights, **form)
    for _ in range(2):
        tokens = [data.draw(st.integers(0, len(p.choices) - 1)) for p in network.space.positions]
        architecture = network.space.architecture(tokens)
        child = child_of(network, architecture)
        network.zero_grad(set_to_none=True)
        network.choose(path(network, tokens))
        own, alone = ran(network), ran(child)
        torch.testing.assert_close(own, alone, rtol=1e-10, atol=1e-10)
        listed = network.path_parameters()
        assert len({id(p) for p in listed}) == len(listed) == 4 + nodes
        assert {id(p) for p in network.parameters() if p.grad is not None} == {id(p) for p in listed}
        cell = child.cell
        assert isinstance(cell, TreeCell)
        common = (child.embedding, child.bias, cell.input_weight, cell.state_weight)
        expected = [*(p.grad for p in common), *node_gradients(child)]
        torch.testing.assert_close([p.grad for p in listed], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ("edge", ["1-0", "2-1", "3-1", "4-0"]),
        ("branch", ["1-0-relu", "2-1-tanh", "3-1-sigmoid", "4-0-tanh"]),
        ("node", ["1", "2", "3", "4"]),
    ],
)
@pytest.mark.parametrize(("output", "counted"), [("all", (1, 2, 3, 4)), ("loose-ends", (2, 3, 4))])
def test_a_path_is_the_straightforward_cell_with_the_weights_of_these_names(
    weights: WeightSharing, names: list[str], output: str, counted: tuple[int, ...]
) -> None:
    network = supernet(4, weights, output=output).eval()
    architecture = network.space.parse("recurrent:relu@0,tanh@1,sigmoid@1,tanh@0")
    network.choose(network.path(architecture))
    cell = network.cell
    state = torch.rand(1, BATCH, 5, dtype=torch.float64)
    expected, raw = chunk_loss(
        cell.spec.nodes, counted, True, *text(), state[0], (None,) * 4, network.embedding, network.bias,
        torch.cat([cell.input_weight, cell.state_weight]), [cell.bank[name] for name in names],
    )  # fmt: skip
    found = network.loss(*text(), state)
    torch.testing.assert_close(found.cross_entropy, expected)
    torch.testing.assert_close(found.raw, raw)


@pytest.mark.parametrize(("weights", "count"), [("edge", 66), ("branch", 264), ("node", 11)])
def test_how_many_matrices_there_are(weights: WeightSharing, count: int) -> None:
    """Of ENAS' 11 searched nodes with 4 activations; 66 = 1 + 2 + ... + 11."""
    with torch.device("meta"):
        network = build_shared_language_model(RecurrentCellSpace(), NETWORK(hidden_size=3), WORDS, weights)
    assert len(network.cell.bank) == count
    assert all(weight.shape == (3, 6) for weight in network.cell.bank.values())


def test_equal_seeds_give_equal_weights_that_start_as_a_childs() -> None:
    network, other = supernet(init_range=0.04), supernet(init_range=0.04)
    for (name, weight), same in zip(network.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, same)
        assert bool(weight.any()) == (name != "bias")
        assert float(weight.detach().abs().max()) <= 0.04


def test_the_path_is_not_part_of_the_state_and_goes_with_a_copy() -> None:
    network = supernet()
    architecture = network.space.parse("recurrent:relu@0,tanh@1,sigmoid@1,tanh@0")
    network.choose(network.path(architecture))
    twin = copy.deepcopy(network)
    assert torch.equal(ran(twin)[0], ran(network)[0])
    fresh = supernet()
    fresh.load_state_dict(network.state_dict())
    fresh.choose(fresh.path(architecture))
    assert torch.equal(ran(fresh)[0], ran(network)[0])


def test_another_path_has_another_loss_and_the_same_path_is_not_arranged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network = supernet()
    arranged: list[RecurrentSpec] = []
    own = network.cell.arrange

    def arrange(spec: RecurrentSpec) -> None:
        arranged.append(spec)
        own(spec)

    monkeypatch.setattr(network.cell, "arrange", arrange)
    one, other = [0, 1, 1, 0, 1, 3, 0, 0], [0, 1, 1, 0, 1, 3, 0, 1]
    losses = []
    for tokens in (one, one, other, one):
        network.choose(path(network, tokens))
        losses.append(float(ran(network)[0]))
    assert losses[0] == losses[1] == losses[3] != losses[2]
    assert len(arranged) == 3
    with pytest.raises(InputError, match="recurrent-cell"):
        network.choose(path(network, [0, 1, 2, 0, 1, 3, 0, 1]))


def test_which_spaces_have_one() -> None:
    space = RecurrentCellSpace(2)
    some = EnumeratedSpace(EnumeratedSpace(space, [[0, 1, 1, 0]]), [[0, 1, 1, 0]])
    assert build_shared_language_model(some, NETWORK(hidden_size=3), 9).space is space
    for other in (ConvCellSpace(1), RecurrentBaselineSpace()):
        with pytest.raises(InputError, match="no supernet for text; recurrent-cell has one"):
            build_shared_language_model(other, NETWORK(), 9)


def test_a_number_of_parameters_is_that_of_a_child() -> None:
    space, network = RecurrentCellSpace(3), NETWORK(parameters=5_000)
    size = build_shared_language_model(space, network, 100).cell.size
    architectures = [space.parse(f"recurrent:relu@0,{rest}") for rest in ("tanh@0,tanh@0", "identity@1,sigmoid@2")]
    assert {model_width(space.cell(a), network, 100) for a in architectures} == {size}
    with pytest.raises(InputError, match="the narrowest model of 100 words"):
        build_shared_language_model(space, NETWORK(parameters=150), 100)


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums up the memory that operations inside ask for, in bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {x.untyped_storage()._cdata for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        found = func(*args, **(kwargs or {}))
        new = {x.untyped_storage()._cdata: x.untyped_storage().nbytes() for x in tree_leaves(found)
               if isinstance(x, Tensor)}  # fmt: skip
        self.total += sum(size for storage, size in new.items() if storage not in given)
        return found


def test_a_step_needs_no_memory_for_what_is_not_on_its_path() -> None:
    """However many matrices there are: a child's step, and twice the weights of the path's nodes, side by side."""
    sizes = []
    tokens = [0, 1, 1, 0, 1, 3, 0, 0]
    for weights in SHARING:
        network = supernet(4, weights)
        network.choose(path(network, tokens))
        with Allocations() as seen:
            ran(network)
        sizes.append(seen.total)
    child = child_of(network, network.space.architecture(tokens))
    with Allocations() as alone:
        ran(child)
    assert sizes[0] == sizes[1] == sizes[2]
    matrices = 4 * 5 * 10 * 8
    assert alone.total < sizes[0] <= alone.total + 2 * matrices
