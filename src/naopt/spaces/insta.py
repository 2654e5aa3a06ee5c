"""The meta-graph of InstaNAS (Cheng et al. 2020): blocks of inverted residuals, of which any subset may be active.

Tokens: for each block and each candidate operation whether it is active. Text: ``insta:mb3e3+mb5e6,skip/mb3e1``, a
comma between blocks, a slash between stages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.insta_text import PREFIX, SKIP, read_blocks, write_blocks
from naopt.spaces.position import Position
from naopt.spaces.registry import spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPERATIONS = "mb3e1+mb3e3+mb3e6+mb5e3+mb5e6"
"""The default candidates: five a block, as in the authors' program."""
STAGES = 3
MAX_BLOCKS = 64
_NAME = re.compile(r"mb([357])e([1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """A candidate operation (Sandler et al. 2018, MobileNetV2): widen, depthwise convolution, project linearly.

    Attributes:
        kernel: k of the depthwise convolution.
        expansion: e, by how much the first convolution widens; with 1 there is none.
    """

    kernel: int
    expansion: int

    @property
    def name(self) -> str:
        """``mbKeE``."""
        return f"mb{self.kernel}e{self.expansion}"


@dataclass(frozen=True, slots=True)
class BlockShape:
    """What a block does to a map.

    Attributes:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: 2 where it halves the map.
    """

    inputs: int
    outputs: int
    stride: int

    @property
    def keeps(self) -> bool:
        """Whether the map keeps its shape, so that the input is added to the sum."""
        return self.stride == 1 and self.inputs == self.outputs


@spaces.register("insta")
class InstaSpace(SearchSpace):
    """A row of blocks; a block is the sum of its active operations, and of its input where it keeps the map's shape.

    The first block of each stage but the first halves the map and doubles the channels, so at least one of its
    operations is active. All others keep the shape: without an active operation they are skipped.

    Args:
        blocks: in all; 17 in the authors' program.
        stages: these are divided into so many, as evenly as possible, earlier ones longer; by default three, or as many
            as there are blocks where those are fewer.
        operations: candidates of each block, ``mbKeE`` with kernels K of 3, 5, 7 and expansions E of 1 to 12, joined by
            ``+``.

    Each sequence is a query of its own: blocks of a stage are told apart, for they have weights of their own in a
    supernet, although skipping one or its neighbour may build equal networks.
    """

    skips = frozenset({SKIP})

    def __init__(self, blocks: int = 6, stages: int | None = None, operations: str = OPERATIONS) -> None:
        if not 1 <= blocks <= MAX_BLOCKS:
            raise InputError("space option blocks", blocks, f"must be in 1..{MAX_BLOCKS}")
        stages = min(STAGES, blocks) if stages is None else stages
        if not 1 <= stages <= blocks:
            raise InputError("space option stages", stages, f"must be in 1..{blocks}, the number of blocks")
        self.operations = _read_operations(operations)
        self.blocks, self.stages = blocks, stages
        self.names = tuple(operation.name for operation in self.operations)
        joined = "+".join(self.names)
        options = [f"blocks={blocks}"] * (blocks != 6) + [f"stages={stages}"] * (stages != STAGES)
        options += [f"operations={joined}"] * (joined != OPERATIONS)
        self.name = ":".join(["insta", *([",".join(options)] if options else [])])
        each, longer = divmod(blocks, stages)
        self.stage_of = tuple(stage for stage in range(stages) for _ in range(each + (stage < longer)))
        """The stage of each block, from 0 on."""
        self.skippable = tuple(
            block == 0 or self.stage_of[block - 1] == stage for block, stage in enumerate(self.stage_of)
        )
        """For each block whether it keeps the map's shape, so that all of its operations may be off."""
        self.tokens_per_step = len(self.operations)
        self.positions = tuple(
            Position(f"{block + 1}/{name}", ("off", "on"), name) for block in range(blocks) for name in self.names
        )

    def __reduce__(self) -> tuple[type[InstaSpace], tuple[int, int, str]]:
        return type(self), (self.blocks, self.stages, "+".join(self.names))

    @classmethod
    def claims(cls, text: str) -> InstaSpace | None:
        """The space that an architecture's text belongs to, if it reads like one of this family.

        Operations that are nowhere active do not show: the default ones are taken if they are enough, else those in the
        text.
        """
        if not text.startswith(PREFIX):
            return None
        body = text.removeprefix(PREFIX)
        blocks = min(len(re.findall("[,/]", body)) + 1, MAX_BLOCKS)
        named = {word for word in re.split("[+,/]", body) if _NAME.fullmatch(word)}
        operations = OPERATIONS if named <= set(OPERATIONS.split("+")) else "+".join(sorted(named))
        return cls(blocks, min(body.count("/") + 1, blocks), operations)

    # Validity.

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Off and on; only on for the last operation of a block that cannot be skipped, if all before it are off."""
        block, at = divmod(len(prefix), self.tokens_per_step)
        last = at == self.tokens_per_step - 1
        return (1,) if last and not self.skippable[block] and not any(prefix[len(prefix) - at :]) else (0, 1)

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid choices after each of many prefixes; see ``SearchSpace.choice_mask``."""
        mask = self._free_choice_mask(prefixes)
        block, at = divmod(prefixes.shape[1], self.tokens_per_step)
        if at == self.tokens_per_step - 1 and not self.skippable[block]:
            mask[:, 0] = prefixes[:, prefixes.shape[1] - at :].any(axis=1)
        return mask

    @property
    def size(self) -> int:
        """``prod_b (2^operations - [block b cannot be skipped])``."""
        return math.prod(2**self.tokens_per_step - (not skippable) for skippable in self.skippable)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """For each block one of its allowed subsets, uniformly; hence sequences uniform."""
        least = [int(not skippable) for skippable in self.skippable]
        subsets = rng.integers(least, 2**self.tokens_per_step)
        bits = subsets[:, None] >> np.arange(self.tokens_per_step) & 1
        return self._trusted(bits.flatten().tolist())

    # Change.

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One operation of one block more or less."""
        return (self._flipped(architecture, index) for index in self._flips(architecture))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random neighbour."""
        flips = self._flips(architecture)
        return self._flipped(architecture, flips[int(rng.integers(len(flips)))])

    def _flips(self, architecture: Architecture) -> list[int]:
        """Positions that may change; there are some, as the first block can be skipped."""
        needed = {
            block * self.tokens_per_step + active[0]
            for block, active in enumerate(self.active(architecture.tokens))
            if len(active) == 1 and not self.skippable[block]
        }
        return [index for index in range(len(self.positions)) if index not in needed]

    def _flipped(self, architecture: Architecture, index: int) -> Architecture:
        tokens = architecture.tokens
        return self._trusted((*tokens[:index], 1 - tokens[index], *tokens[index + 1 :]))

    # Meaning.

    def active(self, tokens: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """For each block the active ones of ``operations``, as indices, ascending."""
        width = self.tokens_per_step
        return tuple(
            tuple(index for index in range(width) if tokens[start + index]) for start in range(0, len(tokens), width)
        )

    def shapes(self, filters: int) -> tuple[BlockShape, ...]:
        """What each block does, after a stem of ``filters`` channels."""
        found, inputs = [], filters
        for stage, keeps in zip(self.stage_of, self.skippable, strict=True):
            outputs = filters * 2**stage
            found.append(BlockShape(inputs, outputs, 1 if keeps else 2))
            inputs = outputs
        return tuple(found)

    def graph(self, architecture: Architecture) -> Graph:
        """A chain of maps; between two an edge for each active operation, and one for the input where that is added."""
        inner = [Node(str(block), "network") for block in range(1, self.blocks)]
        nodes = (Node("in", "network", "input"), *inner, Node("out", "network", "output"))
        edges = [
            Edge(block, block + 1, label)
            for block, active in enumerate(self.active(architecture.tokens))
            for label in ([SKIP] * self.skippable[block] + [self.names[index] for index in active])
        ]
        return Graph(nodes, tuple(edges))

    # Text.

    def format(self, architecture: Architecture) -> str:
        """``insta:mb3e3+mb5e6,skip/mb3e1``: active operations, ``skip`` where there are none."""
        return write_blocks(self.active(architecture.tokens), self.names, self.stage_of)

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        blocks = read_blocks(text, self.names, self.stage_of, self.skippable)
        return self._trusted([int(index in active) for active in blocks for index in range(self.tokens_per_step)])


def _read_operations(text: str) -> tuple[InvertedResidual, ...]:
    """The operations that are named, in that order."""
    found = []
    for name in text.split("+"):
        match = _NAME.fullmatch(name.strip())
        if match is None:
            rule = "must be mbKeE with a kernel K of 3, 5, 7 and an expansion E in 1..12, joined by +"
            raise InputError("operation of insta", name.strip(), rule)
        found.append(InvertedResidual(int(match[1]), int(match[2])))
    if len(set(found)) != len(found):
        raise InputError("operations", text, "each operation may stand once")
    return tuple(found)
