"""The searches whose archives are kept: every searcher, in settings under which it soon does its own work."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naopt.measurement import MetricInfo
from naopt.spaces import SearchSpace, create_space
from naopt.tables import Table, save_table

Array = NDArray[np.int64]

SEEDS = (0, 1, 2)
BUILT_IN = "digits-nao11"

_LATENT = {
    "initial": 10,
    "new_per_round": 5,
    "hidden_size": 16,
    "embedding_size": 8,
    "ensemble": 2,
    "pretraining_steps": 12,
    "unlabelled": 100,
    "max_steps": 12,
    "min_steps": 1,
}

_SEARCHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bananas": ("bananas", {"initial": 8, "batch": 6, "candidates": 40, "layers": 2, "epochs": 12, "members": 2}),
    "boosted-trees": ("boosted-trees", {"initial": 8, "batch": 6, "trees": 8, "random": 40, "mutations": 40}),
    "evolution": ("evolution", {"population": 8, "sample": 3}),
    "gp": ("gp", {"initial": 8, "batch": 6, "random": 40, "mutations": 60}),
    "hierarchical": ("hierarchical", {"initial": 8, "initial_mutations": 20}),
    "local-search": ("local-search", {"initial": 3}),
    "nao": ("nao", {"initial": 8}),
    "nao-joint": ("nao", {"preset": "joint", **_LATENT, "seeds": 4, "starts": 3, "steps": 4}),
    "nao-paper": ("nao", {"preset": "paper", "epochs": 10, "hidden_size": 16, "embedding_size": 8}),
    "nao-official": ("nao", {"preset": "official", "epochs": 10, "hidden_size": 16, "embedding_size": 8}),
    "npenas": ("npenas", {"initial": 8, "batch": 6, "candidates": 40, "epochs": 10, "width": 8}),
    "pnas": ("pnas", {"epochs": 20, "members": 2, "beam": 4}),
    "random": ("random", {}),
    "reinforce": ("reinforce", {"hidden_size": 16, "batch": 3}),
    "seminas": ("seminas", {**_LATENT, "pseudo_labelled": 60, "seeds": 8, "steps": 8}),
    "tnao": (
        "tnao",
        {**_LATENT, "particles": 12, "generations": 2, "layers": 1, "heads": 2, "feed_forward_size": 16},
    ),
    "tpe": ("tpe", {"startup": 8}),
}

_AT_LEVELS: dict[str, dict[str, Any]] = {
    "asha": {},
    "bohb": {"fewest": 6},
    "hyperband": {},
    "nao": {"initial": 4},
    "successive-halving": {},
}
"""Searchers for several levels of fidelity."""

_SEVERAL: dict[str, dict[str, Any]] = {
    "dppnet": {"epochs": 2},
    "monas": {"hidden_size": 16, "batch": 3},
    "nsga2": {"population": 8},
}
"""Searchers for several objectives."""

_ON_BUILT_IN: dict[str, dict[str, Any]] = {
    "nao": {"unlabelled": 150, "pretraining_steps": 30, "decoder_size": 32, "starts": 2, "steps": 3, "hops": 1}
}
"""A space of its own, for which a default embedding would have to be learned; and few ascents, which last bits of its
decoder do not turn."""

_TRAINING = {"epochs": 1, "filters": 2, "cells_per_stage": 1, "train_limit": 60, "valid_limit": 60, "batch_size": 20}

_SHARING: dict[str, dict[str, Any]] = {
    "darts": {"epochs": 2},
    "enas": {"epochs": 3, "hidden_size": 8, "controller_steps": 2, "controller_samples": 2},
    "nao-ws": {"epochs": 4, "pool": 6, "new": 3, "seeds": 3, "every": 2, "warmup": 0.5},
    "parsec": {"epochs": 3, "samples": 2, "weight_samples": 2},
    "random-ws": {"epochs": 2},
}


def cases() -> dict[str, tuple[dict[str, Any], tuple[int, ...]]]:
    """By name: the keys of a configuration file, ``whole`` standing for ``whole_table``'s file, and the seeds."""
    found: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {}
    for name, (searcher, settings) in _SEARCHERS.items():
        section = {"name": searcher, **settings}
        found[name] = {"table": "whole", "searcher": section, "budget": 26}, SEEDS
        section = section | _ON_BUILT_IN.get(name, {})
        found[f"{name}/{BUILT_IN}"] = {"table": BUILT_IN, "searcher": section, "budget": 18}, SEEDS[:1]
    for name, settings in _SEVERAL.items():
        section = {"name": name, **settings}
        found[name] = {"table": "whole", "metric": "score,cost", "searcher": section, "budget": 20}, SEEDS
    front = {"table": "whole", "metric": "score,cost", "searcher": {"name": "nao", "initial": 8}, "budget": 16}
    found["nao/front"] = {**front, "known": ["cost"]}, SEEDS[:1]
    found["nao/limited"] = {**front, "metric": "score", "known": ["cost"], "max": {"cost": 50.0}}, SEEDS[:1]
    found["nao/front-limited"] = {**front, "known": ["none"], "max": {"cost": 50.0}}, SEEDS[:1]
    best = {"name": "zero-cost", "draws": 60}
    found["zero-cost"] = {"table": "whole", "prior_columns": ["cost"], "searcher": best, "budget": 12}, SEEDS
    levels = {"table": "levels", "fidelities": ["early/1", "early/4"], "budget": 8}
    for name, settings in _AT_LEVELS.items():
        found[f"{name}/levels" if name in found else name] = {**levels, "searcher": {"name": name, **settings}}, SEEDS
    noisy = {"table": "whole", "noise": "repeat", "searcher": {"name": "evolution", "population": 6}, "budget": 20}
    found["evolution/repeat"] = noisy, SEEDS
    shared = {"space": "nasbench201", "task": "digits", "training": _TRAINING, "budget": 6}
    for name, settings in _SHARING.items():
        found[name] = {**shared, "searcher": {"name": name, **settings}}, SEEDS
    for_each = {**shared, "space": "insta:blocks=2,stages=2,operations=mb3e1+mb3e2"}
    found["instanas"] = {**for_each, "searcher": {"name": "instanas", "epochs": 4}}, SEEDS
    last = {"name": "random-ws", "epochs": 1, "finalists": 1}
    found["random-ws/finalist"] = {**shared, "searcher": last, "budget": 3}, SEEDS[:1]
    return found


