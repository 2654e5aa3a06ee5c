"""The supernet of recurrent cells: a language model that holds all cells of a space (Pham et al. 2018, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.language_model import LanguageModel, model_width
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.path import Path
from naopt.networks.recurrent_cells import TreeLayer
from naopt.networks.recurrent_mixture import MixedNode, mixed_function, run_mixture
from naopt.networks.recurrent_schedule import Schedule
from naopt.networks.supernet import Mixable, WeightSharing
from naopt.spaces import EnumeratedSpace, SearchSpace, Tokens
from naopt.spaces.recurrent_cell import RecurrentCellSpace, RecurrentSpec


class SharedTreeCell(TreeLayer):
    """The cells of a space, of which the chosen one is computed.

    Nodes go by their number, which is that of the path: see ``Numbering``. Instead of a cell a mixture of all can be
    computed.

    Args:
        space: of the cells.
        size: h.
        settings: equation and output.
        weights: what has a matrix W of its own. ``edge``, as ENAS: a node and its predecessor, whatever the activation.
            ``branch``, as NAO's program: a node, its predecessor and its activation. ``node``, as DARTS: a node alone.
        normalises: states are normalised by their batch, in mixtures and in cells, as in mixtures of DARTS.

    Attributes:
        bank: all W by name, ``(h, p h)`` each, gate before value: ``node-predecessor-activation``, and less of it
            where more is shared.
        mixture: weights of the mixture that is computed, ``(edges, activations + 1)``, if any; see ``mixing_shapes``.
    """

    def __init__(
        self,
        space: RecurrentCellSpace,
        size: int,
        settings: LanguageNetworkSettings,
        weights: WeightSharing = "edge",
        *,
        normalises: bool = False,
    ) -> None:
        some = space.architecture((0,) * len(space.positions))
        super().__init__(space.cell(some), size, settings)
        self.weights, self.normalises, self.activations = weights, normalises, space.activations
        self.mixture: Tensor | None = None
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

    def forward(
        self, inputs: Tensor, state: Tensor, input_mask: Tensor | None = None, state_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See ``RecurrentCell.forward``."""
        if self.mixture is None and not self.normalises:
            return super().forward(inputs, state, input_mask, state_mask)
        masked = inputs if input_mask is None else inputs * input_mask
        if self.mixture is None:
            nodes, joined = self._single_nodes(), self.outputs
        else:
            nodes, joined = self._mixed_nodes(self.mixture), tuple(range(1, len(self.spec.nodes) + 1))
        outputs = run_mixture(
            masked @ self.input_weight,
            state[0],
            self.state_weight,
            nodes,
            joined,
            state_mask=state_mask,
            highway=self.equation == "highway",
            normalises=self.normalises,
        )
        return outputs, outputs[-1:]

    def _single_nodes(self) -> list[MixedNode]:
        """The chosen cell as a mixture."""
        one = self.input_weight.new_ones(1)
        return [
            MixedNode((source,), ((self.bank[self.name(node, source, name)][None], ((mixed_function(name), one),)),))
            for node, (source, name) in enumerate(self.spec.nodes, 1)
        ]

    def _mixed_nodes(self, table: Tensor) -> list[MixedNode]:
        nodes, start = [], 0
        for node in range(1, len(self.spec.nodes) + 1):
            rows = table[start : start + node]
            weighed = [(mixed_function(name), rows[:, column]) for column, name in enumerate(self.activations)]
            groups = [(self.activations[0], tuple(weighed))]  # one product for all activations
            if self.weights == "branch":
                groups = [(name, (pair,)) for name, pair in zip(self.activations, weighed, strict=True)]
            terms = tuple(
                (torch.stack([self.bank[self.name(node, source, name)] for source in range(node)]), functions)
                for name, functions in groups
            )
            nodes.append(MixedNode(tuple(range(node)), terms))
            start += node
        return nodes

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


