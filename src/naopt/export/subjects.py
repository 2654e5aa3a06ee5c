"""Trained networks as they lie on the disk, with data to check their files on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.export.facts import ImageFacts, LanguageFacts, NetworkFacts
from naopt.files import utf8_path
from naopt.final.names import RESULT, VOCABULARY, WEIGHTS
from naopt.networks.build import build_network
from naopt.networks.costs.sizing import sized
from naopt.networks.language_model import LanguageModel, build_language_model
from naopt.networks.language_settings import LanguageNetworkSettings, LanguageSettings
from naopt.run import open_run
from naopt.spaces import Architecture, RecurrentBaselineSpace, SearchSpace, create_space
from naopt.tasks import ImageOptions, Limits, create_image_task, create_text_task
from naopt.training.settings import TrainingSettings
from naopt.training.streaming import Samples

CHECKED = 64
"""On how many images, or words, a file is compared with its network."""

_AS_STORED = ImageOptions()
_STEPS = 8
"""Words of a sequence."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network to export.

    Attributes:
        network: on the CPU, in evaluation mode.
        facts: what it is.
        data: to compare it on: images ``(n, c, h, w)``, pixels as the task gives them, or word indices ``(n, t)``.
        random: the data are random numbers, not a task's test data.
    """

    network: nn.Module
    facts: NetworkFacts
    data: Tensor
    random: bool = False


def read_trained(directory: str | Path, task: str | None = None) -> Subject:
    """A trained network from the directory of its training, with data of the task's test part.

    Args:
        directory: holds what ``naopt train`` wrote.
        task: where the data are now; by default where they were at its training.

    Raises:
        InputError: no training, one that is not complete, files that are missing, damaged or do not fit each other, or
            data that cannot be read.
    """
    directory = Path(directory)
    path = directory / RESULT
    document = open_run(directory).trained.document
    try:
        task = task or document["task"]
        read = _read_language_model if "words" in document else _read_classifier
        network, facts = read(directory, document)
    except OSError as error:
        raise InputError("file", error.filename or str(path), error.strerror or "cannot be read") from error
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("file", str(path), f"is damaged: {type(error).__name__} {error}") from error
    try:
        with utf8_path(directory / WEIGHTS) as weights:
            network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError) as error:
        raise InputError("weights", str(directory / WEIGHTS), f"cannot be read: {error}") from error
    except RuntimeError as error:
        raise InputError("weights", str(directory / WEIGHTS), f"are not those of the network in {RESULT}") from error
    if isinstance(facts, LanguageFacts):
        data, words = words_of(task)
        if words != facts.words:
            raise InputError("task", task, "has another vocabulary than the network")
    else:
        settings = TrainingSettings.parse(document["settings"], "training setting")
        data, _ = images_of(task, settings.image_options, stream=settings.stream)
        if tuple(data.shape[1:]) != facts.input_shape:
            rule = f"has images {tuple(data.shape[1:])}; the network was trained on {facts.input_shape}"
            raise InputError("task", task, rule)
    return Subject(network.eval(), facts, data)


def _read_classifier(directory: Path, document: dict[str, Any]) -> tuple[nn.Module, ImageFacts]:  # noqa: ARG001
    space = create_space(document["space"])
    architecture, classes = space.parse(document["architecture"]), tuple(document["classes"])
    channels, height, width = document["input_shape"]
    settings = TrainingSettings.parse(document["settings"], "training setting")
    settings = sized(space, architecture, settings, channels, len(classes))
    facts = ImageFacts(
        space=space,
        architecture=architecture,
        task=document["task"].partition(":")[0],
        settings=settings,
        classes=classes,
        input_shape=(channels, height, width),
        mean=tuple(document["mean"]),
        deviation=tuple(document["deviation"]),
        per_image=settings.normalisation == "image",
        test_accuracy=document["test_accuracy"],
    )
    return build_network(space, architecture, settings, channels, len(classes)), facts


def _read_language_model(directory: Path, document: dict[str, Any]) -> tuple[nn.Module, LanguageFacts]:
    settings = LanguageSettings.parse(document["settings"], "training setting")
    space = create_space(document["space"])
    words = tuple((directory / VOCABULARY).read_text(encoding="utf-8").split("\n"))
    words = words[:-1] if words[-1] == "" else words
    if len(words) != document["words"]:
        rule = f"has {len(words)} words; the network was trained with {document['words']}"
        raise InputError("vocabulary", str(directory / VOCABULARY), rule)
    architecture = space.parse(document["architecture"])
    network = language_model(space, architecture, settings, len(words))
    facts = LanguageFacts(
        space=space,
        architecture=architecture,
        task=document["task"].partition(":")[0],
        settings=settings,
        words=words,
        hidden_size=network.cell.size,
        test_perplexity=document["test_perplexity"],
    )
    return network, facts


def language_model(
    space: SearchSpace, architecture: Architecture, settings: LanguageNetworkSettings, words: int
) -> LanguageModel:
    """The language model of a searched cell or a baseline."""
    what = space.cell(architecture) if isinstance(space, RecurrentBaselineSpace) else architecture
    return build_language_model(space, what, settings, words)


def images_of(task: str, options: ImageOptions = _AS_STORED, *, stream: bool = False) -> tuple[Tensor, tuple[str, ...]]:
    """Some of a task's test images ``(n, c, h, w)`` as its training measures them, and the names of its classes.

    Args:
        task: whose.
        options: how they are read.
        stream: they stay in their files, and are resized and cropped one by one.

    Raises:
        InputError: an unknown task, one that has no test images, or data that cannot be used.
    """
    limits = Limits(0, 0, CHECKED)
    source, side = create_image_task(task).with_options(options), options.side
    images: list[Tensor] = []
    if stream:
        assert side is not None
        splits = source.files(limits)
        samples = Samples(splits.test, side)
        for index in range(len(splits.test)):
            sample = samples[0, -1, index]
            if isinstance(sample, InputError):
                raise sample
            images.append(sample[0])
        classes = splits.classes
    else:
        data = source.load(limits)
        data = data if side is None else data.resized(side)
        images += torch.tensor(data.test.images)
        classes = data.classes
    if not images:
        raise InputError("task", task, "has no test images")
    return torch.stack(images), classes


def words_of(task: str) -> tuple[Tensor, tuple[str, ...]]:
    """The first words of a task's test text, in sequences ``(n, t)``, and its vocabulary.

    Raises:
        InputError: an unknown task, one that has no text, or data that cannot be used.
    """
    corpus = create_text_task(task).load(Limits(0, 0, CHECKED))
    if not len(corpus.test):
        raise InputError("task", task, "has no test words")
    return sequences(corpus.test), corpus.words


def sequences(words: ArrayLike) -> Tensor:
    """Words ``(n,)`` in sequences, as many as there are of the same length."""
    row = torch.tensor(np.asarray(words), dtype=torch.long)
    steps = min(_STEPS, len(row))
    return row[: len(row) // steps * steps].view(-1, steps)
