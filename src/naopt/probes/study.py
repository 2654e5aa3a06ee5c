"""The three probes of Adam & Lorraine (2019), put to one subject: a document of JSON values, and what it means.

"Understanding neural architecture search techniques", arXiv 1904.00438, whose full text was not available: its abstract
names what is asked, sizes and statistics are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.errors import InputError
from naopt.latent.threads import one_thread
from naopt.probes.distances import canonical, edit_is_exact, graph_distances, token_distances
from naopt.probes.properties import properties
from naopt.probes.statistics import alike, follows, predictivity
from naopt.probes.subject import Subject
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEWEST = 20
"""Architectures that a probe needs."""
SURE = 0.01
"""A p value below this counts as more than chance."""
_STATES, _COPIES = 24, 24
_AFTER = (0.25, 0.5, 0.75)
"""After which shares of the tokens a controller's state is fixed and completed."""
_ATTEMPTS = 200
_PREDICT, _COMPLETE, _CONTINUE, _FOLLOW = range(4)
_NAMES = {"edit": "edit distance", "wl": "Weisfeiler-Lehman distance", "paths": "path distance", "tokens": "tokens"}


def draw_architectures(
    space: SearchSpace, count: int, seed: int, known: Sequence[Architecture] = ()
) -> list[Architecture]:
    """Up to ``count`` architectures no two of which are isomorphic, in canonical form: known ones, then random ones.

    Raises:
        InputError: the space has too few.
    """
    rng = np.random.default_rng(seed)
    found: dict[Tokens, Architecture] = {}
    for architecture in known:
        found.setdefault(space.canonical(architecture.tokens), canonical(space, architecture))
    missed = 0
    while len(found) < count and missed < _ATTEMPTS:
        architecture = canonical(space, space.sample(rng))
        missed = missed + 1 if architecture.tokens in found else 0
        found[architecture.tokens] = architecture
    if len(found) < FEWEST:
        raise InputError("space", space.name, f"has only {len(found)} distinct architectures; a probe needs {FEWEST}")
    return list(found.values())[:count]


def probe(
    subject: Subject,
    architectures: Sequence[Architecture],
    scores: Array,
    metric: str,
    *,
    permutations: int,
    seed: int,
) -> dict[str, Any]:
    """Puts the three probes.

    1. Is the state predictive? Of the architecture's properties and of its score, by ridge regression.
    2. Do architectures that come from one state resemble each other? Of a controller also completions of a prefix: of
       them only what was written after the state is compared, since the prefix is not the state's doing.
    3. Does the distance of states follow that of graphs?

    Args:
        subject: what is asked.
        architectures: about which, from ``draw_architectures``.
        scores: of them ``(n,)``, NaN where not known. Left out if fewer than 20 are known, or all are equal.
        metric: its name.
        permutations: for each p value.
        seed: of all randomness.
    """
    with one_thread():
        states = subject.states(architectures)
        graphs = graph_distances(subject.space, architectures)
        found = {
            "subject": subject.title,
            "space": subject.space.name,
            "architectures": len(architectures),
            "dimensions": states.shape[1],
            "permutations": permutations,
            "seed": seed,
            "metric": metric,
            "predictivity": _predict(subject, architectures, states, scores, metric, permutations, seed),
            "completions": [
                _complete(subject, architectures[:_STATES], permutations, seed),
                *_continue(subject, architectures[:_STATES], permutations, seed),
            ],
            "edit_exact": edit_is_exact([subject.space.graph(architecture) for architecture in architectures]),
            "distance": _follow(states, graphs, permutations, seed),
        }
    return found | {"meaning": meaning(found)}


def _predict(
    subject: Subject,
    architectures: Sequence[Architecture],
    states: Array,
    scores: Array,
    metric: str,
    permutations: int,
    seed: int,
) -> dict[str, Any]:
    rng = np.random.default_rng([seed, _PREDICT])
    labels = properties(subject.space, architectures)
    every = np.stack(list(labels.values()), axis=1) if labels else np.zeros((len(states), 0))
    found = dict(zip(labels, predictivity(states, every, permutations, rng), strict=True)) if labels else {}
    known = np.isfinite(scores)
    if known.sum() >= FEWEST and np.ptp(scores[known]) > 0:
        (found[metric],) = predictivity(states[known], scores[known, None], permutations, rng)
    of = {name: int(known.sum()) if name == metric else len(states) for name in found}
    return {name: {**asdict(result), "architectures": of[name]} for name, result in found.items()}


