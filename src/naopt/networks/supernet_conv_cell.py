"""One cell of a supernet: the operations of all architectures, of which a path uses some."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from torch import Tensor, nn

from naopt.networks.cell_norms import AS_CHILDREN, CellNorms, NormalisedPool, fix_norms
from naopt.networks.convolutional import CellPath, branch_steps, unread_states
from naopt.networks.operations import FactorizedReduce, Preactivated, conv, operations
from naopt.networks.skeleton import Place
from naopt.networks.supernet import WeightSharing
from naopt.networks.supernet_conv_ends import Joined, calibration, end_weights, lasting_parameters
from naopt.spaces import CellSpec, ConvCellSpace

BankKey = tuple[int, str, str]
"""Node (from 0), what its weights are for (see ``SharedCell``), operation."""


def bank_key(weights: WeightSharing, node: int, source: int, side: int, name: str, reduction: bool) -> BankKey:
    """Where a branch's operation is kept."""
    if weights == "edge":
        return node, str(source), name
    if weights == "branch":
        return node, f"{source}{'ab'[side]}", name
    return node, "strided" if reduction and source < 2 else "plain", name


class Wiring:
    """What the paths through all cells of one kind have in common.

    Args:
        spec: the cell.
        reduction: its kind.
        weights: what shares weights.
    """

    def __init__(self, spec: CellSpec, reduction: bool, weights: WeightSharing) -> None:
        self.sources = tuple((a[0], b[0]) for a, b in spec.nodes)
        self.ends = spec.output_ends()
        self.unused = tuple(str(end) for end in self.ends if end < 2 and reduction)
        self.unread = unread_states(spec, reduction)
        self.keys = [
            bank_key(weights, index, source, side, name, reduction)
            for index, node in enumerate(spec.nodes)
            for side, (source, name) in enumerate(node)
        ]


class LentPath(CellPath):
    """A way through a cell, made of modules of the cell; a subclass computes the nodes.

    Args:
        cell: whose modules they are.
        place: the cell's, which depends on how many ends the cells before it join.
        ends: what its output joins.
        unread: see ``CellPath``.
    """

    def __init__(self, cell: SharedCell, place: Place, ends: tuple[int, ...], unread: frozenset[int]) -> None:
        self.place, self.output_ends, self.unread = place, ends, unread
        self.older = cell.older if place.after_reduction or place.calibrates_older else None
        self.newer = cell.newer if place.calibrates_newer else None
        self.newer_again = cell.newer_again if place.recalibrates_newer else None


class ChosenPath(LentPath):
    """The cell of one architecture.

    Args:
        cell: whose modules it uses.
        place: the cell's.
        wiring: of the path.
    """

    def __init__(self, cell: SharedCell, place: Place, wiring: Wiring) -> None:
        super().__init__(cell, place, wiring.ends, wiring.unread)
        self.sources = wiring.sources
        self.unused = {end: cell.unused[end] for end in wiring.unused}
        self.branches = [cell.bank[key] for key in wiring.keys]
        self.steps = branch_steps(self.branches)

    @property
    def inheritable(self) -> bool:
        """Whether a child has all that the path has: not where pools are normalised."""
        return not any(isinstance(branch, NormalisedPool) for branch in self.branches)

    def named_modules(self) -> list[tuple[str, nn.Module]]:
        """All modules by their names in ``naopt.networks.convolutional.Cell``."""
        named = [("older", self.older), ("newer", self.newer), ("newer_again", self.newer_again)]
        found: list[tuple[str, nn.Module]] = [(name, module) for name, module in named if module is not None]
        found += [(f"branches.{index}", branch) for index, branch in enumerate(self.branches)]
        return found + [(f"unused.{end}", reduce) for end, reduce in self.unused.items()]


