"""From a space's tokens to one vocabulary, and which of its words may stand where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.spaces import SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.settings import LatentSettings

START = 0
"""The word before the first token."""


class Vocabulary:
    """One word for each (kind of position, choice name) of a space; word 0 starts every sequence.

    Attributes:
        words: ``(positions, most choices)`` word of each token; where a position has fewer choices, ``START``.
        allowed: ``(positions, size)`` whether a word may ever stand at a position.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        word_of: dict[tuple[str, str], int] = {}
        rows = [
            [word_of.setdefault((position.kind, choice), len(word_of) + 1) for choice in position.choices]
            for position in space.positions
        ]
        self.size = len(word_of) + 1
        self.length = len(rows)
        self.words = np.full((self.length, max(map(len, rows))), START, dtype=np.int64)
        self.allowed = np.zeros((self.length, self.size), dtype=np.bool_)
        for index, row in enumerate(rows):
            self.words[index, : len(row)] = row
            self.allowed[index, row] = True

    def encode(self, tokens: Sequence[Tokens] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Words ``(n, positions)`` of token sequences ``(n, positions)``."""
        array = np.asarray(tokens, dtype=np.int64).reshape(-1, self.length)
        encoded: NDArray[np.int64] = self.words[np.arange(self.length), array]
        return encoded

    def choice_words(self, position: int) -> NDArray[np.int64]:
        """Words of the choices at a position, in their order."""
        words: NDArray[np.int64] = self.words[position, : len(self.space.positions[position].choices)]
        return words


def tokens_per_step(vocabulary: Vocabulary, settings: LatentSettings) -> int:
    """Tokens that form one encoder step; 1 where the positions do not divide into such steps."""
    tokens = settings.tokens_per_step or vocabulary.space.tokens_per_step
    return 1 if vocabulary.length % tokens else tokens
