"""Tasks: labelled images, split once and for all, and the recipe to train on them. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.registry import Registry

tasks: Registry[type[Task]] = Registry("task", "naopt.tasks")

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True)
class Split:
    """Images ``(n, c, h, w)``, uint8 or float32, and their class indices ``(n,)``; the arrays cannot be written to."""

    images: NDArray[np.generic]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.labels.shape != self.images.shape[:1]:
            raise InputError("images", str(self.images.shape), f"must be (n, c, h, w), with labels {self.labels.shape}")
        self.images.setflags(write=False)
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a task loads: three splits that have no image in common, the class names, and remarks on what was done."""

    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many images of each part to load at most, stratified by class; ``None`` loads all, 0 none."""

    train: int | None = None
    valid: int | None = None
    test: int | None = None

    def of(self, part: Part) -> int | None:
        """The limit of one part."""
        limit: int | None = getattr(self, part)
        return limit


ALL = Limits()
"""No limits."""


class Task(ABC):
    """Images to classify.

    Contract. A task is cheap to make and to pickle; ``load`` reads the data. What it reads, and how it splits, depends
    on nothing but the source and the limits: not on a run's seed, not on the order of a folder's entries.

    Args:
        source: what stands after the colon of ``NAME:SOURCE``; empty for a task that takes none.

    Attributes:
        recipe: settings of training (see ``naopt.networks.settings.TrainingSettings``) that suit a search on the task.
        takes_source: whether the task needs a source.
    """

    recipe: ClassVar[Mapping[str, object]] = {}
    takes_source: ClassVar[bool] = False

    def __init__(self, source: str = "") -> None:
        self.source = source

    @abstractmethod
    def load(self, limits: Limits = ALL) -> Dataset:
        """Reads and splits the images. Raises ``InputError``, one line, for data that cannot be used."""


def create_task(spec: str) -> Task:
    """A task from ``NAME`` or ``NAME:SOURCE`` (``digits``, ``images:PATH``, ``cifar10:PATH``).

    Raises:
        InputError: unknown name (with the nearest one), a missing or superfluous source, or one that does not exist.
    """
    name, colon, source = spec.partition(":")
    cls = tasks.get(name)
    if cls.takes_source and not source:
        raise InputError("task", spec, f"needs a source; write {name}:PATH")
    if colon and not cls.takes_source:
        raise InputError("task", spec, f"takes no source; write {name}")
    return cls(source)


def stratified_parts(
    labels: Sequence[int] | NDArray[np.int64], sizes: Sequence[int], seed: int = 0
) -> list[NDArray[np.int64]]:
    """Shares indices out over parts so that each has its share of every class, up to one image a class.

    Args:
        labels: ``(n,)`` class indices.
        sizes: number of indices in each part; together at most ``n``.
        seed: of the shuffle, which is the same on every machine and with every release of numpy.

    Returns:
        One ascending array of indices for each size.
    """
    count = len(labels)
    sizes = [*sizes, count - sum(sizes)]
    if sizes[-1] < 0:
        raise ValueError(f"parts of {sum(sizes[:-1])} from {count}")
    # The legacy generator: its stream is frozen, and a split must not change with a library's release.
    order = np.random.RandomState(seed).permutation(count)
    order = order[np.argsort(np.asarray(labels)[order], kind="stable")]
    place = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    part = np.repeat(np.arange(len(sizes)), sizes)[np.argsort(place, kind="stable")]
    return [np.sort(order[part == index]) for index in range(len(sizes) - 1)]
