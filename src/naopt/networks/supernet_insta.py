"""The supernet of the meta-graph space: every operation of every block (Cheng et al. 2020, InstaNAS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.base import arranged
from naopt.networks.cell_norms import AS_CHILDREN, CellNorms, fix_norms
from naopt.networks.insta import InstaNetwork, Rows
from naopt.networks.path import Path
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import Supernet, WeightSharing
from naopt.spaces import InstaSpace, Tokens


class InstaSupernet(InstaNetwork, Supernet):
    """``InstaNetwork`` with all operations of all blocks, which computes those that are active.

    Its first path is that of all operations.

    Args:
        space: of the blocks.
        settings: F and the head.
        in_channels: of the images.
        classes: number of classes.
        norms: how the operations normalise.
    """

    space: InstaSpace

    def __init__(
        self,
        space: InstaSpace,
        settings: NetworkSettings,
        in_channels: int,
        classes: int,
        norms: CellNorms = AS_CHILDREN,
    ) -> None:
        every = tuple(range(len(space.operations)))
        super().__init__(space, (every,) * space.blocks, settings, in_channels, classes)
        self.space = space
        if not norms.affine:
            fix_norms(self.blocks)
        of_blocks = {id(parameter) for parameter in self.blocks.parameters()}
        self._common = [parameter for parameter in self.parameters() if id(parameter) not in of_blocks]
        self._active: tuple[tuple[int, ...], ...] = (every,) * space.blocks
        self._each = False
        self._rows: list[list[tuple[int, Tensor | None]]] | None = None

    def _follow(self, tokens: Tokens) -> None:
        self._active, self._rows, self._each = self.space.active(tokens), None, False

    def choose_each(self, masks: Tensor) -> None:
        """Computes from now on a path of its own for each image of a batch, until the next ``choose``.

        Args:
            masks: ``(n, blocks, operations)``, boolean, on the images' device: which operations are active. Paths
                have to be valid: see ``InstaSpace.skippable``.
        """
        self._each, images = True, len(masks)
        counts = masks.sum(0).tolist()
        self._active = tuple(tuple(index for index, count in enumerate(row) if count) for row in counts)
        if all(count in (0, images) for row in counts for count in row):
            self._rows = None  # one path for all, as of a single image
            return
        # All rows in one go, those of an operation together: a search for each operation costs as much as small groups.
        found = torch.split(masks.movedim(0, 2).nonzero()[:, 2], [count for row in counts for count in row])
        self._rows = [
            [(index, None if row[index] == images else found[block * len(row) + index]) for index in active]
            for block, (row, active) in enumerate(zip(counts, self._active, strict=True))
        ]

    def gated(self, images: Tensor, gates: Tensor) -> Tensor:
        """Logits ``(n, classes)`` where each operation's output counts as much as its gate, all of them computed.

        With gates of 0 and 1 they are those of the paths, and the gradient says what each gate would change.

        Args:
            images: ``(n, c, h, w)``.
            gates: ``(n, blocks, operations)``.
        """
        x: Tensor = self.stem(arranged(images))
        for block, of_block in zip(self._row, gates.unbind(1), strict=True):
            weighted = [
                gate[:, None, None, None] * operation(x)
                for gate, operation in zip(of_block.unbind(1), block.held, strict=True)
            ]
            total = sum(weighted[1:], weighted[0])
            x = x + total if block.shortcut else total
        return self.head(x)

    def keep_probability(self, cell: int, cells: int, keep: float) -> float:
        """See ``ChildNetwork``; images with paths of their own have operations dropped by these, and not once more."""
        return 1.0 if self._each else super().keep_probability(cell, cells, keep)

    def rows(self, block: int) -> Rows | None:
        """See ``InstaNetwork``."""
        return None if self._rows is None else self._rows[block]

    def active(self, block: int) -> tuple[int, ...]:
        """See ``InstaNetwork``: those of the path."""
        return self._active[block]

    def path_parameters(self) -> list[nn.Parameter]:
        """See ``SharedWeights``; of several paths those that any has."""
        found = list(self._common)
        for block, active in zip(self._row, self._active, strict=True):
            for index in active:
                found += block.held[index].parameters()
        return found

    def child_state(self, path: Path) -> dict[str, Tensor]:
        """See ``Supernet``."""
        self._check(path)
        state = self.state_dict()
        found = {name: value for name, value in state.items() if not name.startswith("blocks.")}
        for block, active in enumerate(self.space.active(path.tokens)):
            begins = tuple(f"blocks.{block}.operations.{self.space.names[index]}." for index in active)
            found |= {name: value for name, value in state.items() if name.startswith(begins)}
        return found


def build_insta_supernet(
    space: InstaSpace,
    settings: NetworkSettings,
    in_channels: int,
    classes: int,
    weights: WeightSharing = "edge",
    norms: CellNorms = AS_CHILDREN,
) -> InstaSupernet:
    """The supernet of the meta-graph. A block has one input, so ``edge`` and ``branch`` mean the same.

    Raises:
        InputError: another skeleton than that of CIFAR is asked for, or weights that belong to nodes.
    """
    if weights == "node":
        raise InputError("weights", weights, "must be edge or branch for the supernet of insta")
    return InstaSupernet(space, settings, in_channels, classes, norms)
