"""Pages with blocks that run: ``console`` blocks (lines ``$ naopt ...``) and ``python`` blocks.

Blocks of another kind (``text``, ``toml``, ``sh``) are only shown. A page's blocks run in order and in one folder;
Python blocks share their names, as in one interactive session. ``python -m tests.docs.pages PAGE`` runs a page in an
empty folder and writes what its commands print under them, except where the page leaves output out (``...``).
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from naopt.cli.app import run

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LEFT_OUT = "..."
"""A line that stands for output that a page does not show."""
_MODULE = "page_of_the_documentation"


@dataclass(frozen=True, slots=True)
class Block:
    """One block, and the number of the line in which its code begins."""

    kind: str
    code: str
    line: int


def pages() -> list[Path]:
    """Every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The blocks that run."""
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in _BLOCK.finditer(text)]


def commands(code: str) -> list[tuple[str, list[str]]]:
    """Commands of a console block (a backslash joins lines), each with the lines of output below it."""
    found: list[tuple[str, list[str]]] = []
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def run_command(command: str, shown: list[str], where: str) -> str:
    """Runs one command; every line that the page shows must begin like a line that is printed.

    Returns:
        What it wrote on standard output.
    """
    program, *arguments = shlex.split(command)
    if program != "naopt":
        raise AssertionError(f"{where}: {command}: only naopt runs here")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    printed = out.getvalue() + err.getvalue()
    print(f"$ {command}\n{printed}")
    if code != 0:
        raise AssertionError(f"{where}: {command}: exit code {code}: {err.getvalue()}")
    known = {_first_word(line) for line in printed.splitlines()}
    for line in shown:
        if line.strip() != _LEFT_OUT and _first_word(line) not in known:
            raise AssertionError(f"{where}: {command} no longer prints a line like: {line}")
    return out.getvalue()


def run_page(path: Path) -> str:
    """Runs a page's blocks in the current folder. Raises what the first block that fails raises.

    Returns:
        The page with what was printed.
    """
    text = fresh = path.read_text(encoding="utf-8")
    page = sys.modules[_MODULE] = ModuleType(_MODULE)  # so that what a page defines can be pickled
    try:
        for block in blocks(text):
            if block.kind == "python":
                exec(compile("\n" * (block.line - 1) + block.code, str(path), "exec"), vars(page))
                continue
            parts = re.split(r"^(?=\$ )", block.code, flags=re.MULTILINE)[1:]
            for index, part in enumerate(parts):
                ((command, shown),) = commands(part)
                printed = run_command(command, shown, f"{path.name}, line {block.line}")
                if _LEFT_OUT not in shown and shown:
                    parts[index] = part[: part.index(shown[0])] + printed
            fresh = fresh.replace(block.code, "".join(parts))
    finally:
        del sys.modules[_MODULE]
    return fresh


def _first_word(line: str) -> str:
    """What a line is about: its first word, up to a colon or an equals sign; all numbers are alike."""
    return re.sub(r"\d+", "0", re.split(r"[\s:=]", line.strip())[0])


if __name__ == "__main__":
    page = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        page.write_text(run_page(page), encoding="utf-8")
