"""Commands that the pages only show, because they take long or need data: names, options and settings exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run
from naopt.run.config import RunConfig
from tests.docs.pages import ROOT, pages

_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`((?:torchrun [^`]* )?naopt [^`]+)`")
_FILE = re.compile(r"^```toml\n# ([\w-]+\.toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(
    r"(?:torchrun .* )?naopt ((?:search .*--task (?!stripes)|train (?!-)|quality .*--table |zoo (?:list|show [a-z])).*)"
)
_FOLDERS = ("data/cifar10", "data/cifar100", "data/imagenet", "data/ptb", "data/wikitext2", "benchmarks")


class Reached(Exception):  # noqa: N818 - nothing is wrong
    """A command has understood everything, and would begin now."""


def shown_commands() -> Iterator[tuple[str, str]]:
    """Page and command, for every command that names all it needs."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        lines = [line for block in _SHELL.findall(text) for line in block.replace("\\\n", " ").splitlines()]
        for line in [*lines, *_SPAN.findall(text)]:
            command = _COMMAND.fullmatch(re.sub(r"\s+#.*", "", line).strip())
            if command and not re.search(r"\b[A-Z]{2,}\b|\bARCH|\.\.\.", command[1]):
                yield path.relative_to(ROOT).as_posix(), command[1]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data and files that pages name; whatever takes long ends where it would begin."""
    monkeypatch.chdir(tmp_path)
    for name in _FOLDERS:
        (tmp_path / name).mkdir(parents=True)
    for path in (ROOT / "benchmarks").glob("*.toml"):
        (tmp_path / "benchmarks" / path.name).write_bytes(path.read_bytes())
    for path in pages():
        for name, content in _FILE.findall(path.read_text(encoding="utf-8")):
            (tmp_path / name).write_text(content.replace('"cuda"', '"cpu"'), encoding="utf-8")
    (tmp_path / "my-text.txt").write_text("a b c\n" * 200, encoding="utf-8")

    def begin(*_: Any, **__: Any) -> None:
        raise Reached

    def start_run(_: Path, config: RunConfig) -> None:
        from naopt.run.setup import prepare

        prepare(config)
        raise Reached

    monkeypatch.setattr("naopt.run.start.new_run", start_run)
    monkeypatch.setattr("naopt.run.train.new_training", begin)
    monkeypatch.setattr("naopt.cli.quality._run", begin)


def arguments(command: str) -> list[str]:
    """A command's words, on the CPU; a cell of the zoo and its task in place of a directory."""
    words = shlex.split(re.sub(r"--device \S+|--set searcher.device=\S+", "", command))
    if words[0] == "train" and words[1].startswith("runs/"):
        text = re.search("ptb|text", words[1]) is not None
        words[1] = "naonet-recurrent" if text else "naonet-a"
        if "--task" not in words:
            words += ["--task", "ptb:data/ptb" if text else "cifar10:data/cifar10"]
    return words


COMMANDS = sorted(set(shown_commands()))


def test_the_tables_of_the_paper_have_commands() -> None:
    trained = [command for page, command in COMMANDS if page == "docs/paper.md" and command.startswith("train")]
    assert len(trained) > 20
    assert {task for command in trained for task in re.findall(r"--task (\w+)", command)} == {
        "cifar10",
        "cifar100",
        "images",
        "ptb",
        "wikitext2",
    }


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_shown_commands_would_run(page: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(command)
    if words[0] == "zoo":
        assert run(words) == 0, capsys.readouterr().err
        return
    with pytest.raises(Reached):
        raise AssertionError(f"{page}: {command}: exit code {run(words)}: {capsys.readouterr().err}")
