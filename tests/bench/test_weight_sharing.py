"""The command that compares weight-sharing searchers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import weight_sharing
from benchmarks.weight_sharing import configuration, main, naopt, parse, summary

from naopt.cli.app import run
from naopt.errors import InputError, NaoptError, RunStoppedError
from naopt.measurement import MetricInfo
from naopt.metrics import summarise
from naopt.ranking.result import read_ranking
from naopt.spaces import create_space
from naopt.tables import Table, save_table
from tests.ranking.toys import TINY

SPACE = create_space("nasbench201")
COMMON = ["--task", "digits", "--space", "nasbench201", "--epochs", "1", "--budget", "6", "--children", "10"]
COMMON += [f"--set=training.{key}={value}" for key, value in TINY.items()]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, in_this_process: None) -> list[list[str]]:
    """What is called; commands run in this process, and draw no reports."""
    called: list[list[str]] = []
    for module in ("naopt.cli.summary", "naopt.report"):
        monkeypatch.setattr(f"{module}.write_report", lambda *_: None)

    def here(*arguments: str | Path) -> float:
        called.append([str(argument) for argument in arguments])
        assert run(called[-1]) == 0
        return 123.0

    monkeypatch.setattr(weight_sharing, "naopt", here)
    return called


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Of all cells."""
    tokens = np.array([architecture.tokens for architecture in SPACE.enumerate()])
    infos = {"acc": MetricInfo("max", "%")}
    save_table(Table("bench", SPACE, tokens, {"acc": tokens.sum(axis=1).astype(float)}, infos), tmp_path / "t.npz")
    return tmp_path / "t.npz"


