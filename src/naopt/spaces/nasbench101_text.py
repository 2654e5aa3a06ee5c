"""Cells of NAS-Bench-101 as text: ``nasbench101:conv3x3@0,maxpool3x3@0+1,output@1+2``."""

from __future__ import annotations

import re

from naopt.spaces.nasbench101_cells import INNER, OPERATIONS, Cell
from naopt.spaces.reading import Reader

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
    reader = Reader(text)
    reader.expect(PREFIX)
    masks: list[int] = []
    kinds: list[int] = []
    while len(masks) == len(kinds):
        if masks:
            reader.expect(",")
        word = _WORD.match(reader.text, reader.at)
        name = word.group() if word else ""
        known = ("output",) if len(kinds) == INNER else (*OPERATIONS, "output")
        if name not in known:
            raise reader.wrong(f"expected {' or '.join(known)}, got '{name}'")
        reader.at += len(name)
        reader.expect("@")
        mask = 0
        while True:
            number = _NUMBER.match(reader.text, reader.at)
            source = int(number.group()) if number else -1
            if number is None or not mask.bit_length() <= source <= len(masks):
                low = mask.bit_length()
                raise reader.wrong(f"expected an input in {low}..{len(masks)}, ascending")
            mask, reader.at = mask | 1 << source, number.end()
            if not reader.text.startswith("+", reader.at):
                break
            reader.at += 1
        masks.append(mask)
        if name != "output":
            kinds.append(OPERATIONS.index(name) + 1)
    reader.end("expected the end")
    return Cell(tuple(masks[:-1]), tuple(kinds), masks[-1])
