"""What an engine is given: one evaluation to be done."""

from __future__ import annotations

from dataclasses import dataclass

from naopt.evaluators.seeds import evaluation_seed
from naopt.spaces import Architecture

__all__ = ["Job", "evaluation_seed"]


@dataclass(frozen=True, slots=True)
class Job:
    """An evaluation to be done.

    Attributes:
        index: of the trial.
        architecture: what to measure.
        seed: of all its randomness.
        attempt: how often it has failed before.
        halvings: how often its batch was halved because memory ran out.
        level: of fidelity at which it is measured; ``None``: the full one.
        repeat: how often the architecture is measured beside, with other seeds.
    """

    index: int
    architecture: Architecture
    seed: int
    attempt: int = 0
    halvings: int = 0
    level: int | None = None
    repeat: int = 0
