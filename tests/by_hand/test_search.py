"""Searches that are asked and told from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from naopt.by_hand import OpenSearch, Result, begin_search
from naopt.by_hand import search as module
from naopt.by_hand.elsewhere import MeasuredElsewhere
from naopt.errors import InputError, NaoptError, RunStoppedError
from naopt.execution.interrupt import stop_on_signal
from naopt.locking import locked
from naopt.measurement import Measurement
from naopt.run import RunConfig, load_run, open_run
from naopt.searchers import Objective, Problem
from naopt.spaces import GenericSpace, SearchSpace, create_space, integer
from naopt.store.store import RunStore

SPACE = GenericSpace({"width": [16, 32, 64], "depth": integer(1, 4), "norm": [True, None]}, "mlp")


def value(search: OpenSearch, text: str) -> float:
    tokens = search.record.space.parse(text).tokens
    return sum((index + 1) * token for index, token in enumerate(tokens)) / 7


@pytest.fixture
def search(tmp_path: Path) -> OpenSearch:
    return begin_search(tmp_path / "lab", SPACE, Objective("score"), RunConfig(searcher="evolution", budget=8, seed=3))


def test_what_is_asked_is_pending_until_it_is_told(search: OpenSearch) -> None:
    asked = search.ask(3)
    assert [trial.index for trial in asked] == [0, 1, 2]
    assert search.pending == asked
    assert search.ask()[0].index == 3
    told = search.tell(2, 0.5)
    assert told.measurement == Measurement({"score": 0.5})
    search.tell(asked[0].architecture, {"score": 1, "cost": 2.0}, seconds=3.0)
    search.tell(asked[1].text, Measurement({}, 1.0, "failed", "no power"))
    assert [trial.index for trial in search.pending] == [3]
    record = load_run(search.directory)
    assert [trial.place for trial in record.trials] == [1, 2, 0, None]
    assert record.trials[0].measurement == Measurement({"score": 1.0, "cost": 2.0}, 3.0)
    best = record.best()
    assert best is not None
    assert best.index == 0
    assert record.space == SPACE


@pytest.mark.parametrize("searcher", ["random", "evolution", "local-search", "tpe"])
def test_processes_that_ask_and_tell_in_turn_see_one_search(tmp_path: Path, searcher: str) -> None:
    texts = []
    for name in ("one", "many"):
        search = begin_search(
            tmp_path / name, SPACE, Objective("score"), RunConfig(searcher=searcher, budget=9, seed=1)
        )
        while asked := search.ask(3):
            for trial in asked:
                search.tell(trial.index, value(search, trial.text))
                search = search if name == "one" else OpenSearch(search.directory)
        texts.append([trial.text for trial in search.record.evaluated])
    assert len(texts[0]) == 9
    assert texts[0] == texts[1]


def test_the_budget_is_kept_but_results_are_always_taken(search: OpenSearch) -> None:
    assert len(search.ask(100)) == 8
    assert search.ask() == []
    known = {trial.text for trial in search.pending}
    other = next(text for a in SPACE.enumerate() if (text := SPACE.format(a)) not in known)
    told = search.tell(other, 0.1)
    assert (told.index, told.origin) == (8, "told")
    for trial in search.pending:
        search.tell(trial.index, 0.2)
    assert search.record.finished
    assert len(search.record.evaluated) == 9


def test_a_searcher_learns_from_what_it_never_proposed(tmp_path: Path) -> None:
    space = GenericSpace({"a": [1, 2], "b": [1, 2]})
    search = begin_search(tmp_path / "lab", space, Objective("score", "min"), RunConfig(searcher="random", budget=9))
    search.tell("a=1,b=1", 3.0)
    asked = search.ask(9)
    assert {trial.text for trial in asked} == {"a=1,b=2", "a=2,b=1", "a=2,b=2"}
    assert search.ask() == []
    assert len(search.pending) == 3
    for trial in asked:
        search.tell(trial.index, 4.0)
    assert search.ask() == []
    assert search.record.finished
    best = search.record.best()
    assert best is not None
    assert best.text == "a=1,b=1"


def test_symmetric_architectures_are_one(tmp_path: Path) -> None:
    space = create_space("conv-cell:nodes=2")
    search = begin_search(tmp_path / "lab", space, Objective("acc"), RunConfig(searcher="random", budget=4))
    (asked,) = search.ask()
    other = list(space.symmetries(asked.architecture.tokens))[-1]
    assert search.tell(space.format(space.architecture(other)), 0.5).index == asked.index
    assert isinstance(search.record.space, type(space))


def test_telling_again(search: OpenSearch) -> None:
    search.ask(2)
    search.tell(0, 0.5)
    search.tell(0, 0.5)
    search.tell(1, Measurement({}, 0.0, "failed", "no power"))
    assert search.tell_all([Result(1, Measurement({}, 9.0, "failed", "no power"))])[0][1] is False
    with pytest.raises(InputError, match=r"evaluation 0 'score=0.25': was told before, as score=0.5; that stays"):
        search.tell(0, 0.25)
    with pytest.raises(InputError, match="was told before, as failed: no power"):
        search.tell(1, 0.5)


@pytest.mark.parametrize(
    ("which", "found", "message"),
    [
        (7, 0.5, "index '7': was not asked; the last index is 0"),
        ("width=17", 0.5, "'17' is not one of"),
        (0, {"cost": 1.0}, "result 'cost=1.0': has no score, which this search is about"),
        (0, float("nan"), "metric 'score' is not finite"),
        (0, {"score": "high"}, "could not convert"),
        (0, {}, "needs at least one metric"),
        (0, {"score": 1.0, "score_se": -0.1}, "a standard error is not negative"),
    ],
)
def test_results_that_are_refused(search: OpenSearch, which: int | str, found: float, message: str) -> None:
    search.ask()
    with pytest.raises(InputError, match=message):
        search.tell(which, found)
    assert len(search.pending) == 1


def test_all_results_or_none(search: OpenSearch) -> None:
    search.ask(2)
    good, bad = Measurement({"score": 1.0}), Measurement({"cost": 1.0})
    with pytest.raises(InputError, match=r"row 'file, line 3': result 'cost=1\.0'"):
        search.tell_all([Result(0, good), Result(1, bad, "file, line 3")])
    assert len(search.pending) == 2
    told = search.tell_all([Result("width=64,depth=4,norm=null", good)] * 2)
    assert [(trial.index, new) for trial, new in told] == [(2, True), (2, False)]


def test_enqueued_and_known_ones(tmp_path: Path) -> None:
    first = "width=64,depth=4,norm=true"
    (tmp_path / "known.csv").write_text("width,depth,norm,score\n16,1,null,3\n32,2,true,\n", encoding="utf-8")
    config = RunConfig(searcher="random", budget=23, enqueue=(first,), history=(str(tmp_path / "known.csv"),))
    search = begin_search(tmp_path / "lab", SPACE, Objective("score"), config)
    asked = search.ask(23)
    assert (asked[0].text, asked[0].origin) == (first, "enqueued")
    assert len(asked) == 23
    assert "width=16,depth=1,norm=null" not in {trial.text for trial in asked}


def test_only_one_at_a_time_but_others_wait(search: OpenSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 0.05)
    with locked(search.directory / "run.lock", "executed"):
        with pytest.raises(InputError, match="is being executed by another process"):
            search.ask()
        assert search.pending == []
    assert search.ask()


def test_a_signal_while_asking(search: OpenSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    def propose(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RunStore, "propose", propose)
    with pytest.raises(RunStoppedError, match=r"stopped while asking; what was asked: naopt ask .*lab --pending"):
        search.ask()
    with stop_on_signal():
        assert search.pending == []


def test_other_runs(tmp_path: Path, search: OpenSearch) -> None:
    with pytest.raises(InputError, match=r"has no config.toml"):
        OpenSearch(tmp_path)
    with pytest.raises(InputError, match="is measured elsewhere; what is next: naopt ask"):
        open_run(search.directory).carry_out()
    with pytest.raises(InputError, match="exists and is not an empty directory"):
        begin_search(search.directory, SPACE, Objective("score"), RunConfig())
    with pytest.raises(InputError, match="count '0': must be at least 1"):
        search.ask(0)
    config = search.directory / "config.toml"
    config.write_text(config.read_text().replace("elsewhere = true", "elsewhere = false"), encoding="utf-8")
    with pytest.raises(InputError, match="is nothing that is measured elsewhere; go on with: naopt resume"):
        OpenSearch(search.directory)


@pytest.mark.parametrize("name", ["a b", "a=b", "a:b", "index", "seconds"])
def test_names_of_metrics(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"metric '{name}': must be a word"):
        begin_search(tmp_path / "lab", SPACE, Objective(name), RunConfig())
    assert not (tmp_path / "lab").exists()


def test_nothing_measures_here() -> None:
    space: SearchSpace = SPACE
    evaluator = MeasuredElsewhere(space, Problem.of(Objective("score", "min")))
    assert evaluator.metrics["score"].goal == "min"
    with pytest.raises(NaoptError, match="is measured elsewhere"):
        evaluator.evaluate(space.parse("width=16,depth=1,norm=true"), 0)


def test_the_searcher_may_want_to_be_told_first(tmp_path: Path) -> None:
    search = begin_search(tmp_path / "lab", SPACE, Objective("score"), RunConfig(searcher="nao", budget=20))
    asked = search.ask(20)
    assert asked
    assert [trial.index for trial in search.pending] == list(range(len(asked)))
