"""Corpora from text files, against a naive reading of them and against the published counts."""

import os
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import InputError
from naopt.tasks import AnyTextTask, Corpus, Limits, create_text_task
from naopt.tasks.parts import PARTS, Part
from naopt.tasks.text import EOS, UNKNOWN, build_corpus, split_words
from naopt.testing import check_task

VOCABULARY = [f"w{number}" for number in range(20)]


def lines_of(count: int, seed: int, words: list[str] = VOCABULARY) -> str:
    rng = np.random.default_rng(seed)
    return "".join(" ".join(rng.choice(words, rng.integers(1, 9))) + "\n" for _ in range(count))


def write_parts(folder: Path, pattern: str = "{}.txt", count: int = 60) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, part in enumerate(PARTS):
        (folder / pattern.format(part)).write_text(lines_of(count, seed), encoding="utf-8")
    return folder


def read_back(corpus: Corpus, part: Part) -> list[str]:
    return [corpus.words[index] for index in corpus.part(part)]


def naive_tokens(text: str) -> list[str]:
    """One word after the other, as the programs of the field read these files."""
    found: list[str] = []
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        found += [*line.split(), EOS]
    return found


@given(st.text(alphabet="ab \t\n\r", min_size=1))
def test_words_are_those_of_a_naive_reader(text: str) -> None:
    assert split_words(text) == naive_tokens(text)


words_strategy = st.lists(st.sampled_from("abcdefgh"), min_size=100, max_size=140)


@given(words_strategy, words_strategy, st.integers(1, 30), st.integers(2, 9), st.booleans())
def test_vocabulary_and_indices_are_those_of_a_naive_reader(
    train: list[str], other: list[str], minimum: int, maximum: int, prepared: bool
) -> None:
    train = [*train, "a", "a", "b", EOS, *([UNKNOWN] if prepared else [])]
    counts = Counter(train)
    allowed = [word for word in counts if word not in (EOS, UNKNOWN) and counts[word] >= minimum]
    order = list(dict.fromkeys(train))
    allowed.sort(key=lambda word: (-counts[word], order.index(word)))
    kept = set(order) if prepared else {EOS, *allowed[:maximum]}
    expected = [word for word in order if word in kept]
    words: dict[Part, list[str]] = {"train": train, "valid": other, "test": other[::-1]}
    if len(set(expected) - {EOS, UNKNOWN}) < 2:
        with pytest.raises(InputError, match="at least two are needed"):
            build_corpus("text", words, minimum_count=minimum, maximum_words=maximum)
        return
    corpus = build_corpus("text", words, minimum_count=minimum, maximum_words=maximum)
    strange = any(word not in kept for word in (*train, *other))
    assert list(corpus.words) == expected + [UNKNOWN] * (strange and UNKNOWN not in expected)
    for part in PARTS:
        assert read_back(corpus, part) == [word if word in kept else UNKNOWN for word in words[part]]
    said = any(remark.startswith("<unk> stands for") for remark in corpus.remarks)
    assert said == (strange and not prepared)


@pytest.mark.parametrize("pattern", ["ptb.{}.txt", "wiki.{}.tokens", "{}.txt"])
@pytest.mark.parametrize("name", ["ptb", "wikitext2", "text"])
def test_three_files_of_any_name(tmp_path: Path, name: str, pattern: str) -> None:
    folder = write_parts(tmp_path / "text", pattern)
    corpus = create_text_task(f"{name}:{folder}").load()
    for part in PARTS:
        assert read_back(corpus, part) == naive_tokens((folder / pattern.format(part)).read_text(encoding="utf-8"))
    assert " ".join(corpus.remarks).startswith("not the published text: ") == (name != "text")


def test_the_official_archive_is_read_in_place(tmp_path: Path) -> None:
    write_parts(tmp_path / "simple-examples" / "data", "ptb.{}.txt")
    (tmp_path / "simple-examples" / "data" / "ptb.char.train.txt").write_text("c h\n", encoding="utf-8")
    (tmp_path / "simple-examples" / "rnnlm").mkdir()
    (tmp_path / "simple-examples" / "rnnlm" / "train.txt").write_text("other\n", encoding="utf-8")
    archive = tmp_path / "simple-examples.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "simple-examples", arcname="./simple-examples")
    sources = [archive, tmp_path / "simple-examples", tmp_path / "simple-examples" / "data"]
    first, *others = (create_text_task(f"ptb:{source}").load() for source in sources)
    assert all(other.words == first.words for other in others)
    assert all(np.array_equal(other.part(part), first.part(part)) for other in others for part in PARTS)


def test_a_single_file_is_cut_between_lines(tmp_path: Path) -> None:
    lines = [f"common words {index} and {index % 7}" for index in range(400)]
    path = tmp_path / "book.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    corpus = create_text_task(f"text:{path}").load()
    for part, kept in (("train", lines[:360]), ("valid", lines[360:380]), ("test", lines[380:])):
        expected = [
            word if word == EOS or not word.isdigit() or int(word) < 7 else UNKNOWN
            for word in naive_tokens("\n".join(kept))
        ]
        assert read_back(corpus, part) == expected  # type: ignore[arg-type]
    assert corpus.remarks[0] == "<unk> stands for 16.3 % of train, 16.7 % of valid, 16.7 % of test"


def test_windows_files_are_read_alike(tmp_path: Path) -> None:
    text = lines_of(600, 0)
    (tmp_path / "unix.txt").write_bytes(text.encode())
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    unix, windows = (create_text_task(f"text:{tmp_path / name}.txt").load() for name in ("unix", "windows"))
    assert unix.words == windows.words
    assert np.array_equal(unix.train, windows.train)


