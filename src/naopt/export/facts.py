"""What one has to know of a network, besides its weights, to export it. Imports no torch."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from naopt._version import __version__
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.settings import NetworkSettings
from naopt.spaces import Architecture, SearchSpace

Kind = Literal["pytorch", "onnx", "torch-export"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def names_json(names: Sequence[str]) -> str:
    """A JSON list of names as they are; of bytes that are no UTF-8, lone surrogates in Python, as escapes."""
    text = json.dumps(names, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


@dataclass(frozen=True, kw_only=True)
class NetworkFacts(ABC):
    """What one has to know of a network, besides its weights, to export it.

    Attributes:
        space: of the architecture.
        architecture: what the network was built from.
        task: name of the task that it was trained on, without its source; empty for an untrained network.
    """

    space: SearchSpace
    architecture: Architecture
    task: str = ""

    @property
    def text(self) -> str:
        """The architecture's text form."""
        return self.space.format(self.architecture)

    def metadata(self) -> dict[str, str]:
        """The facts as text, for formats that can hold it; numbers and lists are JSON.

        It is valid Unicode: names that are not are escaped in JSON, and elsewhere have ``?`` for what is wrong.
        """
        about = {"naopt_version": __version__, "space": self.space.name, "architecture": self.text, "task": self.task}
        return {name: text.encode(errors="replace").decode() for name, text in {**about, **self._metadata()}.items()}

    @abstractmethod
    def _metadata(self) -> dict[str, str]:
        """What only this kind of network has."""


@dataclass(frozen=True, kw_only=True)
class ImageFacts(NetworkFacts):
    """Of an image classifier.

    Attributes:
        settings: with which it was built.
        classes: names, in the order of the network's outputs.
        input_shape: ``(channels, height, width)`` of an image.
        mean: ``(channels,)``, subtracted from pixels.
        deviation: ``(channels,)``, divided by after that.
        per_image: pixels are normalised by each image's own mean and deviation instead; ``mean`` and ``deviation`` are
            without effect.
        test_accuracy: in percent, if it was measured.
    """

    settings: NetworkSettings
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    per_image: bool = False
    test_accuracy: float | None = None

    def _metadata(self) -> dict[str, str]:
        found = {
            "classes": names_json(self.classes),
            "input_shape": json.dumps(self.input_shape),
            "normalisation": "image" if self.per_image else "dataset",
            "mean": json.dumps(self.mean),
            "deviation": json.dumps(self.deviation),
        }
        return found if self.test_accuracy is None else {**found, "test_accuracy": json.dumps(self.test_accuracy)}


@dataclass(frozen=True, kw_only=True)
class InstanceFacts(ImageFacts):
    """Of an image classifier that decides for each image what it computes. Its architecture is all of the meta-graph.

    Attributes:
        thrift: from 0 (spend) to 1 (save).
        needed: for each block the operation that is active where no other is, ``None`` where it can be skipped.
        controller_width: channels of the controller's first convolution.
        controller_layers: its convolutions.
        controller_hidden: units of its hidden layer.
        classifies: whether it also says to which class an image belongs, and decides by that.
        fuses: whether what it believes is added to what the path says; only where it classifies.
        points: what the network reaches on validation images: thrift, mean relative latency, accuracy in percent.
    """

    thrift: float
    needed: tuple[int | None, ...]
    controller_width: int
    controller_layers: int
    controller_hidden: int
    classifies: bool
    fuses: bool
    points: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class LanguageFacts(NetworkFacts):
    """Of a recurrent language model.

    Attributes:
        settings: with which it was built.
        words: the vocabulary, in the order of the network's outputs.
        hidden_size: width of embedding and state.
        test_perplexity: if it was measured.
    """

    settings: LanguageNetworkSettings
    words: tuple[str, ...]
    hidden_size: int
    test_perplexity: float | None = None

    def _metadata(self) -> dict[str, str]:
        found = {"words": names_json(self.words), "hidden_size": json.dumps(self.hidden_size)}
        perplexity = self.test_perplexity
        return found if perplexity is None else {**found, "test_perplexity": json.dumps(perplexity)}
