"""Text files as corpora: words by white space, ``<eos>`` at each end of line. Imports no torch."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import ClassVar

import numpy as np

from naopt.errors import InputError
from naopt.tasks.base import ALL, Corpus, Limits, TextTask, tasks
from naopt.tasks.parts import PARTS, Part
from naopt.tasks.sources import archive_kind, open_tree
from naopt.tasks.trees import Tree

EOS, UNKNOWN = "<eos>", "<unk>"
SHORTEST_PART = 100
"""Tokens below which a part is refused: shorter than a few steps of the smallest batch that is of use."""
MOSTLY = 0.5
"""Share of ``<unk>`` above which a part is warned of."""
_NAMES = ("ptb.{}.txt", "wiki.{}.tokens", "{}.txt")
_CUTS, _FEWEST_LINES = (0.9, 0.95), 20
"""Where a single file is cut into train, valid and test."""

Words = Mapping[Part, Sequence[str]]
"""Each part as words, ``<eos>`` included."""

Sizes = tuple[int, int, int, int]
"""Tokens of ``train``, ``valid`` and ``test``, and words."""


def read_text(path: str, data: bytes) -> str:
    """A file as text.

    Raises:
        InputError: not UTF-8, with the place of the first wrong byte; empty; or without an end of line between words.
    """
    skipped = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        text = data[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start + skipped
        raise InputError("file", path, f"is not UTF-8 text: byte 0x{data[at]:02x} at position {at}") from error
    if "\0" in text:
        at = data.index(b"\0")
        raise InputError("file", path, f"is not text: byte 0x00 at position {at}")
    stripped = text.strip()
    if not stripped:
        raise InputError("file", path, "is empty")
    if "\n" not in stripped:
        raise InputError("file", path, "is one line; expected are lines of a sentence or paragraph each")
    return text


def split_words(text: str) -> list[str]:
    """Words by white space, and ``<eos>`` for each end of line; the last line has one even if the file lacks it."""
    return (text if text.endswith("\n") else f"{text}\n").replace("\n", f" {EOS} ").split()


def build_corpus(
    source: str, words: Words, limits: Limits = ALL, *, minimum_count: int = 1, maximum_words: int | None = None,
    remarks: Sequence[str] = (),
) -> Corpus:  # fmt: skip
    """Turns words into indices; the vocabulary is that of the training part, in order of first appearance.

    Words that are not in the vocabulary read as ``<unk>``. If training text has that word itself, its vocabulary counts
    as chosen already, and neither bound applies.

    Args:
        source: for the error's text.
        words: the whole parts.
        limits: how many tokens of each part to keep; the vocabulary does not depend on it.
        minimum_count: how often a word has to occur in training text.
        maximum_words: keeps that many of the most frequent words, ``<eos>`` and ``<unk>`` left out.
        remarks: the corpus' first ones. Further ones say how much ``<unk>`` stands for, if this function put it there,
            and warn of a part that is mostly ``<unk>``.

    Raises:
        InputError: a part of fewer than 100 tokens, or fewer than two words in training text.
    """
    for part in PARTS:
        if len(words[part]) < SHORTEST_PART:
            size = f"{len(words[part])} words, ends of line included"
            raise InputError("text", source, f"{part} has {size}; at least {SHORTEST_PART} are needed")
    counts = Counter(words["train"])
    prepared = UNKNOWN in counts
    chosen = list(counts)
    if not prepared:
        frequent = [word for word, count in counts.most_common() if count >= minimum_count and word != EOS]
        kept = {EOS, *frequent[:maximum_words]}
        chosen = [word for word in chosen if word in kept]
    proper = [word for word in chosen if word not in (EOS, UNKNOWN)]
    if len(proper) < 2:
        often = f" that occur {minimum_count} times" if minimum_count > 1 and not prepared else ""
        named = f" ('{proper[0]}')" if proper else ""
        raise InputError("text", source, f"train has {len(proper)} words{often}{named}; at least two are needed")
    index = {word: place for place, word in enumerate(chosen)}
    if any(not index.keys() >= set(words[part]) for part in PARTS):
        index.setdefault(UNKNOWN, len(index))
    unknown = index.get(UNKNOWN, -1)
    whole = {part: np.fromiter(map(index.get, words[part], repeat(unknown)), np.int32) for part in PARTS}
    said = list(remarks)
    if unknown >= 0:
        shares = {part: float((ids == unknown).mean()) for part, ids in whole.items()}
        if not prepared:
            said.append(f"{UNKNOWN} stands for {', '.join(f'{100 * shares[part]:.1f} % of {part}' for part in shares)}")
        mostly = [part for part in PARTS if shares[part] > MOSTLY]
        if mostly:
            rule = f"more than half of {' and '.join(mostly)} is {UNKNOWN}"
            said.append(f"warning: {rule}; perplexity there says little: is the text of train of the same kind?")
    train, valid, test = (whole[part][: limits.of(part)].copy() for part in PARTS)
    return Corpus(train, valid, test, tuple(index), tuple(said))


def compare_sizes(words: Words, published: Sizes) -> str:
    """A remark on text that is not of the published sizes; empty if it is."""
    found = (len(words["train"]), len(words["valid"]), len(words["test"]), len(set(words["train"])))
    if found == published:
        return ""
    texts = ("{:,} / {:,} / {:,} tokens, {:,} words".format(*sizes) for sizes in (found, published))
    return "not the published text: {}; that has {}".format(*texts)


def find_parts(tree: Tree) -> dict[Part, str]:
    """Paths of the three files of a corpus, in the highest folder that has all three.

    Raises:
        InputError: there are none, or not all; says which is missing.
    """
    files = set(tree.entries()[0])
    folders = sorted({path.rpartition("/")[0] for path in files}, key=lambda folder: (folder.count("/"), folder))
    nearest: tuple[list[str], list[str]] = [], []
    for folder in folders:
        for pattern in _NAMES:
            paths = {part: f"{folder}/{pattern.format(part)}".lstrip("/") for part in PARTS}
            missing = [path for path in paths.values() if path not in files]
            if not missing:
                return paths
            there = [path for path in paths.values() if path in files]
            nearest = max(nearest, (there, missing), key=lambda found: len(found[0]))
    if nearest[0]:
        raise InputError("folder", tree.source, f"has {nearest[0][0]}, but no {nearest[1][0]}")
    names = " or ".join(pattern.format("train") for pattern in _NAMES)
    raise InputError("folder", tree.source, f"has no text: expected {names}, and the same for valid and test")


class FilesTask(TextTask):
    """Text in three files, in a folder or a tar archive.

    Their names are ``ptb.train.txt``, ``wiki.train.tokens`` or ``train.txt``, and alike for ``valid`` and ``test``.

    Attributes:
        minimum_count: see ``build_corpus``.
        maximum_words: see ``build_corpus``.
        published: tokens of ``train``, ``valid`` and ``test``, ends of line included, and words of a published corpus;
            a text of other sizes is remarked upon.
    """

    takes_source = True
    minimum_count: ClassVar[int] = 1
    maximum_words: ClassVar[int | None] = None
    published: ClassVar[Sizes | None] = None

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._check()

    def load(self, limits: Limits = ALL) -> Corpus:
        """See ``Task.load``."""
        words = self._words()
        remark = compare_sizes(words, self.published) if self.published else ""
        return build_corpus(
            self.source,
            words,
            limits,
            minimum_count=self.minimum_count,
            maximum_words=self.maximum_words,
            remarks=[remark] if remark else [],
        )

    def _check(self) -> None:
        open_tree(self.source)

    def _words(self) -> Words:
        tree = open_tree(self.source)
        paths = find_parts(tree)
        contents = dict(tree.read(paths.values()))
        return {part: split_words(read_text(f"{self.source}/{path}", contents[path])) for part, path in paths.items()}


@tasks.register("ptb")
class PennTreebankTask(FilesTask):
    """Penn Treebank, word level, Mikolov's split: ``ptb:PATH`` with the three files or ``simple-examples.tgz``."""

    published = (929_589, 73_760, 82_430, 10_000)


