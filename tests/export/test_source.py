from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt import zoo
from naopt._version import __version__
from naopt.export import NetworkFacts
from naopt.export.pytorch import write_source
from naopt.export.source import assignment, concatenation, fold, quote, write_file
from naopt.spaces import parse_architecture
from tests.export.examples import CELL, EDGES, instance, language, subject

GOLDEN = Path(__file__).with_name("golden.py")
LONG = "conv1x7-7x1@0+conv1x7-7x1@1"


def text_of(architecture: str, **options: object) -> str:
    found = subject(architecture, **options)  # type: ignore[arg-type]
    return written(found.facts)


def written(facts: NetworkFacts) -> str:
    return write_file(write_source(facts.space, facts), facts, "golden.safetensors")


def test_golden_file() -> None:
    """Run this module to write the file anew; ruff and mypy check it as they check all tests."""
    text = text_of(CELL, task="digits", test_accuracy=97.26).replace(f"naopt {__version__}", "naopt VERSION")
    assert GOLDEN.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text",
    [
        text_of(zoo.get("naonet-a").text),
        text_of(zoo.get("naonet-ws").text, per_image=True, head_relu=False),
        text_of(zoo.get("naonet-a").text, skeleton="imagenet", calibrate_newer="twice"),
        text_of(EDGES, classes=tuple(f"class number {index}" for index in range(20))),
        text_of("insta:mb3e1+mb3e6,skip/mb5e3", classes=("one",)),
        written(instance().facts),
        written(instance(stages=1, per_image=True, fuses=False).facts),
        written(instance(classifies=False).facts),
        text_of(f"normal:{','.join([LONG] * 16)}/reduction:{','.join([LONG] * 16)}"),
        written(language(zoo.get("naonet-recurrent").text, task="ptb", test_perplexity=56.0).facts),
        written(language("recurrent:identity@0", equation="paper").facts),
        written(language("recurrent:" + ",".join(["relu@0"] * 40)).facts),
        written(language("baseline:lstm").facts),
        written(language("baseline:gru").facts),
    ],
    ids=[
        "naonet-a",
        "naonet-ws",
        "imagenet",
        "nasbench201",
        "insta",
        "instance",
        "instance-skips",
        "instance-paper",
        "wide",
        "recurrent",
        "paper",
        "many-nodes",
        "lstm",
        "gru",
    ],
)
@pytest.mark.parametrize("width", [88, 120])
def test_linter_and_formatter_have_no_wish(tmp_path: Path, text: str, width: int) -> None:
    path = tmp_path / "network.py"
    path.write_text(text, encoding="utf-8")
    rules = "--select=A,B,C4,D1,E,F,I,N,PERF,PIE,PTH,RET,RUF,S,SIM,UP,W"
    ignored = "--ignore=D105,D107,N812,RUF002"
    for command in (["check", rules, ignored], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", f"--line-length={width}", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@given(st.text())
def test_quoted_strings_are_themselves(text: str) -> None:
    literal = quote(text)
    assert ast.literal_eval(literal) == text
    assert literal[0] == ("'" if text.count('"') > text.count("'") else '"')


@given(st.lists(st.text("ab", min_size=1, max_size=30)))
def test_constants_are_their_values(values: list[str]) -> None:
    names: dict[str, tuple[str, ...]] = {}
    line = assignment("NAMES", [quote(value) for value in values], "a comment")
    exec(line, names)
    assert names["NAMES"] == tuple(values)
    assert all(len(each) <= 88 for each in line.splitlines())


@pytest.mark.parametrize("architecture", [CELL, EDGES, zoo.get("naonet-a").text])
def test_folded_text_is_the_text(architecture: str) -> None:
    lines = fold(architecture)
    assert "".join(lines) == architecture
    assert all(len(line) <= 84 for line in lines)
    space, _ = parse_architecture(architecture)
    assert space.format(space.parse("".join(lines))) == architecture


def test_concatenations() -> None:
    assert concatenation(["s3"]) == ["return s3"]
    assert concatenation(["s2", "s3"]) == ["return torch.cat((s2, s3), 1)"]
    long = concatenation([f"s{index}" for index in range(2, 18)])
    assert (
        ast.unparse(ast.parse("\n".join(long))) == f"return torch.cat(({', '.join(f's{i}' for i in range(2, 18))}), 1)"
    )


if __name__ == "__main__":
    text = text_of(CELL, task="digits", test_accuracy=97.26)
    GOLDEN.write_text(text.replace(f"naopt {__version__}", "naopt VERSION"), encoding="utf-8")
