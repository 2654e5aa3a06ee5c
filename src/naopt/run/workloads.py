"""What the networks of a search are trained on, and how large its pick is: in the search, and in final training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError
from naopt.evaluators.final import DATA_SETTINGS, default_preset, final_workload
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads import Workload, create_workload
from naopt.evaluators.zero_cost import ZeroCostEvaluator
from naopt.networks.costs import NetworkCosts, Shape
from naopt.one_shot.evaluator import SharedWeightsEvaluator

if TYPE_CHECKING:
    from naopt.evaluators.base import Evaluator
    from naopt.run.record import RunRecord


def workload_of(evaluator: Evaluator) -> Workload | None:
    """What an evaluator trains networks on, if it has to do with networks."""
    if isinstance(evaluator, TrainingEvaluator | ZeroCostEvaluator):
        return evaluator.workload
    return evaluator.work if isinstance(evaluator, SharedWeightsEvaluator) else None


def shape_document(evaluator: Evaluator) -> dict[str, Any]:
    """What a run keeps of its data's shape, once they were read: ``image`` and ``classes``, or ``words``."""
    work = workload_of(evaluator)
    shape = None if work is None else work.known_shape
    if shape is None:
        return {}
    return {"words": shape} if isinstance(shape, int) else {"image": list(shape[0]), "classes": shape[1]}


def _shape(document: dict[str, Any]) -> Shape:
    if "words" in document:
        return int(document["words"])
    channels, height, width = document["image"]
    return (channels, height, width), int(document["classes"])


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """Parameters of one architecture's network.

    Attributes:
        search: by the settings of the search.
        final: by those of final training that the task has by default.
        preset: these.
    """

    search: int
    final: int
    preset: str

    def __str__(self) -> str:
        return f"{self.search:,} parameters in the search, {self.final:,} in final training ({self.preset})"


def network_sizes(record: RunRecord) -> NetworkSizes | None:
    """How large the network of a search's pick is; ``None`` where that is not known.

    That is so without a task or a pick, of runs that did not keep the shape of their data, and where layers are not
    known in closed form.
    """
    config, chosen, shape = record.config, record.chosen(), record.meta.get("shape")
    if chosen is None or not shape or not config.task:
        return None
    preset = default_preset(config.task)
    suggested = {name: config.training[name] for name in DATA_SETTINGS if name in config.training}
    try:
        works = create_workload(config.task, config.training), final_workload(config.task, preset, suggested=suggested)
        search, final = (_parameters(work, record, _shape(shape)) for work in works)
    except InputError:  # a task of a plug-in that is not there any more, or a size that cannot be had
        return None
    return None if search is None or final is None else NetworkSizes(search, final, preset)


def _parameters(work: Workload, record: RunRecord, shape: Shape) -> int | None:
    chosen = record.chosen()
    assert chosen is not None
    work.known_shape = shape
    costs = work.costs(record.space)
    return costs.totals(chosen.architecture).params if isinstance(costs, NetworkCosts) else None
