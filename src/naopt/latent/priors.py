"""What is known of architectures before they are trained, as columns that a model can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.targets import Targets
from naopt.latent.threads import one_thread
from naopt.problem import Promises

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace

    Array = NDArray[np.float64]

_DRAWN = 1000
_FARTHEST = 4.0
_MOST_KEPT = 50_000
_OF_PRIORS = 0x7072696F


class Priors:
    """Prior values, each on the scale of the normal quantile of its rank among random architectures of the space.

    The scale is learned from the same 1,000 architectures in every search of the space, so it depends neither on the
    search nor on what else was looked at, and stays as it is under any rising map of the values. Between the values of
    these it is linear, beyond their ends it goes on, up to 4 deviations. What is not known is the mean, 0.

    A process sees each prior twice: by a kernel of its own, and by a linear one, because a line goes on where a kernel
    goes back to its mean. Weights of both are learned, so the sign of a prior means nothing, and one that tells nothing
    has little weight.

    Args:
        space: of the architectures.
        costs: what knows them.
    """

    def __init__(self, space: SearchSpace, costs: Costs) -> None:
        self.space, self._costs = space, costs
        self.names = tuple(costs.metrics)
        self._normal = frozenset(costs.promising) if isinstance(costs, Promises) else frozenset()
        self._rows: dict[Architecture, Array] = {}

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def drawn(self) -> list[Architecture]:
        """The random architectures."""
        rng = np.random.default_rng(_OF_PRIORS)
        return list(dict.fromkeys(self.space.sample(rng) for _ in range(_DRAWN)))

    @cached_property
    def _scales(self) -> list[Targets | None]:
        values = self._costs.of(self.drawn)
        finite = [values[name][np.isfinite(values[name])] for name in self.names]
        return [Targets.fit(found, "rank") if len(found) else None for found in finite]

    def __call__(self, architectures: Sequence[Architecture]) -> Array:
        """Columns ``(n, priors)``."""
        new = [architecture for architecture in dict.fromkeys(architectures) if architecture not in self._rows]
        if len(self._rows) + len(new) > _MOST_KEPT:
            self._rows, new = {}, list(dict.fromkeys(architectures))
        if new:
            self._rows |= zip(new, self._scaled(new), strict=True)
        return np.array([self._rows[architecture] for architecture in architectures]).reshape(-1, len(self.names))

    def _scaled(self, architectures: Sequence[Architecture]) -> Array:
        values, columns = self._costs.of(architectures), np.zeros((len(architectures), len(self.names)))
        for column, name, scale in zip(columns.T, self.names, self._scales, strict=True):
            known = np.isfinite(values[name])
            if name in self._normal:
                column[known] = values[name][known].clip(-_FARTHEST, _FARTHEST)
            elif scale is not None and known.any():
                column[known] = scale.transform(values[name][known]).clip(-_FARTHEST, _FARTHEST)
        return columns

    def groups(self, columns: Array) -> list[Array]:
        """Columns ``(n, priors)`` as the last groups of a process: one a kernel, then one a linear kernel."""
        each = [columns[:, [at]] for at in range(len(self.names))]
        return [*each, *each]

    def weights(self, shares: Array) -> dict[str, float]:
        """By ``prior_weight/NAME`` the share of a prior in the shares of all groups of a process, these the last."""
        count = len(self.names)
        both = shares[-2 * count : -count] + shares[-count:]
        return {f"prior_weight/{name}": float(share) for name, share in zip(self.names, both, strict=True)}

    @one_thread()
    def slopes(self, points: Array) -> Array:
        """Slopes ``(dimensions, priors)`` in an embedding, by ridge regression on the points of what was ``drawn``."""
        columns = self(self.drawn)
        centred = points - points.mean(axis=0)
        inner = centred.T @ centred + np.eye(points.shape[1])
        found: Array = np.linalg.solve(inner, centred.T @ (columns - columns.mean(axis=0)))
        return found
