"""A weight-sharing search put together: supernet, data, searcher and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from naopt.evaluators.training import select_device
from naopt.one_shot.base import one_shot
from naopt.one_shot.build import shared_data, shared_trainer
from naopt.one_shot.evaluator import SharedWeightsEvaluator

if TYPE_CHECKING:
    from naopt.one_shot.trainer import SharedTrainer


def assemble(evaluator: SharedWeightsEvaluator, searcher: str, *, seed: int) -> tuple[SharedTrainer, Mapping[str, Any]]:
    """The training of a supernet before its first step, and the facts of its data.

    Args:
        evaluator: what will measure with the shared weights: it knows space, task, settings and device.
        searcher: name of a weight-sharing searcher.
        seed: of the searcher.

    Raises:
        InputError: no supernet, or not with these settings, or one that does not serve the searcher.
    """
    data, facts = shared_data(evaluator.space, evaluator.work, evaluator.settings, evaluator.device)
    chooser = one_shot.get(searcher)(evaluator.space, evaluator.settings, seed=seed)
    return shared_trainer(data, chooser, evaluator.work, select_device(evaluator.device)), facts
