"""Files that commands write: none is an input of the command, none replaces another unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

import naopt
from naopt.cli.app import run
from naopt.run import RunConfig
from naopt.tables import load_table
from tests.cli.test_train import CELL
from tests.run.toys import write_table

IMPORT = ["table", "import", "csv", "t.csv"]
EXPORT = ["export", CELL, "--untrained", "--input-shape", "1,8,8", "--classes", "3", "--to", "pytorch"]
COMMANDS = {
    "import": [*IMPORT, "{}", "--metric", "acc"],
    "complete": ["table", "complete", "part.npz", "{}", "--metric", "cost"],
    "report": ["report", "run", "--out", "{}"],
    "show": ["show", "nasnet-a", "--svg", "{}"],
    "show run": ["show", "run", "--svg", "{}"],
    "zoo": ["zoo", "show", "nasnet-a", "--svg", "{}"],
    "probe": ["probe", "run", "--out", "{}"],
    "export": [*EXPORT, "--out", "{}.py"],
}
"""Every command that writes a file: another joins here."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a table, a CSV file and a run."""
    found = tmp_path_factory.mktemp("outputs")
    write_table(found / "toy.npz")
    (found / "t.csv").write_text("a,b,acc\n1,2,3\n2,3,4\n", encoding="utf-8")
    table = ["--table", str(found / "toy.npz"), "--metric", "cost"]
    assert run(["search", *table, "--searcher", "random", "--budget", "3", "--run", str(found / "run")]) == 0
    return found


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def contents() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_exists_is_not_replaced_unasked(capsys: pytest.CaptureFixture[str], name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for path in (out, out.with_suffix(".py")):
        path.write_text("mine")
    code = run([text.format(out) for text in COMMANDS[name]])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert "exists; replace it with --force" in captured.err
    assert captured.err.count("\n") == 1
    assert [path.read_text() for path in (out, out.with_suffix(".py"))] == ["mine", "mine"]
    for path in (tmp_path / "folder", tmp_path / "folder.py"):
        path.mkdir()
    assert run([text.format(tmp_path / "folder") for text in COMMANDS[name]]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_force_replaces(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("import", "report", "show"):
        out.write_text("mine")
        assert run([*[text.format(out) for text in COMMANDS[name]], "--force"]) == 0
        assert out.read_bytes() != b"mine"
    assert run([*COMMANDS["import"][:4], str(tmp_path / "new.npz"), "--metric", "acc"]) == 0
    assert len(load_table(tmp_path / "new.npz")) == 2


@pytest.mark.parametrize(
    "command",
    [
        [*IMPORT, "t.csv"],
        [*IMPORT, "same.csv"],
        ["table", "import", "csv", "same.csv", "t.csv"],
        ["table", "import", "csv", "x.part", "x"],
        ["table", "import", "nasbench201", "run", "run/run.db"],
        ["table", "complete", "toy.npz", "toy.npz", "--metric", "cost"],
        ["table", "complete", "toy.npz", "t.csv", "--metric", "cost", "--space-rows", "t.csv"],
        ["report", "run", "--out", "run/run.db"],
        ["report", "run", "--against", "run", "--out", "run/config.toml"],
        ["show", "run", "--svg", "run/run.db"],
        ["probe", "run", "--out", "run/run.db"],
        ["probe", "run", "--table", "toy.npz", "--out", "toy.npz"],
    ],
)
def test_an_input_is_never_replaced(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    if not Path("same.csv").exists():
        Path("same.csv").symlink_to("t.csv")
        Path("x.part").write_text("a,b\n1,2\n")
    before = contents()
    assert run([*command, "--force"]) == 2
    assert "which is read; name another file" in capsys.readouterr().err
    assert contents() == before


def test_home_is_found_in_paths_that_the_shell_left_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    random = ["--metric", "cost", "--searcher", "random", "--budget", "2"]
    for name, table in enumerate((["--table", "~/toy.npz"], ["--table=~/toy.npz"], ["--set", "table=~/toy.npz"])):
        assert run(["search", *table, *random, "--run", f"~/home-{name}", "--history", "~/run"]) == 0
        assert RunConfig.read(folder / f"home-{name}" / "config.toml").table == str(folder / "toy.npz")
    assert run(["show", "~/run"]) == 0
    assert run(["table", "info", "~/toy.npz"]) == 0
    assert run(["report", "~/run", "--out", "~/page.html", "--against", "~/home-0"]) == 0
    assert run(["table", "import", "csv", "~/t.csv", "~/imported.npz", "--metric", "acc"]) == 0
    found = naopt.search(None, "~/toy.npz", objective="cost", budget=2, searcher="random", run="~/python")
    assert found.directory == folder / "python"
    assert naopt.load_run("~/python").trials == naopt.resume("~/python", "~/toy.npz").trials
    assert {"page.html", "imported.npz", "home-0", "python"} <= {path.name for path in folder.iterdir()}
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where there is no home directory
    capsys.readouterr()
    assert run(["table", "info", "~/toy.npz"]) == 2
    assert "table '~/toy.npz': no such file" in capsys.readouterr().err


def test_the_page_of_a_run_is_made_anew_and_devices_are_written(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "run"]) == 0
    assert run(["report", "run", "--out", "./run/report.html"]) == 0
    capfd.readouterr()
    assert run(["show", "nasnet-a", "--svg", "/dev/stdout"]) == 0
    assert "</svg>" in capfd.readouterr().out
