"""Guards of the whole project: layers, light imports, documents that agree with the code, no trace of a machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "matplotlib", "sklearn", "pandas", "ray")


def tracked_files() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git working tree, so there is no list of the project's files")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def heavy_modules_after(steps: list[str]) -> list[set[str]]:
    """Which heavy packages a fresh interpreter holds after each line of code."""
    said = f"print('\\nloaded:', *[m for m in {HEAVY} if m in sys.modules])"
    probe = "\n".join(["import sys", *(f"{step}\n{said}" for step in steps)])
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [set(line.split()[1:]) for line in done.stdout.splitlines() if line.startswith("loaded:")]
    assert len(found) == len(steps)
    return found


def test_layer_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_imports_leave_torch_out() -> None:
    rooms = ["", ".spaces", ".searchers", ".evaluators", ".tasks", ".tables", ".zoo", ".metrics", ".run", ".cli.app"]
    modules = [f"naopt{room}" for room in [*rooms, ".testing"]]
    found = heavy_modules_after([f"import {module}" for module in modules])
    assert not [module for module, heavy in zip(modules, found, strict=True) if "torch" in heavy]


def test_light_commands_leave_heavy_packages_out() -> None:
    cell = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    commands = ["--help", "--version", "search --help", "list spaces", "list searchers", "list evaluators"]
    commands += ["list tasks", "zoo list", f"show {cell}"]
    runs = [f"assert run({command.split()!r}) == 0" for command in commands]
    found = heavy_modules_after(["from naopt.cli.app import run", *runs])[1:]
    assert not {command: heavy for command, heavy in zip(commands, found, strict=True) if heavy}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documented_make_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    commands = set(re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", text, re.MULTILINE))
    assert commands, f"{document} names no make command"
    assert commands <= targets, f"{document} names targets that the Makefile lacks"


def test_no_file_holds_a_machine_path() -> None:
    """Paths of one machine, which work nowhere else."""
    pattern = re.compile(rb"(?<![\w.])/(?:" + rb"|".join([b"work", b"home", b"Users", b"root"]) + rb")/\w")
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked_files()
        if (match := pattern.search(path.read_bytes())) and path.suffix not in {".npz", ".png"}
    ]
    assert not found, f"machine paths in {found}"


def test_modules_stay_short() -> None:
    long = {
        str(name): lines
        for path in tracked_files()
        if path.suffix == ".py"
        and (lines := len(path.read_text(encoding="utf-8").splitlines()))
        > (300 if (name := path.relative_to(ROOT)).parts[0] == "src" else 400)
    }
    assert not long, f"modules over 300 lines, tests over 400: {long}"
