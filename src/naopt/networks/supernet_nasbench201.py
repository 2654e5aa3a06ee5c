"""The supernet of NAS-Bench-201: every operation on every edge of every cell (Dong & Yang 2020, section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.base import AuxiliaryHead, arranged, initialize
from naopt.networks.cell_norms import AS_CHILDREN, CellNorms, NormalisedPool
from naopt.networks.nasbench201 import ResidualReduction, along_edges, edge_operation
from naopt.networks.operations import BatchNorm, Pool, Preactivated
from naopt.networks.path import Path
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import require_cifar
from naopt.networks.supernet import Mixable, Supernet, WeightSharing, no_inheritance
from naopt.spaces import NASBench201Space, Tokens
from naopt.spaces.nasbench201 import EDGES, OPERATIONS

_NONE = OPERATIONS.index("none")


EdgePath = tuple[tuple[int, int], ...]
"""Places of edges in ``EDGES`` and of their operations in ``OPERATIONS``, in the order of ``EDGES``."""


def live_path(tokens: Sequence[int]) -> EdgePath:
    """The edges on a way to the output; nothing of the output depends on others.

    Those that begin at a state without input, which is zero, are among them: what normalisation adds is not.
    """
    live: list[tuple[int, int]] = []
    read = {3}
    for edge in range(len(EDGES) - 1, -1, -1):
        source, target = EDGES[edge]
        if target in read and tokens[edge] != _NONE:
            read.add(source)
            live.insert(0, (edge, tokens[edge]))
    return tuple(live)


class SharedDenseCell(nn.Module):
    """A cell that holds all operations of all edges, and computes one of each, or a mixture.

    Args:
        channels: of input and output.
        drop_identities: drop-path drops identities too.
        norms: of all operations.

    Attributes:
        banks: for each of ``EDGES`` its operations by name, without ``none``.
    """

    def __init__(self, channels: int, *, drop_identities: bool = False, norms: CellNorms = AS_CHILDREN) -> None:
        super().__init__()
        self.drop_identities = drop_identities
        self.banks = nn.ModuleList(
            nn.ModuleDict(
                {name: norms.applied(edge_operation(name, channels), channels) for name in OPERATIONS if name != "none"}
            )
            for _ in EDGES
        )
        # Plain tuples: a module list costs a Python call for each access.
        self.operations: tuple[tuple[nn.Module | None, ...], ...] = tuple(
            tuple(dict(bank.items()).get(name) for name in OPERATIONS)  # type: ignore[operator]
            for bank in self.banks
        )

    def forward(self, x: Tensor, path: EdgePath, keep: float = 1.0) -> Tensor:
        """``(n, channels, h, w)`` to the same shape, along a path; ``keep`` as in ``DenseCell``."""
        steps = [(*EDGES[edge], module) for edge, module in self._chosen(path)]
        return along_edges(x, steps, keep, drop_identities=self.drop_identities)

    def mixed(self, x: Tensor, weights: Tensor) -> Tensor:
        """The same with every edge a sum of all its operations, by ``weights`` ``(edges, operations)``."""
        states: list[Tensor | None] = [x, None, None, None]
        for edge, (source, target) in enumerate(EDGES):
            y = states[source]
            assert y is not None
            relu = y.relu()
            for index, operation in enumerate(self.operations[edge]):
                if operation is None:
                    continue
                z = operation.rectified(relu) if isinstance(operation, Preactivated) else operation(y)
                z = weights[edge, index] * z
                total = states[target]
                states[target] = z if total is None else total + z
        assert states[3] is not None
        return states[3]

    def path_modules(self, path: EdgePath) -> list[nn.Module]:
        """Modules on the path that have parameters."""
        return [module for _, module in self._chosen(path) if not isinstance(module, nn.Identity | Pool)]

    def _chosen(self, path: EdgePath) -> Iterator[tuple[int, nn.Module]]:
        for edge, token in path:
            module = self.operations[edge][token]
            assert module is not None
            yield edge, module


class NASBench201Supernet(Supernet, Mixable):
    """``NASBench201Network`` with all operations of all edges, for one choice of operations in all cells.

    Mixtures are computed without drop-path.

    Args:
        space: of the cells.
        settings: N and F.
        in_channels: of the images.
        classes: number of classes.
        norms: how the cells normalise.
    """

    def __init__(
        self,
        space: NASBench201Space,
        settings: NetworkSettings,
        in_channels: int,
        classes: int,
        norms: CellNorms = AS_CHILDREN,
    ) -> None:
        super().__init__()
        self.space = space
        channels = settings.filters
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), BatchNorm(channels))
        self.cells = nn.ModuleList()
        self.reductions = nn.ModuleList()
        self._order: list[nn.Module] = []
        for stage in range(3):
            if stage:
                self.reductions.append(ResidualReduction(channels, 2 * channels))
                self._order.append(self.reductions[-1])
                channels *= 2
            for _ in range(settings.cells_per_stage):
                self.cells.append(SharedDenseCell(channels, drop_identities=settings.drop_identities, norms=norms))
                self._order.append(self.cells[-1])
        self.auxiliary = AuxiliaryHead(channels, classes) if settings.auxiliary_weight else None
        self._auxiliary_after = len(self._order) - settings.cells_per_stage - (settings.auxiliary_at == "reduction")
        self.drop_path_keep = settings.drop_path_keep
        self.norm = BatchNorm(channels)
        self.dropout = nn.Dropout(settings.dropout) if settings.dropout else None
        self.classifier = nn.Linear(channels, classes)
        initialize(self)
        cells = {id(parameter) for cell in self.cells for parameter in cell.parameters()}
        self._common = [parameter for parameter in self.parameters() if id(parameter) not in cells]
        self._path = live_path((1,) * len(EDGES))
        self._weights: Tensor | None = None

    def _follow(self, tokens: Tokens) -> None:
        self._path, self._weights = live_path(tokens), None

    def path_parameters(self) -> list[nn.Parameter]:
        """See ``SharedWeights``."""
        if self._weights is not None:
            return list(self.parameters())
        found = list(self._common)
        for cell in self.cells:
            assert isinstance(cell, SharedDenseCell)
            for module in cell.path_modules(self._path):
                found += module.parameters()
        return found

    def child_state(self, path: Path) -> dict[str, Tensor]:
        """See ``Supernet``."""
        self._check(path)
        live = dict(live_path(path.tokens))
        state = {name: value for name, value in self.state_dict().items() if not name.startswith("cells.")}
        for index, cell in enumerate(self.cells):
            assert isinstance(cell, SharedDenseCell)
            stage, at = divmod(index, len(self.cells) // 3)
            edges = zip(EDGES, cell.operations, path.tokens, strict=True)
            for edge, ((source, target), bank, token) in enumerate(edges):
                operation = bank[token]
                if isinstance(operation, NormalisedPool):
                    if edge in live:
                        raise no_inheritance(self.space, path)
                elif operation is not None:
                    prefix = f"stages.{stage}.{at}.edges.{source}-{target}."
                    state |= {prefix + name: value for name, value in operation.state_dict().items()}
        return state

    def mixing_shapes(self) -> list[tuple[int, ...]]:
        """One table, ``(edges, operations)``, ``none`` included."""
        return [(len(EDGES), len(OPERATIONS))]

    def mix(self, weights: Sequence[Tensor]) -> None:
        """See ``Mixable``."""
        (self._weights,) = weights

    def derive(self, weights: Sequence[Tensor]) -> Tokens:
        """The strongest operation of each edge, which may be ``none`` (as in the benchmark's own DARTS)."""
        return tuple(int(index) for index in weights[0].argmax(dim=1))

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        x, cells, auxiliary = self.stem(arranged(images)), 0, None
        for index, module in enumerate(self._order):
            if not isinstance(module, SharedDenseCell):
                x = module(x)
            elif self._weights is None:
                x = module(x, self._path, self.keep_probability(cells, len(self.cells), self.drop_path_keep))
                cells += 1
            else:
                x = module.mixed(x, self._weights)
            if self.training and self.auxiliary is not None and index == self._auxiliary_after:
                auxiliary = self.auxiliary(x)
        features = self.norm(x).relu().mean((2, 3))
        if self.dropout is not None:
            features = self.dropout(features)
        return self.classifier(features), auxiliary


def build_nasbench201_supernet(
    space: NASBench201Space,
    settings: NetworkSettings,
    in_channels: int,
    classes: int,
    weights: WeightSharing = "edge",
    norms: CellNorms = AS_CHILDREN,
) -> NASBench201Supernet:
    """The supernet of NAS-Bench-201. An edge is one branch, so ``edge`` and ``branch`` mean the same.

    Raises:
        InputError: another skeleton than that of CIFAR is asked for, or weights that belong to nodes.
    """
    if weights == "node":
        raise InputError("weights", weights, "must be edge or branch for the supernet of NAS-Bench-201")
    require_cifar(settings, "cells of NAS-Bench-201")
    return NASBench201Supernet(space, settings, in_channels, classes, norms)