def _complete(subject: Subject, architectures: Sequence[Architecture], permutations: int, seed: int) -> dict[str, Any]:
    """Whole architectures from the states of architectures."""
    rng = np.random.default_rng([seed, _COMPLETE])
    space = subject.space
    tokens = subject.decode(architectures, _COPIES, rng)
    decoded = [space.architecture(space.canonical(row)) for row in tokens.reshape(-1, tokens.shape[-1]).tolist()]
    own = [a.tokens == architectures[index // _COPIES].tokens for index, a in enumerate(decoded)]
    return {
        "after": None,
        "states": len(architectures),
        "copies": _COPIES,
        "copies_differ": subject.copies_differ,
        "own": float(np.mean(own)),
        "distances": {
            name: asdict(alike(matrix, _COPIES, permutations, rng))
            for name, matrix in graph_distances(space, decoded).items()
        },
    }


def _continue(
    subject: Subject, architectures: Sequence[Architecture], permutations: int, seed: int
) -> list[dict[str, Any]]:
    """What is written after some tokens, from the states that a controller is in then."""
    if subject.complete is None:
        return []
    rng = np.random.default_rng([seed, _CONTINUE])
    rows = np.array([architecture.tokens for architecture in architectures], dtype=np.int64)
    length, order = rows.shape[1], list(subject.decided)
    found = []
    for after in sorted({round(share * length) for share in _AFTER} - {0, length}):
        written = subject.complete(rows[:, order[:after]], _COPIES, rng)[:, :, order[after:]]
        matrix = token_distances(written.reshape(-1, length - after))
        found.append(
            {
                "after": after,
                "states": len(architectures),
                "copies": _COPIES,
                "copies_differ": subject.copies_differ,
                "own": None,
                "distances": {"tokens": asdict(alike(matrix, _COPIES, permutations, rng))},
            }
        )
    return found


def _follow(states: Array, graphs: dict[str, Array], permutations: int, seed: int) -> dict[str, Any]:
    from scipy.spatial.distance import pdist, squareform

    rng = np.random.default_rng([seed, _FOLLOW])
    apart: Array = squareform(pdist(states))
    return {name: asdict(result) for name, result in follows(apart, graphs, permutations, rng).items()}


# What it means.


def meaning(document: dict[str, Any]) -> dict[str, str]:
    """A plain sentence for each probe."""
    whole, *parts = document["completions"]
    return {
        "predictivity": _about_predictivity(document["predictivity"]),
        "completions": _about_completions(whole, parts),
        "distance": _about_distance(document["distance"]),
    }


def _about_predictivity(results: dict[str, dict[str, Any]]) -> str:
    sure = {name: result for name, result in results.items() if result["p"] < SURE and result["r2"] > 0}
    unsure = [name for name in results if name not in sure]
    if not results:
        return "There is no property in which the architectures differ."
    told = ", ".join(f"{name} (R2 {result['r2']:.2f})" for name, result in sure.items())
    if not sure:
        return f"A linear reading of the state tells nothing that chance would not: {', '.join(unsure)}."
    rest = f"; of {', '.join(unsure)} nothing that chance would not" if unsure else ""
    return f"A linear reading of the state tells {told}{rest}."


def _about_completions(whole: dict[str, Any], parts: list[dict[str, Any]]) -> str:
    result = whole["distances"]["edit"]
    if result["p"] < SURE:
        sentence = (
            f"Architectures that come from one state resemble each other: {result['ratio']:.0%} of the variance of "
            f"their edit distance lies between states (p = {result['p']:.2g}); {whole['own']:.0%} are the state's own."
        )
    else:
        sentence = (
            "Architectures that come from one state are no more alike than those that come from different ones "
            f"(edit distance: p = {result['p']:.2g})."
        )
    if parts:
        after = [f"{part['after']}" for part in parts if part["distances"]["tokens"]["p"] < SURE]
        seen = (
            f"depends on the prefix (seen after {', '.join(after)} tokens)" if after else "shows nothing of the prefix"
        )
        sentence += f" What is written after a prefix {seen}."
    return sentence


def _about_distance(results: dict[str, dict[str, Any]]) -> str:
    sure = {name: result for name, result in results.items() if result["p"] < SURE}
    if not sure:
        return "The distance of states does not follow that of graphs."
    told = ", ".join(f"{_NAMES[name]} (Spearman {result['spearman']:.2f})" for name, result in sure.items())
    return f"States are the farther apart the farther their graphs are: {told}."
