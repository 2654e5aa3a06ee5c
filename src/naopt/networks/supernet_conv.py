"""The supernet of convolutional cells (Pham et al. 2018, section 2.3; NAO, section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.base import AuxiliaryHead, initialize
from naopt.networks.cell_norms import AS_CHILDREN, CellNorms
from naopt.networks.convolutional import CellNetwork, auxiliary_stride
from naopt.networks.path import Path
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import Place, plan
from naopt.networks.supernet import Mixable, Supernet, WeightSharing, no_inheritance
from naopt.networks.supernet_conv_cell import ChosenPath, MixedPath, SharedCell, Wiring
from naopt.networks.supernet_conv_ends import EndLinear, Joined, end_weights, inherited, lasting_parameters, pointwise
from naopt.spaces import Architecture, CellSpec, ConvCellSpace, Tokens

Ends = tuple[int, ...]


class ConvSupernet(CellNetwork, Supernet, Mixable):
    """``ConvolutionalNetwork`` with all operations on all inputs of all nodes.

    What a cell's output joins depends on the architecture; whatever reads it (the next cells' calibrations, the
    auxiliary head, the classifier) has weights for every end, and uses those of the ends that are there. The official
    programs do so too, with a tensor that they index; here each end has a parameter of its own, so that what was not
    computed gets neither gradient nor weight decay.

    Departures from the official programs: reduction cells compute with a stride of 2, as the children do, not on inputs
    that were halved before; drop-path is applied as in the children.

    Running statistics, which measuring does not use by default, count a batch once for every branch that shares the
    operation.

    Args:
        space: of the cells.
        settings: N, F and the head.
        in_channels: of the images.
        classes: number of classes.
        weights: what shares weights: the ``edge`` (an input of a node) has its own, used by both branches, so that
            swapping them changes nothing; or each ``branch`` of it (official programs); or only the ``node``, whatever
            the input.
        norms: how the cells normalise; the stem and the auxiliary head have scale and offset in any case.
    """

    space: ConvCellSpace

    def __init__(
        self,
        space: ConvCellSpace,
        settings: NetworkSettings,
        in_channels: int,
        classes: int,
        weights: WeightSharing = "edge",
        norms: CellNorms = AS_CHILDREN,
    ) -> None:
        loose = space.output == "loose-ends"
        ends = tuple(range(0 if loose else 2, space.nodes + 2))
        counts = range(1, space.nodes + 2) if loose else (space.nodes,)
        possible = [plan(settings, count, count) for count in counts]
        places = possible[0]
        super().__init__(settings, in_channels, places[0])
        self.space, self.settings, self.weights = space, settings, weights
        outputs = [Joined(place.channels, ends) if loose else Joined(place.channels * len(ends)) for place in places]
        joined = [Joined(places[0].older), Joined(places[0].newer), *outputs]
        self._shared = [
            SharedCell(space, [plan[index] for plan in possible], joined[index], joined[index + 1], weights, norms)
            for index in range(len(places))
        ]
        self.cells = nn.ModuleList(self._shared)
        self.auxiliary = None
        if settings.auxiliary_weight:
            read = outputs[self.auxiliary_at]
            self.auxiliary = AuxiliaryHead(read.channels, classes, auxiliary_stride(settings))
            first = self.auxiliary.features[0]
            assert isinstance(first, nn.Conv2d)
            self.auxiliary.features[0] = pointwise(read, first.out_channels)
        last = outputs[-1]
        self.classifier = EndLinear(last, classes) if last.ends else nn.Linear(last.channels, classes)
        initialize(self)
        self._plans: dict[tuple[int, int], tuple[Place, ...]] = {}
        self._auxiliary_ends = [] if self.auxiliary is None else end_weights(self.auxiliary)
        self._classifier_ends = end_weights(self.classifier)
        ours = (self.older_stem, self.stem, self.auxiliary, self.classifier)
        self._lasting = [found for module in ours if module is not None for found in lasting_parameters(module)]
        self._mixed = False
        self._follow(_first(space))

    def _follow(self, tokens: Tokens) -> None:
        normal, reduction = self._wirings(tokens)
        for cell, place, older, newer in self._walk(normal.ends, reduction.ends):
            cell.follow(ChosenPath(cell, place, reduction if place.reduction else normal), older, newer)
        self._join(normal.ends, reduction.ends)
        self._mixed = False

    def _wirings(self, tokens: Tokens) -> tuple[Wiring, Wiring]:
        # Not ``space.architecture``, which looks for the canonical form.
        cells = self.space.cells(Architecture(self.space.name, tokens, tokens))
        return Wiring(cells["normal"], False, self.weights), Wiring(cells["reduction"], True, self.weights)

    def _walk(self, normal: Ends, reduction: Ends) -> Iterator[tuple[SharedCell, Place, Ends, Ends]]:
        """Cells, where they stand if these ends are joined, and the ends that their two inputs join."""
        counts = len(normal), len(reduction)
        if counts not in self._plans:
            self._plans[counts] = plan(self.settings, *counts)
        older: Ends = ()
        newer: Ends = ()
        for cell, place in zip(self._shared, self._plans[counts], strict=True):
            yield cell, place, older, newer
            older, newer = newer, reduction if place.reduction else normal

    def _join(self, normal: Ends, reduction: Ends) -> None:
        for layer in self._auxiliary_ends:
            layer.join(self._read_by_auxiliary(normal, reduction))
        for layer in self._classifier_ends:
            layer.join(normal)

    def _read_by_auxiliary(self, normal: Ends, reduction: Ends) -> Ends:
        return reduction if self.settings.auxiliary_at == "reduction" else normal

    def path_parameters(self) -> list[nn.Parameter]:
        """See ``SharedWeights``; all parameters while a mixture is computed.

        Where cells join all their nodes, an input that none of them reads leads nowhere, and neither do the cells that
        only it would read; their parameters are among these too, and get no gradient.
        """
        if self._mixed:
            return list(self.parameters())
        found = list(self._lasting)
        for cell in self._shared:
            found += cell.path_parameters()
        for layer in (*self._auxiliary_ends, *self._classifier_ends):
            found += layer.parts
        return found

    def child_state(self, path: Path) -> dict[str, Tensor]:
        """See ``Supernet``."""
        self._check(path)
        normal, reduction = self._wirings(path.tokens)
        state: dict[str, Tensor] = {}
        for index, (cell, place, older, newer) in enumerate(self._walk(normal.ends, reduction.ends)):
            chosen = ChosenPath(cell, place, reduction if place.reduction else normal)
            if not chosen.inheritable:
                raise no_inheritance(self.space, path)
            for name, module in chosen.named_modules():
                ends = {"older": older, "newer": newer}.get(name, ())
                state |= {f"cells.{index}.{name}.{key}": tensor for key, tensor in inherited(module, ends)}
        parts = {
            "older_stem": (self.older_stem, ()),
            "stem": (self.stem, ()),
            "auxiliary": (self.auxiliary, self._read_by_auxiliary(normal.ends, reduction.ends)),
            "classifier": (self.classifier, normal.ends),
        }
        for name, (part, ends) in parts.items():
            if part is not None:
                state |= {f"{name}.{key}": tensor for key, tensor in inherited(part, ends)}
        return state

    # Mixtures.

    def mixing_shapes(self) -> list[tuple[int, ...]]:
        """``(edges, operations + 1)`` for the normal and the reduction cell.

        Edges are a node's inputs, node by node, ascending; operations are in the space's order, and ``none``, which
        adds nothing, comes last.
        """
        shape = (sum(node + 2 for node in range(self.space.nodes)), len(self.space.operations.operations) + 1)
        return [shape, shape]

    def mix(self, weights: Sequence[Tensor]) -> None:
        """See ``Mixable``. A cell's output joins all its nodes, whatever the space's joins; nothing is dropped.

        Raises:
            InputError: weights that do not belong to edges.
        """
        if self.weights != "edge":
            raise InputError("weights", self.weights, "must be edge where operations are mixed")
        normal, reduction = weights
        nodes = tuple(range(2, self.space.nodes + 2))
        for cell, place, older, newer in self._walk(nodes, nodes):
            cell.follow(MixedPath(cell, place, reduction if place.reduction else normal), older, newer)
        self._join(nodes, nodes)
        self._mixed = True

    def derive(self, weights: Sequence[Tensor]) -> Tokens:
        """Each node keeps the two inputs whose strongest operation is strongest, and that operation.

        Liu et al. 2019, section 2.4; ``none`` is not among the operations that are compared.
        """
        normal, reduction = (self._strongest(table) for table in weights)
        return self.space.from_cells(normal, reduction).tokens

    def _strongest(self, table: Tensor) -> CellSpec:
        strengths, best = (column.tolist() for column in table[:, :-1].max(dim=1))
        nodes = []
        start = 0
        for node in range(self.space.nodes):
            inputs = sorted(range(node + 2), key=lambda source: -strengths[start + source])[:2]
            first, second = (
                (source, self.space.operations.operations[best[start + source]]) for source in sorted(inputs)
            )
            nodes.append((first, second))
            start += node + 2
        return CellSpec(tuple(nodes), self.space.output)


def _first(space: ConvCellSpace) -> Tokens:
    tokens: list[int] = []
    for _ in space.positions:
        tokens.append(space.choices(tokens)[0])
    return tuple(tokens)


def build_conv_supernet(
    space: ConvCellSpace,
    settings: NetworkSettings,
    in_channels: int,
    classes: int,
    weights: WeightSharing = "edge",
    norms: CellNorms = AS_CHILDREN,
) -> ConvSupernet:
    """The supernet of pairs of convolutional cells."""
    return ConvSupernet(space, settings, in_channels, classes, weights, norms)
