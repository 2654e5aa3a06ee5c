"""The documentation of Python's language, which comes along with Python: text without a download."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping

import numpy as np

from naopt.errors import InputError
from naopt.tasks.base import ALL, Corpus, Limits, TextTask, tasks
from naopt.tasks.parts import Part
from naopt.tasks.text import EOS, build_corpus

_TOKEN = re.compile(r"\d(?:[\w.]*\w)?|(?:[a-z]\.){2,}|[^\W\d]\w*(?:['-]\w+)*|\.\.\.|[^\w\s]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_HYPHEN = re.compile(r"(?<=\w)-\n\s*(?=\w)")
_MARKUP = str.maketrans({'"': " ", "*": " ", "\u201c": " ", "\u201d": " ", "\u2019": "'"})
_SHARES: Mapping[Part, float] = {"valid": 0.1, "test": 0.1}
_MINIMUM_COUNT = 2


@tasks.register("python-docs")
class PythonDocsTask(TextTask):
    """The reference of Python's language that ``help()`` shows (module ``pydoc_data.topics``): English prose.

    Some 50,000 tokens: lower case, words and punctuation, a sentence a line, numbers as ``N``; without tables, grammar,
    code and headings, and without paragraphs that stand in several topics. Whole topics are train (80 %), valid or
    test (10 % each), fixed. Words that training text has once read as ``<unk>``. The text is another in each release of
    Python, so figures are comparable within one release; a remark says which.
    """

    def load(self, limits: Limits = ALL) -> Corpus:
        """See ``Task.load``."""
        try:
            from pydoc_data.topics import topics
        except ImportError as error:
            raise InputError("task", "python-docs", "this Python comes without its module pydoc_data") from error
        words = share_out_topics(topics)
        remark = f"documentation of Python {platform.python_version()}"
        return build_corpus("python-docs", words, limits, minimum_count=_MINIMUM_COUNT, remarks=[remark])


def sentences(text: str) -> list[list[str]]:
    """Words and punctuation of each sentence of a paragraph; none if it is no prose."""
    text = " ".join(_HYPHEN.sub("-", text).translate(_MARKUP).split())
    found = [_TOKEN.findall(sentence) for sentence in _SENTENCE.split(text)]
    tokens = [token for sentence in found for token in sentence]
    letters = sum(token[0].isalpha() for token in tokens)
    # Headings, tables, code and grammar do not end like this, or have few words.
    if not text.endswith((".", ":", ".)")) or "::=" in text or letters < 0.5 * len(tokens):
        return []
    return [["N" if token[0].isdigit() else token.lower() for token in sentence] for sentence in found]


def share_out_topics(topics: Mapping[str, str]) -> dict[Part, list[str]]:
    """Topics (name to text) as words, a whole topic to one part."""
    seen: set[str] = set()
    texts: list[list[str]] = []
    for name in sorted(topics):
        words: list[str] = []
        for paragraph in re.split(r"\n\s*\n", topics[name]):
            if paragraph.strip() not in seen:
                seen.add(paragraph.strip())
                words += [word for sentence in sentences(paragraph) for word in (*sentence, EOS)]
        texts.append(words)
    total = sum(map(len, texts))
    parts: dict[Part, list[str]] = {"train": [], "valid": [], "test": []}
    # The legacy generator: its stream is frozen.
    for place in np.random.RandomState(0).permutation(len(texts)):
        chosen: Part = next((part for part, share in _SHARES.items() if len(parts[part]) < share * total), "train")
        parts[chosen] += texts[place]
    return parts
