"""Conformance suite for weight-sharing searchers; the contract is in ``naopt.one_shot.base``."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.one_shot.base import OneShotSearcher
from naopt.one_shot.settings import OneShotSettings
from naopt.spaces import NASBench201Space, SearchSpace
from naopt.testing.suite import Suite

if TYPE_CHECKING:
    from naopt.one_shot.trainer import SharedTrainer
    from naopt.training.state import TrainingState

_DIGITS = {"filters": 2, "cells_per_stage": 1, "train_limit": 60, "valid_limit": 40, "batch_size": 20}
_SEVERAL = 5


@dataclass(frozen=True, slots=True)
class OneShotCase:
    """A weight-sharing searcher, its settings, and the supernet that it is tried on.

    By default that is a tiny one of NAS-Bench-201 cells, on 60 digits.

    Attributes:
        searcher: the class.
        settings: with at least two epochs; defaults of the class, with four epochs, if left out.
        make: the fresh training of a searcher, which has not begun; all randomness comes from torch's default
            generators.
    """

    searcher: type[OneShotSearcher]
    settings: OneShotSettings | None = None
    space: SearchSpace | None = None
    make: Callable[[OneShotSearcher], SharedTrainer] | None = None

    def create(self, seed: int) -> SharedTrainer:
        """A fresh training."""
        import torch

        space = NASBench201Space() if self.space is None else self.space
        settings = self.settings or self.searcher.settings_type.parse({"epochs": 4})
        torch.manual_seed(seed)
        return (self.make or _on_digits)(self.searcher(space, settings, seed=seed))


def _on_digits(searcher: OneShotSearcher) -> SharedTrainer:
    import torch

    from naopt.evaluators.workloads import create_workload
    from naopt.one_shot.build import shared_data, shared_trainer

    work = create_workload("digits", _DIGITS)
    data, _ = shared_data(searcher.space, work, searcher.settings, "cpu")
    return shared_trainer(data, searcher, work, torch.device("cpu"))


def check_one_shot(case: OneShotCase, seed: int = 0) -> None:
    """Runs the whole suite on one case. Raises ``AssertionError`` that says what breaks which rule."""
    OneShotSuite.check(case, seed)


class OneShotSuite(Suite):
    """Checks of one weight-sharing searcher; a pytest class derived from it gives a fixture ``case``."""

    def test_every_step_is_one_of_the_optimiser(self, case: OneShotCase) -> None:
        """A step takes the next training batch, once, and changes the shared weights."""
        trainer = self._trainer(case)
        before = [parameter.detach().clone() for parameter in trainer.network.parameters()]
        steps, taken = 0, 0
        optimiser_step, next_train = trainer.optimizer.step_on, trainer.data.next_train

        def counted_step(path: Any) -> None:
            nonlocal steps
            steps += 1
            optimiser_step(path)

        def counted_batch() -> Any:
            nonlocal taken
            taken += 1
            return next_train()

        trainer.optimizer.step_on, trainer.data.next_train = counted_step, counted_batch  # type: ignore[method-assign]
        trainer.train_epoch()
        assert steps == taken == trainer.data.steps, (
            f"{steps} steps on {taken} batches; an epoch has {trainer.data.steps}"
        )
        after = list(trainer.network.parameters())
        assert any((a != b).any() for a, b in zip(after, before, strict=True)), "the shared weights did not change"
        assert all(parameter.grad is None for parameter in after), "gradients are left behind"

    def test_samples_are_valid(self, case: OneShotCase) -> None:
        trainer = self._trained(case)
        searcher = trainer.searcher
        for architecture in (searcher.sample() for _ in range(_SEVERAL)):
            reason = searcher.space.explain_invalid(architecture.tokens)
            assert reason is None, f"sampled {architecture.tokens}: {reason}"

    def test_figures_are_finite(self, case: OneShotCase) -> None:
        for epoch, figures in enumerate(self._trained(case).history, 1):
            broken = [name for name, value in figures.items() if not math.isfinite(value)]
            assert not broken, f"epoch {epoch}: {', '.join(broken)} not finite"

    def test_candidates_are_distinct_and_valid(self, case: OneShotCase) -> None:
        for count in (1, _SEVERAL):
            trainer = self._trained(case)
            proposals = trainer.searcher.candidates(count, trainer)
            assert 0 < len(proposals) <= count, f"asked for {count} candidates, got {len(proposals)}"
            found = [proposal.architecture for proposal in proposals]
            assert len(set(found)) == len(found), "candidates repeat"
            for proposal in proposals:
                reason = trainer.searcher.space.explain_invalid(proposal.architecture.tokens)
                assert reason is None, f"candidate {proposal.architecture.tokens}: {reason}"
                assert proposal.origin, "a candidate must say its origin"

    def test_searches_are_deterministic(self, case: OneShotCase) -> None:
        first, second = (self._found(self._trained(case)) for _ in range(2))
        assert first == second, "equal seeds must give equal searches"
        other = case.create(self.seed + 1)
        other.run()
        assert self._found(other) != first, "two seeds give the same search"

    def test_a_search_goes_on_from_where_it_was_stopped(self, case: OneShotCase) -> None:
        """After the first step, amid an epoch, after the last step, and between two epochs.

        What goes on was used before, as it is where diverged weights go back to the last good epoch.
        """
        from naopt.training.checkpoint import load_checkpoint, save_checkpoint

        whole = self._trainer(case)
        steps = whole.data.steps
        middle = whole.epochs // 2
        stops = {1, steps * middle + 1, steps * whole.epochs}
        with tempfile.TemporaryDirectory() as folder:
            saved: dict[str, Path] = {}

            def save(when: str) -> None:
                saved[when] = Path(folder) / f"{len(saved)}.safetensors"
                save_checkpoint(saved[when], whole.state(), {})

            whole.run(
                lambda: save(f"step {whole.step}") if whole.step in stops else None,
                lambda _: save(f"epoch {middle}") if whole.epoch == middle else None,
            )
            end, found = _contents(whole.state()), self._found(whole)
            for when, path in saved.items():
                state = load_checkpoint(path)
                again = self._trainer(case)
                again.train_epoch()
                again.restore(state)
                assert _contents(again.state()) == _contents(state), f"after {when}: memory is not what was restored"
                again.run()
                assert _contents(again.state()) == end, f"stopped after {when}, the search ends in another state"
                assert self._found(again) == found, f"stopped after {when}, the search names other candidates"

    def _trainer(self, case: OneShotCase) -> SharedTrainer:
        return case.create(self.seed)

    def _trained(self, case: OneShotCase) -> SharedTrainer:
        trainer = self._trainer(case)
        trainer.run()
        return trainer

    def _found(self, trainer: SharedTrainer) -> list[Any]:
        """Candidates of a training that is complete, and the losses on the way to them."""
        proposals = trainer.searcher.candidates(_SEVERAL, trainer)
        losses = [figures["train_loss"] for figures in trainer.history]
        return [[(proposal.origin, proposal.architecture.tokens) for proposal in proposals], losses]


def _contents(state: TrainingState) -> tuple[dict[str, tuple[Any, ...]], dict[str, Any]]:
    """All bits of a state but the seconds that epochs took, as values that compare."""
    tensors = {name: (t.dtype, tuple(t.shape), t.detach().cpu().numpy().tobytes()) for name, t in state.tensors.items()}
    history = [{name: v for name, v in figures.items() if name != "seconds"} for figures in state.facts["history"]]
    facts: dict[str, Any] = json.loads(json.dumps({**state.facts, "history": history}))
    return tensors, facts
