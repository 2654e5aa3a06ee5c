"""Training networks of several spaces alike."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

from naopt.baselines.table import Figure
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads import ImageWorkload, Workload
from naopt.measurement import Measurement
from naopt.metrics.scale import mean, standard_deviation
from naopt.spaces import Architecture, SearchSpace
from naopt.tasks import ImageTask, Limits
from naopt.tasks.parts import Part

HELD_OUT: tuple[Part, Part] = ("valid", "test")


class AlikeEvaluator(TrainingEvaluator):
    """Trains architectures of several spaces with the same settings, and measures them on both held-out parts.

    Args:
        spaces: of the architectures.
        task: its name and source.
        work: the task with its settings.
        device: where to train.
        threads: CPU threads.
    """

    def __init__(
        self, spaces: Sequence[SearchSpace], task: str, work: Workload, *, device: str = "cpu", threads: int = 1
    ) -> None:
        super().__init__(spaces[0], task, work.settings, device=device, threads=threads, measure_test=True)
        self._spaces = {space.name: space for space in spaces}

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """See ``Evaluator.evaluate``."""
        self.prepare()
        own = copy.copy(self)
        own.space = self._spaces[architecture.space]
        return TrainingEvaluator.evaluate(own, architecture, seed)


def held_out_sizes(work: Workload) -> Mapping[Part, int]:
    """How many images are validated and tested on; nothing of text, whose words are not independent."""
    if not isinstance(work, ImageWorkload):
        return {}
    limits = Limits(work.limits()[0] if work.folds > 1 else 0, work.limits()[1], None)
    task: ImageTask = work.task
    if work.settings.stream:
        files = task.files(limits)
        return {"valid": len(files.valid), "test": len(files.test)}
    data = task.load(limits)
    return {"valid": len(data.valid.labels) + len(data.train.labels), "test": len(data.test.labels)}


def figure(values: Sequence[float], images: int | None) -> Figure | None:
    """Mean of trainings with its standard error: that of the trainings, and of accuracies on so many images theirs.

    The images are the same for all trainings, so their share does not shrink with more of these. It is that of a
    binomial, ``p (1 - p) / n`` with p by Laplace's rule of succession, so that no error among few images is no
    certainty. The trainings' spread holds a part of it already: rather too large than too small.

    Args:
        values: one a training, accuracies in percent where ``images`` is given.
        images: that each was measured on; ``None`` for what is no accuracy.
    """
    if not values:
        return None
    middle = mean(values)
    variance = standard_deviation(values, ddof=1) ** 2 / len(values) if len(values) > 1 else 0.0
    if images:
        share = (images * middle / 100 + 1) / (images + 2)
        variance += 100**2 * share * (1 - share) / images
    known = bool(images) or len(values) > 1
    return Figure(middle, math.sqrt(variance) if known else None)
