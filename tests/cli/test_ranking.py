"""``naopt ranking``, with children that are really trained."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from naopt.cli.app import run
from tests.docs.test_reference import fields, section
from tests.ranking.test_rank import known, write_benchmark
from tests.ranking.toys import make_up_trainings, sharing_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sharing_run(Path("ws"))
    return tmp_path


@pytest.mark.usefixtures("here", "in_this_process")
def test_children_are_trained_and_the_report_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["ranking", "ws", "--children", "2", "--top", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trainings"], found["failed"]) == (3, 0)
    assert all(0 <= child["standalone"] <= 100 for child in (*found["random"], *found["top"]))
    assert found["cpu_seconds"] > 0
    assert found == json.loads(Path("ws/ranking.json").read_text())
    text = section("ranking")
    assert fields(text, "JSON, which is") == found.keys()
    assert fields(text, "Fields of `figures`") == found["figures"].keys()
    assert all(f"`{name}`" in text for name in (*found["random"][0], *found["figures"]["pick_percentile"]))
    page = Path("ws/report.html").read_text()
    assert "Shared weights against training" in page
    Path("ws/report.html").unlink()
    assert run(["report", "ws"]) == 0
    assert Path("ws/report.html").read_text() == page


@pytest.mark.usefixtures("here")
def test_what_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    training = make_up_trainings(monkeypatch)
    training.stop_after = 2
    assert run(["ranking", "ws", "--children", "8", "--repeats", "2"]) == 3
    assert "the same command goes on" in capsys.readouterr().err
    training.stop_after = None
    assert run(["ranking", "ws", "--children", "8", "--repeats", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ws: random-ws on nasbench201, shared_loss against valid_acc\n")
    assert re.search(r"^Kendall tau +-?\d\.\d\d +-?\d\.\d\d to -?\d\.\d\d$", out, re.MULTILINE)
    assert re.search(r"^trainings +26$", out, re.MULTILINE)
    assert re.search(r"^The shared weights .* The pick beats \d+ % of the random children: .*\.$", out, re.MULTILINE)


@pytest.mark.usefixtures("here")
def test_tables_and_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    write_benchmark(Path("t.npz"), 20, acc=known)
    assert run(["ranking", "ws", "--children", "10", "--table", "t.npz", "--metric", "acc"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^looked up +bench$", out, re.MULTILINE)
    assert "invalid: not in table bench" in out
    for arguments, rule in (
        (["ranking", "ws", "--children", "1"], "children '1': must be at least 2"),
        (["ranking", "ws", "--table", "t.npz", "--repeats", "2"], "has no use with a table"),
        (["ranking", "nowhere"], "there is no such directory"),
    ):
        assert run(arguments) == 2
        err = capsys.readouterr().err
        assert rule in err
        assert err.count("\n") == 1
