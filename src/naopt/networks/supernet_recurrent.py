"""The supernet of recurrent cells: a language model that holds all cells of a space (Pham et al. 2018, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.language_model import LanguageModel, model_width
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.path import Path
from naopt.networks.recurrent_cells import TreeLayer
from naopt.networks.recurrent_schedule import Schedule
from naopt.networks.supernet import SharedWeights, WeightSharing
from naopt.spaces import EnumeratedSpace, SearchSpace, Tokens
from naopt.spaces.recurrent_cell import RecurrentCellSpace, RecurrentSpec


class SharedTreeCell(TreeLayer):
    """The cells of a space, of which the chosen one is computed.

    Nodes go by their number, which is that of the path: see ``Numbering``.

    Args:
        space: of the cells.
        size: h.
        settings: equation and output.
        weights: what has a matrix W of its own. ``edge``, as ENAS: a node and its predecessor, whatever the activation.
            ``branch``, as NAO's program: a node, its predecessor and its activation. ``node``: a node alone.

    Attributes:
        bank: all W by name, ``(h, p h)`` each, gate before value: ``node-predecessor-activation``, and less of it
            where more is shared.
    """

    def __init__(
        self, space: RecurrentCellSpace, size: int, settings: LanguageNetworkSettings, weights: WeightSharing = "edge"
    ) -> None:
        some = space.architecture((0,) * len(space.positions))
        super().__init__(space.cell(some), size, settings)
        self.weights = weights
        everything = (
            self.name(node, source, activation)
            for node in range(1, space.nodes + 1)
            for source in range(node)
            for activation in space.activations
        )
        self.bank = nn.ParameterDict({name: torch.empty(size, self.width) for name in dict.fromkeys(everything)})

    def name(self, node: int, source: int, activation: str) -> str:
        """Key in ``bank`` of the W of a node 1 ... B that reads ``source`` and has this activation."""
        facts = {"node": (node,), "edge": (node, source), "branch": (node, source, activation)}
        return "-".join(map(str, facts[self.weights]))

    def chosen(self) -> list[nn.Parameter]:
        """W of nodes 1 ... B of the chosen cell."""
        return [self.bank[self.name(node, *choice)] for node, choice in enumerate(self.spec.nodes, 1)]

    def grouped_weights(self) -> list[Tensor]:
        """See ``TreeLayer``."""
        return self.gathered(self.spec, self.schedule)

    def gathered(self, spec: RecurrentSpec, schedule: Schedule) -> list[Tensor]:
        """The same of any cell with its schedule. Copies, through which gradients reach ``bank``."""
        by_row = sorted(range(1, len(spec.nodes) + 1), key=schedule.rows.__getitem__)
        weights = [self.bank[self.name(node, *spec.nodes[node - 1])] for node in by_row]
        return [torch.cat(weights[group.first - 1 : group.last - 1], 1) for group in schedule.groups]


class SharedLanguageModel(LanguageModel, SharedWeights):
    """``LanguageModel`` with all cells of a space, for one choice at a time; the output is the same mean as a child's.

    Embedding, decoder and the weights of the first state are common. The official program of NAO-WS counts the first
    state in the output, but not when it trains the cell that was found; that is not followed.

    Args:
        space: of the cells.
        size: h.
        words: size of the vocabulary.
        settings: equation, output, dropouts and initialisation.
        weights: see ``SharedTreeCell``.
    """

    cell: SharedTreeCell
    space: RecurrentCellSpace

    def __init__(
        self,
        space: RecurrentCellSpace,
        size: int,
        words: int,
        settings: LanguageNetworkSettings,
        weights: WeightSharing = "edge",
    ) -> None:
        super().__init__(SharedTreeCell(space, size, settings, weights), words, settings)
        self.space = space
        self._tokens: Tokens = ()

    def _follow(self, tokens: Tokens) -> None:
        if tokens != self._tokens:
            self.cell.arrange(self.space.cell(self.space.architecture(tokens)))
            self._tokens = tokens

    def path_parameters(self) -> list[nn.Parameter]:
        """See ``SharedWeights``."""
        return [self.embedding, self.bias, self.cell.input_weight, self.cell.state_weight, *self.cell.chosen()]

    def child_state(self, path: Path) -> dict[str, Tensor]:
        """Copies of a path's weights, as the state of the model that ``build_language_model`` makes of it."""
        self._check(path)
        cell, spec = self.cell, self.space.cell(path.architecture)
        state: dict[str, Tensor] = {
            "embedding": self.embedding,
            "bias": self.bias,
            "cell.input_weight": cell.input_weight,
            "cell.state_weight": cell.state_weight,
        }
        for place, weight in enumerate(cell.gathered(spec, cell.scheduled(spec))):
            state[f"cell.group_weights.{place}"] = weight
        return {name: weight.detach().clone() for name, weight in state.items()}


def build_shared_language_model(
    space: SearchSpace, settings: LanguageNetworkSettings, words: int, weights: WeightSharing = "edge"
) -> SharedLanguageModel:
    """The supernet of a space of recurrent cells, initialised by torch's default generator.

    All its children are equally large, so ``settings.parameters`` bounds each of them, and gives them all the width
    that they have alone; the supernet itself is larger.

    Args:
        space: whose architectures share weights.
        settings: width, equation, output, dropouts.
        words: size of the vocabulary.
        weights: see ``SharedTreeCell``.

    Raises:
        InputError: no space of recurrent cells, or fewer parameters asked for than the narrowest child has.
    """
    whole = recurrent_space(space)
    some = whole.cell(whole.architecture((0,) * len(whole.positions)))
    return SharedLanguageModel(whole, model_width(some, settings, words), words, settings, weights)


def recurrent_space(space: SearchSpace) -> RecurrentCellSpace:
    """The whole space, if it is one of recurrent cells. Raises ``InputError`` if not: it has no supernet for text."""
    while isinstance(space, EnumeratedSpace):
        space = space.whole
    if not isinstance(space, RecurrentCellSpace):
        raise InputError("space", space.name, "has no supernet for text; recurrent-cell has one")
    return space
