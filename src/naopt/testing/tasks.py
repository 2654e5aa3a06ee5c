"""Conformance suite for tasks; the contract is in ``naopt.tasks.base``."""

from __future__ import annotations

import pickle
from itertools import combinations
from typing import cast

import numpy as np

from naopt.tasks.base import PARTS, Dataset, Limits, Part, Split, Task
from naopt.testing.suite import Suite

_LIMIT = 20


def check_task(task: Task, seed: int = 0) -> None:
    """Runs the whole suite on one task. Raises ``AssertionError`` that says what breaks which rule."""
    TaskSuite.check(task, seed)


class TaskSuite(Suite):
    """Checks of one task; a pytest class derived from it gives a fixture ``task``."""

    def test_splits_are_well_formed(self, task: Task) -> None:
        data = task.load()
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

    def test_splits_are_disjoint(self, task: Task) -> None:
        for data in (task.load(), task.load(Limits(_LIMIT, _LIMIT, _LIMIT))):
            images = {part: {image.tobytes() for image in split.images} for part, split in _splits(data).items()}
            for part, other in combinations(PARTS, 2):
                shared = images[part] & images[other]
                assert not shared, f"{len(shared)} images are both in {part} and in {other}"

    def test_loading_is_deterministic(self, task: Task) -> None:
        copy = cast(Task, pickle.loads(pickle.dumps(task)))  # noqa: S301 - just pickled
        np.random.seed(self.seed)  # noqa: NPY002 - the global state is what must not matter
        first, second = _splits(task.load()), _splits(copy.load())
        for part in PARTS:
            assert np.array_equal(first[part].images, second[part].images), f"{part}: other images when loaded again"
            assert np.array_equal(first[part].labels, second[part].labels), f"{part}: other labels when loaded again"

    def test_limits_hold(self, task: Task) -> None:
        whole = _splits(task.load())
        for limits in (Limits(_LIMIT, _LIMIT, _LIMIT), Limits(test=0), Limits(train=10**9)):
            for part, split in _splits(task.load(limits)).items():
                limit = limits.of(part)
                expected = len(whole[part]) if limit is None else min(limit, len(whole[part]))
                assert len(split) == expected, f"{limits}: {len(split)} images in {part}"

    def test_arrays_cannot_be_written_to(self, task: Task) -> None:
        for part, split in _splits(task.load(Limits(_LIMIT, _LIMIT, _LIMIT))).items():
            writeable = split.images.flags.writeable or split.labels.flags.writeable
            assert not writeable, f"{part}: a task's arrays must be read-only"


def _splits(data: Dataset) -> dict[Part, Split]:
    return {"train": data.train, "valid": data.valid, "test": data.test}
