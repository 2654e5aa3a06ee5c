"""Cells of NAS-Bench-101 as text: ``nasbench101:conv3x3@0,maxpool3x3@0+1,output@1+2``."""

from __future__ import annotations

import re

from naopt.errors import ArchitectureSyntaxError
from naopt.spaces.nasbench101_cells import INNER, OPERATIONS, Cell

PREFIX = "nasbench101:"
_NUMBER = re.compile(r"[0-9]+")
_WORD = re.compile(r"[a-z0-9]*")


def write_cell(cell: Cell) -> str:
    """A vertex a comma, its inputs after ``@``."""
    words = (*(OPERATIONS[kind - 1] for kind in cell.kinds), "output")
    masks = (*cell.inputs, cell.output)
    return PREFIX + ",".join(
        f"{word}@{'+'.join(str(u) for u in range(vertex) if mask >> u & 1)}"
        for vertex, (word, mask) in enumerate(zip(words, masks, strict=True), 1)
    )


def read_cell(text: str) -> Cell:
    """Inverse of ``write_cell``; space around the text is ignored.

    Raises:
        ArchitectureSyntaxError: says where. Whether vertices are too many or lead nowhere is not asked.
    """
    stripped = text.strip()
    at = 0

    def expect(word: str) -> None:
        nonlocal at
        if not stripped.startswith(word, at):
            raise ArchitectureSyntaxError(stripped, at, f"expected '{word}'")
        at += len(word)

    expect(PREFIX)
    masks: list[int] = []
    kinds: list[int] = []
    while len(masks) == len(kinds):
        if masks:
            expect(",")
        word = _WORD.match(stripped, at)
        name = word.group() if word else ""
        known = ("output",) if len(kinds) == INNER else (*OPERATIONS, "output")
        if name not in known:
            raise ArchitectureSyntaxError(stripped, at, f"expected {' or '.join(known)}, got '{name}'")
        at += len(name)
        expect("@")
        mask = 0
        while True:
            number = _NUMBER.match(stripped, at)
            source = int(number.group()) if number else -1
            if number is None or not mask.bit_length() <= source <= len(masks):
                low = mask.bit_length()
                raise ArchitectureSyntaxError(stripped, at, f"expected an input in {low}..{len(masks)}, ascending")
            mask, at = mask | 1 << source, number.end()
            if not stripped.startswith("+", at):
                break
            at += 1
        masks.append(mask)
        if name != "output":
            kinds.append(OPERATIONS.index(name) + 1)
    if at != len(stripped):
        raise ArchitectureSyntaxError(stripped, at, "expected the end")
    return Cell(tuple(masks[:-1]), tuple(kinds), masks[-1])
