"""``naopt report``, on a search that was really run."""

import json
import shutil
from pathlib import Path

import pytest

from naopt.cli.app import run
from naopt.report.page import render
from naopt.run import load_run
from tests.store.databases import rewrite


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two random searches of ``search/a`` and ``search/b`` in a table of 24 rows."""
    folder = tmp_path_factory.mktemp("search")
    lines = ["width,depth,loss"]
    lines += [f"{w},{d},{w * 0.01 + d}" for w in (16, 32, 64, 128) for d in range(6)]
    (folder / "t.csv").write_text("\n".join(lines))
    table = str(folder / "t.npz")
    assert run(["table", "import", "csv", str(folder / "t.csv"), table, "--metric", "loss:min"]) == 0
    for name, seed in (("a", "0"), ("b", "1")):
        arguments = ["--table", table, "--searcher", "random", "--budget", "9", "--seed", seed]
        assert run(["search", *arguments, "--run", str(folder / name)]) == 0
    return folder


def test_it_prints_the_path_and_writes_the_page(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(runs / "a"), "--against", str(runs / "b")]) == 0
    path = runs / "a" / "report.html"
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_text(encoding="utf-8") == render(load_run(runs / "a"), load_run(runs / "b"))


def test_json_and_another_file(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = runs / "page.html"
    assert run(["report", str(runs / "a"), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    record = load_run(runs / "a")
    best = record.best()
    assert best is not None
    assert said == {"run": str(runs / "a"), "report": str(out), "evaluated": 9, "failed": 0, "best": best.index}
    assert "<svg" in out.read_text(encoding="utf-8")


def test_bad_input_is_one_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = runs / "empty"
    shutil.copytree(runs / "a", empty)
    rewrite(empty, "DELETE FROM results")
    for arguments, rule in (
        (["report", str(runs / "nowhere")], "there is no such directory"),
        (["report", str(runs)], "not a run's directory"),
        (["report", str(empty)], "has no measured architecture yet"),
        (["report", str(runs / "a"), "--against", str(empty)], "has no measured architecture yet"),
        (["report", str(runs / "a"), "--out", str(runs / "no" / "x.html")], "No such file or directory"),
    ):
        assert run(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert rule in captured.err
