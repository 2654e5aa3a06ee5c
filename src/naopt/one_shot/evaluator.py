"""Measures an architecture with the shared weights of a supernet. Imports torch only when it measures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator, evaluators
from naopt.evaluators.known_costs import known_costs
from naopt.evaluators.workloads import ImageWorkload
from naopt.measurement import Measurement
from naopt.one_shot.build import check_sharing, shared_data

if TYPE_CHECKING:
    from naopt.evaluators.workloads import Workload
    from naopt.one_shot.data import SharedData
    from naopt.one_shot.settings import OneShotSettings
    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace

PREFIX = "shared_"
"""Before the names of metrics that were measured with shared weights."""


@evaluators.register("shared-weights")
class SharedWeightsEvaluator(Evaluator):
    """Measures every architecture on the validation data, with weights that all of them share; trains nothing.

    All architectures are measured on the same batches (``SharedData.measure``), each on the path that stands for it in
    training. With ``numbering=canonical`` equal architectures get equal numbers, however they are written.

    Args:
        space: of the architectures.
        work: the task, as children are built and trained on it.
        settings: how paths are normalised and measured.
        weights: checkpoint of a ``SharedTrainer``.
        device: where to measure.
        threads: CPU threads; they are set for the process.

    Raises:
        InputError: no supernet of the space for the task.
    """

    inline = True

    def __init__(
        self,
        space: SearchSpace,
        work: Workload,
        settings: OneShotSettings,
        weights: Path,
        *,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        check_sharing(space, work)
        self.space, self.work, self.settings, self.weights = space, work, settings, weights
        self.device, self.threads = device, threads
        self.metrics = {PREFIX + name: info for name, info in work.metrics.items()}
        by_loss = isinstance(work, ImageWorkload) and settings.score_by == "loss"
        self.default_metric = PREFIX + ("loss" if by_loss else work.default_metric.removeprefix("valid_"))
        self._data: SharedData | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_data": None}

    @property
    def data(self) -> SharedData:
        """The data, bound to the trained supernet."""
        if self._data is None:
            import torch

            from naopt.training.checkpoint import load_checkpoint

            torch.set_num_threads(self.threads)
            data, facts = shared_data(self.space, self.work, self.settings, self.device)
            state = load_checkpoint(self.weights, self.work.identity(facts))
            try:
                data.network.load_state_dict(state.below("network"))
            except RuntimeError:
                rule = "holds shared weights of other settings (weights, affine, normalise_pools ...)"
                raise InputError("checkpoint", str(self.weights), rule) from None
            self._data = data
        return self._data

    def costs(self) -> Costs | None:
        """What networks cost, in closed form."""
        return known_costs(self.work, self.space)

    def check(self) -> None:
        """See ``Evaluator.check``."""
        self.remarks = self.work.check()

    def prepare(self) -> None:
        """Loads data and weights."""
        _ = self.data

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:  # noqa: ARG002
        """The path's metrics on all validation data; ``diverged`` if its loss is not finite."""
        start = time.perf_counter()
        found = self.data.measure(self.data.shared.path(architecture))
        seconds = time.perf_counter() - start
        if not found:
            return Measurement({}, seconds, "diverged", "the path's loss is not finite")
        return Measurement({PREFIX + name: value for name, value in found.items()}, seconds)
