"""The suite for tasks accepts what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.tasks import Corpus, Dataset, ImageTask, Limits, Split, Task, TextTask, create_task
from naopt.testing import check_task

Ids = NDArray[np.int32]


class Stripes(ImageTask):
    """A good task, of which each class below breaks one rule."""

    def load(self, limits: Limits = Limits()) -> Dataset:  # noqa: B008
        def split(start: int, limit: int | None) -> Split:
            images = np.arange(start, start + 30, dtype=np.float32).reshape(30, 1, 1, 1)[:limit]
            return Split(images.copy(), np.arange(30, dtype=np.int64)[:limit] % 3)

        return self.changed(split(0, limits.train), split(100, limits.valid), split(200, limits.test))

    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b", "c"))


class Leaking(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, train, test, ("a", "b", "c"))


class LabelsOutOfRange(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b"))


class AbsentClass(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b", "c", "d"))


class NotFinite(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(Split(np.full_like(train.images, np.nan), train.labels), valid, test, ("a", "b", "c"))


class Unlimited(Stripes):
    def load(self, limits: Limits = Limits()) -> Dataset:  # noqa: B008
        return super().load()


class Shuffled(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        order = np.random.default_rng().permutation(len(train))
        return Dataset(Split(train.images[order], train.labels[order]), valid, test, ("a", "b", "c"))


class OneRemark(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b", "c"), "stripes")  # type: ignore[arg-type]


class Counting(TextTask):
    """A good text, of which each class below breaks one rule."""

    def load(self, limits: Limits = Limits()) -> Corpus:  # noqa: B008
        ids = np.arange(60, dtype=np.int32) % 3
        return self.changed(ids[: limits.train].copy(), ids[: limits.valid].copy(), ids[: limits.test].copy())

    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test, ("a", "b", "c"))


class WordsOutOfRange(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test, ("a", "b"))


class AbsentWord(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test, ("a", "b", "c", "d"))


class EqualWords(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test, ("a", "b", "a"))


class OneWord(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train * 0, valid * 0, test * 0, ("a",))


class NoTest(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test[:0], ("a", "b", "c"))


class NotTheBeginning(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test[::-1].copy(), ("a", "b", "c"))


class WordsOfWhatWasRead(Counting):
    def changed(self, train: Ids, valid: Ids, test: Ids) -> Corpus:
        return Corpus(train, valid, test, ("a", "b", "c") if len(train) == 60 else ("a", "b", "other"))


class OfTheWrongKind(ImageTask):
    def load(self, limits: Limits = Limits()) -> Dataset:  # noqa: B008
        return Counting().load(limits)  # type: ignore[return-value]


class OfNoKind(Task):
    def load(self, limits: Limits = Limits()) -> Dataset:  # noqa: B008
        return Stripes().load(limits)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Leaking, "images are both in train and in valid"),
        (LabelsOutOfRange, r"train: labels 0..2, 2 classes"),
        (AbsentClass, r"no training image of \['d'\]"),
        (NotFinite, "train: pixels must be finite"),
        (Unlimited, "images in"),
        (OneRemark, "remarks must be a tuple of lines: 'stripes'"),
        (Shuffled, "other images when loaded again"),
        (WordsOutOfRange, r"train: words 0..2, vocabulary of 2"),
        (AbsentWord, r"words of the vocabulary are not in train: \['d'\]"),
        (EqualWords, "words must differ"),
        (OneWord, "at least two words"),
        (NoTest, "test is empty"),
        (NotTheBeginning, "test is not the beginning of the whole"),
        (WordsOfWhatWasRead, "other classes or words"),
        (OfTheWrongKind, "must give a Dataset, not a Corpus"),
        (OfNoKind, "derives from ImageTask or TextTask"),
    ],
)
def test_a_task_that_breaks_a_rule(task: type[Task], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_task(task())


def test_good_tasks() -> None:
    check_task(Stripes())
    check_task(Counting())
    check_task(create_task("digits"))
