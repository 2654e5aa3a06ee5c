"""Networks that decide for each image what they compute, as their search leaves them on the disk."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from naopt.errors import InputError
from naopt.export.facts import InstanceFacts
from naopt.export.subjects import Subject, images_of
from naopt.files import at_home
from naopt.run.config import RunConfig
from naopt.run.instance import InstanceAware, default_point, open_instance, thrift_for
from naopt.run.names import CONFIG

_DIGITS = 4
"""Of a thrift, for people to read."""


def read_instance(directory: str | Path, task: str | None = None, latency: float | None = None) -> Subject:
    """The network of a finished search by ``instanas``, with images of the task's test part.

    Args:
        directory: of the search.
        task: where the data are now; by default where they were at the search.
        latency: mean relative latency on validation images, which sets the operating point; by default that of the
            cheapest point within 0.3 points of the best validation accuracy.

    Raises:
        InputError: another or an unfinished search, a latency that the network does not reach, or data that cannot be
            read.
    """
    found = open_instance(directory)
    if not found.points:
        rule = f"its operating points are not measured; go on with: naopt resume {directory}"
        raise InputError("run", str(directory), rule)
    thrift = default_point(found.points).thrift if latency is None else thrift_for(found.points, latency)
    found.network.thrift = round(thrift, _DIGITS)
    task = task or RunConfig.read(Path(at_home(directory)) / CONFIG).task
    facts = instance_facts(found, task.partition(":")[0])
    images, _ = images_of(task, found.settings.image_options, stream=found.settings.stream)
    if tuple(images.shape[1:]) != facts.input_shape:
        rule = f"has images {tuple(images.shape[1:])}; the network was trained on {facts.input_shape}"
        raise InputError("task", task, rule)
    return Subject(found.network.cpu().eval(), facts, images)


def instance_facts(found: InstanceAware, task: str) -> InstanceFacts:
    """What one has to know of such a network; ``task`` is the name of the task."""
    channels, height, width = found.facts["input_shape"]
    controller, space = found.network.controller, found.space
    convolutions = [layer for layer in controller.features if isinstance(layer, nn.Conv2d)]
    return InstanceFacts(
        space=space,
        architecture=space.architecture([1] * len(space.positions)),
        task=task,
        settings=found.settings,
        classes=tuple(found.facts["classes"]),
        input_shape=(channels, height, width),
        mean=tuple(found.facts["mean"]),
        deviation=tuple(found.facts["deviation"]),
        per_image=found.settings.normalisation == "image",
        thrift=found.network.thrift,
        needed=found.network.needed,
        controller_width=convolutions[0].out_channels,
        controller_layers=len(convolutions),
        controller_hidden=controller.hidden.out_features,
        classifies=controller.classifier is not None,
        fuses=found.network.fuses and controller.classifier is not None,
        points=tuple((point.thrift, point.latency, point.accuracy) for point in found.points),
    )
