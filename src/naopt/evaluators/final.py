"""Final training: the found architecture, larger and longer, on all that is not the test; tested once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.presets import PRESETS
from naopt.evaluators.training import select_device
from naopt.evaluators.workloads import Workload, create_workload
from naopt.evaluators.workloads.base import log_remarks

if TYPE_CHECKING:
    from torch import Tensor, nn

    from naopt.spaces import Architecture, SearchSpace
    from naopt.training.distributed import World
    from naopt.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class FinalResult:
    """What final training found.

    Attributes:
        metrics: of the test data, measured once, after the last epoch: ``test_accuracy`` in percent, or
            ``test_perplexity``, and ``test_loss`` in nats; of text those of the validation data too.
        parameters: of the network, auxiliary head left out.
        seconds: wall time of training, all parts of a resumed one.
        settings: what it was trained with.
        facts: what one has to know to use the network. Images: ``classes`` in the order of the outputs,
            ``input_shape`` ``(channels, height, width)``, ``mean`` and ``deviation`` per channel, to be subtracted from
            pixels and to divide them by after that. Text: the vocabulary's ``words``.
        remarks: on what was done to the data, a line each.
        curve: the figures of each epoch.
        chosen: what the training decided by itself: the ``precision`` of images.
        network: the trained network, on the CPU, in evaluation mode.
    """

    metrics: Mapping[str, float]
    parameters: int
    seconds: float
    settings: Settings
    facts: Mapping[str, Any]
    remarks: tuple[str, ...]
    curve: tuple[Mapping[str, float], ...]
    chosen: Mapping[str, str]
    network: nn.Module

    @property
    def state_dict(self) -> dict[str, Tensor]:
        """The network's weights and statistics, contiguous, on the CPU."""
        return {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}


class Watch:
    """Hears of a final training what it may want to know; this one wants nothing."""

    def started(self, trainer: Trainer, facts: Mapping[str, Any], world: World) -> None:
        """Data and network are there; a training that goes on restores its state now."""

    def stepped(self, trainer: Trainer) -> None:
        """An optimiser step is done."""

    def epoch_done(self, trainer: Trainer, figures: Mapping[str, float]) -> None:
        """An epoch is done."""


DATA_SETTINGS = ("alpha", "image_size", "parts")
"""Settings of training that say how a task's data are read; what follows a search takes them from it."""


def final_workload(
    task_spec: str,
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    suggested: Mapping[str, Any] | None = None,
) -> Workload:
    """A task with settings of final training.

    Args:
        task_spec: ``digits``, ``cifar10:PATH``, ``ptb:PATH`` ...
        preset: a name in ``PRESETS``, or ``recipe`` for the task's own recipe of a search; by default
            ``default_preset``.
        overrides: single settings.
        suggested: single settings that hold where the preset does not say them itself.

    Raises:
        InputError: an unknown task, preset or setting.
    """
    preset = preset or default_preset(task_spec)
    said = PRESETS[preset].values if preset in PRESETS else {}
    values = {name: value for name, value in (suggested or {}).items() if name not in said} | dict(overrides or {})
    return create_workload(task_spec, values, None if preset == "recipe" else preset)


def default_preset(task_spec: str) -> str:
    """The preset with the task's name and ``-final``, and ``recipe`` for a task without one."""
    preset = f"{task_spec.partition(':')[0]}-final"
    return preset if preset in PRESETS else "recipe"


def train_final(
    space: SearchSpace,
    architecture: Architecture,
    work: Workload | str,
    *,
    device: str = "cpu",
    threads: int = 1,
    seed: int = 0,
    watch: Watch | None = None,
) -> FinalResult:
    """Trains one architecture and measures it on the test data, once.

    Images: on training and validation images together. Text: on the training text; the validation text decides when
    averaging begins and which weights are kept. Processes that ``torchrun`` started share every batch of images.

    Args:
        space: the architecture's space.
        architecture: what to train.
        work: the task with its settings; of a task's name alone ``final_workload`` chooses them.
        device: where to train.
        threads: CPU threads.
        seed: of initialisation, order and augmentation.
        watch: hears of every step.

    Raises:
        InputError: data, device or space that cannot be used.
        naopt.training.trainer.DivergedError: the loss is no longer finite.
    """
    work = final_workload(work) if isinstance(work, str) else work
    watch = watch or Watch()
    work.check_space(space)
    if work.folds > 1:
        raise InputError(
            "training setting folds", work.folds, "has no use in final training, which learns from all folds"
        )
    from naopt.networks.base import count_parameters
    from naopt.training.distributed import join_world, launched_device
    from naopt.training.reproducible import reproducible

    where = select_device(launched_device(device))
    loaded = work.load(where, test=True, final=True)
    with join_world(where) as world, reproducible(seed, where, threads):
        if world.first:
            log_remarks(loaded.remarks)
        network = work.build(space, architecture, loaded).to(where)
        trainer = work.trainer(network, loaded, world)
        watch.started(trainer, loaded.facts, world)
        trainer.run(lambda: watch.stepped(trainer), lambda figures: watch.epoch_done(trainer, figures))
        metrics = {
            f"{part}_{work.long_name(name)}": value
            for part in work.final_parts
            for name, value in trainer.measure(part).items()
        }
    return FinalResult(
        metrics=metrics,
        parameters=count_parameters(network),
        seconds=sum(figures["seconds"] for figures in trainer.history),
        settings=work.settings,
        facts=loaded.facts,
        remarks=loaded.remarks,
        curve=tuple(trainer.history),
        chosen=trainer.chosen(),
        network=network.cpu().eval(),
    )
