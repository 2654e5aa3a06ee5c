"""What a supernet computes: an architecture, with its nodes numbered as the shared weights are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, final

from naopt.spaces import Architecture, Tokens

Numbering = Literal["canonical", "written"]
"""Which weights a node has: those of its number in the canonical form, so that architectures that are equal share all
of them however they are written; or those of its number as written (the programs of ENAS and NAO-WS)."""

_MAKER = object()


@final
@dataclass(frozen=True, slots=True)
class Path:
    """A path through a supernet, made by ``SharedWeights.path`` and by nothing else.

    Shared weights belong to numbers of nodes, and another spelling of an architecture has other numbers: trained under
    one and measured under another, it would be measured with weights that it was never trained with. So whatever
    trains, rewards, measures or inherits takes a path, never tokens.

    Attributes:
        tokens: what the supernet reads, one for each position of the space.
        numbering: by which they were found.
        architecture: with these tokens; ``child_state`` has the weights of its network.
    """

    tokens: Tokens
    numbering: Numbering
    architecture: Architecture = field(compare=False, repr=False)
    maker: object = field(compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.maker is not _MAKER:
            raise TypeError("paths are made by SharedWeights.path")


def path_of(architecture: Architecture, numbering: Numbering) -> Path:
    """What ``SharedWeights.path`` calls, and nothing else does."""
    tokens = architecture.identity if numbering == "canonical" else architecture.tokens
    return Path(tokens, numbering, Architecture(architecture.space, tokens, architecture.identity), _MAKER)
