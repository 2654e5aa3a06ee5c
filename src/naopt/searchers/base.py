"""Searchers: ask for architectures, tell what was measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.registry import Registry
from naopt.searchers.forbidden import Forbidden, Seen
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL = 100_000
_WALKS = 10
"""Ways to what limits allow take time, as costs have to be computed along them."""
_PENDING = 0x70656E64
"""Sets the randomness of an ``ask`` with something pending apart."""

searchers: Registry[type[Searcher]] = Registry("searcher", "naopt.searchers")


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that a searcher wants measured.

    ``origin`` says how it was found (``random``, ``ascent``, ``refill``, ``mutation`` ...), ``parent`` from what, and
    ``predicted`` what the searcher expects of it, in the metric's own unit, where it expects anything. ``level`` is
    that of fidelity at which it is to be measured, where there are several; ``None``: the full one. ``repeat`` says how
    often it was proposed, or told by another search, before, where ``Problem.repeats`` allows that.
    """

    architecture: Architecture
    origin: str
    predicted: float | None = None
    parent: Architecture | None = None
    level: int | None = None
    repeat: int = 0


class Known(Collection[Architecture]):
    """What must not be proposed: several collections, looked through one after the other and never copied.

    Args:
        parts: sets, or dictionaries by architecture; anything else is made one.
    """

    def __init__(self, *parts: Collection[Architecture]) -> None:
        self._parts = [part if isinstance(part, set | dict | Known) else frozenset(part) for part in parts if part]

    def __contains__(self, architecture: object) -> bool:
        return any(architecture in part for part in self._parts)

    def __iter__(self) -> Iterator[Architecture]:
        for part in self._parts:
            yield from part

    def outside(self, architectures: Iterable[Architecture]) -> list[Architecture]:
        """Those that are not among them."""
        left = list(architectures)
        for part in self._parts:
            left = part.outside(left) if isinstance(part, Known) else [a for a in left if a not in part]
        return left

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def forbidden(self) -> Forbidden | None:
        """What limits forbid, if any of the parts knows of limits."""
        found = (part.forbidden for part in self._parts if isinstance(part, Known | Seen))
        return next((forbidden for forbidden in found if forbidden), None)


