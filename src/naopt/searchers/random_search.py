"""Random search: the baseline that stands beside every result."""

from __future__ import annotations

from collections.abc import Sequence

from naopt.searchers.base import Known, Proposal, Searcher, sample_new, searchers
from naopt.spaces import Architecture


@searchers.register("random")
class RandomSearcher(Searcher):
    """Uniform sampling without replacement."""

    learns = False
    several = True

    @property
    def round_size(self) -> int:
        """The whole budget: nothing is learned."""
        return self.budget

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """``count`` uniform architectures that are neither told nor pending."""
        found = sample_new(self.space, Known(self.seen, pending), count, self.generator(pending=pending))
        return [Proposal(architecture, "random") for architecture in found]