def test_limits_are_prefixes_with_the_same_vocabulary(tmp_path: Path) -> None:
    task = create_text_task(f"text:{write_parts(tmp_path)}")
    whole, some = task.load(), task.load(Limits(50, 0, 10**6))
    assert some.words == whole.words
    assert some.train.tolist() == whole.train[:50].tolist()
    assert len(some.valid) == 0
    assert some.test.tolist() == whole.test.tolist()
    assert not some.train.flags.writeable


def test_limits_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnyTextTask, "maximum_words", 5)
    assert len(create_text_task(f"text:{write_parts(tmp_path)}").load().words) == 7


# What cannot be used.


def broken_missing(folder: Path) -> str:
    return f"text:{folder}/nowhere"


def broken_no_text(folder: Path) -> str:
    (folder / "empty").mkdir()
    return f"text:{folder}/empty"


def broken_no_valid(folder: Path) -> str:
    (folder / "valid.txt").unlink()
    return f"ptb:{folder}"


def broken_ptb_file(folder: Path) -> str:
    return f"ptb:{folder}/train.txt"


def broken_encoding(folder: Path) -> str:
    (folder / "test.txt").write_bytes("so far so good\nfaçade".encode("latin-1"))
    return f"text:{folder}"


def broken_encoding_after_mark(folder: Path) -> str:
    (folder / "test.txt").write_bytes(b"\xef\xbb\xbfab\n\xff")
    return f"text:{folder}"


def broken_binary(folder: Path) -> str:
    (folder / "train.txt").write_bytes("é\n".encode() + bytes(100))
    return f"text:{folder}"


def broken_empty(folder: Path) -> str:
    (folder / "valid.txt").write_text(" \n \n", encoding="utf-8")
    return f"wikitext2:{folder}"


def broken_one_line(folder: Path) -> str:
    (folder / "train.txt").write_text("endless " * 1000 + "\n", encoding="utf-8")
    return f"text:{folder}"


def broken_one_line_file(folder: Path) -> str:
    (folder / "endless.txt").write_text("endless words " * 1000, encoding="utf-8")
    return f"text:{folder}/endless.txt"


def broken_old_mac(folder: Path) -> str:
    (folder / "mac.txt").write_bytes(b"some words\r" * 1000)
    return f"text:{folder}/mac.txt"


def broken_few_lines(folder: Path) -> str:
    (folder / "short.txt").write_text("some words\n" * 19, encoding="utf-8")
    return f"text:{folder}/short.txt"


def broken_one_word(folder: Path) -> str:
    (folder / "train.txt").write_text("word\n" * 100, encoding="utf-8")
    return f"ptb:{folder}"


def broken_rare_words(folder: Path) -> str:
    (folder / "train.txt").write_text("".join(f"a{i} b{i}\n" for i in range(100)), encoding="utf-8")
    return f"text:{folder}"


def broken_short_part(folder: Path) -> str:
    (folder / "test.txt").write_text("a few\nwords\n", encoding="utf-8")
    return f"text:{folder}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken_missing, r"nowhere': does not exist"),
        (
            broken_no_text,
            r"empty': has no text: expected ptb.train.txt or .* or train.txt, and the same",
        ),
        (broken_no_valid, r"has train.txt, but no valid.txt"),
        (broken_ptb_file, r"train.txt': is neither a folder nor an archive"),
        (broken_encoding, r"test.txt': is not UTF-8 text: byte 0xe7 at position 17"),
        (broken_encoding_after_mark, r"byte 0xff at position 6"),
        (broken_binary, r"train.txt': is not text: byte 0x00 at position 3"),
        (broken_empty, r"valid.txt': is empty"),
        (broken_one_line, r"train.txt': is one line; expected are lines"),
        (broken_one_line_file, r"endless.txt': is one line"),
        (broken_old_mac, r"mac.txt': is one line"),
        (broken_few_lines, r"short.txt': has 19 lines; 20 are needed"),
        (broken_one_word, r"train has 1 words \('word'\); at least two"),
        (broken_rare_words, r"train has 0 words that occur 2 times; at least two"),
        (broken_short_part, r"test has 5 words, ends of line included; at least 100"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_text_that_cannot_be_used(tmp_path: Path, make: Callable[[Path], str], message: str) -> None:
    spec = make(write_parts(tmp_path / "text"))
    with pytest.raises(InputError, match=message) as error:
        create_text_task(spec).load()
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.txt"
    path.write_text(lines_of(50, 0), encoding="utf-8")
    task = create_text_task(f"text:{path}")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(InputError, match=r"text.txt': Permission denied"):
            task.load()
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        task.load()


def test_text_keeps_the_contract(tmp_path: Path) -> None:
    check_task(create_text_task(f"ptb:{write_parts(tmp_path)}"))
    (tmp_path / "all.txt").write_text(lines_of(1000, 0), encoding="utf-8")
    check_task(create_text_task(f"text:{tmp_path}/all.txt"))


@pytest.mark.parametrize(("name", "sizes"), [
    ("ptb", (929_589, 73_760, 82_430, 10_000)),
    ("wikitext2", (2_088_628, 217_646, 245_569, 33_278)),
])  # fmt: skip
def test_published_counts(name: str, sizes: tuple[int, ...]) -> None:
    folder = os.environ.get("NAOPT_DATA")
    if not folder:
        pytest.skip(f"NAOPT_DATA is not set: the folder with {name}/")
    corpus = create_text_task(f"{name}:{folder}/{name}").load()
    assert (*(len(corpus.part(part)) for part in PARTS), len(corpus.words)) == sizes
    assert corpus.remarks == ()
    assert create_text_task(f"text:{folder}/{name}").load(Limits(10, 10, 10)).words == corpus.words
