"""States of the LSTM controller and its memory, against step-by-step reimplementation and enumeration."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare

from naopt.latent.controller import LSTMController, build_controller
from naopt.latent.controller_memory import ArchitectureMemory, memory_loss
from naopt.searchers.reinforce import ReinforceSearcher, ReinforceSettings
from naopt.spaces import Architecture, NASBench101Space, NASBench201Space, SearchSpace
from tests.searchers.driving import create, drive, grid, scored

Ints = NDArray[np.int64]


def controller(space: SearchSpace, layers: int = 2, seed: int = 0) -> LSTMController:
    """In float64, with weights large enough to matter."""
    built = build_controller(space, "lstm", 5, layers, seed).double()
    assert isinstance(built, LSTMController)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(torch.from_numpy(np.random.default_rng(seed).normal(size=tuple(parameter.shape))))
    return built


def some(space: SearchSpace, count: int, seed: int = 0) -> Ints:
    rng = np.random.default_rng(seed)
    return np.array([space.sample(rng).tokens for _ in range(count)], dtype=np.int64)


def naive_states(built: LSTMController, row: list[int], initial: Any) -> tuple[list[Any], float]:
    """Hidden states of the last layer before each token, and the sequence's log-probability, by the LSTM's formulas."""
    p = {name: value.detach().numpy() for name, value in built.named_parameters()}
    state = [(h.copy(), c.copy()) for h, c in initial]
    words, space, seen, total = built.vocabulary.words, built.space, [], 0.0

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def read(word: int) -> Any:
        x = p["embedding.weight"][word]
        for layer, (h, c) in enumerate(state):
            gates = p[f"lstm.weight_ih_l{layer}"] @ x + p[f"lstm.bias_ih_l{layer}"]
            gates = gates + p[f"lstm.weight_hh_l{layer}"] @ h + p[f"lstm.bias_hh_l{layer}"]
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            x = sigmoid(o) * np.tanh(c)
            state[layer] = (x, c)
        return x

    top = read(0)
    for index, token in enumerate(row):
        seen.append(top)
        logits = p["output.weight"] @ top + p["output.bias"]
        valid = list(space.choices(row[:index]))
        scores = logits[words[index, valid]]
        total += float(logits[words[index, token]] - np.log(np.exp(scores).sum()))
        top = read(int(words[index, token]))
    seen.append(top)
    return [state, seen], total


@pytest.mark.parametrize("layers", [1, 2])
def test_states_and_probabilities_are_those_of_the_formulas(layers: int) -> None:
    space = NASBench101Space()
    built, tokens = controller(space, layers), some(space, 4)
    zeros = [(np.zeros(5), np.zeros(5))] * layers
    hidden, cell = built.encode(tokens)
    assert hidden.shape == cell.shape == (layers, 4, 5)
    again = built.log_probability(tokens, (hidden, cell))
    plain = built(tokens)[0]
    for row in range(4):
        (state, _), expected = naive_states(built, tokens[row].tolist(), zeros)
        assert plain[row].item() == pytest.approx(expected)
        for layer, (h, c) in enumerate(state):
            np.testing.assert_allclose(hidden[layer, row].detach(), h, atol=1e-12)
            np.testing.assert_allclose(cell[layer, row].detach(), c, atol=1e-12)
        assert again[row].item() == pytest.approx(naive_states(built, tokens[row].tolist(), state)[1])


def test_a_prefix_has_the_state_on_the_way() -> None:
    space = NASBench201Space()
    built, tokens = controller(space, 1), some(space, 3)
    for row in range(3):
        seen = naive_states(built, tokens[row].tolist(), [(np.zeros(5), np.zeros(5))])[0][1]
        for length in range(7):
            hidden, _ = built.encode(tokens[row : row + 1, :length])
            np.testing.assert_allclose(hidden[0, 0].detach(), seen[length], atol=1e-12)


def test_completions_have_their_probabilities() -> None:
    """All ways to go on, each as often as the conditional distribution says; from two states at once."""
    space = grid(2, 3, 2, 2)
    built = controller(space)
    every = np.array([a.tokens for a in space.enumerate()], dtype=np.int64)
    joint = built(every)[0].exp().detach().numpy()
    prefixes = np.array([[0], [1]])
    found = built.complete(built.encode(prefixes), prefixes, 3000, np.random.default_rng(3))
    assert found.shape == (2, 3000, 4)
    for first in (0, 1):
        assert (found[first, :, 0] == first).all()
        at = every[:, 0] == first
        counts = Counter(map(tuple, found[first].tolist()))
        observed = [counts[tuple(row)] for row in every[at].tolist()]
        assert chisquare(observed, 3000 * joint[at] / joint[at].sum()).pvalue > 1e-4


def test_decoding_begins_in_the_state() -> None:
    space = grid(3, 2, 2)
    built = controller(space)
    every = np.array([a.tokens for a in space.enumerate()], dtype=np.int64)
    state = built.encode(every[5:6])
    expected = built.log_probability(every, tuple(part.expand(-1, len(every), -1).contiguous() for part in state))  # type: ignore[arg-type]
    assert expected.exp().sum().item() == pytest.approx(1.0)
    found = built.decode(state, 3000, np.random.default_rng(1))[0]
    counts = Counter(map(tuple, found.tolist()))
    observed = [counts[tuple(row)] for row in every.tolist()]
    assert chisquare(observed, 3000 * expected.exp().detach().numpy()).pvalue > 1e-4


def test_completions_are_valid_and_follow_the_seed() -> None:
    space = NASBench101Space()
    built, prefixes = controller(space), some(space, 5)[:, :7]
    first, again = (built.complete(built.encode(prefixes), prefixes, 6, np.random.default_rng(2)) for _ in range(2))
    assert (first == again).all()
    assert all(space.contains(row) for row in first.reshape(-1, first.shape[-1]).tolist())
    whole = some(space, 2)
    assert (built.complete(built.encode(whole), whole, 3, np.random.default_rng(0)) == whole[:, None]).all()


def test_the_memory_s_gradient_against_finite_differences() -> None:
    """It goes through the state too."""
    space = NASBench201Space()
    built, tokens, rng = controller(space), some(space, 3), np.random.default_rng(2)
    memory_loss(built, tokens).backward()  # type: ignore[no-untyped-call]
    for parameter in built.parameters():
        flat = parameter.data.view(-1)
        assert parameter.grad is not None
        for index in rng.permutation(len(flat))[:4].tolist():
            value = float(flat[index])
            flat[index] = value + 1e-6
            above = memory_loss(built, tokens).item()
            flat[index] = value - 1e-6
            below = memory_loss(built, tokens).item()
            flat[index] = value
            assert float(parameter.grad.view(-1)[index]) == pytest.approx((above - below) / 2e-6, abs=1e-6)


# The memory.


def test_every_architecture_is_as_likely_to_stay() -> None:
    rng, kept = np.random.default_rng(0), Counter[int]()
    for _ in range(600):
        memory = ArchitectureMemory(3)
        memory.add([(i,) for i in range(7)], rng)
        memory.add([(7,), (8,)], rng)
        assert (len(memory), memory.seen) == (3, 9)
        kept.update(tokens[0] for tokens in memory.tokens)
    assert chisquare([kept[i] for i in range(9)]).pvalue > 1e-4


def test_draws_are_without_replacement() -> None:
    memory, rng = ArchitectureMemory(10), np.random.default_rng(0)
    memory.add([(i, i) for i in range(4)], rng)
    assert sorted(memory.draw(9, rng)[:, 0].tolist()) == [0, 1, 2, 3]
    assert len({tuple(row) for row in memory.draw(3, rng).tolist()}) == 3


def test_a_restored_memory_goes_on_alike() -> None:
    memory, rng = ArchitectureMemory(4), np.random.default_rng(0)
    memory.add([(i, 1) for i in range(9)], rng)
    tensors, facts = memory.tensors(), json.loads(json.dumps(memory.facts()))
    other = ArchitectureMemory(4)
    other.restore(tensors, facts)
    for each in (memory, other):
        each.add([(i, 2) for i in range(5)], np.random.default_rng(1))
    assert (memory.tokens, memory.seen) == (other.tokens, other.seen)
    empty = ArchitectureMemory(4)
    empty.restore(ArchitectureMemory(4).tensors(), ArchitectureMemory(4).facts())
    assert (len(empty), empty.seen) == (0, 0)


def test_rehearsal_makes_states_decode_back() -> None:
    """Also those of architectures that are not in the memory; untrained, every fifth token is right by chance."""
    space, rng = NASBench201Space(), np.random.default_rng(0)
    built = build_controller(space, "lstm", 64, 1, 0)
    assert isinstance(built, LSTMController)
    memory, new, shares = ArchitectureMemory(200), some(space, 40, 9), []
    memory.add(list(map(tuple, some(space, 200).tolist())), rng)
    optimiser = torch.optim.Adam(built.parameters(), lr=0.01)
    for steps in (0, 150):
        for _ in range(steps):
            optimiser.zero_grad()
            memory_loss(built, memory.draw(32, rng)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        shares.append(float((built.decode(built.encode(new), 10, rng) == new[:, None]).mean()))
    assert shares[0] < 0.25
    assert shares[1] > 0.35


# In ``reinforce``.


def score(architecture: Architecture) -> Any:
    return scored(float(sum(token == 0 for token in architecture.tokens)))


def test_the_memory_s_loss_falls_and_is_logged() -> None:
    search = create(ReinforceSearcher, NASBench201Space(), budget=120, buffer=50, buffer_batch=16)
    losses = []
    for _ in range(120):
        drive(search, score, 1)
        search.ask(1)
        losses.append(search.round_log()["buffer_loss"])
    assert losses[0] == pytest.approx(6 * np.log(5), abs=0.2)
    assert np.mean(losses[-20:]) < 0.6 * losses[0]


def test_a_search_with_a_memory_is_learned_again_from_its_history() -> None:
    settings: dict[str, Any] = {"buffer": 8, "buffer_batch": 4, "batch": 2}
    search = create(ReinforceSearcher, NASBench201Space(), budget=40, **settings)
    drive(search, score, 20)
    other = create(ReinforceSearcher, NASBench201Space(), budget=40, **settings)
    for architecture, measurement in search.history:
        other.tell(architecture, measurement)
    assert search.ask(2) == other.ask(2)
    plain = create(ReinforceSearcher, NASBench201Space(), budget=40, batch=2)
    for architecture, measurement in search.history:
        plain.tell(architecture, measurement)
    assert not torch.equal(plain.controller.output.weight, other.controller.output.weight)


def test_an_independent_policy_has_nothing_to_remember_with() -> None:
    with pytest.raises(ValueError, match="buffer needs policy=lstm"):
        ReinforceSettings.parse({"buffer": 10, "policy": "independent"})
