"""Networks as graphs take them: tensors in, tensors out, normalisation included; and how a graph of one is checked."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.export.facts import ImageFacts, LanguageFacts
from naopt.export.language import language_weights
from naopt.export.recurrent import output_nodes
from naopt.networks.base import ChildNetwork
from naopt.networks.language_model import LanguageModel
from naopt.spaces import EnumeratedSpace, RecurrentCellSpace
from naopt.spaces.recurrent_cell import RecurrentSpec

Compute = Callable[..., tuple[Tensor, ...]]
"""What a graph computes: from its inputs to its outputs."""

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda z: z,
}


class Classifier(nn.Module):
    """An image classifier with its normalisation before it, and without what only training needs."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: ChildNetwork, facts: ImageFacts) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        if "auxiliary" in self.network._modules:
            self.network._modules["auxiliary"] = None
        self.per_image = facts.per_image
        if not self.per_image:
            self.register_buffer("mean", torch.tensor(facts.mean).view(-1, 1, 1))
            self.register_buffer("deviation", torch.tensor(facts.deviation).view(-1, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(n, classes)`` of ``(n, c, h, w)`` float32 images, pixels as the task gives them."""
        if self.per_image:
            deviation, mean = torch.std_mean(images, (1, 2, 3), correction=0, keepdim=True)
            inputs = (images - mean) / deviation.clamp_min(1 / math.sqrt(images[0].numel()))
        else:
            inputs = (images - self.mean) / self.deviation
        logits: Tensor = self.network(inputs)
        return logits


class BaselineStep(nn.Module):
    """One step of a language model of LSTM or GRU."""

    def __init__(self, network: LanguageModel) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``TreeStep``; the state of an LSTM is ``(n, 2, h)``."""
        several = self.network.cell.tensors > 1
        logits, after = self.network(tokens.t(), state.transpose(0, 1) if several else state[None])
        return logits.transpose(0, 1), after.transpose(0, 1) if several else after[0]


class TreeStep(nn.Module):
    """One step of a language model of a searched cell, in plain operations: its own are written for whole chunks.

    Raises:
        InputError: an activation that is none of ours.
    """

    def __init__(self, network: LanguageModel, spec: RecurrentSpec, facts: LanguageFacts) -> None:
        super().__init__()
        self.spec = spec
        for _, activation in spec.nodes:
            if activation not in _FUNCTIONS:
                raise InputError("activation", activation, "cannot be exported; its code is not known here")
        self.outputs = output_nodes(spec, facts)
        self.gated = facts.settings.equation == "highway"
        weights = language_weights(network)
        self.embedding, self.bias = nn.Parameter(weights["embedding.weight"]), nn.Parameter(weights["bias"])
        nodes = range(len(spec.nodes) + 1)
        self.nodes = nn.ParameterList(weights[f"cell.node{node}.weight"].clone() for node in nodes)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(n, 1, words)`` of the word after ``(n, 1)``, and the state ``(n, h)``, from the state before."""
        embedded = F.embedding(tokens[:, 0], self.embedding)
        states = [self._node(0, state, torch.cat((embedded, state), 1), "tanh")]
        for node, (source, activation) in enumerate(self.spec.nodes, 1):
            states.append(self._node(node, states[source], states[source], activation))
        output = torch.stack([states[node] for node in self.outputs]).mean(0)
        return F.linear(output, self.embedding, self.bias)[:, None], output

    def _node(self, node: int, source: Tensor, read: Tensor, activation: str) -> Tensor:
        product = F.linear(read, self.nodes[node])
        if not self.gated:
            return _FUNCTIONS[activation](product)
        gate, value = product.chunk(2, 1)
        return torch.lerp(source, _FUNCTIONS[activation](value), torch.sigmoid(gate))


@dataclass(frozen=True, eq=False)
class Deployment(ABC):
    """A network ready to be written.

    Attributes:
        network: the original.
        module: what graphs are made of; tensors in, a tensor or a tuple of tensors out.
        examples: inputs of ``module``, ``(2, ...)`` each.
        data: what the network is checked on, by name, as a PyTorch file's process reads it: float32.
        expected: the original's logits.
    """

    input_names: ClassVar[tuple[str, ...]]
    output_names: ClassVar[tuple[str, ...]]
    call: ClassVar[str]
    """Expression of logits in a PyTorch file's process, from ``network`` and ``data``."""

    network: nn.Module
    module: nn.Module
    examples: tuple[Tensor, ...]
    data: dict[str, Tensor]
    expected: Tensor

    @abstractmethod
    def logits(self, compute: Compute, count: int) -> Tensor:
        """The logits that a graph gives for the first ``count`` images or sequences."""


class ImageDeployment(Deployment):
    """An image classifier."""

    input_names, output_names = ("images",), ("logits",)
    call = 'network(data["images"])'

    def logits(self, compute: Compute, count: int) -> Tensor:
        """See ``Deployment.logits``."""
        return compute(self.data["images"][:count])[0]


class LanguageDeployment(Deployment):
    """A language model; graphs go step by step."""

    input_names, output_names = ("tokens", "state"), ("logits", "next_state")
    call = 'network(data["tokens"].long(), network.begin(len(data["tokens"])))[0]'

    def logits(self, compute: Compute, count: int) -> Tensor:
        """See ``Deployment.logits``."""
        steps, state = [], self.examples[1][:1].expand(count, *self.examples[1].shape[1:]).contiguous()
        for words in self.data["tokens"][:count].long().unbind(1):
            logits, state = compute(words[:, None], state)
            steps.append(logits)
        return torch.cat(steps, 1)


def deploy_classifier(network: ChildNetwork, facts: ImageFacts, images: Tensor) -> Deployment:
    """A classifier, to be checked on images ``(n, c, h, w)``. Raises ``InputError`` for images of another shape."""
    if not len(images) or tuple(images.shape[1:]) != facts.input_shape:
        rule = f"must be at least one of shape {facts.input_shape}"
        raise InputError("images", str(tuple(images.shape)), rule)
    inputs = images.float()
    module = Classifier(network, facts)
    with torch.no_grad():
        expected = module(inputs)
    # Two of them: a single one would be taken for the size of all batches.
    examples = (inputs[:1].repeat(2, 1, 1, 1),)
    return ImageDeployment(network, module, examples, {"images": inputs}, expected)


def deploy_language_model(network: LanguageModel, facts: LanguageFacts, tokens: Tensor) -> Deployment:
    """A language model, to be checked on sequences ``(n, t)`` of words. Raises ``InputError`` for unknown words."""
    if tokens.ndim != 2 or not tokens.numel() or int(tokens.min()) < 0 or int(tokens.max()) >= len(facts.words):
        rule = f"must be sequences (n, t) of words 0 ... {len(facts.words) - 1}"
        raise InputError("tokens", str(tuple(tokens.shape)), rule)
    with torch.no_grad():
        logits, _ = network(tokens.long().t(), network.begin(len(tokens)))
    space = facts.space.whole if isinstance(facts.space, EnumeratedSpace) else facts.space
    module: nn.Module = BaselineStep(network)
    if isinstance(space, RecurrentCellSpace):
        module = TreeStep(network, space.cell(facts.architecture), facts)
    tensors = () if network.cell.tensors == 1 else (network.cell.tensors,)
    examples = (torch.zeros(2, 1, dtype=torch.long), torch.zeros(2, *tensors, facts.hidden_size))
    data = {"tokens": tokens.float()}
    return LanguageDeployment(network, module.eval(), examples, data, logits.transpose(0, 1))