class SharedLanguageModel(LanguageModel, Mixable):
    """``LanguageModel`` with all cells of a space, for one choice at a time; the output is the same mean as a child's.

    Embedding, decoder and the weights of the first state are common. The official program of NAO-WS counts the first
    state in the output, but not when it trains the cell that was found; that is not followed.

    Args:
        space: of the cells.
        size: h.
        words: size of the vocabulary.
        settings: equation, output, dropouts and initialisation.
        weights: see ``SharedTreeCell``.
        normalises: likewise.
    """

    twice_differentiable = False
    cell: SharedTreeCell
    space: RecurrentCellSpace

    def __init__(
        self,
        space: RecurrentCellSpace,
        size: int,
        words: int,
        settings: LanguageNetworkSettings,
        weights: WeightSharing = "edge",
        *,
        normalises: bool = False,
    ) -> None:
        super().__init__(SharedTreeCell(space, size, settings, weights, normalises=normalises), words, settings)
        self.space = space
        self._tokens: Tokens = ()

    def _follow(self, tokens: Tokens) -> None:
        if tokens != self._tokens:
            self.cell.arrange(self.space.cell(self.space.architecture(tokens)))
            self._tokens = tokens
        self.cell.mixture = None

    def path_parameters(self) -> list[nn.Parameter]:
        """See ``SharedWeights``; all parameters while a mixture is computed."""
        if self.cell.mixture is not None:
            return list(self.parameters())
        return [self.embedding, self.bias, self.cell.input_weight, self.cell.state_weight, *self.cell.chosen()]

    def child_state(self, path: Path) -> dict[str, Tensor]:
        """Copies of a path's weights, as the state of the model that ``build_language_model`` makes of it.

        Raises:
            InputError: states are normalised, which the child's are not.
        """
        self._check(path)
        if self.cell.normalises:
            rule = "cannot inherit: this supernet normalises states, which its own network does not"
            text = self.space.format(path.architecture)
            raise InputError("architecture", text, f"{rule} (normalise_states=false trains without)")
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

    # Mixtures.

    def mixing_shapes(self) -> list[tuple[int, ...]]:
        """One table, ``(edges, activations + 1)``.

        Edges are a node's predecessors, node by node, ascending; ``none``, which adds nothing, comes last.
        """
        return [(self.space.nodes * (self.space.nodes + 1) // 2, len(self.space.activations) + 1)]

    def mix(self, weights: Sequence[Tensor]) -> None:
        """See ``Mixable``. The output is the mean of all nodes, whatever that of the cells is.

        Raises:
            InputError: an activation that cannot be mixed.
        """
        (self.cell.mixture,) = weights
        for name in self.space.activations:
            mixed_function(name)

    def derive(self, weights: Sequence[Tensor]) -> Tokens:
        """Each node keeps the predecessor whose strongest activation is strongest, and that activation.

        Liu et al. 2019, section 2.4, with one predecessor a node; ``none`` is not among those that are compared.
        """
        tokens: list[int] = []
        start = 0
        for node in range(1, self.space.nodes + 1):
            strengths, best = weights[0][start : start + node, :-1].max(dim=1)
            source = int(strengths.argmax())
            tokens += [source, int(best[source])]
            start += node
        return tuple(tokens)


def build_shared_language_model(
    space: SearchSpace,
    settings: LanguageNetworkSettings,
    words: int,
    weights: WeightSharing = "edge",
    *,
    normalises: bool = False,
) -> SharedLanguageModel:
    """The supernet of a space of recurrent cells, initialised by torch's default generator.

    All its children are equally large, so ``settings.parameters`` bounds each of them, and gives them all the width
    that they have alone; the supernet itself is larger.

    Args:
        space: whose architectures share weights.
        settings: width, equation, output, dropouts.
        words: size of the vocabulary.
        weights: see ``SharedTreeCell``.
        normalises: likewise.

    Raises:
        InputError: no space of recurrent cells, or fewer parameters asked for than the narrowest child has.
    """
    whole = recurrent_space(space)
    some = whole.cell(whole.architecture((0,) * len(whole.positions)))
    size = model_width(some, settings, words)
    return SharedLanguageModel(whole, size, words, settings, weights, normalises=normalises)


def recurrent_space(space: SearchSpace) -> RecurrentCellSpace:
    """The whole space, if it is one of recurrent cells. Raises ``InputError`` if not: it has no supernet for text."""
    while isinstance(space, EnumeratedSpace):
        space = space.whole
    if not isinstance(space, RecurrentCellSpace):
        raise InputError("space", space.name, "has no supernet for text; recurrent-cell has one")
    return space
