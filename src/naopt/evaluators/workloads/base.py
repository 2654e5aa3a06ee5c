"""What training means for one kind of task: settings, data, network, trainer, metrics.

Imports torch only to train.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.measurement import MetricInfo, error_name
from naopt.tasks import Limits, Task
from naopt.tasks.parts import Part

if TYPE_CHECKING:
    import torch
    from torch import nn

    from naopt.networks.costs import NetworkCosts, Shape
    from naopt.spaces import Architecture, SearchSpace
    from naopt.training.distributed import World
    from naopt.training.trainer import Trainer

Figures = Mapping[Part, Mapping[str, float]]
"""By part of the data, what a trainer measured on it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A task's data on a device.

    Attributes:
        parts: what the trainer of this kind takes.
        facts: what one has to know to use the trained network, in JSON values: classes and normalisation, or words.
        device: where the data is.
        remarks: on what was done to the data, a line each.
    """

    parts: Any
    facts: Mapping[str, Any]
    device: torch.device
    remarks: tuple[str, ...] = ()


def log_remarks(remarks: Sequence[str]) -> None:
    """Tells a user what was done to the data."""
    for remark in remarks:
        _log.warning("data: %s", remark)


class Workload(ABC):
    """One task with its settings. Cheap to make and to pickle; ``load`` reads the data.

    Args:
        task: of the class's kind.
        settings: complete settings, or overrides of the task's recipe.

    Attributes:
        settings_type: class of the settings.
        default_space: name of the space to search if none is named.
        default_metric: to search by.
        metrics: what is measured on held-out data, by name without the part.
        final_parts: what a final training is measured on.
        known_shape: what ``naopt.networks.costs`` takes of the data, once they have been read; ``None`` before.
    """

    long_names: ClassVar[Mapping[str, str]] = {"acc": "accuracy", "ppl": "perplexity", "loss": "loss"}
    """How results of final training spell the metrics; see ``long_name``."""

    settings_type: ClassVar[type[Settings]]
    default_space: ClassVar[str]
    default_metric: ClassVar[str]
    metrics: ClassVar[Mapping[str, MetricInfo]]
    final_parts: ClassVar[tuple[Part, ...]] = ("test",)

    def __init__(self, task: Task, settings: Settings) -> None:
        self.task, self.settings = task, settings
        self.known_shape: Shape | None = None

    @property
    def figures(self) -> dict[str, MetricInfo]:
        """``metrics`` and their standard errors, which a training gives where it can."""
        errors = {error_name(name): MetricInfo("min", info.unit) for name, info in self.metrics.items()}
        return {**self.metrics, **errors}

    def long_name(self, name: str) -> str:
        """How results of final training spell one of ``figures``."""
        metric = next(metric for metric in self.metrics if name in (metric, error_name(metric)))
        return self.long_names[metric] if name == metric else error_name(self.long_names[metric])

    @property
    def folds(self) -> int:
        """How many networks a search trains for one measurement, each on another part of the data."""
        return 1

    def fold(self, loaded: Loaded, index: int) -> Loaded:  # noqa: ARG002
        """The data of one fold, from 0. Raises ``InputError`` for data that cannot be split so often."""
        return loaded

    @property
    def repeatable(self) -> bool:
        """Whether ``split_anew`` gives other data to measure on."""
        return False

    def split_anew(self, loaded: Loaded, repeat: int) -> Loaded:  # noqa: ARG002
        """The data of another measurement of the same network, whose held-out part is another one."""
        return loaded

    def together(self, found: Sequence[tuple[Loaded, Figures]]) -> Figures:
        """Figures of all folds as those of one measurement; of each its data and what was measured on their parts."""
        ((_, figures),) = found
        return figures

    def check_space(self, space: SearchSpace) -> None:
        """Raises ``InputError`` if the space's architectures have no network for the task."""
        if not self.supports(space):
            rule = f"has no networks for {self.task.kind}; those of {self.default_space} are for it"
            raise InputError("space", space.name, rule)

    def check(self) -> tuple[str, ...]:
        """Reads all data, that of the test too, and logs what was done to it.

        Returns:
            Remarks, a line each.

        Raises:
            InputError: data that cannot be used.
        """
        remarks = self.look(Limits(*self.limits(), None))
        log_remarks(remarks)
        return remarks

    def look(self, limits: Limits) -> tuple[str, ...]:
        """Reads data once, and gives the remarks on it; what it has seen is ``known_shape``. Raises as ``check``."""
        data = self.task.load(limits)
        self.known_shape = self.shape_of(data)
        return data.remarks

    @abstractmethod
    def shape_of(self, data: Any) -> Shape:
        """What ``naopt.networks.costs`` takes of loaded data."""

    def costs(self, space: SearchSpace) -> NetworkCosts | None:  # noqa: ARG002
        """What networks cost, in closed form; ``None`` where that is not known. Reads data when it is first asked."""
        return None

    @abstractmethod
    def limits(self) -> tuple[int | None, int | None]:
        """How much of training and validation data the settings allow."""

    @abstractmethod
    def supports(self, space: SearchSpace) -> bool:
        """Whether the space's architectures have networks of this kind."""

    @abstractmethod
    def load(self, device: torch.device, *, test: bool, final: bool = False) -> Loaded:
        """The data, on a device.

        Args:
            device: where.
            test: the test data too.
            final: as final training takes it, which may train on the validation data too.
        """

    @abstractmethod
    def build(self, space: SearchSpace, architecture: Architecture, loaded: Loaded) -> nn.Module:
        """The network, on the CPU, initialised by torch's default generator."""

    @abstractmethod
    def identity(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What of a task's data a training must not lose while it is interrupted, in words for an error."""

    @abstractmethod
    def trainer(self, network: nn.Module, loaded: Loaded, world: World) -> Trainer:
        """A training of the network, which is on the data's device."""
