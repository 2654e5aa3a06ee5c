"""What an engine is given: one evaluation to be done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from naopt.spaces import Architecture


@dataclass(frozen=True, slots=True)
class Job:
    """An evaluation to be done.

    Attributes:
        index: of the trial.
        architecture: what to measure.
        seed: of all its randomness.
        attempt: how often it has failed before.
        halvings: how often its batch was halved because memory ran out.
    """

    index: int
    architecture: Architecture
    seed: int
    attempt: int = 0
    halvings: int = 0


def evaluation_seed(seed: int, architecture: Architecture) -> int:
    """The seed of one evaluation, in 0..2^32-1: spawned from the run's seed by the architecture's identity.

    numpy's ``SeedSequence`` is a hash that numpy promises to keep, so the value is the same everywhere.
    """
    return int(np.random.SeedSequence(seed, spawn_key=architecture.identity).generate_state(1)[0])
