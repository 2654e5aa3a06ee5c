"""The part of the default latent model that needs no label: embedding, decoder, and how far neighbours are apart.

It is made once for each space: kept in memory, and in a file of the cache directory for the next process.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from naopt._version import __version__
from naopt.files import utf8_path
from naopt.latent.cache import keep, kept
from naopt.latent.choice_codes import columns_of
from naopt.latent.decoder import Decoder, train_decoder
from naopt.latent.embedding import Embedding
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.features import stands_apart
from naopt.latent.graph_features import graph_features
from naopt.latent.learned_embedding import LEARNED, LearnedEmbedding
from naopt.latent.threads import one_thread
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_FORMAT = 3
_STEPS = 600
_ENCODER_STEPS = 1200
_LOOKED_AT = 32
_PAIRS = 200


@dataclass(frozen=True)
class Pretrained:
    """What is known of a space before anything is measured.

    Attributes:
        embedding: from architectures to points.
        decoder: and back.
        unit: median distance of the points of an architecture and a random neighbour of it: the scale on which
            architectures change, in which steps of an ascent are measured.
    """

    embedding: Embedding
    decoder: Decoder
    unit: float


def pretrained(space: SearchSpace, settings: EmbeddingSettings) -> Pretrained:
    """Embedding and decoder of a space; made if neither memory nor cache directory holds them.

    They depend on the space and the settings alone, not on a search's seed: all searches of a space share them.
    """
    sample = _sample(space, settings)
    key = _key(space, settings, sample)
    if key not in _memory:
        if len(_memory) >= _MOST_IN_MEMORY:
            _memory.pop(next(iter(_memory)))
        with one_thread():
            _memory[key] = _load(space, key) or _make(space, settings, sample, key)
    return _memory[key]


def embedding_of(space: SearchSpace, settings: EmbeddingSettings) -> Embedding:
    """The embedding alone, which takes no decoder that would have to be trained."""
    sample = _sample(space, settings)
    key = _key(space, settings, sample)
    if key in _memory:
        return _memory[key].embedding
    if key not in _alone:
        if len(_alone) >= _MOST_IN_MEMORY:
            _alone.pop(next(iter(_alone)))
        made = _load(space, key)
        _alone[key] = _learned(space, settings, sample) if made is None else made.embedding
    return _alone[key]


def _learned(space: SearchSpace, settings: EmbeddingSettings, sample: list[Architecture]) -> Embedding:
    if settings.embedding == LEARNED:
        steps = _ENCODER_STEPS if settings.pretraining_steps is None else settings.pretraining_steps
        return LearnedEmbedding.train(space, sample, steps)
    return Embedding.learn(space, sample)


def _sample(space: SearchSpace, settings: EmbeddingSettings) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(settings.unlabelled)]


_memory: dict[str, Pretrained] = {}
_alone: dict[str, Embedding] = {}
_MOST_IN_MEMORY = 4


def _make(space: SearchSpace, settings: EmbeddingSettings, sample: list[Architecture], key: str) -> Pretrained:
    embedding = _learned(space, settings, sample)
    steps = _STEPS if settings.pretraining_steps is None else settings.pretraining_steps
    weights = train_decoder(embedding, sample, settings.decoder_size, steps, settings.decoder_noise)
    rng = np.random.default_rng(1)
    some = sample[:_PAIRS]
    apart = embedding.encode([space.mutate(a, rng) for a in some]) - embedding.encode(some)
    lengths = np.linalg.norm(apart, axis=1)
    unit = float(np.median(lengths[lengths > 0])) if lengths.any() else 1.0
    made = Pretrained(embedding, Decoder(space, weights), unit)
    _save(made, key)
    return made


def _key(space: SearchSpace, settings: EmbeddingSettings, sample: list[Architecture]) -> str:
    """A hash of all that the result depends on; of the space's code, what it says about some architectures."""
    graphs = [graph_features(space.graph(a), space.skips) for a in sample[:_LOOKED_AT]]
    description = {
        "format": [_FORMAT, __version__, np.__version__],
        "space": [type(space).__qualname__, space.name, [[p.name, p.choices, p.kind] for p in space.positions]],
        **({"ordered": ordered} if (ordered := [p.name for p in space.positions if p.ordered]) else {}),
        **(
            {"on a scale": scale}
            if (scale := [p.name for p in space.positions if columns_of(p) < len(p.choices)])
            else {}
        ),
        **({"positions": "apart"} if stands_apart(space) else {}),
        "settings": [settings.unlabelled, settings.pretraining_steps, settings.decoder_size, settings.decoder_noise],
        **({"embedding": LEARNED} if settings.embedding == LEARNED else {}),
        "sample": [a.tokens for a in sample],
        "canonical": [space.canonical(a.tokens) for a in sample[:_LOOKED_AT]],
        "quantities": [dict(space.quantities(a)) for a in sample[:_LOOKED_AT]],
        "graphs": [[sorted(g.paths.items()), sorted(g.sizes.items()), sorted(g.local.items())] for g in graphs],
    }
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:32]


def _name(key: str) -> str:
    return f"embedding-{key}.safetensors"


def _load(space: SearchSpace, key: str) -> Pretrained | None:
    """What the cache holds; ``None`` for a file that is missing or broken, which is then made again."""
    return next((found for path in kept(_name(key)) if (found := _read(space, path)) is not None), None)


def _read(space: SearchSpace, path: Path) -> Pretrained | None:
    parts: dict[str, dict[str, Array]] = {"embedding": {}, "decoder": {}}
    try:
        with utf8_path(path) as readable, safe_open(readable, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            names = json.loads(file.metadata()["names"])
        unit = float(arrays.pop("unit")[0])
        for name, array in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = array
        kind = LearnedEmbedding if LEARNED in names else Embedding
        return Pretrained(kind(space, names, parts["embedding"]), Decoder(space, parts["decoder"]), unit)
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError):
        return None


def _save(made: Pretrained, key: str) -> None:
    """Keeps it for other processes, where files can be kept."""
    arrays = {f"embedding/{name}": array for name, array in made.embedding.arrays.items()}
    arrays |= {f"decoder/{name}": array for name, array in made.decoder.weights.items()}
    arrays["unit"] = np.array([made.unit])
    keep(_name(key), lambda path: save_file(arrays, path, {"names": json.dumps(made.embedding.names)}))
