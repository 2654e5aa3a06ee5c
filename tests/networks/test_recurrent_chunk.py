"""The cell as one operation against the cell step by step."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.recurrent_activations import activations
from naopt.networks.recurrent_cells import TreeCell
from naopt.networks.recurrent_schedule import make_schedule
from naopt.networks.recurrent_workspace import WorkspacePool
from naopt.spaces.recurrent_cell import RecurrentSpec
from tests.networks.recurrent_examples import PTB_CELL, Case, make_case, specs

NETWORK = LanguageNetworkSettings
FORMS = list(product(("highway", "paper"), ("all", "loose-ends")))


def gradients(outputs: Tensor, case: Case) -> list[Tensor]:
    torch.manual_seed(1)
    return list(torch.autograd.grad((outputs * torch.randn_like(outputs)).sum(), case.leaves()))


@given(specs(), st.sampled_from(FORMS), st.booleans(), st.integers(1, 5), st.integers(1, 3))
@settings(max_examples=40)
def test_outputs_and_gradients_are_those_of_the_straightforward_version(
    spec: RecurrentSpec, form: tuple[str, str], masked: bool, steps: int, batch: int
) -> None:
    network = NETWORK.parse({"equation": form[0], "output": form[1]})
    case = make_case(spec, network, masked=masked, steps=steps, batch=batch)
    expected, expected_gradients = case.straightforward(), gradients(case.straightforward(), case)
    for _ in range(2):
        outputs = case.fast()
        torch.testing.assert_close(outputs, expected, rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(gradients(outputs, case), expected_gradients, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(case.fast(), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("equation", "output"), FORMS)
def test_gradients_are_those_of_finite_differences(equation: str, output: str) -> None:
    spec = RecurrentSpec(((0, "tanh"), (0, "sigmoid"), (1, "identity"), (1, "tanh"), (3, "relu")))
    case = make_case(spec, NETWORK.parse({"equation": equation, "output": output}), masked=True)
    assert torch.autograd.gradcheck(lambda *_: case.fast(), case.leaves())


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_factors_of_several_steps_at_once_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(PTB_CELL, NETWORK(), masked=True, steps=7)
    monkeypatch.setattr("naopt.networks.recurrent_workspace._BLOCK", block * 12 * 2 * 4)
    torch.testing.assert_close(gradients(case.fast(), case), gradients(case.straightforward(), case))


def test_single_precision_is_as_exact_as_it_can_be() -> None:
    """Large enough that the products are oneDNN's."""
    case = make_case(PTB_CELL, NETWORK(), masked=True, steps=4, batch=64, size=96)
    with torch.no_grad():
        for parameter in case.cell.parameters():
            parameter.mul_(0.1)
    expected, expected_gradients = case.straightforward(), gradients(case.straightforward(), case)
    single = copy.deepcopy(case.cell).float()
    leaves = [case.inputs.detach().float().requires_grad_(), case.hidden.detach().float().requires_grad_()]
    assert case.mask is not None
    outputs, state = single(leaves[0], leaves[1][None], None, case.mask.float())
    torch.testing.assert_close(outputs.double(), expected, rtol=0, atol=1e-5)
    assert torch.equal(state[0], outputs[-1])
    torch.manual_seed(1)
    weights = torch.randn(outputs.shape, dtype=torch.float64).float()
    found = torch.autograd.grad((outputs * weights).sum(), [*leaves, *single.parameters()])
    for one, other in zip(found, expected_gradients, strict=True):
        assert float((one.double() - other).abs().max()) < 2e-5 * float(other.abs().max())


def test_chunks_in_flight_do_not_disturb_each_other() -> None:
    case = make_case(PTB_CELL, NETWORK(), masked=False)
    other = Case(case.cell, torch.rand_like(case.inputs).requires_grad_(), case.hidden, None)
    first, second = case.fast(), other.fast()
    with torch.no_grad():
        case.fast()
    expected = gradients(case.straightforward(), case), gradients(other.straightforward(), other)
    torch.testing.assert_close(gradients(second, other), expected[1])
    torch.testing.assert_close(gradients(first, case), expected[0])


def test_chunks_may_become_longer_and_shorter() -> None:
    for steps in (2, 5, 3):
        case = make_case(PTB_CELL, NETWORK(), masked=True, steps=steps)
        torch.testing.assert_close(gradients(case.fast(), case), gradients(case.straightforward(), case))


def test_second_derivatives_are_refused_and_second_backward_passes_are_not() -> None:
    case = make_case(PTB_CELL, NETWORK(), masked=False)
    first = torch.autograd.grad(case.fast().square().sum(), case.leaves(), create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first[0].sum().backward()  # type: ignore[no-untyped-call]
    outputs = case.fast()
    found = [torch.autograd.grad(outputs.sum(), case.leaves(), retain_graph=True) for _ in range(2)]
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_buffers_are_used_again_and_never_copied() -> None:
    schedule = make_schedule(PTB_CELL, tuple(range(1, 12)))
    pool, like = WorkspacePool(schedule, True, 4), torch.empty(0)
    first = pool.take(5, 2, like)
    assert first.views[4].states.shape == (12, 2, 4)
    pool.give_back(first)
    assert pool.take(3, 2, like) is first
    assert pool.take(3, 2, like) is not first
    pool.give_back(first)
    for batch, steps, other in ((3, 5, like), (2, 6, like), (2, 5, like.double())):
        assert pool.take(steps, batch, other) is not first
    pool.give_back(first)
    assert copy.deepcopy(pool).take(3, 2, like) is not first
    assert pool.take(3, 2, like) is first


def test_a_cell_in_use_can_be_copied() -> None:
    case = make_case(PTB_CELL, NETWORK(), masked=False)
    case.fast().sum().backward()  # type: ignore[no-untyped-call]
    twin = copy.deepcopy(case.cell)
    assert isinstance(twin, TreeCell)
    assert torch.equal(Case(twin, case.inputs, case.hidden, None).fast(), case.fast())


@pytest.mark.parametrize("name", activations.names())
def test_activations_and_their_slopes(name: str) -> None:
    activation = activations.get(name)
    z = torch.linspace(-3, 3, 40, dtype=torch.float64, requires_grad=True)
    function = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": torch.clone}[name]
    expected, upstream = function(z), torch.rand_like(z)
    value = torch.empty_like(z)
    activation.write(z.detach(), value)
    torch.testing.assert_close(value, expected.detach())
    activation.pull(upstream, value, value)
    torch.testing.assert_close(value, torch.autograd.grad((expected * upstream).sum(), z)[0])
