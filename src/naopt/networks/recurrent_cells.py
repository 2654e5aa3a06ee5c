"""Recurrent cells as modules: a cell of ``recurrent-cell``, and LSTM and GRU to compare it with."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.recurrent_activations import activations
from naopt.networks.recurrent_chunk import recur
from naopt.networks.recurrent_schedule import Schedule, make_schedule
from naopt.networks.recurrent_workspace import WorkspacePool
from naopt.spaces.recurrent_baseline import CELLS
from naopt.spaces.recurrent_cell import RecurrentSpec


class RecurrentCell(nn.Module):
    """One recurrent layer whose input is as wide as its output.

    Attributes:
        size: that width, h.
        tensors: how many tensors ``(b, h)`` its state has; the first is the last output.
    """

    tensors = 1

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    @abstractmethod
    def forward(
        self, inputs: Tensor, state: Tensor, input_mask: Tensor | None = None, state_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """All steps of a chunk.

        Args:
            inputs: ``(t, b, h)``.
            state: ``(tensors, b, h)``.
            input_mask: ``(b, h)``, multiplied by each step's input.
            state_mask: ``(b, h)``, multiplied by what products read of states.

        Returns:
            The outputs ``(t, b, h)`` and the state after the last step.
        """


class TreeLayer(RecurrentCell):
    """A cell of NAO's recurrent space, wherever its nodes have their weights from.

    The first state is made of the input x and the last output h: with ``c, v = [x, h] W_0`` it is
    ``h + sigmoid(c) (tanh(v) - h)`` in the highway form, ``tanh([x, h] W_0)`` in the paper's. No biases.

    Args:
        spec: the cell that is computed until the next ``arrange``.
        size: h.
        settings: equation and output.

    Attributes:
        width: p h; p = 2 in the highway form, else 1.
        input_weight: ``(h, p h)``, the upper half of W_0.
        state_weight: ``(h, p h)``, the lower half.
    """

    def __init__(self, spec: RecurrentSpec, size: int, settings: LanguageNetworkSettings) -> None:
        super().__init__(size)
        self.equation, self.output = settings.equation, settings.output
        self.width = 2 * size if settings.equation == "highway" else size
        self.input_weight = nn.Parameter(torch.empty(size, self.width))
        self.state_weight = nn.Parameter(torch.empty(size, self.width))
        self.arrange(spec)

    def arrange(self, spec: RecurrentSpec) -> None:
        """Computes this cell from now on."""
        self.spec, self.outputs, self.schedule = spec, self._outputs(spec), self.scheduled(spec)
        self._pool = WorkspacePool(self.schedule, self.equation == "highway", self.size)

    def scheduled(self, spec: RecurrentSpec) -> Schedule:
        """The schedule of a cell. Raises ``InputError`` for an activation that has no implementation."""
        for _, name in spec.nodes:
            activations.get(name)
        return make_schedule(spec, self._outputs(spec))

    def _outputs(self, spec: RecurrentSpec) -> tuple[int, ...]:
        """Nodes whose mean is the output."""
        return tuple(range(1, len(spec.nodes) + 1)) if self.output == "all" else spec.loose_ends()

    @abstractmethod
    def grouped_weights(self) -> list[Tensor]:
        """W of the nodes that read the same state, node after node, gate before value: per group ``(h, k p h)``."""

    def forward(
        self, inputs: Tensor, state: Tensor, input_mask: Tensor | None = None, state_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See ``RecurrentCell.forward``."""
        masked = inputs if input_mask is None else inputs * input_mask
        weights = self.grouped_weights()
        outputs = recur(self._pool, masked, state[0], state_mask, self.input_weight, self.state_weight, weights)
        return outputs, outputs[-1:]


