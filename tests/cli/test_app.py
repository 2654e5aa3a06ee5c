from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

import naopt
from naopt import __version__
from naopt.cli import app, common
from naopt.cli.common import JsonOption, SetOption
from naopt.errors import InputError, NaoptError, RunStoppedError
from tests.run.toys import write_table


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("budget", 0, "must be\nat least 1"), 2),
        (RunStoppedError("stopped; go on with: naopt resume x"), 3),
        (NaoptError("no luck"), 1),
        (typer.BadParameter("no such thing"), 2),
        (typer.Exit(5), 5),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def fail() -> None:
        raise error

    failing = typer.Typer()
    failing.command()(fail)
    monkeypatch.setattr(app, "app", failing)
    assert app.run(["--"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == (0 if isinstance(error, typer.Exit) else 1)
    assert "\n" not in err.strip()


def test_bugs_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    failing = typer.Typer()
    failing.command()(fail)
    monkeypatch.setattr(app, "app", failing)
    with pytest.raises(ZeroDivisionError):
        app.run(["--"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serach"], "No such command 'serach'"),
        (["search", "--bugdet", "3"], "--bugdet"),
        (["search", "--budget", "many"], "--budget"),
        (["list", "toys"], "toys"),
        (["resume"], "DIR"),
        (["table"], "Missing command."),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert app.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("naopt: ")
    assert message in err
    assert err.count("\n") == 1


def test_help_and_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert app.run([]) == 0
    text = capsys.readouterr().out
    for command in ["search", "resume", "show", "report", "train", "bench", "quality", "zoo", "list", "table"]:
        assert f"  {command} " in text
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"naopt {__version__}\n"
    monkeypatch.setattr(sys, "argv", ["naopt", "list", "nothing"])
    with pytest.raises(SystemExit) as stop:
        app.main()
    assert stop.value.code == 2


_LIGHT = """
import sys
from naopt.cli.app import run
assert run(["--help"]) == 0
heavy = {"torch", "numpy", "pydantic", "rich", "pebble", "matplotlib", "sklearn"} & set(sys.modules)
assert not heavy, f"--help imports {heavy}"
for arguments in COMMANDS:
    assert run(arguments) == 0, arguments
    assert "torch" not in sys.modules, f"{arguments} imports torch"
"""


def test_help_list_show_and_zoo_import_no_torch(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    search = ["search", "--searcher", "random", "--budget", "5", "--metric", "score", "--run", str(directory)]
    assert app.run([*search, "--table", str(write_table(tmp_path / "toy.npz"))]) == 0
    kinds = ["spaces", "searchers", "evaluators", "tasks", "operations", "tables"]
    cell = "normal:conv3x3@0+conv1x1@1/reduction:conv3x3@0+conv1x1@1"
    commands = [["list", kind] for kind in kinds] + [["show", str(directory)], ["show", cell], ["zoo"]]
    commands += [["zoo", "show", "naonet-a"], ["search", "--help"], ["train", "--help"]]
    code = f"COMMANDS = {commands!r}\n{_LIGHT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    common.emit(
        {"array": np.arange(2), "scalar": np.float32(0.5), "nan": float("nan"), "path": Path("x"), "none": None}
    )
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"array": [0, 1], "scalar": 0.5, "nan": None, "path": "x", "none": None}


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("latin-1", b"act=\xe9,name=?"), ("ascii", "act=\xe9,name=\u2192".encode())],  # click takes ASCII for a mistake
)
def test_what_a_terminal_has_no_letter_for_is_replaced(
    encoding: str, shown: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "caf\udce9"
    naopt.search({"act": ["\xe9"], "name": ["\u2192"]}, lambda _: 1.0, budget=1, searcher="random", run=folder)
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    for command in ("report", "show"):
        monkeypatch.setattr(sys, "argv", ["naopt", command, str(folder)])
        with pytest.raises(SystemExit, match="0"):
            app.main()
    out.flush()
    assert shown in written.getvalue()
    assert b"/caf?/report.html" in written.getvalue()
    assert "act=\xe9,name=\u2192" in (folder / "report.html").read_text(encoding="utf-8")
    assert naopt.load_run(folder).directory == folder


def test_tables_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    common.print_table(["name", "value"], [["a", 1.0], ["long name", 123.456789]], title="things")
    assert capsys.readouterr().out.splitlines() == [
        "things",
        "name        value",
        "a               1",
        "long name  123.46",
    ]
    common.print_table(["name", "value"], [])
    assert capsys.readouterr().out == "name  value\n"


def test_notes_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    common.note("hello")
    common.stderr_console().print("there")
    assert capsys.readouterr() == ("", "hello\nthere\n")


def test_shared_options(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[bool, list[str] | None]] = []

    def command(settings: SetOption = None, as_json: JsonOption = False) -> None:
        seen.append((as_json, settings))

    other = typer.Typer()
    other.command()(command)
    other(["--json", "--set", "a=1", "--set", "b=2"], standalone_mode=False)
    other([], standalone_mode=False)
    assert seen == [(True, ["a=1", "b=2"]), (False, None)]
