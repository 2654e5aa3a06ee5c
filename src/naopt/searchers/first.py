"""What is measured first where other tasks say what is promising."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from naopt.latent.priors import Promises
from naopt.problem import Costs
from naopt.searchers.base import Proposal
from naopt.spaces import Architecture

FIRST = 6
"""How many first architectures are enough where half of them are promising elsewhere."""
_EVERY = 2
_CANDIDATES = 50


def first_count(priors: Costs | None, count: int) -> int:
    """How many architectures are measured before a model is asked, of ``count`` without knowledge from elsewhere."""
    return min(count, FIRST) if promising_elsewhere(priors) else count


def first(
    priors: Costs | None, known: Collection[Architecture], begun: int, count: int, others: Sequence[Proposal]
) -> list[Proposal]:
    """First proposals, every second one the most promising of a source that is not known yet, one source after another.

    Args:
        priors: what is known before.
        known: what must not be proposed.
        begun: how many there were before these.
        count: how many are wanted.
        others: random ones, ``count`` of them, none of them known.
    """
    left = [[a for a in listed if a not in known] for listed in promising_elsewhere(priors)]
    rest, found = list(others), dict[Architecture, Proposal]()
    for index in range(begun, begun + count):
        turn, odd = divmod(index, _EVERY)
        listed = left[turn % len(left)] if left and not odd else []
        architecture = next((a for a in listed if a not in found), None)
        chosen = (
            Proposal(architecture, "prior")
            if architecture
            else next((p for p in rest if p.architecture not in found), None)
        )
        if chosen is not None:
            found[chosen.architecture] = chosen
    return list(found.values())


def candidates_elsewhere(priors: Costs | None, known: Collection[Architecture]) -> list[Architecture]:
    """The 50 most promising of each source that are not known."""
    listed = [islice((a for a in each if a not in known), _CANDIDATES) for each in promising_elsewhere(priors)]
    return list(dict.fromkeys(architecture for each in listed for architecture in each))


def promising_elsewhere(priors: Costs | None) -> list[Sequence[Architecture]]:
    """By source what it expects most of, best first; nothing where priors do not say what is better."""
    return list(priors.promising.values()) if isinstance(priors, Promises) else []
