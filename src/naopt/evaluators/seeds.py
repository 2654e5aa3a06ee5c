"""Seeds of single evaluations."""

from __future__ import annotations

import numpy as np

from naopt.spaces import Architecture


def evaluation_seed(seed: int, architecture: Architecture, repeat: int = 0) -> int:
    """The seed of one evaluation, in 0..2^32-1: spawned from the run's seed by the architecture's identity.

    numpy's ``SeedSequence`` is a hash that numpy promises to keep, so the value is the same everywhere. That of a
    ``repeat`` is spawned from the first one's.
    """
    own = int(np.random.SeedSequence(seed, spawn_key=architecture.identity).generate_state(1)[0])
    return own if repeat == 0 else int(np.random.SeedSequence(own, spawn_key=(2, repeat)).generate_state(1)[0])


def finalist_seed(seed: int, architecture: Architecture) -> int:
    """The seed of a finalist's training, another than ``evaluation_seed``: spawned from that one."""
    return int(np.random.SeedSequence(evaluation_seed(seed, architecture), spawn_key=(0,)).generate_state(1)[0])


def training_seed(seed: int, repeat: int, architecture: Architecture) -> int:
    """The seed of one of several trainings, in 0..2^32-1: spawned from the study's by the architecture's identity."""
    return int(np.random.SeedSequence([seed, repeat], spawn_key=architecture.identity).generate_state(1)[0])


def fold_seed(seed: int, fold: int) -> int:
    """The seed of one fold's training: the evaluation's own for the first, spawned from it for the others."""
    return seed if fold == 0 else int(np.random.SeedSequence(seed, spawn_key=(1, fold)).generate_state(1)[0])
