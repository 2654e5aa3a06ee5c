"""Scores of points of the latent space, and the architectures that they decode to (TNAO's remapping, as we read it).

The abstract of TNAO (He et al. 2023) names a "remapping scoring scheme" and gives no formula. Ours: a point is decoded,
the architecture encoded again, and the prediction for that embedding is the score. So a score always belongs to a real
architecture, and a point between architectures that the predictor happens to like earns nothing by it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from naopt.latent.model import LatentModel
    from naopt.spaces import Architecture

Score = Literal["remapped", "raw"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture that points decoded to, and the best score of these points, in targets of the model."""

    architecture: Architecture
    score: float


class ScoredPoints:
    """Scores points ``(n, steps, hidden)`` and remembers them; the prediction is the mean of the ensemble.

    With ``score="remapped"`` the score of a point is the prediction for the architecture that it decodes to, encoded
    anew, and ``-inf`` if that is not valid; scores are kept by architecture. With ``score="raw"`` it is the
    prediction at the point itself; nothing is decoded before ``candidates`` is asked for.

    Args:
        model: a fitted model.
        score: which of the two.
    """

    def __init__(self, model: LatentModel, score: Score) -> None:
        self._model, self._score = model, score
        self._known: dict[Architecture, float] = {}
        self._points: list[tuple[NDArray[np.float64], Tensor]] = []
        self.points = self.decoded = self.valid = 0
        """Points that were scored, points that were decoded, and how many of these were valid."""

    @property
    def distinct(self) -> int:
        """Architectures that were decoded so far."""
        return len(self._known)

    def __call__(self, states: Tensor) -> NDArray[np.float64]:
        """Scores ``(n,)``."""
        self.points += len(states)
        if self._score == "raw":
            scores = self._predict(states)
            self._points.append((scores, states.clone()))
            return scores
        found = self._decode(states)
        new = list(dict.fromkeys(a for a in found if a is not None and a not in self._known))
        if new:
            self._known |= zip(new, self._predict(self._model.encode(new)).tolist(), strict=True)
        return np.array([-np.inf if a is None else self._known[a] for a in found])

    def snap(self, states: Tensor) -> Tensor:
        """The embedding of what each point decodes to; a point that decodes to nothing valid stays where it is."""
        found = self._decode(states)
        snapped = states.clone()
        rows = [row for row, architecture in enumerate(found) if architecture is not None]
        if rows:
            snapped[rows] = self._model.encode([a for a in found if a is not None])
        return snapped

    def candidates(self, wanted: int, seen: Container[Architecture]) -> list[Candidate]:
        """Up to ``wanted`` architectures outside ``seen`` from the points scored so far, the best score first.

        Raw points are decoded here, from the best down, until there are enough.
        """
        if self._score == "remapped":
            ranked: Iterable[tuple[Architecture, float]] = sorted(self._known.items(), key=lambda item: -item[1])
        else:
            ranked = self._decoded_in_order(wanted)
        chosen: dict[Architecture, Candidate] = {}
        for architecture, score in ranked:
            if len(chosen) == wanted:
                break
            if architecture not in seen and architecture not in chosen:
                chosen[architecture] = Candidate(architecture, score)
        return list(chosen.values())

    def _decoded_in_order(self, chunk: int) -> Iterable[tuple[Architecture, float]]:
        if not self._points:
            return
        scores = np.concatenate([scores for scores, _ in self._points])
        states = torch.cat([states for _, states in self._points])
        order = np.argsort(-scores, kind="stable")
        # Points of a swarm that converged decode to few architectures: many at a time cost little more than a few.
        size = max(64, 4 * chunk)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            for row, architecture in zip(rows, self._decode(states[torch.from_numpy(rows)]), strict=True):
                if architecture is not None:
                    self._known.setdefault(architecture, float(scores[row]))
                    yield architecture, float(scores[row])

    def _decode(self, states: Tensor) -> list[Architecture | None]:
        space = self._model.space
        found = [
            space.architecture(tokens) if space.contains(tokens) else None for tokens in self._model.decode(states)
        ]
        self.decoded += len(found)
        self.valid += sum(architecture is not None for architecture in found)
        return found

    def _predict(self, states: Tensor) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self._model.member_targets(states).mean(axis=0)
        return scores


def unit_length(states: Tensor) -> Tensor:
    """Every state at unit length again, as encoders give them."""
    return F.normalize(states, dim=-1)
