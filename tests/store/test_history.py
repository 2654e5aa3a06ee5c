"""What a search begins with: measurements of others, and architectures that somebody wants measured first."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement, MetricInfo
from naopt.run import RunConfig, load_run, resume_run, start_run
from naopt.searchers import Objective
from naopt.spaces import GenericSpace, create_space, integer, ordinal
from naopt.store.history import read_history
from naopt.store.store import RunStore
from naopt.tables import Table, save_table
from tests.run.toys import FATES, SPACE, Stop, ToyEvaluator, toy, write_table

SCORE = Objective("score")
TYPED = GenericSpace(
    {"width": [16, 32], "rate": ordinal([0.1, 0.01]), "norm": [True, False, None], "act": ["relu", "1"]}, "typed"
)


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(table=str(write_table(tmp_path / "toy.npz")), metric="score", searcher="random", budget=12)


def prior(directory: Path) -> list[tuple[tuple[int, ...], dict[str, float], str]]:
    with RunStore(directory / "run.db", writable=False) as store:
        return [(a.tokens, dict(m.metrics), m.status) for a, m in store.prior(load_run(directory).space)]


# History.


def test_a_run(tmp_path: Path, config: RunConfig) -> None:
    first = start_run(tmp_path / "first", config)
    told = first.evaluated
    assert any(not trial.measurement.ok for trial in told if trial.measurement is not None)
    second = start_run(tmp_path / "second", config.model_copy(update={"history": (str(tmp_path / "first"),)}))
    assert len(second.evaluated) == 12
    assert not {t.architecture for t in second.trials} & {t.architecture for t in told}
    assert [row[0] for row in prior(tmp_path / "second")] == [trial.architecture.tokens for trial in told]
    assert [row[2] for row in prior(tmp_path / "second")] == [t.measurement.status for t in told if t.measurement]
    with closing(sqlite3.connect(tmp_path / "second/run.db")) as connection:
        assert connection.execute("SELECT DISTINCT source FROM prior").fetchall() == [(str(tmp_path / "first"),)]


def test_a_table_and_the_first_of_equal_ones(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "one.csv").write_text("fate,value,score\nfine,1,99\nfine,0,\n", encoding="utf-8")
    found = read_history([str(tmp_path / "one.csv"), config.table], SPACE, SCORE)
    by_tokens = {row.architecture.tokens: row for row in found}
    assert by_tokens[0, 1].measurement.metrics == {"score": 99.0}
    assert by_tokens[0, 2].measurement.metrics == {"score": 2.0, "cost": 3.0}
    assert by_tokens[0, 2].source == config.table
    assert (0, 0) not in by_tokens  # which the table has not measured
    assert len(found) == sum(index % 7 != 0 for index in range(90))


def test_a_csv_file_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    space = GenericSpace({"width": ["16", "32"], "rate": ["0.1", "0.01"], "act": ["1", "relu"]}, "texts")
    path = tmp_path / "sheet.csv"
    path.write_text("width;rate;act;score\n16,0;0,10;1;0,5\n32;0,01;relu;n/a\n32;1e-2;relu;2\n", encoding="utf-8-sig")
    found = read_history([str(path)], space, SCORE)
    assert [(row.architecture.tokens, row.measurement.metrics["score"]) for row in found] == [
        ((0, 0, 0), 0.5),
        ((1, 1, 1), 2.0),
    ]
    path.write_text("width;rate;act;score\n16;0.1;1.0;3\n", encoding="utf-8")  # "act" is of words
    with pytest.raises(InputError, match="must be one of"):
        read_history([str(path)], space, SCORE)


def test_typed_choices_in_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "typed.csv"
    path.write_text(
        "act,norm,rate,width,score,note\n"
        "relu,True,0.10,16.0,1,by pandas\n"
        "1,,1e-2,32,2,by hand\n"
        "relu,null,0.1,32,3,as labels\n",
        encoding="utf-8-sig",
    )
    found = read_history([str(path)], TYPED, SCORE)
    values = [TYPED.values(row.architecture) for row in found]
    assert values == [
        {"width": 16, "rate": 0.1, "norm": True, "act": "relu"},
        {"width": 32, "rate": 0.01, "norm": None, "act": "1"},
        {"width": 32, "rate": 0.1, "norm": None, "act": "relu"},
    ]
    path.write_text('architecture,score\n"width=32,rate=0.1,norm=false,act=1",4\n', encoding="utf-8")
    (row,) = read_history([str(path)], TYPED, SCORE)
    assert TYPED.values(row.architecture)["norm"] is False


def test_a_run_with_typed_choices(tmp_path: Path) -> None:
    class Typed(ToyEvaluator):
        def __init__(self) -> None:
            super().__init__(inline=True)
            self.space = TYPED

        def evaluate(self, architecture: object, seed: int) -> Measurement:
            return Measurement({"score": 1.0})

    config = RunConfig(function="typed", searcher="random", budget=12)
    start_run(tmp_path / "one", config, evaluator=Typed())
    config = config.model_copy(update={"history": (str(tmp_path / "one"),)})
    record = start_run(tmp_path / "two", config, evaluator=Typed())
    assert len({t.architecture for t in [*record.trials, *load_run(tmp_path / "one").trials]}) == TYPED.size == 24
    assert record.space == TYPED


def test_symmetries_of_a_known_space(tmp_path: Path) -> None:
    space = create_space("conv-cell:nodes=2")
    architecture = space.sample(np.random.default_rng(0))
    other = list(space.symmetries(architecture.tokens))[-1]
    texts = [space.format(architecture), space.format(space.architecture(other))]
    (tmp_path / "two.csv").write_text("architecture,score\n" + "".join(f'"{t}",{i}\n' for i, t in enumerate(texts)))
    (row,) = read_history([str(tmp_path / "two.csv")], space, SCORE)
    assert row.measurement.metrics == {"score": 0.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "fate,score\nfine,5\n",
            "line 2, column 'value': no such column; needed is architecture, or one for each of fate, value",
        ),
        ("fate,value,score\nfine,x,5\n", "bad.csv: line 2, value 'x': must be one of 0, 1, 2"),
        ("fate,value,score\nfine,1,\nfine,1\nfine,,5\n", "line 4, value '': must be one of"),
        ("fate,value,score\nfine,1,high\n", "line 2, result 'high': must be a finite number"),
        ("fate,value,score\nfine,x,5\nodd,1,inf\n", "2 mistakes': line 2, value 'x': must be one of 0, 1, 2"),
        ('architecture,score\n"fate=fine,value=33",5\n', "at position 16: '33' is not one of"),
        ("fate,value,cost\nfine,3,5\n", "has no score of an architecture of toy"),
        ("", "has no score of an architecture of toy"),
        ("\udcff", "line 1, column 1 'byte 0xff': is not UTF-8"),
    ],
)
def test_csv_files_that_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError) as caught:
        read_history([str(path)], SPACE, SCORE)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sources_that_are_refused(tmp_path: Path, config: RunConfig) -> None:
    other = Table("other", TYPED, np.zeros((1, 4), dtype=np.int64), {"score": np.ones(1)}, {"score": MetricInfo()})
    save_table(other, tmp_path / "other.npz")
    np.savez(tmp_path / "no.npz", a=np.ones(2))
    start_run(tmp_path / "run", config)
    infos = {"cost": MetricInfo("min")}
    save_table(Table("toy", SPACE, np.array([[0, 1]]), {"cost": np.ones(1)}, infos), tmp_path / "cost.npz")
    costs = RunConfig(table=str(tmp_path / "cost.npz"), searcher="random", budget=1)
    start_run(tmp_path / "costs", costs)
    for source, space, objective, message in (
        ("other.npz", SPACE, SCORE, "is of space other, not toy"),
        ("no.npz", SPACE, SCORE, "no.npz"),
        ("gone.npz", SPACE, SCORE, "no such file"),
        ("gone.csv", SPACE, SCORE, "No such file"),
        ("cost.npz", SPACE, SCORE, "has no score of an architecture of toy"),
        ("costs", SPACE, SCORE, "has no score of an architecture of toy"),
        ("run", TYPED, SCORE, "searched toy, not typed"),
        ("run", SPACE, Objective("score", "min"), "its score is better the other way"),
        (".", SPACE, SCORE, "has no run.db"),
    ):
        with pytest.raises(InputError, match=message):
            read_history([str(tmp_path / source)], space, objective)


def test_nothing_is_written_for_a_history_that_is_refused(tmp_path: Path, config: RunConfig) -> None:
    with pytest.raises(InputError, match="No such file"):
        start_run(tmp_path / "run", config.model_copy(update={"history": ("gone.csv",)}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["enqueue", "history"])
def test_shared_weights_name_their_own_candidates(tmp_path: Path, name: str) -> None:
    config = RunConfig(task="digits", searcher="random-ws").model_copy(update={name: ("x",)})
    with pytest.raises(InputError, match=f"{name} 'x': has no use with searcher random-ws"):
        start_run(tmp_path / "run", config)


# Enqueued ones.


def test_enqueued_ones_are_measured_first_once_and_within_the_budget(tmp_path: Path, config: RunConfig) -> None:
    texts = tuple(f"value={value},fate=fine" for value in (9, 8, 9, 7))
    record = start_run(tmp_path / "run", config.model_copy(update={"enqueue": texts}))
    assert [t.origin for t in record.trials] == ["enqueued"] * 3 + ["random"] * 9
    assert [t.text for t in record.trials[:3]] == [f"fate=fine,value={value}" for value in (9, 8, 7)]
    assert len({t.architecture for t in record.trials}) == 12
    few = start_run(tmp_path / "few", config.model_copy(update={"enqueue": texts, "budget": 2}))
    assert [t.text for t in few.trials] == ["fate=fine,value=9", "fate=fine,value=8"]


def test_what_is_enqueued_may_be_known(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "known.csv").write_text("fate,value,score\nfine,9,1\n", encoding="utf-8")
    update = {"enqueue": ("fate=fine,value=9",), "history": (str(tmp_path / "known.csv"),)}
    record = start_run(tmp_path / "run", config.model_copy(update=update))
    assert record.trials[0].architecture == toy("fine", 9)
    assert len(record.evaluated) == 12


@pytest.mark.parametrize("schedule", ["rounds", "async"])
@pytest.mark.parametrize("results", [1, 2, 5])
def test_both_survive_a_kill(tmp_path: Path, config: RunConfig, schedule: str, results: int) -> None:
    (tmp_path / "known.csv").write_text("fate,value,score\nfine,1,90\nfine,3,91\n", encoding="utf-8")
    update = {
        "search_schedule": schedule,
        "searcher": "evolution",
        "searcher_settings": {"population": 2},
        "enqueue": tuple(f"fate={fate},value=5" for fate in FATES[:3]),
        "history": (str(tmp_path / "known.csv"),),
    }
    config = config.model_copy(update=update)
    whole = start_run(tmp_path / "whole", config)
    with pytest.raises(KeyError):
        start_run(tmp_path / "killed", config, observers=[Stop(results)])
    kept = load_run(tmp_path / "killed").evaluated
    assert len(kept) == results
    (tmp_path / "known.csv").unlink()
    record = resume_run(tmp_path / "killed")
    assert record.trials == whole.trials  # with one worker, asynchronous searches are alike, too
    assert [t for t in record.trials if t.index in {k.index for k in kept}] == kept
    assert len(prior(tmp_path / "killed")) == 2


def test_texts_that_are_no_architectures(tmp_path: Path, config: RunConfig) -> None:
    with pytest.raises(InputError, match="'nope' is not one of fate, value"):
        start_run(tmp_path / "run", config.model_copy(update={"enqueue": ("nope",)}))
    assert not (tmp_path / "run").exists()


def test_positions_may_have_any_whole_numbers(tmp_path: Path) -> None:
    space = GenericSpace({"depth": integer(1, 3)}, "deep")
    (tmp_path / "known.csv").write_text("depth,score\n3,0.5\n", encoding="utf-8")
    (row,) = read_history([str(tmp_path / "known.csv")], space, SCORE)
    assert row.architecture.tokens == (2,)
