"""Hyperband: brackets of successive halving that begin at each of the levels in turn."""

from __future__ import annotations

import math

from naopt.searchers.base import searchers
from naopt.searchers.successive_halving import BracketSearcher, HalvingSettings


class HyperbandSettings(HalvingSettings):
    """Settings of Hyperband."""


@searchers.register("hyperband")
class HyperbandSearcher(BracketSearcher):
    """Hyperband (Li et al. 2017), Algorithm 1.

    A bracket that begins at the cheapest level tries the most architectures and trusts that level the most; the last
    one measures few, all in full. They follow each other until the budget is spent.
    """

    settings_type = HyperbandSettings

    def sizes(self, bracket: int) -> list[tuple[int, int]]:
        """See ``BracketSearcher``."""
        count = len(self.costs)
        begin = bracket % count
        first = math.ceil(count / (count - begin) / self.kept(begin, self.full) - 1e-9)
        return [(level, max(1, math.floor(first * self.kept(begin, level) + 1e-9))) for level in range(begin, count)]
