"""Random architectures in the order of what is known beforehand (``Problem.priors``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.problem import Costs, Named, Problem
from naopt.searchers.base import Known, sample_new
from naopt.searchers.forbidden import Seen
from naopt.spaces import Architecture, SearchSpace

ALL = "all"
"""Names whatever is known beforehand."""
_DRAWS = 0x64726177

Order = tuple[Costs, tuple[Named, ...]]
"""What is known beforehand, and which of it orders architectures."""


def read_priors(problem: Problem, text: str, what: str) -> Order:
    """What is known beforehand, and which of it orders architectures; larger is better unless ``min:`` says otherwise.

    Args:
        problem: whose ``priors`` they are.
        text: names, separated by commas, each with a goal or without; ``all`` for all.
        what: the setting, for errors.

    Raises:
        InputError: nothing is known, or not that.
    """
    if problem.priors is None:
        rule = "needs something that is known before training: give --proxies, or --prior-columns with a table"
        raise InputError(what, text, rule)
    known = list(problem.priors.metrics)
    named = tuple(map(Named, known)) if text == ALL else tuple(Named.parse(part, known) for part in text.split(","))
    for each in named:
        if each.metric not in known:
            raise UnknownNameError(f"{what}, prior", each.metric, known)
    return problem.priors, named


def best_first(priors: Costs, named: Sequence[Named], architectures: Sequence[Architecture]) -> list[int]:
    """Places of architectures, the best first: by the mean of their ranks; what is not known is worst.

    Args:
        priors: what is known.
        named: by what they are ordered.
        architectures: at least one.
    """
    values = priors.of(architectures)
    total = np.zeros(len(architectures))
    for each in named:
        turned = values[each.metric] * (-1 if each.goal == "min" else 1)
        turned = np.where(np.isnan(turned), -np.inf, turned)
        ordered = np.sort(turned)
        total += np.searchsorted(ordered, turned) + np.searchsorted(ordered, turned, "right")
    order: list[int] = np.argsort(-total, kind="stable").tolist()
    return order


class BestDrawn:
    """The best of random architectures, pool after pool; which these are depends on the seed alone.

    Args:
        space: where they are drawn.
        problem: whose limits they keep, as far as these are known.
        order: see ``read_priors``.
        draws: of one pool.
        seed: of the draws.
    """

    def __init__(self, space: SearchSpace, problem: Problem, order: Order, *, draws: int, seed: int) -> None:
        self._priors, self._named = order
        self._space, self._problem, self._draws, self._seed = space, problem, draws, seed
        self._pools: list[list[Architecture]] = []

    def take(self, count: int, known: Collection[Architecture], pools: int | None = None) -> list[Architecture]:
        """Up to ``count`` that are not known, the best first; fewer only where nothing more, or no pool, is left.

        Args:
            count: how many.
            known: what is passed over.
            pools: how many may be drawn; any number by default.
        """
        found: list[Architecture] = []
        for pool in self._each():
            found += [architecture for architecture in pool if architecture not in known]
            if len(found) >= count or len(self._pools) == pools:
                break
        return found[:count]

    def _each(self) -> Iterator[list[Architecture]]:
        """Pools, until one is empty."""
        number = 0
        while True:
            if number == len(self._pools):
                self._pools.append(self._draw(number))
            if not self._pools[number]:
                return
            yield self._pools[number]
            number += 1

    def _draw(self, number: int) -> list[Architecture]:
        rng = np.random.default_rng([self._seed, _DRAWS, number])
        before = {architecture for pool in self._pools for architecture in pool}
        drawn = sample_new(self._space, Known(Seen(self._problem), before), self._draws, rng)
        return [drawn[place] for place in best_first(self._priors, self._named, drawn)] if drawn else []
