"""Random search with weight sharing (Li & Talwalkar 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naopt.one_shot.base import OneShotSearcher, one_shot
from naopt.searchers.base import Proposal, sample_new

if TYPE_CHECKING:
    from naopt.one_shot.path_trainer import PathTrainer


@one_shot.register("random-ws")
class RandomSharing(OneShotSearcher):
    """Random search with weight sharing: trains uniform random paths, then measures random architectures.

    Li & Talwalkar 2019, section 4.2: no controller; every minibatch trains a fresh uniform path, and the best of
    ``budget`` random architectures by shared weights is the result. They measure groups of 1,000 on a few batches and
    the best ten of each again on all; here every candidate is measured on all of the validation data at once.
    """

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:  # noqa: ARG002
        """Uniform random architectures."""
        return [Proposal(a, "random") for a in sample_new(self.space, set(), count, self.rng)]
