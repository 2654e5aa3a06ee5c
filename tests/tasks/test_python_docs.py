"""The documentation of Python as a corpus."""

import sys

import pytest

from naopt.errors import InputError
from naopt.tasks import create_text_task
from naopt.tasks.parts import PARTS
from naopt.tasks.python_docs import sentences, share_out_topics
from naopt.tasks.text import EOS, UNKNOWN
from naopt.testing import check_task


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('The "None" object, e.g. in\n   Python 3.11.  See *PEP 8*.',
         ["the none object , e.g. in python N .", "see pep N ."]),
        ("a comma-\nseparated list (of an object\u2019s):", ["a comma-separated list ( of an object's ) :"]),
        ("Values like 3+4j or 0x1f are really ...\nnumbers.", ["values like N + N or N are really ... numbers ."]),
        ("Heading\n*******", []),
        ('list_display ::= "[" [starred_list] "]" is grammar.', []),
        ("x = f(1, 2) + [3, 4][0] - 5.", []),
        ("", []),
    ],
)  # fmt: skip
def test_prose_is_tokenised_and_the_rest_left_out(text: str, expected: list[str]) -> None:
    assert [" ".join(sentence) for sentence in sentences(text)] == expected


def test_topics_are_whole_in_one_part_and_paragraphs_are_used_once() -> None:
    shared = "This paragraph stands in all topics of them."
    topics = {f"t{n:02}": f"Heading\n*******\n\n{shared}\n\nOnly topic w{n} has all these words." for n in range(40)}
    parts = share_out_topics(topics)
    words = {part: [word for word in parts[part] if word.startswith("w") and word[1:].isdigit()] for part in PARTS}
    assert sorted(word for found in words.values() for word in found) == sorted(f"w{n}" for n in range(40))
    assert [len(words[part]) for part in PARTS] == pytest.approx([32, 4, 4], abs=2)
    assert sum(part.count("paragraph") for part in parts.values()) == 1
    assert {name: parts[name] for name in PARTS} == share_out_topics(dict(reversed(topics.items())))


def test_the_real_documentation() -> None:
    task = create_text_task("python-docs")
    corpus = task.load()
    check_task(task)
    assert len(corpus.train) > 30_000
    assert min(len(corpus.valid), len(corpus.test)) > 4_000
    assert 1_000 < len(corpus.words) < 5_000
    assert {EOS, UNKNOWN, "the", "object", "N", "."} <= set(corpus.words)
    assert corpus.remarks[0].startswith("documentation of Python")
    assert (corpus.train == corpus.words.index(UNKNOWN)).mean() < 0.05


def test_a_python_without_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(InputError, match="comes without its module pydoc_data"):
        create_text_task("python-docs").load()
