"""Pages with blocks that run: ``console`` blocks (lines ``$ naopt ...``) and ``python`` blocks.

Blocks of another kind (``text``, ``toml``, ``sh``) are only shown. A page's blocks run in order, in one process and one
folder: Python blocks share their names, as in one interactive session.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from naopt.cli.app import run

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OUT_OF_SIGHT = "..."
"""A line that stands for output which a page leaves out."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block, and the number of the line in which its code begins."""

    kind: str
    code: str
    line: int


def blocks(text: str) -> list[Block]:
    """The blocks that run."""
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in _BLOCK.finditer(text)]


def commands(code: str) -> list[tuple[str, list[str]]]:
    """Commands of a console block, a backslash at the end of a line going on in the next, with the lines below each."""
    found: list[tuple[str, list[str]]] = []
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def first_word(line: str) -> str:
    """What a line is about: its first word, up to a colon or an equals sign; numbers are all alike."""
    return re.sub(r"\d+", "0", re.split(r"[\s:=]", line.strip())[0])


def run_command(command: str, shown: list[str], where: str) -> None:
    """Runs one command; every line that the page shows must begin like a line that is printed."""
    program, *arguments = shlex.split(command)
    if program != "naopt":
        raise AssertionError(f"{where}: {command}: only naopt runs here")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    print(f"$ {command}\n{out.getvalue()}{err.getvalue()}", flush=True)
    if code != 0:
        raise AssertionError(f"{where}: {command}: exit code {code}: {err.getvalue()}")
    printed = {first_word(line) for line in (out.getvalue() + err.getvalue()).splitlines() if line.strip()}
    for line in shown:
        if line.strip() != _OUT_OF_SIGHT and first_word(line) not in printed:
            raise AssertionError(f"{where}: {command} no longer prints a line like: {line}")


def run_page(path: Path) -> None:
    """Runs a page's blocks in the current folder. Raises what the first block that fails raises."""
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks(path.read_text(encoding="utf-8")):
        where = f"{path.name}, line {block.line}"
        if block.kind == "python":
            exec(compile("\n" * (block.line - 1) + block.code, str(path), "exec"), names)
            continue
        for command, shown in commands(block.code):
            run_command(command, shown, where)


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))