def test_the_table_of_two_searchers(
    tmp_path: Path, table: Path, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = [*COMMON, "--searchers", "random-ws,enas", "--seeds", "2", "--table", str(table), "--out", str(out)]
    options += ["--set=enas.controller_steps=1"]
    main([*options, "--json"])
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [command[0] for command in commands] == 4 * ["search", "ranking"]
    assert document == json.loads((out / "weight_sharing.json").read_text())
    random = [read_ranking(out / f"random-ws-{seed}") for seed in (0, 1)]
    enas = [read_ranking(out / f"enas-{seed}") for seed in (0, 1)]
    assert len({tuple(c.architecture for c in r.random) for r in (*random, *enas) if r}) == 1
    percentiles = [r.figures.pick_percentile.value for r in enas if r and r.figures.pick_percentile]
    row = document["searchers"]["enas"]
    expected = summarise(percentiles)
    assert row["percentile"] == {"mean": expected.mean, "ci95": list(expected.ci95), "of": len(percentiles)}
    assert row["runs"] == 2
    assert row["peak_mb"]["mean"] == 123.0
    assert row["seconds"]["mean"] > 0
    commands.clear()
    main(options)
    assert commands == []
    text = capsys.readouterr().out
    assert text == (out / "weight_sharing.md").read_text()
    assert text.count("\n| ") == 3
    main([*options, "--children", "9", "--workers", "2", "--seeds", "1"])
    assert [command[0] for command in commands] == 2 * ["ranking"]
    assert commands[0][-2:] == ["--workers", "2"]
    with pytest.raises(SystemExit) as stopped:
        main([*options, "--budget", "7"])
    assert stopped.value.code == 2
    assert "its runs have budget 6, not 7; choose another folder" in capsys.readouterr().err


def test_stopped_runs_go_on_and_failures_are_told(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = [*COMMON, "--searchers", "random-ws", "--table", str(table), "--metric", "acc", "--out", str(out)]
    errors: list[Exception] = [NaoptError("shared weights diverged"), RunStoppedError("stopped")]
    called = []

    def command(*arguments: Any) -> float:
        called.append(arguments[0])
        if errors:
            raise errors.pop(0)
        assert run([str(argument) for argument in arguments]) == 0
        return 50.0

    monkeypatch.setattr(weight_sharing, "naopt", command)
    with pytest.raises(SystemExit) as stopped:
        main([*options, "--seeds", "2"])
    assert (stopped.value.code, called) == (3, ["search", "search"])
    errors.append(NaoptError("shared weights diverged"))
    main([*options, "--seeds", "2"])
    assert "random-ws-0 failed: shared weights diverged." in capsys.readouterr().out
    shown = (out / "weight_sharing.md").read_text()
    assert "(1 of 2)" in shown
    # A run that was killed between its search and its end is resumed.
    monkeypatch.setattr(weight_sharing, "load_run", lambda _: type("Unfinished", (), {"finished": False}))
    errors.append(RunStoppedError("stopped"))
    called.clear()
    with pytest.raises(SystemExit):
        main([*options, "--seeds", "2", "--json"])
    assert called[0] == "search"
    (out / "random-ws-0").mkdir()
    errors.append(RunStoppedError("stopped"))
    called.clear()
    with pytest.raises(SystemExit):
        main([*options, "--seeds", "2"])
    assert called == ["resume"]


def test_summary_by_hand() -> None:
    def figures(percentile: float | None) -> dict[str, float | None]:
        values = dict.fromkeys(weight_sharing.FIGURES, 1.0)
        return {**values, "percentile": percentile, "tau": None}

    found = {
        "random-ws": [figures(50.0), figures(60.0)],
        "nao-ws": [figures(90.0), figures(80.0)],
        "enas": [figures(90.0), figures(None)],
    }
    document = summary(found)
    assert document["searchers"]["nao-ws"]["percentile"]["mean"] == 85
    assert document["searchers"]["nao-ws"]["tau"] is None
    assert document["searchers"]["enas"]["percentile"] == {"mean": 90.0, "ci95": [90.0, 90.0], "of": 1}
    differences = document["percentile_less_baseline"]
    assert list(differences) == ["nao-ws"]
    assert differences["nao-ws"]["mean"] == np.mean([40, 20])
    about = {"task": "t", "space": "s", "budget": 1}
    ranking = {"children": 50, "top": 5, "repeats": 2, "table": None, "metric": "valid_acc"}
    text = weight_sharing.markdown({"settings": about, "ranking": ranking, "seeds": 2, "failed": {}, **document})
    assert "| nao-ws | 1.00 [1.00, 1.00] | 85.0 [21.5, 148.5] |" in text
    assert "| enas | 1.00 [1.00, 1.00] | 90.0 [90.0, 90.0] (1 of 2) |" in text
    assert "Percentile of nao-ws less that of random-ws: +30.0 [-97.1, +157.1]." in text
    assert "trained 2 time(s) each" in text


def test_settings_of_one_searcher_are_its_own(tmp_path: Path) -> None:
    options = parse([*COMMON, "--out", str(tmp_path), "--set=enas.epochs=7", "--searchers=enas,random-ws"])
    assert configuration(options, "enas", 3).searcher_settings == {"epochs": 7}
    assert configuration(options, "random-ws", 3).searcher_settings == {"epochs": 1}
    assert configuration(options, "enas", 3).seed == 3
    assert configuration(options, "enas", 3).training == TINY
    plain = parse(["--task=digits", "--space=nasbench201", f"--out={tmp_path}"])
    assert plain.searchers == ["nao-ws", "enas", "random-ws", "parsec", "darts"]
    assert configuration(plain, "enas", 0).searcher_settings == {}
    trained = weight_sharing.ranking_arguments(plain)
    assert trained[-4:] == ["--repeats", "1", "--cache", str(tmp_path / "trainings")]
    with pytest.raises(InputError, match="unknown"):
        configuration(plain, "enos", 0)
    with pytest.raises(InputError, match="searcher 'tpe': shares no weights"):
        configuration(plain, "tpe", 0)


def test_commands_run_in_processes_of_their_own(tmp_path: Path) -> None:
    assert 5 < naopt("list", "spaces") < 10_000  # a forked process begins with the peak of the tests that forked it
    with pytest.raises(InputError, match=r"naopt: run .*: has no config.toml"):
        naopt("ranking", tmp_path)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(InputError, match="--out"):
        weight_sharing.State(tmp_path, {})


@pytest.mark.parametrize(("code", "error"), [(1, NaoptError), (3, RunStoppedError), (-9, NaoptError)])
def test_exit_codes(code: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    python = "import os, signal, sys; "
    python += f"sys.exit({code})" if code > 0 else "os.kill(os.getpid(), signal.SIGKILL)"
    real = subprocess.Popen

    def popen(_: Any, **options: Any) -> Any:
        return real([sys.executable, "-c", python], **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(error, match=f"ended with {code}"):
        naopt("resume", "x")


def test_an_interrupt_waits_for_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    class Process:
        class stderr:  # noqa: N801
            @staticmethod
            def read() -> str:
                raise KeyboardInterrupt

        def wait(self) -> None:
            waited.append(True)

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: Process())
    with pytest.raises(RunStoppedError, match="the same command goes on"):
        naopt("search")
    assert waited == [True]