@tasks.register("wikitext2")
class WikiText2Task(FilesTask):
    """WikiText-2 (Merity et al. 2017): ``wikitext2:PATH`` with the three files, official or renamed."""

    published = (2_088_628, 217_646, 245_569, 33_278)


@tasks.register("text")
class AnyTextTask(FilesTask):
    """Your text: ``text:PATH``, a file, or a folder with ``train.txt``, ``valid.txt`` and ``test.txt``.

    A single file is cut between lines, in the order of the text: 90 % train, 5 % valid, 5 % test. Words stand between
    white space. Words that training text has once, and those beyond the 50,000 most frequent, read as ``<unk>``, unless
    the text has ``<unk>`` itself.
    """

    minimum_count = 2
    maximum_words = 50_000

    def _check(self) -> None:
        if not self._is_file():
            super()._check()

    def _is_file(self) -> bool:
        return Path(self.source).is_file() and archive_kind(self.source) is None

    def _words(self) -> Words:
        if not self._is_file():
            return super()._words()
        try:
            data = Path(self.source).read_bytes()
        except OSError as error:
            raise InputError("file", self.source, error.strerror or "cannot be read") from error
        lines = read_text(self.source, data).rstrip("\n").split("\n")
        if len(lines) < _FEWEST_LINES:
            raise InputError("file", self.source, f"has {len(lines)} lines; {_FEWEST_LINES} are needed to split it")
        first, second = (round(share * len(lines)) for share in _CUTS)
        cut: dict[Part, list[str]] = {"train": lines[:first], "valid": lines[first:second], "test": lines[second:]}
        return {part: split_words("\n".join(cut[part])) for part in PARTS}