class MixedPath(LentPath):
    """The cell with all operations of all edges, weighed; it joins all its nodes (Liu et al. 2019, section 2.1).

    Args:
        cell: whose modules it uses.
        place: the cell's.
        weights: ``(edges, operations + 1)``, edges node by node, their inputs ascending; the last column is ``none``.
    """

    def __init__(self, cell: SharedCell, place: Place, weights: Tensor) -> None:
        last = cell.nodes + 1
        super().__init__(cell, place, tuple(range(2, last + 1)), frozenset({last}))
        self.weights = weights
        self.unused = {}
        self.edges = [
            [
                [cell.bank[bank_key("edge", node, source, 0, name, place.reduction)] for name in cell.names]
                for source in range(node + 2)
            ]
            for node in range(cell.nodes)
        ]

    def forward(self, older: Tensor, newer: Tensor, keep: float = 1.0) -> Tensor:  # noqa: ARG002
        """See ``CellPath``; nothing is dropped."""
        states = self._inputs(older, newer)
        rectified: dict[int, Tensor] = {}
        weights = iter(self.weights.flatten().unbind())
        for banks in self.edges:
            total: Tensor | None = None
            for source, bank in enumerate(banks):
                x = states[source]
                if source not in rectified:
                    rectified[source] = x.relu()
                relu = rectified[source]
                for operation in bank:
                    y = operation.rectified(relu) if isinstance(operation, Preactivated) else operation(x)
                    y = next(weights) * y
                    total = y if total is None else total.add_(y)
                next(weights)  # of none, which adds nothing
            assert total is not None
            states.append(total)
        return self._joined(states, rectified)


class SharedCell(nn.Module):
    """The operations of all architectures, and the way that is chosen through them.

    Args:
        space: of the cells.
        places: where the cell may stand, depending on how many ends are joined before it.
        older: what its older input joins.
        newer: what its newer input joins.
        weights: what has weights of its own: ``edge``, a node's input; ``branch``, an input of either branch;
            ``node``, a node, but operations with a stride apart.
        norms: how operations and calibrations normalise.

    Attributes:
        nodes: B.
        names: of the operations.
        bank: operations.
        path: what is computed.
    """

    path: LentPath

    def __init__(
        self,
        space: ConvCellSpace,
        places: Sequence[Place],
        older: Joined,
        newer: Joined,
        weights: WeightSharing,
        norms: CellNorms = AS_CHILDREN,
    ) -> None:
        super().__init__()
        self.nodes, self.names = space.nodes, space.operations.operations
        place = places[0]
        channels, reduction = place.channels, place.reduction
        self.older = self.newer = self.newer_again = None
        if any(place.calibrates_older for place in places):
            self.older = calibration(older, channels, halves=place.after_reduction)
        if any(place.calibrates_newer for place in places):
            self.newer = calibration(newer, channels, halves=False)
        if any(place.recalibrates_newer for place in places):
            self.newer_again = conv(channels, channels)
        self.operations = nn.ModuleDict()
        self.bank: dict[BankKey, nn.Module] = {}
        for node, source, side, name in product(range(self.nodes), range(self.nodes + 1), (0, 1), self.names):
            key = bank_key(weights, node, source, side, name, reduction)
            if source < node + 2 and key not in self.bank:
                operation = operations.get(name)(channels, 2 if reduction and source < 2 else 1)
                self.bank[key] = norms.applied(operation, channels)
                self.operations[f"{node + 2}/{key[1]}/{name}"] = self.bank[key]
        loose = space.output == "loose-ends" and reduction
        self.unused = nn.ModuleDict({end: FactorizedReduce(channels, channels) for end in "01" if loose})
        if not norms.affine:
            fix_norms(self)
        self._older_ends = end_weights(self.older) if self.older is not None else []
        self._newer_ends = end_weights(self.newer) if self.newer is not None else []
        self._lasting: dict[nn.Module | None, list[nn.Parameter]] = {None: []}
        for module in (self.older, self.newer, self.newer_again, *self.bank.values(), *self.unused.values()):
            if module is not None:
                self._lasting[module] = lasting_parameters(module)

    def follow(self, path: LentPath, older: Sequence[int], newer: Sequence[int]) -> None:
        """Computes a path from now on, on inputs that join these ends."""
        self.path = path
        for layer in self._older_ends:
            layer.join(older)
        for layer in self._newer_ends:
            layer.join(newer)

    def forward(self, older: Tensor, newer: Tensor, keep: float = 1.0) -> Tensor:
        """See ``CellPath``."""
        return self.path.forward(older, newer, keep)

    def path_parameters(self) -> list[nn.Parameter]:
        """Parameters of the path, each once; it is that of one architecture."""
        path = self.path
        found: list[nn.Parameter] = []
        for module in dict.fromkeys((path.older, path.newer, path.newer_again, *path.steps, *path.unused.values())):
            found += self._lasting[module]
        if path.older is not None:
            for layer in self._older_ends:
                found += layer.parts
        if path.newer is not None:
            for layer in self._newer_ends:
                found += layer.parts
        return found
