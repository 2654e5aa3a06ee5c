"""What a final training is about; ``training.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.final import default_preset, final_workload
from naopt.evaluators.workloads import Workload
from naopt.final.names import TRAINING
from naopt.spaces import Architecture, SearchSpace, create_space
from naopt.tasks import located
from naopt.texts import read_json


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a training directory is about.

    Attributes:
        space: name of the architecture's space, options included.
        architecture: its text form.
        task: what it is trained on.
        settings: complete settings.
        preset: what they were made from, ``recipe`` for the task's recipe of a search.
        seed: of initialisation, order and augmentation.
        device: where to train.
        threads: CPU threads.
    """

    space: str
    architecture: str
    task: str
    settings: Mapping[str, Any]
    preset: str = ""
    seed: int = 0
    device: str = "cpu"
    threads: int = 1

    def identity(self) -> dict[str, Any]:
        """What decides the outcome; where it is trained does not belong to it."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("device", "preset")
        }

    def subject(self) -> tuple[SearchSpace, Architecture]:
        """Space and architecture. Raises ``InputError`` for what does not exist (any more)."""
        space = create_space(self.space)
        return space, space.parse(self.architecture)

    def work(self) -> Workload:
        """The task with its settings. Raises ``InputError`` for what does not exist (any more)."""
        return final_workload(self.task, "recipe", self.settings)


def training_request(
    space: SearchSpace,
    architecture: Architecture,
    task: str,
    *,
    preset: str | None = None,
    suggested: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 1,
) -> TrainingRequest:
    """A request with complete settings and an absolute path to the data.

    Args:
        space: the architecture's space.
        architecture: what to train.
        task: on what.
        preset: by default the task's.
        suggested: settings that hold where the preset does not say them itself.
        overrides: settings that hold in any case.
        seed: of initialisation, order and augmentation.
        device: where to train.
        threads: CPU threads.

    Raises:
        InputError: an unknown task, preset or setting, or a space without networks for the task.
    """
    task = located(task)
    preset = preset or default_preset(task)
    work = final_workload(task, preset, overrides, suggested)
    work.check_space(space)
    settings = work.settings.model_dump(mode="json")
    text = space.format(architecture)
    return TrainingRequest(space.name, text, task, settings, preset, seed, device, threads)


def read_request(directory: Path) -> TrainingRequest:
    """What a directory's training is about. Raises ``InputError`` if there is none, or it is damaged."""
    path = directory / TRAINING
    if not path.exists():
        raise InputError("run", str(directory), f"has no {TRAINING}")
    values = read_json(path, "training")
    try:
        return TrainingRequest(**{field.name: values[field.name] for field in fields(TrainingRequest)})
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("training", str(path), f"cannot be read: {error}") from error
