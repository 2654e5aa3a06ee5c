"""What ``naopt search`` may be told beside its searcher: first ones, known ones, times, schedules; and dry runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.cli.runs import hint_at_costs
from naopt.measurement import MetricInfo
from naopt.run import load_run
from naopt.run.config import RunConfig
from naopt.run.setup import prepare
from naopt.spaces import GenericSpace
from naopt.tables import Table, save_table
from tests.run.toys import write_table


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "toy.npz")


def search(*arguments: str) -> int:
    common = ("--table", "toy.npz", "--metric", "score", "--searcher", "random", "--budget", "5", "--run", "run")
    return run(["search", *common, *arguments])


def test_files_of_architectures() -> None:
    Path("first.txt").write_text("# these first\nfate=fine,value=9\n\n  value=8,fate=fine \n", encoding="utf-8")
    assert search("--enqueue", "fate=exit,value=1", "--enqueue", "first.txt") == 0
    texts = [trial.text for trial in load_run("run").trials if trial.origin == "enqueued"]
    assert texts == ["fate=exit,value=1", "fate=fine,value=9", "fate=fine,value=8"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_architectures_from_a_spreadsheet(encoding: str) -> None:
    lines = ["# first", "fate=fine,value=9,,", '"fate=fine,value=8"', '"fate=exit,""value""=1",', "fate=fine,value=7;"]
    Path("first.txt").write_bytes("\r\n".join(lines).encode(encoding))
    assert search("--enqueue", "first.txt") == 0
    texts = [trial.text for trial in load_run("run").trials if trial.origin == "enqueued"]
    assert texts == ["fate=fine,value=9", "fate=fine,value=8", "fate=exit,value=1", "fate=fine,value=7"]


def test_a_wrong_line_is_named_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    Path("first.txt").write_text("fate=fine,value=9\n\nfate=fine,value=\u201c8\u201d\n", encoding="utf-8")
    assert search("--enqueue", "first.txt") == 2
    said = capsys.readouterr().err
    assert (
        "--enqueue first.txt: line 3, column 17 'fate=fine,value=\u201c8\u201d': '\u201c8\u201d' is not one of" in said
    )
    assert "'\u201c' is a typographic quote" in said
    assert said.count("\n") == 1


def test_a_configuration_of_a_text_editor(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["[searcher]", 'name = "random"', "[space]", ""]
    Path("mine.toml").write_bytes("\r\n".join(['table = "toy.npz"', "budget = 3", *lines]).encode("utf-8-sig"))
    assert run(["search", "--config", "mine.toml", "--metric", "score", "--run", "mine"]) == 0
    edited = Path("mine", "config.toml").read_bytes().replace(b"\n", b"\r\n")
    Path("mine", "config.toml").write_bytes(b"\xef\xbb\xbf" + edited)
    assert load_run("mine").config.budget == 3
    Path("mine.toml").write_text("budget = 3,\n", encoding="utf-8")
    assert search("--config", "mine.toml") == 2
    assert "configuration file mine.toml: line 1, column 11 'budget = 3,': is not TOML" in capsys.readouterr().err


def test_what_is_known_stays_known_when_files_are_gone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("known.csv").write_text("\ufefffate;value;score\r\nfine;9;5\r\n", encoding="utf-8")
    assert search("--history", "known.csv", "--history", "toy.npz", "--budget", "1") == 1  # what is left has no score
    Path("known.csv").unlink()
    assert run(["resume", "run"]) == 1
    assert load_run("run").config.history == (str(Path("known.csv").resolve()), str(Path("toy.npz").resolve()))


def test_a_time_limit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    line = "naopt: run 'run': no evaluation has succeeded; none ended before the time limit\n"
    assert search("--time", "1s", "--set", "time=0.000001") == 1
    out, err = capsys.readouterr()
    assert "time:       its limit of 1e-06 s is reached" in out
    assert err == line
    assert run(["resume", "run"]) == 1
    assert capsys.readouterr().err == "run 'run' is finished; nothing to do\n" + line
    assert run(["resume", "run", "--time", "1h30m"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "evaluated:  5 of 5" in out
    assert "time:" not in out


def test_schedules() -> None:
    assert search("--schedule", "async", "--batch", "workers", "--workers", "3") == 0
    config = load_run("run").config
    assert (config.search_schedule, config.search_batch) == ("async", 3)
    Path("other.toml").write_text(
        'table = "toy.npz"\nsearch_schedule = "rounds"\nsearch_batch = 4\nbudget = 4\n', encoding="utf-8"
    )
    assert run(["search", "--config", "other.toml", "--run", "other", "--searcher", "evolution"]) == 0
    assert load_run("other").config.search_batch == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--enqueue", "nope"), "'nope' is not one of fate, value"),
        (("--enqueue", "toy.npz"), "--enqueue 'toy.npz': is a zip archive"),
        (("--history", "gone.csv"), "history 'gone.csv': No such file or directory"),
        (("--history", "gone"), "table 'gone': no such file"),
        (("--history", "."), "has no run.db; it is not a run's directory"),
        (("--time", "soon"), "duration 'soon': must be a time such as 90s, 30m, 2h or 1h30m"),
        (("--time", "0"), "duration '0': must be a time"),
        (("--time", "1h x"), "duration '1h x': must be a time"),
        (("--batch", "0"), "option search_batch '0': must be a whole number of at least 1, or workers"),
        (("--batch", "many"), "option search_batch 'many': must be a whole number of at least 1, or workers"),
        (("--batch", "1.5"), "option search_batch '1.5': must be a whole number of at least 1, or workers"),
        (
            ("--set", "search_batch=true"),
            "option search_batch 'True': must be a whole number of at least 1, or workers",
        ),
        (("--schedule", "never"), "option search_schedule 'never': Input should be 'rounds' or 'async'"),
    ],
)
def test_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    assert search(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert not Path("run").exists()


def test_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--seed", "0", "--dry-run", "--workers", "2")
    assert search(*arguments) == 0
    out = capsys.readouterr().out
    assert "space:      toy: 2 positions, 90 token sequences" in out
    assert "estimate:   0 s each, about 0 s for 5 with 2 workers" in out
    assert search(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {
        "space", "size", "searcher", "remarks", "architecture", "metrics", "seconds", "estimate_seconds",
    }  # fmt: skip
    assert found["architecture"] in out
    assert not Path("run").exists()


def test_a_dry_run_of_shared_weights(capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ["space.nodes=2", "filters=2", "train_limit=40", "valid_limit=20", "training.batch_size=20"]
    words = ["search", "--task", "digits", "--dry-run", "--json", *(f"--set={text}" for text in tiny)]
    assert run([*words, "--searcher", "random-ws", "--set=searcher.epochs=30"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"space", "size", "searcher", "remarks", "steps", "seconds", "estimate_seconds"}
    assert found["steps"] == 60
    assert found["estimate_seconds"] == pytest.approx(60 * found["seconds"])
    assert list(Path().iterdir()) == [Path("toy.npz")]


def test_a_dry_run_of_what_cannot_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert search("--dry-run", "--enqueue", "nope") == 2
    assert "'nope' is not one of" in capsys.readouterr().err
    assert [seed for seed in range(9) if search("--dry-run", "--seed", str(seed)) == 2] != []
    assert "failed: score was not measured: table toy has no value for this architecture" in capsys.readouterr().err


def test_columns_that_look_like_costs_and_are_not_known_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    space = GenericSpace({"width": [1, 2, 3], "depth": [1, 2, 3]})
    tokens = np.array([architecture.tokens for architecture in space.enumerate()])
    gaps = np.where(tokens[:, 0] == 0, np.nan, 1.0)
    metrics = {"acc": tokens.sum(axis=1) + 1.0, "params": tokens[:, 0] + 1.0, "edge_ms": tokens[:, 1] + 1.0}
    metrics |= {"train_ms": metrics["edge_ms"], "pi_ms": gaps}
    infos = {name: MetricInfo("max" if name == "acc" else "min") for name in metrics}
    save_table(Table("small", space, tokens, metrics, infos), Path("small.npz"))

    def hints(metric: str, *known: str) -> str:
        config = RunConfig(table="small.npz", metric=metric, known=known, searcher="nsga2")
        hint_at_costs(prepare(config))
        return capsys.readouterr().err

    hint = "every row has edge_ms: if that needs no training, --known params,edge_ms makes it free\n"
    assert hints("acc,edge_ms,train_ms,pi_ms,params") == hint
    assert [hints(metric) for metric in ("acc,params", "acc,train_ms", "edge_ms")] == ["", "", ""]
    assert [hints("acc,edge_ms", known) for known in ("edge_ms", "none")] == ["", ""]
    words = "search --table small.npz --metric acc --max edge_ms=2 --searcher random --budget 2 --run run"
    assert run(words.split()) == 0
    assert hint in capsys.readouterr().err