def whole_table(path: Path) -> None:
    """A made-up table of all architectures of NAS-Bench-201, in whole numbers, so that it is the same everywhere."""
    space = create_space("nasbench201")
    tokens, edges, alone, pairs = _made_up(space)
    score = 40 * alone + 25 * pairs
    repeats = np.stack([score + (tokens * (edges + shift)).sum(axis=1) % 13 for shift in (2, 5, 9)], axis=1)
    cost = 1 + (tokens * edges).sum(axis=1)
    save_table(
        Table(
            name="whole",
            space=space,
            tokens=tokens,
            metrics={"score": repeats / 64, "cost": cost.astype(float)},
            infos={"score": MetricInfo("max"), "cost": MetricInfo("min")},
        ),
        path,
    )


def levels_table(path: Path) -> None:
    """The same architectures, with a column that knows a part of what the other one says, for a quarter of its cost."""
    space = create_space("nasbench201")
    tokens, _, alone, pairs = _made_up(space)
    metrics = {"early/1": (40 * alone + 5 * pairs).astype(float), "early/4": (40 * alone + 25 * pairs).astype(float)}
    save_table(Table("levels", space, tokens, metrics, dict.fromkeys(metrics, MetricInfo("max"))), path)


def _made_up(space: SearchSpace) -> tuple[Array, Array, Array, Array]:
    """All tokens, numbers of the edges, and what choices are worth alone and in pairs."""
    tokens = np.array(list(product(*(range(len(p.choices)) for p in space.positions))), dtype=np.int64)
    edges = np.arange(1, tokens.shape[1] + 1)
    alone = (tokens * (7 * edges + 5) % 11).sum(axis=1)
    return tokens, edges, alone, (tokens[:, :-1] * tokens[:, 1:] * edges[1:] % 7).sum(axis=1)
