"""The parts that every task's data come in, and what their folders are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

PART_FOLDERS: Mapping[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""Usual names of folders that hold a part of the data, in small letters."""


def part_named(folder: str) -> Part | None:
    """The part that a folder's name stands for, in whatever case; ``None`` if it stands for none."""
    return PART_FOLDERS.get(folder.casefold())
