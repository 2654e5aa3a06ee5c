"""Tasks: images or text, split once and for all, and the recipe to train on them. Imports no torch."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from naopt.errors import InputError, UnknownNameError
from naopt.registry import Registry
from naopt.tasks.options import ImageOptions
from naopt.tasks.parts import PARTS, Part
from naopt.tasks.resizing import resize

if TYPE_CHECKING:
    from naopt.tasks.image_files import FileSplits

tasks: Registry[type[Task]] = Registry("task", "naopt.tasks")


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
    """What a task loads: three splits that have no image in common, the class names, and remarks on what was done.

    The remarks are for whoever owns the data, a line each.
    """

    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def resized(self, side: int) -> Dataset:
        """The same with square images of ``side`` pixels: see ``naopt.tasks.resizing.resize``."""
        if self.train.images.shape[2:] == (side, side):
            return self
        parts = (Split(resize(split.images, side), split.labels) for split in (self.train, self.valid, self.test))
        train, valid, test = parts
        return Dataset(train, valid, test, self.classes, self.remarks)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Text as word indices, in three parts; the arrays cannot be written to.

    Attributes:
        train: ``(n,)`` int32, in reading order, as are ``valid`` and ``test``.
        valid: what settings are chosen by.
        test: what the final perplexity is measured on.
        words: the vocabulary; a word's place is its index.
        remarks: on what was done, a line each.
    """

    train: NDArray[np.int32]
    valid: NDArray[np.int32]
    test: NDArray[np.int32]
    words: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in PARTS:
            ids = self.part(part)
            if ids.ndim != 1 or ids.dtype != np.int32:
                raise InputError(part, f"{ids.dtype} {ids.shape}", "must be int32 word indices (n,)")
            ids.setflags(write=False)

    def part(self, part: Part) -> NDArray[np.int32]:
        """The word indices of one part."""
        ids: NDArray[np.int32] = getattr(self, part)
        return ids


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each part to load at most: images, stratified by class, or tokens, from the part's beginning.

    ``None`` loads all, 0 none.
    """

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
    """Something to train on; derive from ``ImageTask`` or ``TextTask``.

    Contract. A task is cheap to make and to pickle; ``load`` reads the data. What it reads, and how it splits, depends
    on nothing but the source and the limits: not on a run's seed, not on the order of a folder's entries.

    Args:
        source: what stands after the colon of ``NAME:SOURCE``; empty for a task that takes none. ``~`` is the home
            directory.

    Attributes:
        kind: what ``load`` gives: ``images`` (a ``Dataset``) or ``text`` (a ``Corpus``).
        recipe: settings of training that suit a search on the task.
        takes_source: whether the task needs a source.
    """

    kind: ClassVar[Literal["images", "text"]]
    recipe: ClassVar[Mapping[str, object]] = {}
    takes_source: ClassVar[bool] = False

    def __init__(self, source: str = "") -> None:
        self.source = _expanded(source)

    @abstractmethod
    def load(self, limits: Limits = ALL) -> Dataset | Corpus:
        """Reads and splits the data. Raises ``InputError``, one line, for data that cannot be used."""


class ImageTask(Task):
    """Images to classify. ``recipe`` holds settings of ``naopt.training.settings.TrainingSettings``."""

    kind = "images"

    @abstractmethod
    def load(self, limits: Limits = ALL) -> Dataset:
        """See ``Task.load``. The parts have no image in common."""

    def with_options(self, options: ImageOptions) -> Self:
        """The same task, whose image files are read in another way, if it has any.

        ``load`` may leave ``options.side`` to ``Dataset.resized``.

        Raises:
            InputError: it has no image files, and the options say how to read them.
        """
        for name in ("alpha", "parts"):
            if getattr(options, name) != getattr(ImageOptions(), name):
                rule = "has a use only with images in files (images:PATH)"
                raise InputError(name, getattr(options, name), rule)
        return self

    def files(self, limits: Limits = ALL) -> FileSplits:  # noqa: ARG002
        """The splits of ``load`` as files, for data that do not fit in memory, if the task has files of images.

        Raises:
            InputError: it has none, or they cannot be used.
        """
        raise InputError("task", self.source or type(self).__name__, "has no image files that could be streamed")


class TextTask(Task):
    """Text whose next word is to be predicted. The vocabulary does not depend on the limits.

    ``recipe`` holds settings of ``naopt.networks.language_settings.LanguageSettings``. With this one a child of hidden
    size 64 takes about ten seconds of one core on PTB. It was chosen on validation text: many short chunks learn more
    in that time than few long ones (perplexity 430 against 700 with 64 chunks of 35 words side by side), and their
    gradients need a higher bound than the 0.25 of final training. Ten random cells had perplexities of 374 to 398.
    """

    kind = "text"
    recipe: ClassVar[Mapping[str, object]] = {
        "epochs": 1,
        "batch_size": 8,
        "chunk_length": 10,
        "random_length": False,
        "learning_rate": 20.0,
        "schedule": "cosine",
        "clip_norm": 0.5,
        "init_range": 0.1,
        "train_limit": 80_000,
        "valid_limit": 20_000,
    }

    @abstractmethod
    def load(self, limits: Limits = ALL) -> Corpus:
        """See ``Task.load``."""


def find_task(spec: str) -> tuple[type[Task], str]:
    """Class and source of ``NAME`` or ``NAME:SOURCE`` (``digits``, ``images:PATH``, ``ptb:PATH``).

    Raises:
        InputError: unknown name (with the nearest one), or a missing or superfluous source.
    """
    name, colon, source = spec.partition(":")
    try:
        cls = tasks.get(name)
    except UnknownNameError:
        path = Path(_expanded(spec))
        if not path.exists():
            raise
        ways = " or ".join(f"{known}:{spec}" for known in _ANY)
        raise InputError("task", spec, f"is a {'folder' if path.is_dir() else 'file'}; write {ways}") from None
    if cls.takes_source and not source:
        raise InputError("task", spec, f"needs a source; write {name}:PATH")
    if colon and not cls.takes_source:
        raise InputError("task", spec, f"takes no source; write {name}")
    return cls, source


_ANY = ("images", "text")
"""Tasks whose source may be anything of their kind."""


def create_task(spec: str) -> Task:
    """A task from ``NAME`` or ``NAME:SOURCE``. Raises ``InputError`` as ``find_task``, or for a source that is none."""
    cls, source = find_task(spec)
    return cls(source)


def located(spec: str) -> str:
    """A task's specification that names the same data in whatever folder it is used. Raises as ``find_task``."""
    _, source = find_task(spec)
    if not source:
        return spec
    return f"{spec.partition(':')[0]}:{Path(_expanded(source)).resolve()}"


def _expanded(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 - a path's own way raises where there is no home


def create_image_task(spec: str) -> ImageTask:
    """As ``create_task``; text is refused with an ``InputError``."""
    task = create_task(spec)
    if not isinstance(task, ImageTask):
        raise InputError("task", spec, f"is {task.kind}; a convolutional space needs images")
    return task


def create_text_task(spec: str) -> TextTask:
    """As ``create_task``; images are refused with an ``InputError``."""
    task = create_task(spec)
    if not isinstance(task, TextTask):
        raise InputError("task", spec, f"is {task.kind}; a recurrent space needs text")
    return task


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
