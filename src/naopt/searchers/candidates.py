"""What searchers with a predictor share: what they learn from, and which architectures they choose among."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from naopt.errors import InputError
from naopt.latent.encoding import encoded
from naopt.measurement import Measurement
from naopt.problem import Objective
from naopt.searchers.base import Known, Proposal, sample_new
from naopt.searchers.scan import scan_of
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.gaussian_process import GaussianProcess
    from naopt.latent.priors import Priors
    from naopt.searchers.scan import Model, NearModel, Predicted, Scan

CandidateKind = Literal["auto", "scan", "local"]

SMALL = 100_000
"""Spaces of at most so many sequences are gone through as a whole."""

FEWEST_SCORES = 2
"""Fewer teach a predictor nothing."""

_FEWEST_BELIEVED = 6
_COUNTS_AS_WORST = "diverged"
_LARGE = 1_000_000
_MISSES = 50


def scored(
    history: Sequence[tuple[Architecture, Measurement]], objective: Objective
) -> tuple[list[Architecture], NDArray[np.float64]]:
    """What a predictor learns from: architectures and scores ``(n,)``, larger is better.

    Diverged architectures have the worst score of the others. Other failures say nothing of quality; what can be
    learned from them is learned by ``Feasible``. A history without a single score teaches nothing.
    """
    known = [(a, objective.score(m), m.status == _COUNTS_AS_WORST) for a, m in history]
    worst = min((score for _, score, _ in known if score is not None), default=None)
    pairs = [(a, worst if score is None else score) for a, score, failed in known if score is not None or failed]
    if worst is None:
        return [], np.empty(0)
    return [a for a, _ in pairs], np.array([score for _, score in pairs], dtype=np.float64)


def standard_errors(
    history: Sequence[tuple[Architecture, Measurement]], objective: Objective
) -> NDArray[np.float64] | None:
    """Standard errors ``(n,)`` of what is ``scored``; ``None`` if none was stated.

    What has none has the median of the others, diverged architectures among them.
    """
    told = [m for _, m in history if objective.score(m) is not None or m.status == _COUNTS_AS_WORST]
    stated = [m.error(objective.metric) if m.ok else None for m in told]
    known = [error for error in stated if error is not None]
    if not known:
        return None
    usual = float(np.median(known))
    return np.array([usual if error is None else error for error in stated], dtype=np.float64)


def fewest_scores(initial: int, pending: Collection[Architecture]) -> int:
    """How many scores a predictor needs before it is asked, with so many ``initial`` random architectures.

    While others are pending 6 do, so that nobody waits for all of the first ones; below that, further random ones teach
    more than what a predictor of two or three architectures takes for promising.
    """
    return max(FEWEST_SCORES, min(_FEWEST_BELIEVED, initial)) if pending else FEWEST_SCORES


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

    def architecture(self, index: int) -> Architecture:
        """A candidate."""
        return self.architectures[index]

    def proposal(self, index: int, predicted: float | None) -> Proposal:
        """A candidate with its origin and parent."""
        architecture = self.architectures[index]
        return Proposal(architecture, self._origin, predicted, self._parents[architecture])


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
        priors: further features, the last ones.
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
        priors: Priors | None = None,
    ) -> None:
        self._space, self._names, self._priors = space, names, priors
        self._scan: Scan | None = None
        self._parents: dict[Architecture, Architecture] = {}
        if kind == "scan" or (kind == "auto" and space.size <= SMALL):
            self._scan = scan_of(space, names)
            self._indices = self._scan.unseen(seen)
            forbidden = seen.forbidden if isinstance(seen, Known) else None
            if forbidden:
                allowed = forbidden.allowed(self._scan.architectures)
                self._indices = self._indices[allowed[self._indices]]
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

    def normal(self, process: GaussianProcess, told: Sequence[Architecture]) -> Predicted:
        """Means and variances of a process over the groups of features, fitted to what was ``told``."""
        priors = self._priors
        if priors is None:
            if self.surround(told):
                return self.predict_near(process.predict_from, told)
            return self.predict(process.predict)
        if self._scan is not None and self.surround(told):
            return self._scan.predict_beside(process.predict_from, told, self._indices, priors.groups(self._known))
        return self.predict(lambda groups: process.predict([*groups[:-1], *priors.groups(groups[-1])]))

    def predict(self, model: Model) -> Predicted:
        """What a model says of all candidates, arrays ``(n,)``, ``n >= 1``."""
        if self._scan is None:
            return model(self._groups if self._priors is None else [*self._groups, self._known])
        if self._priors is None:
            return tuple(column[self._indices] for column in self._scan.predict(model))
        return self._scan.predict_with(model, self._indices, self._known)

    @property
    def _known(self) -> NDArray[np.float64]:
        """Priors ``(n, priors)``, as far as they were looked at."""
        assert self._priors is not None
        if self._scan is not None:
            return self._priors.every(self._scan.architectures)[self._indices]
        return self._priors(self._local)

    def surround(self, told: Sequence[Architecture]) -> bool:
        """Whether all of the space was gone through, and these are part of it."""
        return self._scan is not None and all(architecture in self._scan.index for architecture in told)

    def predict_near(self, model: NearModel, told: Sequence[Architecture]) -> Predicted:
        """The same of a model of squared distances to architectures that the candidates ``surround``.

        Args:
            model: is handed the distances by group, each ``(told, n)``, and groups of single positions.
            told: what the model was told.
        """
        if self._scan is None:
            raise RuntimeError("distances are those of a space that is scanned")
        return tuple(column[self._indices] for column in self._scan.predict_near(model, told))

    @cached_property
    def _groups(self) -> list[NDArray[np.float64]]:
        return list(encoded(self._space, self._local, self._names).values())
