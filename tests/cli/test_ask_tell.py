"""``naopt ask`` and ``naopt tell``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from naopt.by_hand import OpenSearch
from naopt.cli.app import run
from naopt.run import load_run

FILE = """name = "mlp"
[[positions]]
name = "width"
choices = [16, 32, 64]
[[positions]]
name = "depth"
choices = [1, 2, 3]
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mlp.toml").write_text(FILE, encoding="utf-8")
    words = "ask lab --space mlp.toml --metric acc --searcher evolution --set population=2 --budget 6 --count 2"
    assert run(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["0", "1"]
    Path("mlp.toml").unlink()
    return Path("lab")


def said(capsys: pytest.CaptureFixture[str], words: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert run(words.split()) == code
    out, err = capsys.readouterr()
    return out, err


def document(capsys: pytest.CaptureFixture[str], words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(capsys, f"{words} --json")[0])
    return found


def test_a_search_from_the_shell(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = document(capsys, "ask lab")
    (third,) = asked["asked"]
    assert (asked["told"], asked["pending"], asked["left"]) == (0, 3, 3)
    assert third["index"] == 2
    assert third["architecture"] == ",".join(f"{name}={value}" for name, value in third["values"].items())
    out, err = said(capsys, "tell lab 2 acc=0.75 cost=3 --seconds 20")
    assert out == f"1 told, 2 pending, 3 left to ask; best acc 0.75: 2 {third['architecture']}\n"
    assert err == ""
    assert said(capsys, "tell lab 2 acc=0.75")[1] == "2: the same was told before\n"
    assert "evaluation 2 'acc=0.5': was told before, as acc=0.75" in said(capsys, "tell lab 2 acc=0.5", 2)[1]
    told = document(capsys, "tell lab 0 --failed power")
    assert (told["stored"], told["known"], told["best"]["index"]) == ([0], [], 2)
    assert said(capsys, "ask lab --pending")[0].startswith("1\t")
    out, err = said(capsys, "ask lab --count 5")
    assert len(out.splitlines()) == 3
    assert err == "the budget of 6 is spent; 2 are told, 4 pending\n"
    assert said(capsys, "ask lab") == ("", err)
    record = load_run(lab)
    assert record.trials[2].measurement is not None
    assert record.trials[2].measurement.seconds == 20


def test_other_commands(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no evaluation" in said(capsys, "train lab --task digits", 2)[1]
    said(capsys, "tell lab 0 acc=0.5")
    assert "evaluated:  1 of 6 (1 random)" in (shown := said(capsys, "show lab")[0])
    assert f"pending:    {len(OpenSearch(lab).pending)}, which naopt ask lab --pending lists\n" in shown
    assert said(capsys, "report lab")[0] == "lab/report.html\n"
    page = (lab / "report.html").read_text(encoding="utf-8")
    assert "measured elsewhere" in page
    assert "<code>naopt ask</code> goes on with it" in page
    line = said(capsys, "resume lab", 2)[1]
    assert line == (
        "naopt: run 'lab': is measured elsewhere; what is next: naopt ask lab; what it gave: naopt tell lab ...\n"
    )
    assert "space 'mlp': has no networks that could be trained" in said(capsys, "train lab", 2)[1]
    assert "space 'mlp': has no networks" in said(capsys, "train lab --task digits", 2)[1]
    while trials := OpenSearch(lab).ask(6) or OpenSearch(lab).pending:
        for trial in trials:
            OpenSearch(lab).tell(trial.index, 0.25)
    assert said(capsys, "resume lab")[1] == "run 'lab' is finished; nothing to do\n"


def test_the_best_of_a_known_space_can_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    said(
        capsys, "ask lab --space conv-cell --set space.nodes=2 --metric loss:min --searcher random --budget 2 --count 2"
    )
    said(capsys, "tell lab 0 loss=0.5")
    said(capsys, "tell lab 1 loss=0.4")
    record = load_run("lab")
    assert (record.space.name, record.objective.goal) == ("conv-cell:nodes=2", "min")
    begun: list[Any] = []
    monkeypatch.setattr("naopt.cli.runs.execute", lambda training, *, as_json: begun.append(training))
    said(capsys, "train lab --task digits")
    (training,) = begun
    assert (training.directory, training.training.request.architecture) == (Path("lab"), record.trials[1].text)


def test_a_csv_file(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("done.csv").write_text(
        "index,architecture,acc,status,reason,seconds\n"
        "0,,0.5,,,12\n"
        ',"width=64,depth=1",0.75,,,\n'
        "1,,,,,\n"
        ',"width=16,depth=3",,oom,too wide,3\n',
        encoding="utf-8",
    )
    known = {trial.text for trial in load_run(lab).trials}
    out, err = said(capsys, "tell lab --csv done.csv")
    assert out.startswith("3 told, ")
    assert err == "1 row has no result yet\n"
    record = load_run(lab)
    failed = next(trial for trial in record.trials if trial.text == "width=16,depth=3")
    assert failed.measurement is not None
    assert (failed.measurement.status, failed.measurement.reason) == ("oom", "too wide")
    assert failed.origin == ("random" if failed.text in known else "told")
    again = document(capsys, "tell lab --csv done.csv")
    assert again["stored"] == []
    assert len(again["known"]) == 3


def test_a_csv_file_of_a_spreadsheet(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("done.csv").write_text("index;acc;seconds\n0;0,5;1,5\n\n1;;\n", encoding="utf-8-sig")
    said(capsys, "tell lab --csv done.csv")
    (trial,) = load_run(lab).evaluated
    assert trial.measurement is not None
    assert (trial.index, trial.measurement.metrics, trial.measurement.seconds) == (0, {"acc": 0.5}, 1.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "needs a column index or architecture"),
        ("index,acc,acc\n0,1,2\n", "has two columns acc"),
        ("index,acc\n0,1,2\n", "bad.csv: line 2 '3 cells': the header has 2"),
        ("index,acc\n0\n0,x\n", "bad.csv '2 mistakes': line 2 '1 cells': the header has 2; line 3, acc 'x': must be"),
        ("index,acc\n,1\n", "has neither an index nor an architecture"),
        ("index,acc\n0,high\n", "line 2, acc 'high': must be a finite number"),
        ("index,acc\n0,nan\n", "must be a finite number"),
        ("index,acc\n5,1\n", "row 'bad.csv, line 2': index '5': was not asked"),
        ("index,cost\n0,1\n", "has no acc, which this search is about"),
        ("index,status\n0,failed\n", "reason '': say why it failed"),
        ("index,status\n0,odd\n", "status 'odd': must be one of ok, failed"),
        ("index,acc\n0,0.5\n0,0.6\n", "line 3': evaluation 0 'acc=0.6': was told before, as acc=0.5"),
        ("architecture,acc\nwidth=9,1\n", "'9' is not one of"),
        ("\x00", "line 1, column 1 'byte 0x00': is in no text"),
    ],
)
def test_csv_files_that_are_refused(lab: Path, capsys: pytest.CaptureFixture[str], content: str, message: str) -> None:
    Path("bad.csv").write_text(content, encoding="utf-8")
    err = said(capsys, "tell lab --csv bad.csv", 2)[1]
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert load_run(lab).evaluated == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ask none", "run 'none': is none yet; the first call needs --space and --metric"),
        ("ask none --space mlp --metric acc", "space 'mlp': unknown"),
        ("ask none --space gone.toml --metric acc", "space file 'gone.toml': No such file"),
        ("ask none --space nasbench201 --metric acc:best", "objective 'acc:best': must be METRIC, min:METRIC"),
        ("ask none --space nasbench201 --metric acc --searcher nano", "did you mean 'nao'?"),
        ("ask none --space nasbench201 --metric acc --searcher darts", "give --task"),
        ("ask none --space nasbench201 --metric acc --enqueue x", "architecture 'x'"),
        ("ask none --space nasbench201 --metric acc --history x", "x"),
        ("ask none --space nasbench201 --metric acc --set table=nats", "give one of them, not both"),
        ("ask lab --space nasbench201", "option '--space': was given when 'lab' began, and stays"),
        ("ask lab --set population=3", "option '--set': was given when 'lab' began"),
        ("ask lab --count 0", "count '0': must be at least 1"),
        ("tell none 0 acc=1", "run 'none': there is no such directory"),
        ("tell lab", "give INDEX NAME=VALUE, or --csv FILE"),
        ("tell lab 0", "give NAME=VALUE, or --failed REASON"),
        ("tell lab 0 0.5", "result '0.5': must be NAME=VALUE"),
        ("tell lab 0 acc=high", "acc 'high': must be a number"),
        ("tell lab 0 acc=inf", "acc 'inf': must be a finite number"),
        ("tell lab 0 acc=1 acc_se=-0.5", "acc_se '-0.5': a standard error is not negative"),
        ("tell lab 0 acc=1 --seconds -1", "seconds '-1.0': must be finite and not negative"),
        ("tell lab 9 acc=1", "index '9': was not asked; the last index is 1"),
        ("tell lab 0 loss=1", "has no acc, which this search is about"),
        ("tell lab width=1 acc=1", "'1' is not one of 16, 32, 64"),
        ("tell lab 0 --csv done.csv", "holds all that is told; give nothing else"),
        ("tell lab --csv gone.csv", "--csv 'gone.csv': No such file"),
        ("search --set elsewhere=true", "begin such a search with: naopt ask DIR --space S --metric M"),
    ],
)
def test_one_line(lab: Path, capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    out, err = said(capsys, words, 2)
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert not Path("none").exists()
    assert len(load_run(lab).trials) == 2


def test_of_several_objectives_the_front_is_said_and_its_knee_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "ask lab --space conv-cell --objective acc,min:ms --searcher random --budget 4 --count 4"
    said(capsys, words)
    assert said(capsys, "tell lab 0 acc=0.5 ms=5")[0].endswith("; front of 1, this one on it\n")
    assert said(capsys, "tell lab 1 acc=0.4 ms=6")[0].endswith("; front of 1, this one not on it\n")
    Path("done.csv").write_text("index,acc,ms\n2,0.49,1\n3,0.3,0.9\n", encoding="utf-8")
    told = document(capsys, "tell lab --csv done.csv")
    assert (told["on_front"], told["front_trials"], told["knee"]) == ([2, 3], [0, 2, 3], 2)
    line = "4 told, 0 pending, 0 left to ask; front of 3, on it of these 2, 3\n"
    assert said(capsys, "tell lab --csv done.csv")[0] == line
    begun: list[Any] = []
    monkeypatch.setattr("naopt.cli.runs.execute", lambda training, *, as_json: begun.append(training))
    line = "the knee of a front of 3 is taken, evaluation 2 (acc 0.49, ms 1); --pick takes others\n"
    assert said(capsys, "train lab --task digits")[1].startswith(line)
    assert said(capsys, "train lab --task digits --pick max:acc")[1].startswith("training ")
    trained = [training.training.request.architecture for training in begun]
    assert trained == [load_run("lab").trials[index].text for index in (2, 0)]
