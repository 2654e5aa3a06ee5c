"""What searchers with a predictor share: what they learn from, and which architectures they choose among."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from naopt.errors import InputError
from naopt.latent.encoding import encoded
from naopt.measurement import Measurement
from naopt.searchers.base import Known, Objective, Proposal, sample_new
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Predicted = tuple[NDArray[np.float64], ...]
    Model = Callable[[list[NDArray[np.float64]]], Predicted]

CandidateKind = Literal["auto", "scan", "local"]

SMALL = 100_000
"""Spaces of at most so many sequences are gone through as a whole."""

_COUNTS_AS_WORST = ("diverged", "oom", "timeout")
_LARGE = 1_000_000
_CHUNK = 2048
_MISSES = 50


def scored(
    history: Sequence[tuple[Architecture, Measurement]], objective: Objective
) -> tuple[list[Architecture], NDArray[np.float64]]:
    """What a predictor learns from: architectures and scores ``(n,)``, larger is better.

    Diverged, timed-out and out-of-memory architectures have the worst score of the others; other failures, and a
    history without a single score, teach nothing.
    """
    known = [(a, objective.score(m), m.status in _COUNTS_AS_WORST) for a, m in history]
    worst = min((score for _, score, _ in known if score is not None), default=None)
    pairs = [(a, worst if score is None else score) for a, score, failed in known if score is not None or failed]
    if worst is None:
        return [], np.empty(0)
    return [a for a, _ in pairs], np.array([score for _, score in pairs], dtype=np.float64)


def best_first(architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> list[Architecture]:
    """The architectures, best score first; of equal scores the one that was measured first."""
    return [architectures[index] for index in np.argsort(-scores, kind="stable")]


def mutants(
    space: SearchSpace,
    parents: Sequence[Architecture],
    count: int,
    known: Container[Architecture],
    rng: np.random.Generator,
    changes: int = 1,
) -> dict[Architecture, Architecture]:
    """Up to ``count`` new architectures near ``parents``, each with its parent, in order of discovery.

    Parents have one mutant in turn. One that had none that is new 50 times in a row is left out.

    Args:
        space: of the architectures.
        parents: the first ones have one mutant more if the turns do not come out even.
        count: how many.
        known: what is not new.
        rng: the only source of randomness.
        changes: most mutations in a row; how many is drawn uniformly for each mutant.
    """
    found: dict[Architecture, Architecture] = {}
    turn = list(dict.fromkeys(parents))
    misses = dict.fromkeys(turn, 0)
    while turn and len(found) < count:
        for parent in turn:
            child = parent
            for _ in range(int(rng.integers(changes)) + 1 if changes > 1 else 1):
                child = space.mutate(child, rng)
            if child in known or child in found:
                misses[parent] += 1
            else:
                found[child], misses[parent] = parent, 0
                if len(found) == count:
                    break
        turn = [parent for parent in turn if misses[parent] < _MISSES]
    return found


class Mutants:
    """New architectures to choose among, each made from another one.

    Args:
        parents: architectures, each with what it was made from.
        origin: of proposals.
    """

    def __init__(self, parents: Mapping[Architecture, Architecture], origin: str = "mutation") -> None:
        self.architectures, self._parents, self._origin = list(parents), parents, origin

    def __len__(self) -> int:
        return len(self.architectures)

    def proposal(self, index: int, predicted: float | None) -> Proposal:
        """A candidate with its origin and parent."""
        architecture = self.architectures[index]
        return Proposal(architecture, self._origin, predicted, self._parents[architecture])


class Scan:
    """All distinct architectures of a small space, with features of each distinct canonical form.

    Attributes:
        architectures: in ascending order of their sequences.
        index: of each architecture.
        rows: ``(architectures,)`` row of ``groups`` that describes each.
        groups: of features, each ``(canonical forms, columns)``.
    """

    def __init__(self, space: SearchSpace, names: Sequence[str]) -> None:
        self.architectures = tuple(dict.fromkeys(space.enumerate()))
        self.index = {architecture: index for index, architecture in enumerate(self.architectures)}
        row_of: dict[Tokens, int] = {}
        first: list[Architecture] = []
        rows = []
        for architecture in self.architectures:
            tokens = space.canonical(architecture.tokens)
            if tokens not in row_of:
                row_of[tokens] = len(first)
                first.append(architecture)
            rows.append(row_of[tokens])
        self.rows = np.array(rows)
        chunks = [encoded(space, first[at : at + _CHUNK], names).values() for at in range(0, len(first), _CHUNK)]
        self.groups = [np.concatenate([_compact(part) for part in parts]) for parts in zip(*chunks, strict=True)]

    def predict(self, model: Model) -> Predicted:
        """What a model says of groups ``(n, columns)``, arrays ``(n,)``, for every architecture."""
        parts = [
            model([group[at : at + _CHUNK].astype(np.float64) for group in self.groups])
            for at in range(0, len(self.groups[0]), _CHUNK)
        ]
        return tuple(np.concatenate(columns)[self.rows] for columns in zip(*parts, strict=True))

    def unseen(self, seen: Iterable[Architecture]) -> NDArray[np.int64]:
        """Indices of the architectures that are not among ``seen``."""
        left = np.ones(len(self.architectures), dtype=np.bool_)
        left[[self.index[architecture] for architecture in seen if architecture in self.index]] = False
        return np.flatnonzero(left)


@lru_cache(maxsize=2)
def scan_of(space: SearchSpace, names: tuple[str, ...]) -> Scan:
    """The scan of a space, made once for all searches of it."""
    return Scan(space, names)


def require_scannable(kind: CandidateKind, space: SearchSpace) -> None:
    """Raises ``InputError`` if all of a large space are to be candidates."""
    if kind == "scan" and space.size > _LARGE:
        raise InputError("setting candidates", kind, f"{space.name} has more than {_LARGE:,} sequences; take local")


class Candidates:
    """New architectures to choose among: all of a small space, or mutations of the best and random ones.

    Args:
        space: of the architectures.
        names: groups of features that ``predict`` hands to the model.
        parents: what is mutated, in turn.
        seen: what is not new.
        rng: the only source of randomness.
        kind: ``scan`` (all), ``local``, or ``auto``: all where the space has at most 100,000 sequences.
        random: how many random ones, if local.
        mutations: how many mutations, if local.
        changes: most mutations in a row.
    """

    def __init__(
        self,
        space: SearchSpace,
        names: tuple[str, ...],
        parents: Sequence[Architecture],
        seen: Collection[Architecture],
        rng: np.random.Generator,
        *,
        kind: CandidateKind,
        random: int,
        mutations: int,
        changes: int,
    ) -> None:
        self._space, self._names = space, names
        self._scan: Scan | None = None
        self._parents: dict[Architecture, Architecture] = {}
        if kind == "scan" or (kind == "auto" and space.size <= SMALL):
            self._scan = scan_of(space, names)
            self._indices = self._scan.unseen(seen)
        else:
            self._parents = mutants(space, parents, mutations, seen, rng, changes)
            self._local = [*self._parents, *sample_new(space, Known(seen, self._parents), random, rng)]

    def __len__(self) -> int:
        return len(self._local) if self._scan is None else len(self._indices)

    def architecture(self, index: int) -> Architecture:
        """A candidate."""
        return self._local[index] if self._scan is None else self._scan.architectures[self._indices[index]]

    def proposal(self, index: int, predicted: float | None) -> Proposal:
        """A candidate with its origin (``scan``, ``mutation`` or ``random``)."""
        architecture = self.architecture(index)
        parent = self._parents.get(architecture)
        origin = "scan" if self._scan is not None else "mutation" if parent else "random"
        return Proposal(architecture, origin, predicted, parent)

    def predict(self, model: Model) -> Predicted:
        """What a model says of all candidates, arrays ``(n,)``, ``n >= 1``."""
        if self._scan is not None:
            return tuple(column[self._indices] for column in self._scan.predict(model))
        return model(self._groups)

    @cached_property
    def _groups(self) -> list[NDArray[np.float64]]:
        return list(encoded(self._space, self._local, self._names).values())


def _compact(group: NDArray[np.float64]) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Zeros and ones need one byte each."""
    small = group.astype(np.uint8)
    return small if (small == group).all() else group.astype(np.float32)
