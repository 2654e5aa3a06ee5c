"""Rounds of ``nao`` as the paper and its programs have them, against a model whose decoder can be worked out by hand.

In this model every choice is an angle: position t of an architecture with token c lies at ``(c + 0.5) / 10`` radians,
and a step turns it by ``atan(step * gain)``, with a gain that seed and position determine. So which architecture
a seed becomes at which step is a line of arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from naopt.errors import InputError
from naopt.latent import GradientAscent
from naopt.measurement import Measurement
from naopt.searchers import NAOSearcher, Objective, Proposal
from naopt.searchers.nao import NAOSettings
from naopt.searchers.nao_joint import JointRounds
from naopt.spaces import Architecture, Tokens, create_space
from tests.searchers.driving import grid

CHOICES, WIDTH = 15, 0.1
SPACE = grid(*[CHOICES] * 6)
GAINS = (0.004, 0.007, 0.013, 0.0005, 0.0, 0.02)


def gain(tokens: Tokens, position: int) -> float:
    """Of a step at a position of a seed; some seeds stay where they are, whatever the step."""
    return 0.0 if sum(tokens) % 7 == 0 else GAINS[position] / 3 ** (sum(tokens) % 5)


def turned(tokens: Tokens, step: float) -> Tokens:
    """What the seed becomes at a step."""
    angles = [(token + 0.5) * WIDTH + math.atan(step * gain(tokens, t)) for t, token in enumerate(tokens)]
    return tuple(min(int(angle / WIDTH), CHOICES - 1) for angle in angles)


class Turning:
    """Stands in for the latent model; counts what it decodes."""

    def __init__(self) -> None:
        self.decoded = 0
        self._encoded: list[Tokens] = []

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        assert len(architectures) == len(scores)
        return {}

    def encode(self, architectures: Sequence[Architecture]) -> Tensor:
        self._encoded = [architecture.tokens for architecture in architectures]
        angles = (torch.tensor(self._encoded, dtype=torch.float64) + 0.5) * WIDTH
        return torch.stack([angles.cos(), angles.sin()], dim=-1)

    def gradient(self, states: Tensor) -> Tensor:
        gains = torch.tensor([[gain(tokens, t) for t in range(len(tokens))] for tokens in self._encoded])
        return gains[..., None] * torch.stack([-states[..., 1], states[..., 0]], dim=-1)

    def decode(self, states: Tensor) -> list[Tokens]:
        self.decoded += len(states)
        tokens = (torch.atan2(states[..., 1], states[..., 0]) / WIDTH).long().clamp_max(CHOICES - 1)
        return [tuple(row) for row in tokens.tolist()]

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        return np.array([float(sum(architecture.tokens)) for architecture in architectures])

    @contextmanager
    def reproducible(self, seed: int) -> Iterator[None]:
        yield


def started(preset: str, budget: int, **options: Any) -> tuple[NAOSearcher, Turning]:
    """A search whose random pool was measured, and its model."""
    search = NAOSearcher(
        SPACE, Objective("score"), NAOSettings.parse({"preset": preset} | options), seed=0, budget=budget
    )
    model = Turning()
    assert isinstance(search.rounds, JointRounds)
    search.rounds.model = model  # type: ignore[assignment]
    proposals = search.ask(budget)
    assert {p.origin for p in proposals} == {"random"}
    tell(search, proposals)
    return search, model


def tell(search: NAOSearcher, proposals: list[Proposal]) -> None:
    for p in proposals:
        search.tell(p.architecture, Measurement({"score": float(sum(p.architecture.tokens))}))


def best(search: NAOSearcher) -> list[Tokens]:
    """The seeds, best first."""
    ranked = sorted(search.history, key=lambda told: -told[1].metrics["score"])
    return [architecture.tokens for architecture, _ in ranked[: search.seeds]]


def all_new(search: NAOSearcher, steps: Sequence[float]) -> list[Tokens]:
    """Every seed at every step: what nothing has measured, in order of steps and seeds."""
    seen = {architecture.tokens for architecture in search.seen}
    made = (turned(tokens, step) for step in steps for tokens in best(search))
    return list(dict.fromkeys(tokens for tokens in made if tokens not in seen))


# The programs.


def test_the_programs_keep_all_that_is_new_of_every_seed_at_every_step() -> None:
    search, model = started("official", 200)
    assert (search.initial, search.new_per_round, search.seeds) == (120, 60, 20)
    expected = all_new(search, (10, 20, 30))
    assert len(expected) > search.seeds, "more than one of each seed"
    proposals = search.ask(80)
    ascended = [p.architecture.tokens for p in proposals if p.origin == "ascent"]
    assert ascended[: len(expected)] == expected[:60]
    assert model.decoded >= 3 * 20
    for p in proposals:
        assert p.origin == "refill" or p.parent is not None
    parents = [p.parent for p in proposals if p.origin == "ascent"]
    assert max(map(parents.count, parents)) > 1


@pytest.mark.parametrize("wanted", [5, 20, 45, 60])
def test_the_step_grows_until_the_round_is_full_and_no_further(wanted: int) -> None:
    search, model = started("official", 200, new_per_round=wanted)
    proposals = search.ask(80)
    assert {p.origin for p in proposals} == {"ascent"}
    taken = next(n for n in range(1, 11) if len(all_new(search, range(10, 10 * n + 1, 10))) >= wanted)
    assert [p.architecture.tokens for p in proposals] == all_new(search, range(10, 10 * taken + 1, 10))[:wanted]
    assert model.decoded == search.round_log()["decoded"] == 20 * taken


def test_the_programs_are_refilled_only_with_what_no_step_yields() -> None:
    search, model = started("official", 200, seeds=3, new_per_round=60)
    expected = all_new(search, range(10, 101, 10))
    assert 3 < len(expected) < 60
    proposals = search.ask(80)
    ascended = [p.architecture.tokens for p in proposals if p.origin == "ascent"]
    assert ascended == expected
    assert model.decoded == 3 * 10
    assert [p.origin for p in proposals[len(expected) :]] == ["refill"] * (60 - len(expected))
    assert search.round_log()["from_refill"] == 60 - len(expected)
    assert all(p.parent is None for p in proposals[len(expected) :])


def test_the_programs_go_on_from_what_they_found() -> None:
    """In later rounds and with others at work: nothing twice, nothing random while ascent has more."""
    search, _ = started("official", 400)
    tell(search, search.ask(160))
    expected = all_new(search, range(10, 101, 10))
    pending: list[Architecture] = []
    for _ in range(6):
        (proposal,) = search.ask(1, pending)
        pending.append(proposal.architecture)
        assert proposal.origin == "ascent"
    assert [architecture.tokens for architecture in pending] == expected[:6]


def test_a_thousand_queries_of_the_programs_come_from_ascent_after_the_pool() -> None:
    """A real network on cells of 60 tokens, small; with the attention of the PyTorch programs, which learns sooner."""
    small = {
        "hidden_size": 24,
        "embedding_size": 8,
        "epochs": 10,
        "batch_size": 20,
        "learning_rate": 0.01,
        "attention": "bilinear",
        "decoder_output": "combined",
    }
    space = create_space("conv-cell")
    settings = NAOSettings.parse({"preset": "official"} | small)
    search = NAOSearcher(space, Objective("score"), settings, seed=0, budget=1000)
    origins: list[str] = []
    while left := 1000 - len(search.history):
        proposals = search.ask(left)
        origins += [p.origin for p in proposals]
        tell(search, proposals)
    assert origins[:600] == ["random"] * 600
    assert origins.count("ascent") >= 380


# The paper.


def first_change(tokens: Tokens, scale: float = 1.0) -> tuple[int, Tokens] | None:
    """How many steps of footnote 4 a seed needs, and what it becomes."""
    for n in range(100):
        if (made := turned(tokens, scale * (10 + 5 * n))) != tokens:
            return n + 1, made
    return None


def test_the_paper_leaves_a_seed_when_another_architecture_is_decoded() -> None:
    search, model = started("paper", 200)
    assert (search.initial, search.new_per_round, search.seeds) == (120, 40, 40)
    seeds = best(search)
    changes = {tokens: first_change(tokens) for tokens in seeds}
    steps = [change[0] if change else 100 for change in changes.values()]
    assert 100 in steps, "some seeds never change"
    assert max(step for step in steps if step < 100) > 10, "some change later than at the tenth step"
    proposals = search.ask(80)
    by_parent = {p.parent.tokens: p.architecture.tokens for p in proposals if p.origin == "ascent" and p.parent}
    assert len(by_parent) == sum(p.origin == "ascent" for p in proposals) <= search.seeds, "at most one of each"
    seen = {architecture.tokens for architecture in search.seen}
    reached = {change[1] for change in changes.values() if change} - seen
    assert set(by_parent.values()) == reached
    for parent, made in by_parent.items():
        change = changes[parent]
        assert change is not None
        assert change[1] == made
    assert model.decoded == sum(steps)
    assert [p.origin for p in proposals[len(reached) :]] == ["refill"] * (40 - len(reached))


def test_paper_scaled_turns_a_state_as_far_as_with_sixty() -> None:
    """Six states here: a tenth of each step, hence the architectures of a tenth of the steps."""
    search, _ = started("paper-scaled", 200)
    plain, _ = started("paper", 200)
    assert best(search) == best(plain)
    seen = {architecture.tokens for architecture in search.seen}
    changes = {tokens: first_change(tokens, 6 / 60) for tokens in best(search)}
    ascended = {p.architecture.tokens for p in search.ask(80) if p.origin == "ascent"}
    assert ascended == {change[1] for change in changes.values() if change} - seen
    assert ascended != {p.architecture.tokens for p in plain.ask(80) if p.origin == "ascent"}


def test_steps_are_scaled_by_the_number_of_states() -> None:
    class Even(Turning):
        """A linear predictor on the mean of the states: each has a gradient of 1 / T."""

        def gradient(self, states: Tensor) -> Tensor:
            gradient = torch.zeros_like(states)
            gradient[..., 1] = 1 / states.shape[1]
            return gradient

    def moved(count: int, states: int | None) -> list[Tensor]:
        start = torch.zeros(1, count, 2)
        start[..., 0] = 1.0
        ascent = GradientAscent(10, 5, 3, "raw", states)
        return [states[0, 0] for _, states in ascent.path(Even(), start)]  # type: ignore[arg-type]

    published = moved(60, None)
    for count in (1, 6, 22, 60):
        for here, there in zip(moved(count, 60), published, strict=True):
            torch.testing.assert_close(here, there)
    assert not torch.allclose(moved(6, None)[0], published[0])


# Presets.


@pytest.mark.parametrize(
    ("preset", "budget", "rounds"),
    [
        ("paper", 1000, [600, 200, 200]),
        ("paper-scaled", 1000, [600, 200, 200]),
        ("paper-recurrent", 800, [600, 200]),
        ("official", 1000, [600, 300, 100]),
        ("official-recurrent", 1000, [600, 300, 100]),
        ("paper-recurrent", 10, [8, 2]),
        ("paper-recurrent", 50, [38, 12]),
    ],
)
def test_rounds_as_published(preset: str, budget: int, rounds: list[int]) -> None:
    """4.1: 600 + 200 + 200; 4.3: L = 2; README of the programs: the 100 best at three steps."""
    search, _ = started(preset, budget)
    made = [search.initial]
    while left := budget - len(search.history):
        proposals = search.ask(left)
        made.append(len(proposals))
        tell(search, proposals)
    assert made == rounds
    share = {"paper": 0.2, "paper-scaled": 0.2, "paper-recurrent": 0.25}.get(preset, 0.1)
    assert search.seeds == round(share * budget)


def test_paper_scaled_is_paper_but_for_the_scale() -> None:
    paper = NAOSettings.parse({"preset": "paper"}).model_dump()
    scaled = NAOSettings.parse({"preset": "paper-scaled"}).model_dump()
    assert {name for name, value in scaled.items() if value != paper[name]} == {"preset", "step_states"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step_states": 60}, "need model=joint"),
        ({"preset": "joint", "step_states": 60}, "give scale=raw"),
        ({"preset": "paper", "step_states": 0}, "greater than or equal to 1"),
        ({"choose": "all"}, "need model=joint"),
    ],
)
def test_what_scales_steps_needs_steps_that_can_be_scaled(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        NAOSettings.parse(given)
