"""Random search: the baseline that stands beside every result."""

from __future__ import annotations

from naopt.searchers.base import Proposal, Searcher, sample_new, searchers


@searchers.register("random")
class RandomSearcher(Searcher):
    """Uniform sampling without replacement."""

    def ask(self, count: int) -> list[Proposal]:
        """``count`` uniform architectures that were not told before."""
        rng = self.generator()
        found = sample_new(self.space, self.seen, count, rng)
        return [Proposal(architecture, "random") for architecture in found]
