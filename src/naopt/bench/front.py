"""The front of a whole table: what searches with several objectives are measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from naopt.metrics import hypervolume, igd_plus, non_dominated

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 0.1
"""How far the reference point lies below the worst of each objective, in shares of its range."""


@dataclass(frozen=True)
class TableFront:
    """The best trade-offs that a table has, on a scale that depends on the table and on no search.

    Attributes:
        points: ``(n, k)`` objectives of every row: 0 is the worst of the rows that count, 1 the best; NaN in rows that
            do not count, because they lack an objective or break a limit.
        reference: ``(k,)`` on the same scale.
    """

    points: NDArray[np.float64]
    reference: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[np.float64], reference: NDArray[np.float64]) -> TableFront:
        """From scores ``(n, k)``, larger is better, all NaN in rows that do not count, and those of a reference."""
        low, high = np.nanmin(scores, axis=0), np.nanmax(scores, axis=0)
        spread = np.where(high > low, high - low, 1.0)
        return cls((scores - low) / spread, (reference - low) / spread)

    @cached_property
    def counted(self) -> NDArray[np.bool_]:
        """Which rows count ``(n,)``."""
        return np.isfinite(self.points[:, 0])

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the front ``(m,)``, the best in the first objective first; equal ones are all there."""
        known = np.flatnonzero(self.counted)
        front = known[non_dominated(self.points[known])]
        return front[np.lexsort((front, *(-self.points[front].T[::-1])))]

    @cached_property
    def distinct(self) -> NDArray[np.float64]:
        """Different points of the front ``(m, k)``."""
        return np.unique(self.points[self.rows], axis=0)

    @cached_property
    def hypervolume(self) -> float:
        """Of the front."""
        return hypervolume(self.distinct, self.reference)

    def progress(self, rows: Sequence[int | None], checkpoints: Sequence[int]) -> FrontProgress:
        """How far a search had come after so many queries.

        Args:
            rows: of its queries, in order; ``None`` for what is in no row.
            checkpoints: numbers of queries, ascending.
        """
        wanted = {tuple(point) for point in self.distinct.tolist()}
        archive = np.empty((0, len(self.reference)))
        volumes, distances, shares = [], [], []
        done = 0
        for checkpoint in checkpoints:
            new = [row for row in rows[done:checkpoint] if row is not None and self.counted[row]]
            done = checkpoint
            archive = np.concatenate([archive, self.points[new]])
            archive = np.unique(archive[non_dominated(archive)], axis=0)
            volumes.append(hypervolume(archive, self.reference))
            distances.append(igd_plus(archive if len(archive) else self.reference[None], self.distinct))
            shares.append(sum(tuple(point) in wanted for point in archive.tolist()) / len(wanted))
        return FrontProgress(volumes, distances, shares, archive)


@dataclass(frozen=True)
class FrontProgress:
    """One search against the front of its table.

    Attributes:
        hypervolume: at each checkpoint, of what was found until then.
        igd_plus: from the table's front to what was found; to the reference point where nothing was.
        found: share of the different points of the table's front that were found.
        archive: what no other dominates of all that was found ``(m, k)``.
    """

    hypervolume: list[float]
    igd_plus: list[float]
    found: list[float]
    archive: NDArray[np.float64]
