"""What a history is of: the search's own metric and task, or others."""

from __future__ import annotations

from pathlib import Path

import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.problem import Named, Objective
from naopt.run import RunConfig, start_run
from naopt.store.history import read_history, read_scores
from naopt.store.sources import Source
from tests.run.toys import SPACE, ToyEvaluator, toy, write_table

SCORE = Objective("score")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "toy.npz")
    (tmp_path / "some.csv").write_text("fate,value,loss\nfine,1,9\nfine,0,\nfine,2,8\nfine,1,0\n", encoding="utf-8")


def test_a_metric_follows_the_last_name_that_is_there() -> None:
    assert Source.parse("toy.npz") == Source("toy.npz")
    assert Source.parse("toy.npz:valid_acc/cifar10") == Source("toy.npz", Named("valid_acc/cifar10"))
    assert Source.parse("toy.npz:min:loss") == Source("toy.npz", Named("loss", "min"))
    assert Source.parse("digits-nao11:valid_acc") == Source("digits-nao11", Named("valid_acc"))
    Path("odd:name.csv").touch()
    assert Source.parse("odd:name.csv") == Source("odd:name.csv")
    assert Source.parse("odd:name.csv:loss") == Source("odd:name.csv", Named("loss"))
    assert Source.parse("no.npz:min:loss") == Source("no.npz", Named("loss", "min"))
    assert Source.parse("no.npz") == Source("no.npz")
    for text, own, fitted in (("toy.npz", True, False), ("toy.npz:loss", False, False), ("a.safetensors", False, True)):
        assert (Source.parse(text).own, Source.parse(text).fitted) == (own, fitted)
    absolute = Source.parse("toy.npz:min:loss").absolute()
    assert Source.parse(str(absolute)) == absolute == Source(str(Path.cwd() / "toy.npz"), Named("loss", "min"))
    with pytest.raises(InputError, match="must be METRIC"):
        Source.parse("toy.npz:")


def test_scores_are_turned_so_that_larger_is_better() -> None:
    cost = read_scores(Source.parse("toy.npz:cost"), SPACE, SCORE)
    score = read_scores(Source.parse("toy.npz:score"), SPACE)
    assert (cost.name, cost.metric, cost.task, score.name) == ("toy.npz:cost", "cost", "toy", "toy.npz:score")
    assert (cost.values[toy("fine", 2)], score.values[toy("fine", 2)]) == (-3.0, 2.0)


def test_a_csv_file_is_better_as_it_is_said() -> None:
    one, two = toy("fine", 1), toy("fine", 2)
    said = read_scores(Source.parse("some.csv:min:loss"), SPACE).values
    assert said == {one: -9.0, two: -8.0}
    assert read_scores(Source.parse("some.csv:loss"), SPACE, Objective("loss", "min")).values == said
    assert read_scores(Source.parse("some.csv:loss"), SPACE, SCORE).values == {one: 9.0, two: 8.0}


def test_a_run_gives_what_was_measured() -> None:
    told = start_run("run", RunConfig(table="toy.npz", metric="score", searcher="random", budget=8)).evaluated
    found = read_scores(Source.parse("run:cost"), SPACE, SCORE)
    expected = {t.architecture: -t.measurement.metrics["cost"] for t in told if t.measurement and t.measurement.ok}
    assert found.values == expected
    assert (found.name, found.task) == ("run:cost", str(Path.cwd() / "toy.npz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("toy.npz:acc", "metric of table toy 'acc'"),
        ("run:acc", "history, metric of run 'acc'"),
        ("toy.npz:min:score", "its score is to be maximised"),
        ("some.csv:cost", "has no cost of an architecture of toy"),
    ],
)
def test_what_a_source_does_not_have(text: str, message: str) -> None:
    if text.startswith("run"):
        start_run("run", RunConfig(table="toy.npz", metric="score", searcher="random", budget=2))
    with pytest.raises((InputError, UnknownNameError), match=message):
        read_scores(Source.parse(text), SPACE, SCORE)


@pytest.mark.parametrize(
    ("own", "theirs", "other"),
    [
        ("digits", "cifar10:/a", True),
        ("images:/b", "images:/a", True),
        ("cifar10:/b", "cifar10:/a", False),
        ("digits", "digits", False),
        ("", "digits", False),
        ("digits", "", False),
    ],
)
def test_a_run_on_another_task_is_not_taken_for_ones_own(
    own: str, theirs: str, other: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_run("run", RunConfig(table="toy.npz", metric="score", searcher="random", budget=2))
    from naopt.store.store import RunStore

    class OfTask(RunStore):
        def __init__(self, path: Path, *, writable: bool = True) -> None:
            super().__init__(path, writable=writable)
            self.meta["config"]["task"], self.meta["contents"] = theirs, {}

    monkeypatch.setattr("naopt.store.history.RunStore", OfTask)
    if other:
        rule = f"was measured on {theirs}, and this search is about {own}; .* give run:score"
        with pytest.raises(InputError, match=rule):
            read_history(["run"], SPACE, SCORE, own)
    else:
        assert len(read_history(["run"], SPACE, SCORE, own)) == 2
    assert read_history(["run:score"], SPACE, SCORE, own) == []
    assert len(read_scores(Source.parse("run:score"), SPACE).values) <= 2


def test_a_run_on_another_table_is_not_taken_for_ones_own() -> None:
    start_run("run", RunConfig(table="toy.npz", metric="score", searcher="random", budget=2))
    assert read_history(["run"], SPACE, SCORE, "", ToyEvaluator().table_contents)
    assert read_history(["run"], SPACE, SCORE, "", {"name": "toy", "checksum": "another"})
    with pytest.raises(InputError, match="was measured on toy, and this search is about other"):
        read_history(["run"], SPACE, SCORE, "", {"name": "other", "checksum": ""})
