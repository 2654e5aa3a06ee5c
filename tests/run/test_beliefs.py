"""Searches that begin with what other tasks say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import naopt
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.latent.belief_files import read_beliefs
from naopt.measurement import MetricInfo
from naopt.run import RunConfig, RunRecord, load_run, resume_run, start_run
from naopt.spaces import GenericSpace, Position
from naopt.store.store import RunStore
from naopt.tables import Table, save_table
from tests.run.toys import Stop

SPACE = GenericSpace([Position("x", tuple(map(str, range(9)))), Position("y", tuple(map(str, range(9))))], "square")
TINY = {"unlabelled": 60, "pretraining_steps": 2, "decoder_size": 8, "starts": 2, "steps": 1, "neighbours": 2}
EVERY = list(SPACE.enumerate())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table whose optimum is nearly that of another task, which is told by its error."""
    monkeypatch.chdir(tmp_path)
    tokens = np.array([architecture.tokens for architecture in EVERY])
    x, y = tokens.T.astype(float)
    own, error = -((x - 6) ** 2) - (y - 2) ** 2, (x - 7) ** 2 + (y - 2) ** 2
    infos = {"acc": MetricInfo(), "error": MetricInfo("min")}
    save_table(Table("square", SPACE, tokens, {"acc": own, "error": error}, infos), tmp_path / "square.npz")


def config(*history: str, **options: Any) -> RunConfig:
    settings = {} if options.get("searcher") == "random" else TINY
    given = {"table": "square.npz", "metric": "acc", "budget": 10, "searcher_settings": settings, **options}
    return RunConfig(history=history, **given)


def archive(record: RunRecord) -> list[tuple[tuple[int, ...], str]]:
    return [(trial.architecture.tokens, trial.origin) for trial in record.trials]


def test_a_search_begins_with_what_is_promising_elsewhere() -> None:
    record = start_run("one", config("square.npz:error", searcher_settings={**TINY, "initial": 6}))
    assert archive(record)[0] == ((7, 2), "prior")
    assert [origin for _, origin in archive(record)[:6]] == ["prior", "random"] * 3
    best = record.best()
    assert best is not None
    assert best.architecture.tokens == (6, 2)
    assert record.rounds[-1]["prior_weight/square.npz:error"] > 0.02
    assert "beliefs.safetensors" in {path.name for path in Path("one").iterdir()}
    assert load_run("one").config.history == (f"{Path.cwd()}/square.npz:error",)


def test_it_goes_on_without_the_source() -> None:
    shutil.copy("square.npz", "source.npz")
    whole = start_run("whole", config("source.npz:error"))
    with pytest.raises(KeyError):
        start_run("killed", config("source.npz:error"), observers=[Stop(7)])
    Path("source.npz").unlink()
    shutil.copytree("killed", "bare")
    assert archive(resume_run("killed")) == archive(whole)
    Path("bare/beliefs.safetensors").unlink()
    with pytest.raises(InputError, match="no such file"):
        resume_run("bare")
    with pytest.raises(InputError, match="no such file"):
        start_run("new", config("source.npz:error"))
    assert not Path("new").exists()


def test_files_and_several_sources(capsys: pytest.CaptureFixture[str]) -> None:
    start_run("other", config(metric="error", searcher="random", budget=30))
    assert run(["prior", "save", "other", "square.npz:error", "square.npz:error", "--out", "x.safetensors"]) == 0
    out = capsys.readouterr().out
    names = ["other:error", "square.npz:error", "square.npz:error (2)"]
    assert all(name in out for name in names)
    assert [belief.name for belief in read_beliefs("x.safetensors", SPACE)] == names
    record = start_run("one", config("x.safetensors", "other:error", searcher_settings={**TINY, "initial": 6}))
    assert [b.name for b in read_beliefs("one/beliefs.safetensors", SPACE)] == [*names, "other:error (2)"]
    (x, y) = [tokens for tokens, origin in archive(record)[:3] if origin == "prior"][1]
    assert abs(x - 7) + abs(y - 2) <= 1, "thirty random measurements say about where the best is"
    direct = start_run("two", config(*["other:error", "square.npz:error", "square.npz:error"], budget=8))
    saved = start_run("three", config("x.safetensors", budget=8))
    assert archive(direct) == archive(saved)


def test_own_measurements_beside_those_of_another_task() -> None:
    start_run("before", config(searcher="random", budget=5, seed=7))
    record = start_run("one", config("before", "square.npz:error"))
    assert not {t.architecture for t in record.trials} & {t.architecture for t in load_run("before").trials}
    assert {"prior", "ascent"} & {origin for _, origin in archive(record)}
    with RunStore(Path("one/run.db"), writable=False) as store:
        assert [row[0] for row in store.prior(SPACE)] == [trial.architecture for trial in load_run("before").trials]


def test_in_python_and_in_comparisons() -> None:
    found = naopt.search(None, "square.npz", objective="acc", history="square.npz:error", budget=7, settings=TINY)
    assert found.trials[0].origin == "prior"
    done = naopt.compare("square.npz", {"nao": TINY}, metric="acc", budget=10, trials=2, history="square.npz:error")
    assert all(trial.origins["prior"].queries >= 3 for trial in done.trials)


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ("square.npz:error", {"searcher": "random"}, "searcher 'random': takes no prior knowledge"),
        ("square.npz:eror", {}, "did you mean 'error'"),
        ("x.safetensors", {}, "history 'x.safetensors': cannot be read"),
    ],
)
def test_what_cannot_be_used(history: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        start_run("one", config(history, **options))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["square.npz", "--out", "x.safetensors"], "which metric is meant? give square.npz:METRIC"),
        (["square.npz:error", "--out", "x.json"], "must end in .safetensors"),
        (["some.csv:error", "--out", "x.safetensors"], "'some.csv' does not say which it has"),
    ],
)
def test_priors_that_cannot_be_saved(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("some.csv").write_text("x,y,error\n1,1,1\n", encoding="utf-8")
    assert run(["prior", "save", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path("x.safetensors").exists()


def test_sources_of_comparisons_are_of_other_tasks() -> None:
    with pytest.raises(InputError, match="is told to no search here"):
        naopt.compare("square.npz", {"nao": TINY}, metric="acc", budget=5, trials=1, history="square.npz")


def test_beside_prior_columns() -> None:
    record = start_run("one", config("square.npz:error", prior_columns=("error",)))
    assert {"prior_weight/error", "prior_weight/square.npz:error"} <= record.rounds[-1].keys()