class TreeCell(TreeLayer):
    """One cell with weights of its own.

    Args:
        spec: the cell.
        size: h.
        settings: equation and output.

    Attributes:
        group_weights: W of the nodes that read the same state, side by side; see ``node_weight``.
    """

    def __init__(self, spec: RecurrentSpec, size: int, settings: LanguageNetworkSettings) -> None:
        super().__init__(spec, size, settings)
        self.group_weights = nn.ParameterList(
            torch.empty(size, group.size * self.width) for group in self.schedule.groups
        )

    def node_weight(self, node: int) -> Tensor:
        """W of node 1 ... B, ``(h, p h)``, gate before value: a view of the parameter."""
        row = self.schedule.rows[node]
        for group, weight in zip(self.schedule.groups, self.group_weights, strict=True):
            if group.first <= row < group.last:
                place = (row - group.first) * self.width
                part: Tensor = weight.narrow(1, place, self.width)
                return part
        raise IndexError(f"node {node} is not one of 1 ... {len(self.spec.nodes)}")

    def grouped_weights(self) -> list[Tensor]:
        """See ``TreeLayer``."""
        return list(self.group_weights)


class LSTM(RecurrentCell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000); the forget gate's bias starts at 1."""

    tensors = 2

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.input_weight = nn.Parameter(torch.empty(size, 4 * size))
        self.state_weight = nn.Parameter(torch.empty(size, 4 * size))
        self.bias = nn.Parameter(torch.zeros(4 * size))

    def reset_biases(self) -> None:
        """All 0 but the forget gate's."""
        with torch.no_grad():
            self.bias.zero_()[self.size : 2 * self.size] = 1

    def forward(
        self, inputs: Tensor, state: Tensor, input_mask: Tensor | None = None, state_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See ``RecurrentCell.forward``; the state's second tensor is the memory, which no mask touches."""
        masked = inputs if input_mask is None else inputs * input_mask
        projected = masked @ self.input_weight + self.bias
        hidden, memory = state.unbind(0)
        outputs = []
        for drive in projected.unbind(0):
            read = hidden if state_mask is None else hidden * state_mask
            gates = torch.addmm(drive, read, self.state_weight)
            take, keep, show = torch.sigmoid(gates[:, : 3 * self.size]).chunk(3, 1)
            memory = keep * memory + take * torch.tanh(gates[:, 3 * self.size :])
            hidden = show * torch.tanh(memory)
            outputs.append(hidden)
        return torch.stack(outputs), torch.stack([hidden, memory])


class GRU(RecurrentCell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as in cuDNN."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.input_weight = nn.Parameter(torch.empty(size, 3 * size))
        self.state_weight = nn.Parameter(torch.empty(size, 3 * size))
        self.bias = nn.Parameter(torch.zeros(3 * size))

    def reset_biases(self) -> None:
        """All 0."""
        nn.init.zeros_(self.bias)

    def forward(
        self, inputs: Tensor, state: Tensor, input_mask: Tensor | None = None, state_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See ``RecurrentCell.forward``."""
        masked = inputs if input_mask is None else inputs * input_mask
        projected = masked @ self.input_weight + self.bias
        hidden, outputs, gates = state[0], [], 2 * self.size
        for drive in projected.unbind(0):
            read = (hidden if state_mask is None else hidden * state_mask) @ self.state_weight
            reset, keep = torch.sigmoid(drive[:, :gates] + read[:, :gates]).chunk(2, 1)
            new = torch.tanh(drive[:, gates:] + reset * read[:, gates:])
            hidden = torch.lerp(new, hidden, keep)
            outputs.append(hidden)
        return torch.stack(outputs), hidden[None]


def make_cell(cell: RecurrentSpec | str, size: int, settings: LanguageNetworkSettings) -> RecurrentCell:
    """A cell of a given width, uninitialised.

    Args:
        cell: of the space, or the name of a baseline.
        size: h.
        settings: equation and output.

    Raises:
        InputError: an unknown name, or an activation that has no implementation.
    """
    if isinstance(cell, RecurrentSpec):
        return TreeCell(cell, size, settings)
    if cell not in CELLS:
        raise InputError("cell", cell, f"must be an architecture of recurrent-cell, or one of {', '.join(CELLS)}")
    return LSTM(size) if cell == "lstm" else GRU(size)


def cell_parameters(cell: RecurrentSpec | str, size: int, settings: LanguageNetworkSettings) -> int:
    """Number of parameters of ``make_cell(cell, size, settings)``, without making it."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in make_cell(cell, size, settings).parameters())