class Searcher(ABC):
    """Proposes architectures of a space and learns from their measurements.

    Contract. The loop calls ``ask``, has what is proposed measured, and calls ``tell`` once for each. In the
    synchronous schedule it tells a whole round, in the order in which it was asked, before it asks again. In the
    asynchronous one it tells results as they come and asks again while others are pending, so nothing may be assumed
    about the order. What ``ask`` returns depends on nothing but the space, the settings, the seed, the budget, what was
    told before and what is pending, so a search that was killed goes on from its measurements alone: a fresh searcher
    is told them in order. Failed measurements are told like all others.

    Also told, before the first ``ask`` or between two, is what no ``ask`` proposed: measurements of earlier searches,
    and architectures that somebody wanted measured. They count like all others, for first random rounds too.

    ``naopt.testing.searchers`` holds the conformance suite.

    Args:
        space: where to search.
        problem: what is wanted; one objective alone is a problem. Searchers maximise the ``score`` of objectives.
        settings: an instance of the class's ``settings_type``.
        seed: non-negative.
        budget: how many measurements the whole search may use; at least 1.
    """

    settings_type: ClassVar[type[Settings]] = Settings
    learns: ClassVar[bool] = True
    """Whether proposals depend on the scores that are told."""
    several: ClassVar[bool] = False
    """Whether it searches for trade-offs between several objectives."""
    needs_priors: ClassVar[bool] = False
    """Whether it is of use only where something is known beforehand, ``Problem.priors``; without it refuses."""
    informed: ClassVar[bool] = False
    """Whether it makes use of the problem's priors, if there are any."""
    limited: ClassVar[bool] = False
    """Whether it is told what breaks a limit like anything else. Others are told that it failed, and why."""

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: Settings, *, seed: int, budget: int
    ) -> None:
        self.space, self.settings, self.seed, self.budget = space, settings, seed, budget
        self.problem = Problem.of(problem)
        if len(self.problem.objectives) > 1 and not self.several:
            raise InputError("objectives", ", ".join(o.metric for o in self.problem.objectives), one_only(type(self)))
        self.history: list[tuple[Architecture, Measurement]] = []
        self.seen: set[Architecture] = Seen(self.problem)

    @property
    def objective(self) -> Objective:
        """The first one; most searchers have no other."""
        return self.problem.objective

    @classmethod  # noqa: B027
    def check(cls, problem: Problem, settings: Settings) -> None:
        """Raises ``InputError`` for a problem that lacks what the settings ask for; called before a search begins."""

    @abstractmethod
    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> Sequence[Proposal]:
        """Up to ``count`` (>= 1) proposals, none of which was told before or is pending, and no two equal.

        Where ``Problem.repeats`` is more than 1, what was told may be proposed again so often in all.

        With nothing pending it gives a round: fewer than ``count`` means that the searcher wants to be told about
        these first, none at all that it found no new architecture, and the search ends. With something pending it
        should give ``count``, so that nobody idles; none at all means that it wants to be told first.

        Args:
            count: how many can be measured.
            pending: what was proposed and is not told yet, in the order of the proposals: others are at work on them,
                or they are the first part of a round that is being enlarged.
        """

    @property
    def round_size(self) -> int:
        """How many proposals a round has after the first, random ones: so many workers find work without ``pending``.

        1 unless a searcher says otherwise.
        """
        return 1

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """Takes note of one measurement."""
        self.history.append((architecture, measurement))
        self.seen.add(architecture)

    def round_log(self) -> dict[str, Any]:
        """What the latest ``ask`` has to say about itself: JSON values by name (losses, counts, seconds)."""
        return {}

    def generator(self, *purpose: int, pending: Sequence[Architecture] = ()) -> np.random.Generator:
        """Randomness for the next ``ask``: a function of the seed and of how much was told and is pending."""
        key = [_PENDING, len(pending)] if pending else []
        return np.random.default_rng([self.seed, len(self.history), *purpose, *key])

    def told(self) -> tuple[list[Architecture], NDArray[np.float64]]:
        """Architectures with a score, and the scores ``(n,)``, larger is better."""
        pairs = [(a, s) for a, m in self.history if (s := self.objective.score(m)) is not None]
        return [a for a, _ in pairs], np.array([s for _, s in pairs], dtype=np.float64)


def one_only(kind: type[Searcher]) -> str:
    """Why a searcher takes one objective only, and what takes several."""
    name = next((name for name in searchers.names() if searchers.get(name) is kind), kind.__name__)
    able = ", ".join(name for name in searchers.names() if searchers.get(name).several)
    return f"{name} takes one; take one of {able}, or --scalarise"


def of_budget(count: int | None, share: float, budget: int, least: int = 1) -> int:
    """A setting that is a count, or else a share of the budget, ``least`` at least."""
    return count or max(least, round(share * budget))


def sample_new(
    space: SearchSpace, seen: Collection[Architecture], count: int, rng: np.random.Generator, attempts: int = 200
) -> list[Architecture]:
    """Up to ``count`` distinct uniform architectures outside ``seen``.

    Where ``attempts`` draws in a row find none, nothing more is drawn: ways to what limits allow are walked from the
    draws that broke them least, ten at most. Where one leads to nothing new, a space of at most 100,000 sequences is
    gone through for what is left; a larger one gives fewer than ``count``.
    """
    found: dict[Architecture, None] = {}
    forbidden = seen.forbidden if isinstance(seen, Known | Seen) else None
    drawn: list[Architecture] = []
    while len(found) < count and len(drawn) < attempts:
        drawn.append(space.sample(rng))
        if drawn[-1] not in seen and drawn[-1] not in found:
            found[drawn[-1]] = None
            drawn.clear()
    if len(found) < count and forbidden:
        for index in np.argsort(forbidden.excess(drawn), kind="stable")[: min(_WALKS, count - len(found))]:
            near = forbidden.nearest(space, Known(seen, found), rng, drawn[index])
            if near in seen or near in found:
                break
            found[near] = None
    if len(found) < count and space.size <= _SMALL:
        left = Known(seen, found).outside(dict.fromkeys(space.enumerate()))
        order = rng.permutation(len(left))[: count - len(found)]
        found |= {left[index]: None for index in order}
    return list(found)
