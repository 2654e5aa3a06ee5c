"""From runs to subjects: the searcher's model as it stands after all measurements of the run.

A searcher is a function of its settings, its seed and what it was told, so a fresh one that is told the run's history
has the model of the one that searched. What shares weights remembers its model with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.probes.subject import Subject, adapters
from naopt.run.record import RunRecord
from naopt.run.setup import Setup
from naopt.searchers import NAOSearcher, ReinforceSearcher, Searcher, TNAOSearcher
from naopt.searchers.candidates import scored
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent import EmbeddingModel, LatentModel
    from naopt.latent.controller import RecurrentController

    Array = NDArray[np.float64]
    Ints = NDArray[np.int64]

NOISE = 0.5
"""Noise on an encoder's state, in standard deviations of each coordinate over the space."""
_SPREAD_FROM = 500


def subject_of(record: RunRecord, setup: Setup) -> Subject:
    """What the searcher of a run has learned.

    Raises:
        InputError: it has neither a controller with states nor an encoder, or measured too little to fit one.
    """
    name = record.config.searcher
    if name not in adapters.names():
        rule = f"searcher {name} has neither a controller nor an encoder; those with one: {', '.join(adapters.names())}"
        raise InputError("run", str(record.directory), rule)
    return adapters.get(name)(record, setup)


def replayed(record: RunRecord, setup: Setup) -> Searcher:
    """A fresh searcher that was told the run's history."""
    searcher = setup.searcher()
    for trial in record.evaluated:
        if trial.measurement is not None:
            searcher.tell(setup.space.architecture(trial.architecture.tokens), trial.measurement)
    return searcher


# Adapters.


@adapters.register("reinforce")
def of_reinforce(record: RunRecord, setup: Setup) -> Subject:
    """The LSTM controller."""
    from naopt.latent.controller import LSTMController

    searcher = replayed(record, setup)
    assert isinstance(searcher, ReinforceSearcher)
    controller = searcher.controller
    if not isinstance(controller, LSTMController):
        raise InputError("run", str(record.directory), "its controller has no state; probe one with policy=lstm")
    memory = searcher.options.buffer
    kind = f"with a memory of {memory}" if memory else "without a memory"
    return controller_subject(setup.space, controller, f"LSTM controller of reinforce {kind}")


@adapters.register("enas")
def of_enas(record: RunRecord, setup: Setup) -> Subject:
    """The controller, as it is saved with the supernet."""
    from naopt.one_shot import ENASSearcher, ENASSettings, Memory
    from naopt.run.names import SUPERNET
    from naopt.training.checkpoint import load_checkpoint

    path = record.directory / SUPERNET
    if not path.is_file():
        raise InputError("run", str(record.directory), "has no trained controller yet; see naopt resume")
    state, settings = load_checkpoint(path), setup.settings
    assert isinstance(settings, ENASSettings)
    searcher = ENASSearcher(setup.space, settings, seed=record.config.seed)
    searcher.restore(Memory(state.below("own.searcher"), state.facts["own"]["searcher"]))
    kind = f"with a memory of {settings.buffer}" if settings.buffer else "without a memory"
    epochs = f"after {state.facts['epoch']} of {settings.epochs} epochs"
    title = f"controller of enas ({settings.controller}) {kind}, {epochs}"
    return controller_subject(setup.space, searcher.controller, title)


@adapters.register("nao")
def of_nao(record: RunRecord, setup: Setup) -> Subject:
    """The embedding learned from the space, or the jointly fitted encoder."""
    searcher = replayed(record, setup)
    assert isinstance(searcher, NAOSearcher)
    preset = searcher.options.preset
    if searcher.options.model == "embedding":
        from naopt.searchers.nao_embedding import EmbeddingRounds

        assert isinstance(searcher.rounds, EmbeddingRounds)
        return embedding_subject(setup.space, searcher.rounds.model, f"embedding of nao (preset {preset})")
    from naopt.searchers.nao_joint import JointRounds

    assert isinstance(searcher.rounds, JointRounds)
    return _fitted(searcher, searcher.rounds.model, f"encoder of nao (preset {preset})", record)


@adapters.register("tnao")
def of_tnao(record: RunRecord, setup: Setup) -> Subject:
    """The Transformer encoder."""
    searcher = replayed(record, setup)
    assert isinstance(searcher, TNAOSearcher)
    return _fitted(searcher, searcher.model, "encoder of tnao", record)


def _fitted(searcher: Searcher, model: LatentModel, title: str, record: RunRecord) -> Subject:
    architectures, scores = scored(searcher.history, searcher.objective)
    if len(scores) < 2:
        raise InputError("run", str(record.directory), f"has {len(scores)} scores; its encoder is fitted to at least 2")
    with model.reproducible(searcher.seed):
        model.fit(architectures, scores)
    return latent_subject(searcher.space, model, f"{title}, fitted to {len(scores)} measurements")


# What the adapters share.


def controller_subject(space: SearchSpace, controller: RecurrentController, title: str) -> Subject:
    """States are hidden and cell state of all layers after the whole architecture was read; copies are sampled."""

    def tokens(architectures: Sequence[Architecture]) -> Ints:
        return np.array([a.tokens for a in architectures], dtype=np.int64)

    def states(architectures: Sequence[Architecture]) -> Array:
        parts = [part.detach().double().transpose(0, 1).flatten(1) for part in controller.encode(tokens(architectures))]
        return np.concatenate([part.cpu().numpy() for part in parts], axis=1)

    def decode(architectures: Sequence[Architecture], copies: int, rng: np.random.Generator) -> Ints:
        return controller.decode(controller.encode(tokens(architectures)), copies, rng)

    copies_differ = "each token is drawn by the controller's probabilities"
    return Subject(title, space, states, decode, copies_differ, controller.continued, controller.order)


def embedding_subject(space: SearchSpace, model: EmbeddingModel, title: str) -> Subject:
    """States are points of the embedding; copies decode from points with noise."""

    def decode(architectures: Sequence[Architecture], copies: int, rng: np.random.Generator) -> Ints:
        points = model.encode(architectures).repeat(copies, axis=0)
        noise = NOISE * model.pretrained.embedding.spread * rng.standard_normal(points.shape)
        return np.array(model.decode(points + noise), dtype=np.int64).reshape(len(architectures), copies, -1)

    return Subject(title, space, model.encode, decode, _NOISY)


def latent_subject(space: SearchSpace, model: LatentModel, title: str) -> Subject:
    """States are those of all steps, side by side; copies decode from noisy states, scaled to unit length again."""
    import torch

    from naopt.latent.remapping import unit_length

    rng = np.random.default_rng(0)
    spread = model.encode([space.sample(rng) for _ in range(_SPREAD_FROM)]).std(dim=0)

    def states(architectures: Sequence[Architecture]) -> Array:
        found: Array = model.encode(architectures).flatten(1).double().cpu().numpy()
        return found

    def decode(architectures: Sequence[Architecture], copies: int, rng: np.random.Generator) -> Ints:
        clean = model.encode(architectures).repeat_interleave(copies, dim=0)
        noise = torch.from_numpy(rng.standard_normal(tuple(clean.shape), dtype=np.float32)).to(clean.device)
        tokens = model.decode(unit_length(clean + NOISE * spread * noise))
        return np.array(tokens, dtype=np.int64).reshape(len(architectures), copies, -1)

    return Subject(title, space, states, decode, _NOISY)


_NOISY = f"noise of {NOISE} standard deviations is put on the state"
