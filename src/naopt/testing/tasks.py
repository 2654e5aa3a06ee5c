"""Conformance suite for tasks, of images and of text; the contract is in ``naopt.tasks.base``."""

from __future__ import annotations

import pickle
from itertools import combinations
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from naopt.tasks.base import Corpus, Dataset, ImageTask, Limits, Split, Task, TextTask
from naopt.tasks.parts import PARTS, Part
from naopt.testing.suite import Suite

_LIMIT = 20
_FEW = Limits(_LIMIT, _LIMIT, _LIMIT)

Arrays = dict[Part, tuple[NDArray[Any], ...]]
"""What a part consists of: images and labels, or word indices."""


def check_task(task: Task, seed: int = 0) -> None:
    """Runs the whole suite on one task. Raises ``AssertionError`` that says what breaks which rule."""
    TaskSuite.check(task, seed)


class TaskSuite(Suite):
    """Checks of one task; a pytest class derived from it gives a fixture ``task``."""

    def test_data_are_of_the_tasks_kind(self, task: Task) -> None:
        assert isinstance(task, ImageTask | TextTask), "a task derives from ImageTask or TextTask"
        data, expected = task.load(_FEW), Dataset if isinstance(task, ImageTask) else Corpus
        assert isinstance(data, expected), f"load must give a {expected.__name__}, not a {type(data).__name__}"
        lines = isinstance(data.remarks, tuple) and all(isinstance(line, str) for line in data.remarks)
        assert lines, f"remarks must be a tuple of lines: {data.remarks!r}"

    def test_splits_are_well_formed(self, task: Task) -> None:
        data = task.load()
        if isinstance(data, Corpus):
            _check_corpus(data)
        else:
            _check_dataset(data)

    def test_splits_are_disjoint(self, task: Task) -> None:
        # Sentences may well stand in two parts; images may not.
        for data in (task.load(), task.load(_FEW)):
            if isinstance(data, Dataset):
                images = {part: {image.tobytes() for image in split.images} for part, split in _splits(data).items()}
                for part, other in combinations(PARTS, 2):
                    shared = images[part] & images[other]
                    assert not shared, f"{len(shared)} images are both in {part} and in {other}"

    def test_loading_is_deterministic(self, task: Task) -> None:
        copy = cast(Task, pickle.loads(pickle.dumps(task)))  # noqa: S301 - just pickled
        np.random.seed(self.seed)  # noqa: NPY002 - the global state is what must not matter
        data, again = task.load(), copy.load()
        assert _names(data) == _names(again), "other classes or words when loaded again"
        first, second = _arrays(data), _arrays(again)
        for part in PARTS:
            for name, one, other in zip(_CONTENTS[task.kind], first[part], second[part], strict=True):
                assert np.array_equal(one, other), f"{part}: other {name} when loaded again"

    def test_limits_hold(self, task: Task) -> None:
        data = task.load()
        whole = _arrays(data)
        for limits in (_FEW, Limits(test=0), Limits(train=10**9)):
            limited = task.load(limits)
            assert _names(limited) == _names(data), f"{limits}: other classes or words"
            for part, arrays in _arrays(limited).items():
                limit, contents = limits.of(part), _CONTENTS[task.kind][0]
                expected = len(whole[part][0]) if limit is None else min(limit, len(whole[part][0]))
                assert len(arrays[0]) == expected, f"{limits}: {len(arrays[0])} {contents} in {part}"
                if task.kind == "text":
                    beginning = whole[part][0][:expected]
                    assert np.array_equal(arrays[0], beginning), f"{limits}: {part} is not the beginning of the whole"

    def test_arrays_cannot_be_written_to(self, task: Task) -> None:
        for part, arrays in _arrays(task.load(_FEW)).items():
            writeable = any(array.flags.writeable for array in arrays)
            assert not writeable, f"{part}: a task's arrays must be read-only"


_CONTENTS = {"images": ("images", "labels"), "text": ("words",)}


def _splits(data: Dataset) -> dict[Part, Split]:
    return {"train": data.train, "valid": data.valid, "test": data.test}


def _arrays(data: Dataset | Corpus) -> Arrays:
    if isinstance(data, Corpus):
        return {part: (data.part(part),) for part in PARTS}
    return {part: (split.images, split.labels) for part, split in _splits(data).items()}


def _names(data: Dataset | Corpus) -> tuple[str, ...]:
    return data.words if isinstance(data, Corpus) else data.classes


def _check_dataset(data: Dataset) -> None:
    assert len(data.classes) > 1, "a task needs at least two classes"
    assert len(set(data.classes)) == len(data.classes), f"class names must differ: {data.classes}"
    shapes = set()
    for part, split in _splits(data).items():
        assert len(split), f"{part} is empty"
        assert split.images.dtype in (np.uint8, np.float32), f"{part}: images have type {split.images.dtype}"
        assert split.labels.dtype == np.int64, f"{part}: labels have type {split.labels.dtype}"
        assert np.isfinite(split.images.astype(np.float32)).all(), f"{part}: pixels must be finite"
        low, high = split.labels.min(), split.labels.max()
        assert 0 <= low <= high < len(data.classes), f"{part}: labels {low}..{high}, {len(data.classes)} classes"
        shapes.add(split.images.shape[1:])
    assert len(shapes) == 1, f"images must be of one shape, got {shapes}"
    absent = set(range(len(data.classes))) - set(data.train.labels.tolist())
    assert not absent, f"no training image of {[data.classes[label] for label in sorted(absent)]}"


def _check_corpus(data: Corpus) -> None:
    assert len(data.words) > 1, "a task needs at least two words"
    assert len(set(data.words)) == len(data.words), "words must differ"
    for part in PARTS:
        ids = data.part(part)
        assert len(ids), f"{part} is empty"
        low, high = ids.min(), ids.max()
        assert 0 <= low <= high < len(data.words), f"{part}: words {low}..{high}, vocabulary of {len(data.words)}"
    absent = {data.words[word] for word in set(range(len(data.words))) - set(data.train.tolist())} - {"<unk>"}
    assert not absent, f"words of the vocabulary are not in train: {sorted(absent)[:5]}"
