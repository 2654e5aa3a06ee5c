"""What is known of architectures before they are trained, as columns that a model can learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from naopt.latent.embedding import product
from naopt.latent.targets import Targets
from naopt.latent.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace

    Array = NDArray[np.float64]

_DRAWN, _FEW = 1000, 64
_FARTHEST = 2.5
_MOST_KEPT = 50_000
_OF_PRIORS = 0x7072696F
_ASKED, _FEWEST_ASKED = 8, 16

Describe = Callable[[Sequence["Architecture"]], "Array"]


@runtime_checkable
class Promises(Protocol):
    """Prior knowledge that knows which way is better, and so what is promising."""

    @property
    def promising(self) -> Mapping[str, Sequence[Architecture]]:
        """By its name, of what most is expected, best first; the values of these names are normal scores."""


class Priors:
    """Prior values, each on the scale of the normal quantile of its rank among random architectures of the space.

    The scale is learned from the same 1,000 architectures in every search of the space (64 where a look takes time), so
    it depends neither on the search nor on what else was looked at, and stays as it is under any rising map of the
    values. Between and beyond the values of these it is linear, and ends 2.5 deviations from the mean. What is not
    known is the mean, 0. What ``Promises`` know is on a scale of this kind already, and is taken as it is: its tail is
    what matters.

    A process sees each prior twice: by a kernel of its own, and by a linear one, because a line goes on where a kernel
    goes back to its mean. Weights of both are learned, so the sign of a prior means nothing, and one that tells nothing
    has little weight.

    Priors that take time are looked at for what was measured, and in each round for the candidates that promise most
    (``look``). For others ridge regression stands in, from the same 64 architectures.

    Args:
        space: of the architectures.
        costs: what knows them.
        describe: features ``(n, columns)`` by which priors are guessed.
        slow: whether a look takes time.
    """

    def __init__(self, space: SearchSpace, costs: Costs, describe: Describe, *, slow: bool = False) -> None:
        self.space, self.slow = space, slow
        self._costs, self._describe = costs, describe
        self.names = tuple(costs.metrics)
        self._normal = frozenset(costs.promising) if isinstance(costs, Promises) else frozenset()
        self._rows: dict[Architecture, Array] = {}
        self._looked: set[Architecture] = set()
        self._every: tuple[Sequence[Architecture], Array] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def begin(self, architectures: Iterable[Architecture]) -> None:
        """A round: of slow priors those of these architectures are looked at, and no others yet."""
        self._looked = set(architectures)

    def look(self, architectures: Iterable[Architecture]) -> None:
        """And those of these, from now on."""
        self._looked.update(architectures)

    def forget(self) -> None:
        """What is known has changed: it is asked for anew."""
        self._rows, self._every = {}, None
        for name in ("slopes", "_middle"):
            self.__dict__.pop(name, None)

    def looks(self, wanted: int) -> int:
        """At how many candidates a round looks that is to choose so many."""
        return max(_FEWEST_ASKED, _ASKED * wanted)

    @cached_property
    def drawn(self) -> list[Architecture]:
        """The random architectures."""
        rng = np.random.default_rng(_OF_PRIORS)
        return list(dict.fromkeys(self.space.sample(rng) for _ in range(_FEW if self.slow else _DRAWN)))

    @cached_property
    def _scales(self) -> list[Targets | None]:
        if self._normal.issuperset(self.names):
            return [None] * len(self.names)
        values = self._costs.of(self.drawn)
        finite = [values[name][np.isfinite(values[name])] for name in self.names]
        return [Targets.fit(found, "rank") if len(found) else None for found in finite]

    def __call__(self, architectures: Sequence[Architecture]) -> Array:
        """Columns ``(n, priors)``."""
        if not self.slow:
            return self._known(architectures)
        at = np.array([architecture in self._looked for architecture in architectures], dtype=np.bool_)
        columns = np.zeros((len(architectures), len(self.names)))
        columns[at] = self._known([a for a, there in zip(architectures, at, strict=True) if there])
        others = [a for a, there in zip(architectures, at, strict=True) if not there]
        if others:
            columns[~at] = self._middle + product(self._describe(others) - self._centre, self.slopes)
        return columns

    def every(self, architectures: Sequence[Architecture]) -> Array:
        """The same of a whole space; if not slow, kept for the next call with the same ones."""
        if self.slow:
            return self(architectures)
        if self._every is None or self._every[0] is not architectures:
            self._every = architectures, self._scaled(architectures)
        return self._every[1]

    def _known(self, architectures: Sequence[Architecture]) -> Array:
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
                column[known] = values[name][known]
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

    @cached_property
    def slopes(self) -> Array:
        """Slopes ``(columns, priors)`` of what describes architectures, by ridge regression on what was ``drawn``."""
        rows = self._described - self._centre
        with one_thread():
            inner = rows @ rows.T.copy() + np.eye(len(rows))
            found: Array = rows.T @ np.linalg.solve(inner, self._known(self.drawn) - self._middle)
        return found

    @cached_property
    def _described(self) -> Array:
        return self._describe(self.drawn)

    @cached_property
    def _centre(self) -> Array:
        centre: Array = self._described.mean(axis=0)
        return centre

    @cached_property
    def _middle(self) -> Array:
        middle: Array = self._known(self.drawn).mean(axis=0)
        return middle
