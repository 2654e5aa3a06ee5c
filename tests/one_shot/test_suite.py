"""All weight-sharing searchers pass the conformance suite, which says what is wrong with one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from naopt.one_shot import (
    ENASSearcher,
    ENASSettings,
    InstaNASSearcher,
    Memory,
    OneShotSearcher,
    RandomSharing,
    one_shot,
)
from naopt.one_shot.path_trainer import PathTrainer
from naopt.searchers import Proposal
from naopt.spaces import Architecture, GenericSpace, InstaSpace, Place, Position
from naopt.testing import OneShotCase, OneShotSuite, check_one_shot
from tests.one_shot.toy import CHOICES, toy_space, toy_training

CHEAP: dict[str, dict[str, Any]] = {
    "enas": {"controller_steps": 2, "controller_samples": 3, "warmup": 0.4},
    "nao-ws": {"pool": 8, "new": 3, "seeds": 3},
    "parsec": {"warmup": 0.4},
}
CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in one_shot.names()),
    ("enas", {"buffer": 8, "buffer_batch": 4, "warmup": 0.0}),
    ("enas", {"controller": "plain", "warmup": 0.0}),
    ("parsec", {"weight_samples": 3, "warmup": 0.0}),
    ("darts", {"order": "second", "warmup": 0.4}),
    ("instanas", {"preset": "paper"}),
    ("instanas", {"estimator": "reinforce", "learns_from": "valid"}),
    ("instanas", {"tuned_for": 0.5}),
]


def toy_case(kind: type[OneShotSearcher], **settings: Any) -> OneShotCase:
    if kind is InstaNASSearcher:  # which needs images to look at
        return OneShotCase(kind, kind.settings_type.parse({"epochs": 3} | settings), InstaSpace(2, 2, "mb3e1+mb3e2"))
    return OneShotCase(kind, kind.settings_type.parse({"epochs": 3} | settings), toy_space(), toy_training)


class TestBuiltIn(OneShotSuite):
    @pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], *case[1]][:2]))
    def case(self, request: pytest.FixtureRequest) -> OneShotCase:
        name, settings = request.param
        return toy_case(one_shot.get(name), **{**CHEAP.get(name, {}), **settings})


def test_enas_on_cells_remembers_bit_for_bit() -> None:
    """With anchors to attend to: a position that refers to four given nodes."""
    referring = Position("4/input", CHOICES, "input", place=Place("cell", 4, refers=True))
    operations = [Position(f"4/{name}", CHOICES, "operation", place=Place("cell", 4)) for name in "ab"]
    space = GenericSpace([referring, *operations], "cell")
    settings = ENASSettings.parse({**CHEAP["enas"], "epochs": 3, "warmup": 0.0, "buffer": 8, "layers": 2})
    check_one_shot(OneShotCase(ENASSearcher, settings, space, toy_training))


def test_the_suite_has_a_supernet_of_its_own() -> None:
    suite, case = OneShotSuite(), OneShotCase(RandomSharing)
    suite.test_every_step_is_one_of_the_optimiser(case)
    suite.test_searches_are_deterministic(case)
    assert case.create(0).epochs == 4


@pytest.mark.parametrize("name", sorted({*one_shot.names()} - {"instanas"}))
def test_a_small_space_has_few_candidates(name: str) -> None:
    """16 architectures of two positions."""
    kind = one_shot.get(name)
    case = OneShotCase(kind, kind.settings_type.parse({"epochs": 2} | CHEAP.get(name, {})), toy_space(2), toy_training)
    trainer = case.create(0)
    trainer.run()
    found = [proposal.architecture for proposal in trainer.searcher.candidates(40, trainer)]
    assert 0 < len(found) == len(set(found)) <= 16
    assert 30 < trainer.measure("valid")["acc"] < 60


class Lazy(RandomSharing):
    """Trains on every other step only."""

    at = 0

    def step(self, trainer: PathTrainer) -> float:
        self.at += 1
        return trainer.train_path(trainer.path(self.sample())) if self.at % 2 else 1.0


class Idle(RandomSharing):
    """Does as if it trained."""

    def step(self, trainer: PathTrainer) -> float:
        loss = trainer.loss_of(trainer.path(self.sample()), trainer.data.next_train())
        trainer.apply([])
        return float(loss.detach())


class Careless(RandomSharing):
    """Leaves gradients behind."""

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:
        trainer.loss_of(trainer.path(self.sample()), trainer.data.next_valid()).backward()  # type: ignore[no-untyped-call]
        return {}


class OutOfSpace(RandomSharing):
    """Samples what is not in the space."""

    samples = 0

    def sample(self) -> Architecture:
        self.samples += 1
        return super().sample() if self.samples <= 18 else Architecture("toy", (9, 9, 9), (9, 9, 9))


class Generous(RandomSharing):
    """Names one candidate too many."""

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:
        return super().candidates(count + 1, trainer)


class Repetitive(RandomSharing):
    """Names one candidate again and again."""

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:
        return super().candidates(1, trainer) * count


class Anonymous(RandomSharing):
    """Says no origin."""

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:
        return [Proposal(proposal.architecture, "") for proposal in super().candidates(count, trainer)]


class Unseeded(RandomSharing):
    """Asks the system for randomness."""

    def sample(self) -> Architecture:
        return self.space.sample(np.random.default_rng())


class SameForAllSeeds(RandomSharing):
    """Does not use its seed."""

    def step(self, trainer: PathTrainer) -> float:
        super().step(trainer)
        return 1.0

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:
        return [Proposal(a, "first") for a, _ in zip(self.space.enumerate(), range(count), strict=False)]


class Forgetful(RandomSharing):
    """Trains its paths in turn, and does not remember whose turn it is."""

    turn = 0

    def sample(self) -> Architecture:
        self.turn += 1
        return self.space.architecture([self.turn % 4] * len(self.space.positions))


class HalfForgetful(Forgetful):
    """Saves whose turn it is, and does not read it."""

    def memory(self) -> Memory:
        return Memory({}, {"turn": self.turn})


class Mindful(Forgetful):
    """Keeps the contract."""

    def memory(self) -> Memory:
        return Memory({}, {"turn": self.turn})

    def restore(self, memory: Memory) -> None:
        self.turn = int(memory.facts["turn"])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Lazy, "an epoch has 6"),
        (Idle, "did not change"),
        (Careless, "gradients are left behind"),
        (OutOfSpace, r"sampled \(9, 9, 9\)"),
        (Generous, "asked for 1 candidates, got 2"),
        (Repetitive, "candidates repeat"),
        (Anonymous, "must say its origin"),
        (Unseeded, "equal seeds must give equal searches"),
        (SameForAllSeeds, "two seeds give the same search"),
        (Forgetful, "ends in another state"),
        (HalfForgetful, "memory is not what was restored"),
    ],
)
def test_a_searcher_that_breaks_a_rule(kind: type[OneShotSearcher], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_one_shot(toy_case(kind))


def test_a_searcher_that_remembers() -> None:
    check_one_shot(toy_case(Mindful))


def test_figures_have_to_be_finite() -> None:
    class Vague(RandomSharing):
        def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:
            trainer.history.append({"train_loss": float("nan")})
            return {}

    with pytest.raises(AssertionError, match="train_loss not finite"):
        check_one_shot(toy_case(Vague))
