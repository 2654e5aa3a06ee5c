"""A weight-sharing search that was killed goes on bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from naopt.one_shot.trainer import SharedTrainer
from naopt.training.checkpoint import load_checkpoint, save_checkpoint
from naopt.training.trainer import TrainingState


def assert_continues(make: Callable[[], SharedTrainer], path: Path, *, stop_at: int) -> None:
    """Compares a training that was stopped after a step, and went on in a fresh trainer, with one that was not.

    Args:
        make: the fresh trainer; it may leave the generators in any state.
        path: of the checkpoint that is written.
        stop_at: after which optimiser step.
    """
    whole = make()

    def on_step() -> None:
        if whole.step == stop_at:
            save_checkpoint(path, whole.state(), {})

    whole.run(on_step)
    assert path.is_file(), f"the training has only {whole.step} steps"
    second = make()
    torch.manual_seed(999)
    second.searcher.rng.random(7)
    second.restore(load_checkpoint(path, {}))
    assert_equal(second.state(), load_checkpoint(path, {}))
    second.run()
    assert_equal(second.state(), whole.state())
    found, expected = (t.searcher.candidates(6, t) for t in (second, whole))
    assert [(p.origin, p.architecture.tokens) for p in found] == [(p.origin, p.architecture.tokens) for p in expected]


def assert_equal(state: TrainingState, other: TrainingState) -> None:
    """Compares to the bit; seconds are left out."""
    assert state.tensors.keys() == other.tensors.keys()
    for name, tensor in state.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name
    assert _timeless(state.facts) == _timeless(other.facts)


def _timeless(facts: Mapping[str, Any]) -> dict[str, Any]:
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in facts["history"]]
    plain: dict[str, Any] = json.loads(json.dumps({**facts, "history": history}))
    return plain
