"""Distinct candidates from a distribution over architectures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from naopt.searchers.base import Proposal, sample_new

if TYPE_CHECKING:
    import numpy as np

    from naopt.spaces import Architecture, SearchSpace, Tokens

_ATTEMPTS = 2000


def draw_candidates(
    space: SearchSpace,
    draw: Callable[[int], Sequence[Tokens]],
    count: int,
    origin: str,
    rng: np.random.Generator,
    first: Sequence[Proposal] = (),
) -> list[Proposal]:
    """At most ``count`` proposals of distinct architectures.

    Args:
        space: whose architectures.
        draw: gives that many token sequences; those that are not in the space are left out, and none
            at all say that there are no more.
        count: how many.
        origin: of the architectures that were drawn.
        rng: for the rest: where 2,000 draws in a row find no new one, uniform random ones, of origin ``refill``.
        first: what stands before those drawn.
    """
    found: dict[Architecture, Proposal] = {proposal.architecture: proposal for proposal in first[:count]}
    misses = 0
    while len(found) < count and misses < _ATTEMPTS:
        drawn = draw(count)
        if not drawn:
            break
        for tokens in drawn:
            misses += 1
            if len(found) < count and space.contains(tokens):
                architecture = space.architecture(tokens)
                if architecture not in found:
                    found[architecture] = Proposal(architecture, origin)
                    misses = 0
    rest = sample_new(space, set(found), count - len(found), rng)
    return [*found.values(), *(Proposal(architecture, "refill") for architecture in rest)]
