"""Blocks of a meta-graph as text: ``insta:mb3e3+mb5e6,skip/mb3e1``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from naopt.spaces.reading import Reader

PREFIX = "insta:"
SKIP = "skip"
_WORD = re.compile(r"[a-z0-9]*")


def write_blocks(blocks: Sequence[Sequence[int]], names: Sequence[str], stage_of: Sequence[int]) -> str:
    """A comma between blocks, a slash between stages, ``+`` between the operations that are active.

    Args:
        blocks: for each the indices of its active operations, ascending.
        names: of all operations.
        stage_of: the stage of each block.
    """
    words = ["+".join(names[index] for index in active) or SKIP for active in blocks]
    signs = ["", *("," if before == stage else "/" for before, stage in pairwise(stage_of))]
    return PREFIX + "".join(sign + word for sign, word in zip(signs, words, strict=True))


def read_blocks(
    text: str, names: Sequence[str], stage_of: Sequence[int], skippable: Sequence[bool]
) -> list[tuple[int, ...]]:
    """Inverse of ``write_blocks``; space around the text is ignored.

    Args:
        text: of as many blocks as there are.
        names: of all operations.
        stage_of: the stage of each block.
        skippable: whether each block may be ``skip``.

    Raises:
        ArchitectureSyntaxError: says where.
    """
    reader = Reader(text)
    reader.expect(PREFIX)
    blocks = []
    for block, stage in enumerate(stage_of):
        if block:
            reader.expect("," if stage_of[block - 1] == stage else "/")
        active: list[int] = []
        while True:
            match = _WORD.match(reader.text, reader.at)
            word = match.group() if match else ""
            known = names[active[-1] + 1 :] if active else [*names, *[SKIP] * skippable[block]]
            if word not in known:
                rule = f"expected one of {', '.join(known)} in block {block + 1}, got '{word}'"
                raise reader.wrong(rule)
            reader.at += len(word)
            if word == SKIP:
                break
            active.append(names.index(word))
            if active[-1] == len(names) - 1 or not reader.text.startswith("+", reader.at):
                break
            reader.at += 1
        blocks.append(tuple(active))
    reader.end(f"expected the end ({len(stage_of)} blocks)")
    return blocks
