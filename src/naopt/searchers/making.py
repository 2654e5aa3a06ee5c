"""A searcher for a problem, whatever the number of its objectives."""

from __future__ import annotations

from naopt.configuration import Settings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Searcher, searchers
from naopt.searchers.scalarised import Scalarisation, Scalarised
from naopt.spaces import SearchSpace


def make_searcher(
    kind: str | type[Searcher],
    space: SearchSpace,
    problem: Problem | Objective,
    settings: Settings,
    *,
    seed: int,
    budget: int,
    scalarisation: Scalarisation | None = None,
) -> Searcher:
    """A fresh searcher.

    Args:
        kind: its class, or its name.
        space: where to search.
        problem: what is wanted.
        settings: an instance of the class's ``settings_type``.
        seed: non-negative.
        budget: how many measurements the whole search may use.
        scalarisation: how several objectives become one, for a searcher of the kind in each direction.

    Raises:
        UnknownNameError: no searcher has the name.
        InputError: several objectives, no scalarisation, and a searcher that takes one only; a scalarisation of one
            objective, or one that does not fit the objectives; or what the searcher itself refuses.
    """
    cls = searchers.get(kind) if isinstance(kind, str) else kind
    if scalarisation is None:
        return cls(space, problem, settings, seed=seed, budget=budget)
    return Scalarised(space, problem, settings, seed=seed, budget=budget, kind=cls, scalarisation=scalarisation)
