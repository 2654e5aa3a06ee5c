"""A graph isomorphism network (Xu et al. 2019) that predicts scores from what an architecture computes.

Shapes: N graphs, B graphs of a batch, V most vertices, L labels, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from naopt.latent.threads import one_torch_thread
from naopt.spaces import Architecture, Graph, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE = 500
_SPACES = 8
_LEAST_DEVIATION = 1e-3
_CHUNK = 256


class OperationGraphs:
    """Graphs of a space with operations as vertices, ready for a network.

    An operation on an edge becomes a vertex between the two that it joins. Labels are those of 500 random
    architectures; one that none of them has shares a column with all such.

    Args:
        space: of the architectures.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._found: dict[Tokens, tuple[list[int], list[tuple[int, int]]]] = {}
        self._labels: dict[str, int] = {"": 0}
        rng = np.random.default_rng(0)
        for _ in range(_SAMPLE):
            for label in _vertices(space.graph(space.sample(rng)))[0]:
                self._labels.setdefault(label, len(self._labels))

    @property
    def labels(self) -> int:
        """L."""
        return len(self._labels)

    def __call__(self, architectures: Sequence[Architecture]) -> tuple[Tensor, Tensor, Tensor]:
        """Labels ``(N, V, L)`` one-hot, arrows ``(N, V, V)`` from row to column, and which vertices exist ``(N, V)``.

        Graphs are those of the canonical forms.
        """
        found = [self._graph(self._space.canonical(architecture.tokens)) for architecture in architectures]
        most = max((len(labels) for labels, _ in found), default=0)
        one_hot = np.zeros((len(found), most, self.labels), dtype=np.float32)
        arrows = np.zeros((len(found), most, most), dtype=np.float32)
        exists = np.zeros((len(found), most), dtype=np.float32)
        for index, (labels, pairs) in enumerate(found):
            one_hot[index, np.arange(len(labels)), labels] = 1
            exists[index, : len(labels)] = 1
            for source, target in pairs:
                arrows[index, source, target] += 1
        return torch.from_numpy(one_hot), torch.from_numpy(arrows), torch.from_numpy(exists)

    def _graph(self, tokens: Tokens) -> tuple[list[int], list[tuple[int, int]]]:
        if tokens not in self._found:
            labels, pairs = _vertices(self._space.graph(self._space.architecture(tokens)))
            self._found[tokens] = [self._labels.get(label, 0) for label in labels], pairs
        return self._found[tokens]


@lru_cache(maxsize=_SPACES)
def graphs_of(space: SearchSpace) -> OperationGraphs:
    """The graphs of a space, made once for all searches of it."""
    return OperationGraphs(space)


