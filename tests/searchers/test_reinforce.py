"""REINFORCE: its gradient against exact expectations and finite differences, its distribution against enumeration."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from naopt.latent.controller import Controller, build_controller, reinforce_loss
from naopt.measurement import Measurement
from naopt.searchers.reinforce import ReinforceSearcher, ReinforceSettings
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space, SearchSpace
from tests.searchers.driving import FAILED, create, drive, grid, scored
from tests.spaces.examples import listed

POLICIES = ("lstm", "independent")
MASKED: dict[str, SearchSpace] = {
    "split": ConvCellSpace(1, "identity+dil_conv3x3+max_pool3x3"),
    "listed": listed(NASBench201Space(), 40),
    "free": grid(3, 1, 2),
}


def controller(space: SearchSpace, policy: str, seed: int = 0) -> Controller:
    """In float64, with weights large enough to matter."""
    built = build_controller(space, policy, 5, 1, seed).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(torch.from_numpy(np.random.default_rng(seed).normal(size=tuple(parameter.shape))))
    return built


def every(space: SearchSpace) -> Any:
    return np.array([a.tokens for a in space.enumerate()], dtype=np.int64)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", MASKED)
def test_probabilities_of_all_valid_sequences_sum_to_one(name: str, policy: str) -> None:
    space = MASKED[name]
    log_probability, _ = controller(space, policy)(every(space)[:20_000])
    assert log_probability.exp().sum().item() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("policy", POLICIES)
def test_samples_have_their_probabilities(policy: str) -> None:
    space = MASKED["listed"]
    built = controller(space, policy)
    tokens = every(space)
    expected = built(tokens)[0].exp().detach().numpy() * 4000
    counts = Counter(built.sample(4000, np.random.default_rng(1)))
    observed = np.array([counts[tuple(row)] for row in tokens.tolist()], dtype=np.float64)
    assert observed.sum() == 4000
    rare = expected < 8
    pooled = [(observed[rare].sum(), expected[rare].sum()), *zip(observed[~rare], expected[~rare], strict=True)]
    kept = [(o, e) for o, e in pooled if e > 0]
    assert chisquare([o for o, _ in kept], [e for _, e in kept]).pvalue > 1e-4


@pytest.mark.parametrize("policy", POLICIES)
def test_expected_gradient_is_that_of_the_expected_reward(policy: str) -> None:
    """Over all architectures, weighted with their probabilities, whatever the baseline (policy gradient theorem)."""
    space = grid(3, 2, 2)
    built, tokens = controller(space, policy), every(space)
    rewards = np.random.default_rng(5).normal(size=len(tokens))

    def gradient(loss: torch.Tensor) -> torch.Tensor:
        parts = torch.autograd.grad(loss, list(built.parameters()), allow_unused=True)
        return torch.cat([part.flatten() for part in parts if part is not None])

    probabilities = built(tokens)[0].exp()
    exact = gradient((probabilities * torch.from_numpy(rewards)).sum())
    weights = probabilities.detach().numpy() * len(tokens)
    loss = reinforce_loss(built, list(map(tuple, tokens.tolist())), (rewards - 0.37) * weights, 0.0)
    torch.testing.assert_close(gradient(-loss), exact, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", MASKED)
def test_gradient_against_finite_differences(name: str, policy: str) -> None:
    space = MASKED[name]
    built, rng = controller(space, policy), np.random.default_rng(2)
    tokens = [space.sample(rng).tokens for _ in range(3)]
    advantages = np.array([1.5, -0.5, 0.3])

    def loss() -> torch.Tensor:
        return reinforce_loss(built, tokens, advantages, 0.2)

    loss().backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    for parameter in built.parameters():
        flat = parameter.data.view(-1)
        assert parameter.grad is not None
        for index in rng.permutation(len(flat))[:6].tolist():
            value = float(flat[index])
            flat[index] = value + step
            above = loss().item()
            flat[index] = value - step
            below = loss().item()
            flat[index] = value
            measured = (above - below) / (2 * step)
            assert float(parameter.grad.view(-1)[index]) == pytest.approx(measured, abs=1e-7)


def test_entropy_is_that_of_the_choices() -> None:
    """Where choices do not depend on each other the sum of entropies is the entropy of the whole."""
    space = grid(3, 1, 4)
    log_probability, entropy = controller(space, "independent")(every(space))
    whole = -(log_probability.exp() * log_probability).sum()
    torch.testing.assert_close(entropy, whole.expand(len(entropy)))


def counting(architecture: Architecture) -> Measurement:
    """How many positions have their first choice."""
    return scored(float(sum(token == 0 for token in architecture.tokens)))


@pytest.mark.parametrize(("policy", "learning_rate"), [("lstm", 0.01), ("independent", 0.1)])
def test_it_learns(policy: str, learning_rate: float) -> None:
    """Uniform architectures have 2.5 first choices on average; none can have more than 10."""
    search = create(ReinforceSearcher, grid(*[4] * 10), budget=120, policy=policy, learning_rate=learning_rate)
    found = drive(search, counting, 120)
    values = [counting(p.architecture).metrics["score"] for p in found]
    assert np.mean(values[:10]) < 4
    assert np.mean(values[-30:]) > 5
    assert {p.origin for p in found} == {"controller"}


def test_one_step_as_written_by_hand() -> None:
    """Independent logits, plain gradient: theta + lr (R - b) (onehot - softmax), after the first reward b = R."""
    space = grid(3, 2)
    search = create(ReinforceSearcher, space, preset="nasbench101", learning_rate=0.5, clip_norm=100.0)
    before = search.controller.weights.detach().clone().double()
    one, other = space.architecture((2, 1)), space.architecture((0, 1))
    search.tell(one, scored(1.0))
    torch.testing.assert_close(search.controller.weights.detach().double(), before)
    search.tell(other, scored(3.0))
    baseline = (0.9 * 0.1 * 1.0 + 0.1 * 3.0) / (0.9 * 0.1 + 0.1)
    expected = before.clone()
    for row, count in enumerate((3, 2)):
        onehot = torch.zeros(count, dtype=torch.float64)
        onehot[other.tokens[row]] = 1
        expected[row, :count] += 0.5 * (3.0 - baseline) * (onehot - before[row, :count].softmax(0))
    torch.testing.assert_close(search.controller.weights.detach().double(), expected, atol=1e-6, rtol=1e-6)
    search.ask(1)
    assert search.round_log()["baseline"] == pytest.approx(baseline)


def test_standard_rewards_do_not_know_the_unit() -> None:
    logs = []
    for unit in (1.0, 1000.0):
        search = create(ReinforceSearcher, grid(3, 3, 3), budget=12)
        found = drive(search, lambda a, unit=unit: scored(unit * sum(a.tokens)), 12)  # type: ignore[misc]
        logs.append([p.architecture.tokens for p in found])
    assert logs[0] == logs[1]


def test_batches() -> None:
    search = create(ReinforceSearcher, NASBench201Space(), batch=6)
    first = search.ask(10)
    assert len(first) == 6
    start = [parameter.detach().clone() for parameter in search.controller.parameters()]
    for proposal in first[:4]:
        search.tell(proposal.architecture, counting(proposal.architecture))
    assert all(torch.equal(one, other) for one, other in zip(start, search.controller.parameters(), strict=True))
    assert len(search.ask(10)) == 2
    for proposal in first[4:]:
        search.tell(proposal.architecture, counting(proposal.architecture))
    assert not all(torch.equal(one, other) for one, other in zip(start, search.controller.parameters(), strict=True))


def test_failures_teach_nothing() -> None:
    search = create(ReinforceSearcher, NASBench201Space())
    start = [parameter.detach().clone() for parameter in search.controller.parameters()]
    found = drive(search, lambda _: FAILED, 10)
    assert len(found) == 10
    assert all(torch.equal(one, other) for one, other in zip(start, search.controller.parameters(), strict=True))


def test_a_controller_that_insists_is_helped_out() -> None:
    """All probability on one architecture: once that is measured, others are uniform."""
    space = grid(4, 4)
    search = create(ReinforceSearcher, space, policy="independent", attempts=5, learning_rate=1e-6)
    with torch.no_grad():
        search.controller.weights[:, 1] = 60.0
    found = drive(search, counting, 30)
    assert found[0].architecture.tokens == (1, 1)
    assert [p.origin for p in found] == ["controller"] + ["refill"] * 15
    assert len({p.architecture for p in found}) == space.size


def test_torch_s_randomness_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    search = create(ReinforceSearcher, NASBench201Space())
    drive(search, counting, 3)
    assert torch.equal(torch.rand(1), expected)


def test_presets() -> None:
    paper = ReinforceSettings.parse({"preset": "zoph2017"})
    assert (paper.policy, paper.hidden_size, paper.layers, paper.learning_rate) == ("lstm", 35, 2, 6e-4)
    assert ReinforceSettings.parse({"preset": "nasbench201"}).policy == "independent"
