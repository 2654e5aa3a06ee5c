"""Networks with the weights that training begins with: to measure a file's size and speed before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.export.facts import ImageFacts, LanguageFacts
from naopt.export.subjects import CHECKED, Subject, images_of, language_model, sequences, words_of
from naopt.networks.base import ChildNetwork
from naopt.networks.build import build_network
from naopt.networks.costs.sizing import sized
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.settings import NetworkSettings
from naopt.spaces import Architecture, EnumeratedSpace, RecurrentBaselineSpace, RecurrentCellSpace, SearchSpace
from naopt.training.images import channel_statistics

Shape = tuple[int, int, int]

_MOMENTUM = 0.1
"""Of the running statistics of batch normalisation, in all our networks."""


def build_untrained(
    space: SearchSpace,
    architecture: Architecture,
    settings: Mapping[str, Any] | None = None,
    *,
    task: str | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    seed: int = 0,
) -> Subject:
    """A network as training begins with it.

    The statistics of a classifier's normalisation are those of one batch: with fresh ones, which are nobody's, the
    outputs of a deep network are as large as 10^5.

    Args:
        space: of the architecture.
        architecture: what to build.
        settings: values of ``NetworkSettings`` or, of a recurrent cell, of ``LanguageNetworkSettings``.
        task: what it is for, and what it is compared on.
        input_shape: ``(channels, height, width)``, instead of a task; random images are normally distributed.
        classes: how many, instead of a task; of a recurrent cell the number of words.
        seed: of weights and random data.

    Raises:
        InputError: a setting that breaks a rule; neither a task nor what it takes instead, or both; or a space without
            networks.
    """
    whole = space.whole if isinstance(space, EnumeratedSpace) else space
    recurrent = isinstance(whole, RecurrentCellSpace | RecurrentBaselineSpace)
    needed = [classes] if recurrent else [input_shape, classes]
    complete = all(value is None for value in [input_shape, classes]) if task else None not in needed
    if not complete or (recurrent and input_shape is not None):
        rule = "--task, or --classes for the number of words" if recurrent else "--task, or --input-shape and --classes"
        raise InputError("export", "untrained", f"needs {rule}")
    values = dict(settings or {})
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        if recurrent:
            chosen = LanguageNetworkSettings.parse(values, "network setting")
            return _language_model(whole, architecture, chosen, task, classes)
        parsed = NetworkSettings.parse(values, "network setting")
        return _classifier(space, architecture, parsed, task, input_shape, classes)


def _classifier(
    space: SearchSpace,
    architecture: Architecture,
    settings: NetworkSettings,
    task: str | None,
    input_shape: Shape | None,
    classes: int | None,
) -> Subject:
    if task is None:
        assert input_shape is not None
        assert classes is not None
        images, names = torch.randn(CHECKED, *input_shape), tuple(map(str, range(classes)))
    else:
        images, names = images_of(task)
    channels, height, width = images.shape[1:]
    mean, scale = (values.reshape(-1) for values in channel_statistics(images.numpy()))
    settings = sized(space, architecture, settings, channels, len(names))
    network = build_network(space, architecture, settings, channels, len(names))
    facts = ImageFacts(
        space=space,
        architecture=architecture,
        settings=settings,
        classes=names,
        input_shape=(channels, height, width),
        mean=tuple(mean.tolist()),
        deviation=tuple((1 / scale).tolist()),
    )
    centre, spread = torch.tensor(facts.mean), torch.tensor(facts.deviation)
    _settle(network, (images - centre.view(-1, 1, 1)) / spread.view(-1, 1, 1))
    return Subject(network, facts, images, random=task is None)


def _settle(network: ChildNetwork, inputs: Tensor) -> None:
    """Sets the running statistics of all batch normalisations to those of one batch; ends in evaluation mode."""
    statistics = [
        (module, name, getattr(module, name).clone())
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
        for name in ("running_mean", "running_var")
    ]
    network.train()
    with torch.no_grad():
        network.outputs(inputs)
        for module, name, before in statistics:
            now = getattr(module, name)
            now.copy_((now - (1 - _MOMENTUM) * before) / _MOMENTUM)
    network.eval()


def _language_model(
    space: SearchSpace,
    architecture: Architecture,
    settings: LanguageNetworkSettings,
    task: str | None,
    count: int | None,
) -> Subject:
    if task is None:
        assert count is not None
        tokens, words = sequences(torch.randint(count, (CHECKED,))), tuple(map(str, range(count)))
    else:
        tokens, words = words_of(task)
    network = language_model(space, architecture, settings, len(words))
    facts = LanguageFacts(
        space=space, architecture=architecture, settings=settings, words=words, hidden_size=network.cell.size
    )
    return Subject(network.eval(), facts, tokens, random=task is None)
