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


def heavy_modules_after(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter holds after the code."""
    probe = f"import sys\n{code}\nprint('loaded:', *[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


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


@pytest.mark.parametrize(
    "module",
    [
        "",
        ".spaces",
        ".searchers",
        ".evaluators",
        ".tasks",
        ".tables",
        ".zoo",
        ".metrics",
        ".run",
        ".cli.app",
        ".testing",
    ],
)
def test_imports_leave_torch_out(module: str) -> None:
    assert "torch" not in heavy_modules_after(f"import naopt{module}")


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "search --help",
        "list spaces",
        "list searchers",
        "list evaluators",
        "list tasks",
        "zoo list",
        "show |none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    ],
)
def test_light_commands_leave_heavy_packages_out(command: str) -> None:
    code = f"from naopt.cli.app import run\nassert run({command.split()!r}) == 0"
    assert not heavy_modules_after(code)


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
