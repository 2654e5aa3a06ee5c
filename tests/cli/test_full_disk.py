"""A disk that is full: one line, exit 3 where one can go on, and old files whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from naopt.cli.app import run
from naopt.run import load_run
from tests.cli.test_train import CELL, TINY
from tests.full_disk import full_disk
from tests.run.toys import write_table

TABLE = ["--table", "toy.npz", "--metric", "cost"]
BENCH = ["bench", *TABLE, "--searchers", "random", "--budget", "5", "--trials", "3", "--out", "out"]
QUALITY = ["quality", *TABLE, "--models", "gp", "--train-sizes", "20", "--trials", "2", "--out", "out"]
SETTINGS = [f"--set=training.{text}" for text in ("filters=2", "cells_per_stage=1", "train_limit=60", "valid_limit=60")]
SETTINGS += ["--set=training.epochs=1", "--set=searcher.epochs=1", "--budget", "2"]
LATER = "the same command goes on with the trials that are missing"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "toy.npz")


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], most: int = 0) -> tuple[int, str]:
    """Exit code, and the one line."""
    capsys.readouterr()
    with full_disk(most):
        code = run(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    return code, err.splitlines()[-1]


def test_a_training_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", CELL, "--task", "digits", *TINY, "--run"]
    line = "naopt: training 'out': cannot write out/{}: File too large; go on with: naopt resume out"
    assert refused(capsys, [*train, "out"], 2000) == (3, line.format("checkpoint.safetensors"))
    assert sorted(path.name for path in Path("out").iterdir()) == ["curve.csv", "training.json"]
    assert run(["resume", "out"]) == 0
    assert run([*train, "whole"]) == 0
    assert Path("out/final.safetensors").read_bytes() == Path("whole/final.safetensors").read_bytes()


def test_the_training_of_shared_weights_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    search = ["search", "--task", "digits", "--space", "nasbench201", "--searcher", "random-ws", *SETTINGS, "--run"]
    line = "naopt: run 'out': cannot write out/supernet.safetensors: File too large; go on with: naopt resume out"
    assert refused(capsys, [*search, "out"], 50_000) == (3, line)
    assert run(["resume", "out"]) == 0
    assert len(load_run("out").evaluated) == 2


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("command", "most"), [(BENCH, 800), (QUALITY, 500)])
def test_comparisons_go_on(capsys: pytest.CaptureFixture[str], command: list[str], most: int) -> None:
    lines = Path("out/trials.jsonl")
    assert refused(capsys, command, most) == (3, f"naopt: cannot write {lines}: File too large; {LATER}")
    kept = lines.read_bytes()
    assert kept.endswith(b"}\n")
    assert refused(capsys, command, 3000) == (3, f"naopt: cannot write out/report.html: File too large; {LATER}")
    assert lines.read_bytes().startswith(kept)
    assert lines.read_bytes().count(b"\n") == int(command[command.index("--trials") + 1])


def test_nothing_is_left_of_a_run_that_cannot_begin(capsys: pytest.CaptureFixture[str]) -> None:
    for most in (0, 1000):
        code, line = refused(capsys, ["search", *TABLE, "--searcher", "random", "--run", "out"], most)
        assert code == 2
        assert line in ("naopt: run 'out': File too large", "naopt: run 'out': cannot be made: disk I/O error")
        assert [path.name for path in Path().iterdir()] == ["toy.npz"]


@pytest.mark.parametrize("kind", ["pytorch", "torch-export"])
def test_an_export_leaves_the_old_file(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    out = Path("net").with_suffix({"pytorch": ".py", "torch-export": ".pt2"}[kind])
    files = [out, *([out.with_suffix(".safetensors")] if kind == "pytorch" else [])]
    for path in files:
        path.write_text("old")
    shape = ["--input-shape", "1,8,8", "--classes", "3", "--set", "cells_per_stage=1", "--set", "filters=2"]
    command = ["export", CELL, "--untrained", "--to", kind, "--out", str(out), "--force", *shape]
    assert refused(capsys, command, 1000) == (2, f"naopt: --out '{out}': File too large")
    assert {path.name for path in Path().iterdir()} == {"toy.npz", *map(str, files)}
    assert all(path.read_text() == "old" for path in files)


def test_files_are_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", *TABLE, "--searcher", "random", "--budget", "3", "--run", "run"]) == 0
    Path("t.csv").write_text("a,b,acc\n1,2,3\n2,3,4\n", encoding="utf-8")
    table = Path("toy.npz").read_bytes()
    page = Path("run/report.html").read_bytes()
    written = [
        ["table", "import", "csv", "t.csv", "toy.npz", "--metric", "acc", "--force"],
        ["report", "run", "--force"],
        ["show", "nasnet-a", "--svg", "toy.npz", "--force"],
        ["zoo", "show", "nasnet-a", "--svg", "toy.npz", "--force"],
    ]
    for command in written:
        code, line = refused(capsys, command, 100)
        assert code == 2
        assert line.endswith("File too large")
    assert (Path("toy.npz").read_bytes(), Path("run/report.html").read_bytes()) == (table, page)
    assert not list(Path().rglob("*.part"))
