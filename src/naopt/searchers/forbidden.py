"""What limits on known costs forbid: it is passed over before anything is measured."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.problem import Problem
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DRAWN, _LOOKUPS, _NEAR = 64, 1600, 16


class Forbidden:
    """Architectures that a limit on a known cost forbids. A lookup is computed once.

    Args:
        problem: whose limits they are.
    """

    def __init__(self, problem: Problem) -> None:
        self._limits, self._costs = problem.known, problem.costs
        self._known: dict[Architecture, float] = {}
        self._all: tuple[Sequence[Architecture], NDArray[np.bool_]] | None = None
        self._refused: set[Architecture] = set()

    def __bool__(self) -> bool:
        return bool(self._limits)

    def __contains__(self, architecture: object) -> bool:
        if not self._limits or not isinstance(architecture, Architecture):
            return False
        excess = self._known.get(architecture)
        if (self.excess([architecture])[0] if excess is None else excess) == 0:
            return False
        self._refused.add(architecture)
        return True

    @property
    def refused(self) -> int:
        """How many distinct architectures were looked up and refused since the last ``forget``."""
        return len(self._refused)

    def forget(self) -> None:
        """Counts from 0 on."""
        self._refused = set()

    def excess(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """By how much each breaks the limits ``(n,)``, in shares of these; 0 if it keeps all of them.

        An architecture whose cost is not known breaks them infinitely.
        """
        new = [a for a in dict.fromkeys(architectures) if a not in self._known]
        if new and self._costs is not None:
            costs, total = self._costs.of(new), np.zeros(len(new))
            for limit in self._limits:
                total += limit.share(costs[limit.metric])
            self._known.update(zip(new, total.tolist(), strict=True))
        return np.array([self._known.get(architecture, 0.0) for architecture in architectures])

    def allowed(self, architectures: Sequence[Architecture]) -> NDArray[np.bool_]:
        """Whether each of a whole space is allowed ``(n,)``; kept for the next call with the same ones."""
        if self._all is None or self._all[0] is not architectures:
            self._all = architectures, self.excess(architectures) == 0
        return self._all[1]

    def nearest(
        self,
        space: SearchSpace,
        seen: Container[Architecture],
        rng: np.random.Generator,
        start: Architecture | None = None,
    ) -> Architecture:
        """An architecture that is allowed and not seen, or else what a walk towards the limits came to.

        The start, or of some random architectures the nearest to the limits, is changed again and again; the first of
        its neighbours that breaks them less is next, or else the one of some that breaks them least.
        """
        drawn = [space.sample(rng) for _ in range(_DRAWN)] if start is None else [start]
        beyond = self.excess(drawn)
        here, least = drawn[int(beyond.argmin())], float(beyond.min())
        looked = 0
        while looked < _LOOKUPS and (here in seen or least > 0):
            near: list[tuple[float, Architecture]] = []
            while len(near) < _NEAR:
                other = space.mutate(here, rng)
                near.append((float(self.excess([other])[0]), other))
                looked += 1
                if near[-1][0] < least or (near[-1][0] == 0 and other not in seen):
                    near = near[-1:]
                    break
            least, here = min(near, key=lambda pair: pair[0])
        return here


class Seen(set[Architecture]):
    """What must not be proposed: what was told, and what is forbidden, which ``in`` knows and iteration does not.

    Args:
        problem: whose limits count.

    Attributes:
        forbidden: by limits on known costs.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.forbidden = Forbidden(problem)

    def __contains__(self, architecture: object) -> bool:
        return super().__contains__(architecture) or architecture in self.forbidden

    def __bool__(self) -> bool:
        return len(self) > 0 or bool(self.forbidden)