@dataclass(frozen=True)
class GraphPredictor:
    """Fits a graph isomorphism network to scores; with ``uncertain`` to their mean and deviation.

    Layers ``h <- ReLU(MLP((1 + e) h + sum of the h before + sum of the h after))`` with separate weights for the three
    terms, normalised; then the mean over vertices, a hidden layer with dropout, and the outputs. Adam, cosine schedule.

    Attributes:
        layers: of the network.
        width: W, of each layer.
        head: width of the hidden layer after the mean.
        dropout: after that layer.
        uncertain: predict a normal distribution (negative log-likelihood) in place of a number (squared error).
        epochs: passes over the graphs.
        batch_size: B at most.
        learning_rate: at the first step.
        weight_decay: L2 coefficient.
    """

    layers: int = 3
    width: int = 32
    head: int = 16
    dropout: float = 0.1
    uncertain: bool = False
    epochs: int = 300
    batch_size: int = 16
    learning_rate: float = 0.005
    weight_decay: float = 1e-4

    def fit(
        self,
        space: SearchSpace,
        architectures: Sequence[Architecture],
        targets: NDArray[np.float64],
        seed: int,
        known: NDArray[np.float64] | None = None,
    ) -> FittedGraphPredictor:
        """Fits on ``n >= 1`` architectures and targets ``(n,)``; a function of these and the seed.

        What is ``known`` besides, ``(n, k)``, joins the mean over vertices.
        """
        graphs = graphs_of(space)
        labels, arrows, exists = graphs(architectures)
        y = torch.from_numpy(np.asarray(targets, dtype=np.float32))
        beside = _beside(known, len(y))
        rng = np.random.default_rng(seed)
        steps = self.epochs * -(-len(y) // self.batch_size)
        with one_torch_thread(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed % 2**63)
            network = GraphNetwork(graphs.labels, self, beside.shape[1]).train()
            optimiser = torch.optim.Adam(
                network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
            )
            step = 0
            for _ in range(self.epochs):
                for batch in torch.split(torch.from_numpy(rng.permutation(len(y))), self.batch_size):
                    optimiser.param_groups[0]["lr"] = self.learning_rate * (1 + np.cos(np.pi * step / steps)) / 2
                    optimiser.zero_grad(set_to_none=True)
                    mean, deviation = network(labels[batch], arrows[batch], exists[batch], beside[batch])
                    error = (y[batch] - mean) ** 2
                    loss = (error / (2 * deviation**2) + deviation.log()).mean() if self.uncertain else error.mean()
                    loss.backward()
                    optimiser.step()
                    step += 1
        return FittedGraphPredictor(graphs, network.eval())


@dataclass(frozen=True)
class FittedGraphPredictor:
    """A fitted network with the graphs that it reads."""

    graphs: OperationGraphs
    network: GraphNetwork

    def predict(
        self, architectures: Sequence[Architecture], known: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation ``(n,)`` of the targets; deviations are 0 without ``uncertain``."""
        beside = _beside(known, len(architectures))
        means, deviations = [np.empty(0)], [np.empty(0)]
        with one_torch_thread(), torch.no_grad():
            for at in range(0, len(architectures), _CHUNK):
                mean, deviation = self.network(*self.graphs(architectures[at : at + _CHUNK]), beside[at : at + _CHUNK])
                means.append(mean.double().numpy())
                deviations.append(deviation.double().numpy())
        return np.concatenate(means), np.concatenate(deviations)


class GraphNetwork(nn.Module):
    """See ``GraphPredictor``.

    Args:
        labels: L.
        settings: sizes.
        known: how many numbers join the mean over vertices.
    """

    def __init__(self, labels: int, settings: GraphPredictor, known: int = 0) -> None:
        super().__init__()
        widths = [labels, *[settings.width] * settings.layers]
        self.uncertain = settings.uncertain
        self.joins = nn.ModuleList(nn.Linear(3 * width, settings.width) for width in widths[:-1])
        self.mixes = nn.ModuleList(nn.Linear(settings.width, settings.width) for _ in widths[:-1])
        self.norms = nn.ModuleList(nn.LayerNorm(settings.width) for _ in widths[:-1])
        self.hidden = nn.Linear(settings.width + known, settings.head)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(settings.head, 1 + settings.uncertain)

    def forward(
        self, labels: Tensor, arrows: Tensor, exists: Tensor, known: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Means and deviations ``(B,)``; arguments as ``OperationGraphs`` gives them, and what is known ``(B, K)``."""
        h, mask = labels, exists[..., None]
        for join, mix, norm in zip(self.joins, self.mixes, self.norms, strict=True):
            around = torch.cat([h, arrows.transpose(1, 2) @ h, arrows @ h], dim=-1)
            h = mask * norm(torch.relu(mix(torch.relu(join(around)))))
        pooled = h.sum(dim=1) / mask.sum(dim=1).clamp_min(1)
        pooled = pooled if known is None else torch.cat([pooled, known], dim=1)
        output = self.output(self.dropout(torch.relu(self.hidden(pooled))))
        mean = output[:, 0]
        if not self.uncertain:
            return mean, torch.zeros_like(mean)
        return mean, nn.functional.softplus(output[:, 1]) + _LEAST_DEVIATION


def _beside(known: NDArray[np.float64] | None, count: int) -> Tensor:
    """What is known of each ``(count, K)``."""
    return torch.from_numpy(np.zeros((count, 0), np.float32) if known is None else known.astype(np.float32))


def _vertices(graph: Graph) -> tuple[list[str], list[tuple[int, int]]]:
    """Labels of vertices and arrows between them, with an operation on an edge as a vertex."""
    labels = [f"{node.part}/{node.kind}/{node.label}" for node in graph.nodes]
    pairs: list[tuple[int, int]] = []
    for edge in graph.edges:
        if edge.label:
            pairs += [(edge.source, len(labels)), (len(labels), edge.target)]
            labels.append(f"{graph.nodes[edge.source].part}/{edge.label}")
        else:
            pairs.append((edge.source, edge.target))
    return labels, pairs
