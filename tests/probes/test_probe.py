"""Probes of subjects that know everything or nothing, of every adapter, and of the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.latent.features import one_hot
from naopt.probes import Subject, adapters, draw_architectures, probe, probe_run, replayed, subject_of
from naopt.probes.study import meaning
from naopt.run import RunConfig, load_run, start_run
from naopt.run.setup import prepare
from naopt.searchers import ReinforceSearcher
from naopt.spaces import Architecture, ConvCellSpace, GenericSpace, NASBench201Space, Position
from tests.searchers.driving import data, needs_data

SPACE = NASBench201Space()
KEYS = {"run", "searcher", "subject", "space", "architectures", "dimensions", "permutations", "seed", "metric",
        "predictivity", "completions", "edit_exact", "distance", "meaning"}  # fmt: skip


def tokens(architectures: Sequence[Architecture]) -> Any:
    return np.array([a.tokens for a in architectures], dtype=np.int64)


def told(knows: bool) -> Subject:
    """States that are the tokens, or nothing but noise; copies likewise; prefixes are repeated backwards or not."""
    noise = np.random.default_rng(0)

    def states(architectures: Sequence[Architecture]) -> Any:
        return one_hot(SPACE, tokens(architectures)) if knows else noise.normal(size=(len(architectures), 5))

    def decode(architectures: Sequence[Architecture], copies: int, rng: np.random.Generator) -> Any:
        random = rng.integers(5, size=(len(architectures), copies, 6))
        return tokens(architectures)[:, None].repeat(copies, axis=1) if knows else random

    def complete(prefixes: Any, copies: int, rng: np.random.Generator) -> Any:
        rest = rng.integers(5, size=(len(prefixes), copies, 6 - prefixes.shape[1]))
        if knows:
            rest[:] = prefixes[:, None, :1]
        return np.concatenate([prefixes[:, None].repeat(copies, axis=1), rest], axis=2)

    return Subject("a test", SPACE, states, decode, "they do not", complete)


def probed(knows: bool, **changes: Any) -> dict[str, Any]:
    architectures = draw_architectures(SPACE, 80, 0)
    scores = np.array([float(sum(a.tokens)) for a in architectures])
    given: dict[str, Any] = {"metric": "sum", "permutations": 199, "seed": 1} | changes
    return probe(told(knows), architectures, scores, **given)


def test_a_state_that_knows_all() -> None:
    found = probed(True)
    assert found["predictivity"]["edges"]["r2"] > 0.99
    assert found["predictivity"]["sum"]["r2"] > 0.99
    assert found["predictivity"]["sum"]["architectures"] == 80
    whole, *parts = found["completions"]
    assert whole["own"] == 1.0
    assert all(result["ratio"] == 1.0 and result["p"] == 0.005 for result in whole["distances"].values())
    assert [part["after"] for part in parts] == [2, 3, 4]
    assert all(part["distances"]["tokens"]["ratio"] == 1.0 for part in parts)
    assert found["distance"]["tokens"]["spearman"] > 0.99
    assert found["edit_exact"]
    texts = found["meaning"]
    assert "sum (R2 1.00)" in texts["predictivity"]
    assert "resemble each other: 100% of the variance" in texts["completions"]
    assert "depends on the prefix (seen after 2, 3, 4 tokens)" in texts["completions"]
    assert "tokens (Spearman" in texts["distance"]
    assert probed(True) == found


def test_a_state_that_knows_nothing() -> None:
    found = probed(False)
    assert all(result["p"] >= 0.01 for result in found["predictivity"].values())
    whole, *parts = found["completions"]
    assert all(result["p"] >= 0.01 and abs(result["ratio"]) < 0.1 for result in whole["distances"].values())
    assert all(part["distances"]["tokens"]["p"] >= 0.01 for part in parts)
    assert all(result["p"] >= 0.01 for result in found["distance"].values())
    assert found["meaning"]["predictivity"].startswith("A linear reading of the state tells nothing")
    assert "no more alike" in found["meaning"]["completions"]
    assert "shows nothing of the prefix" in found["meaning"]["completions"]
    assert found["meaning"]["distance"] == "The distance of states does not follow that of graphs."


def test_meaning_of_what_is_partly_known() -> None:
    found = probed(True, metric="sum")
    found["predictivity"]["depth"]["p"] = 0.5
    assert "; of depth nothing that chance would not." in meaning(found)["predictivity"]
    assert "no property" in meaning(found | {"predictivity": {}})["predictivity"]


def test_scores_that_are_few_or_equal_are_left_out() -> None:
    architectures = draw_architectures(SPACE, 60, 0)
    scores = np.full(60, np.nan)
    scores[:19] = np.arange(19)
    for given in (scores, np.ones(60)):
        found = probe(told(True), architectures, given, "metric", permutations=9, seed=0)
        assert "metric" not in found["predictivity"]
    scores[19:30] = 1
    found = probe(told(True), architectures, scores, "metric", permutations=9, seed=0)
    assert found["predictivity"]["metric"]["architectures"] == 30


# Architectures.


def test_no_two_architectures_are_isomorphic() -> None:
    space = ConvCellSpace(1, "conv3x3+identity")
    known = [space.sample(np.random.default_rng(5)) for _ in range(3)]
    found = draw_architectures(space, 30, 0, known)
    canonical = [space.canonical(a.tokens) for a in found]
    assert canonical == [a.tokens for a in found]
    assert len(set(canonical)) == 30
    assert canonical[0] == space.canonical(known[0].tokens)
    assert draw_architectures(space, 30, 0, known) == found
    assert len(draw_architectures(space, 10_000, 0)) < 10_000


def test_a_space_may_be_too_small() -> None:
    space = GenericSpace([Position("p", tuple(map(str, range(7))))], "tiny")
    with pytest.raises(InputError, match="only 7 distinct architectures; a probe needs 20"):
        draw_architectures(space, 100, 0)


# Runs.


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rows = [f"{a},{b},{c},{a * b + c},{a}" for a in range(4) for b in range(4) for c in range(4)]
    (folder / "toy.csv").write_text("\n".join(["a,b,c,score,first", *rows]), encoding="utf-8")
    columns = ["--metric", "score", "--metric", "first"]
    assert run(["table", "import", "csv", f"{folder}/toy.csv", f"{folder}/toy.npz", *columns]) == 0
    return folder / "toy.npz"


def searched(table: Path, directory: Path, searcher: str, budget: int = 12, **settings: Any) -> Path:
    values = {"table": str(table), "metric": "score", "budget": budget, "searcher": {"name": searcher, **settings}}
    start_run(directory, RunConfig.from_values(values))
    return directory


LATENT = {"pretraining_steps": 2, "unlabelled": 30, "epochs": 1, "min_steps": 2, "held_out": 0.0}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "controller": ("reinforce", {"hidden_size": 8}),
    "memory": ("reinforce", {"hidden_size": 8, "layers": 2, "buffer": 10, "buffer_batch": 4}),
    "embedding": ("nao", {"pretraining_steps": 2, "unlabelled": 60}),
    "joint": ("nao", {"preset": "joint", "initial": 12, **LATENT}),
    "tnao": ("tnao", {"initial": 12, **LATENT}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_adapter(case: str, table: Path, tmp_path: Path) -> None:
    searcher, settings = CASES[case]
    directory = searched(table, tmp_path / "run", searcher, **settings)
    found = probe_run(directory, architectures=30, permutations=9)
    assert found.keys() == KEYS
    assert (found["searcher"], found["architectures"], found["metric"]) == (searcher, 30, "score")
    assert found["predictivity"]["score"]["architectures"] == 30
    controller = searcher == "reinforce"
    assert [part["after"] for part in found["completions"]] == ([None, 1, 2] if controller else [None])
    again = probe_run(directory, architectures=30, permutations=9)
    assert json.dumps(again) == json.dumps(found)
    if case == "memory":
        assert found["dimensions"] == 2 * 2 * 8
        assert "memory of 10" in found["subject"]


def test_a_replayed_searcher_is_the_one_that_searched(table: Path, tmp_path: Path) -> None:
    record = load_run(searched(table, tmp_path / "run", "reinforce", hidden_size=4))
    searcher = replayed(record, prepare(record.config))
    assert isinstance(searcher, ReinforceSearcher)
    assert [a.tokens for a, _ in searcher.history] == [t.architecture.tokens for t in record.trials]
    assert searcher.controller.space.name == record.space.name


def test_other_scores(table: Path, tmp_path: Path) -> None:
    directory = searched(table, tmp_path / "run", "reinforce", hidden_size=4)
    by_table = probe_run(directory, architectures=25, permutations=5, table=str(table), metric="first")
    assert by_table["metric"] == "first"
    assert by_table == probe_run(directory, architectures=25, permutations=5, metric="first")
    with pytest.raises(InputError, match="the run searched"):
        probe_run(directory, table="digits-nao11")
    with pytest.raises(InputError, match="metric of table"):
        probe_run(directory, metric="none")


def test_without_a_table_what_was_measured_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    directory = searched(table, tmp_path / "run", "reinforce", budget=24, hidden_size=4)
    monkeypatch.setattr("naopt.probes.run._table", lambda setup, source: None)
    found = probe_run(directory, architectures=30, permutations=5)
    assert found["predictivity"]["score"]["architectures"] == 24
    with pytest.raises(InputError, match="metric"):
        probe_run(directory, architectures=30, permutations=5, metric="scores")


def test_what_cannot_be_probed(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = searched(table, tmp_path / "plain", "random")
    assert run(["probe", str(plain)]) == 2
    message = capsys.readouterr().err.strip()
    assert message.count("\n") == 0
    assert "searcher random has neither a controller nor an encoder; those with one: " in message
    assert all(name in message for name in ("nao", "reinforce", "tnao"))
    independent = searched(table, tmp_path / "independent", "reinforce", policy="independent")
    assert run(["probe", str(independent)]) == 2
    assert "its controller has no state" in capsys.readouterr().err
    few = searched(table, tmp_path / "few", "tnao", budget=1, **LATENT)
    assert run(["probe", str(few)]) == 2
    assert "has 1 scores; its encoder is fitted to at least 2" in capsys.readouterr().err
    for option in ("--architectures", "--permutations"):
        assert run(["probe", str(plain), option, "0"]) == 2
        assert f"{option} '0': must be at least" in capsys.readouterr().err
    assert run(["probe", str(tmp_path)]) == 2


def test_an_adapter_is_one_function(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = load_run(searched(table, tmp_path / "run", "random"))
    monkeypatch.setattr(adapters, "_objects", dict(adapters._objects))
    adapters.register("random")(lambda record, setup: told(True))
    assert subject_of(record, prepare(record.config)).title == "a test"


def test_the_command_says_and_writes_the_same(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = searched(table, tmp_path / "run", "reinforce", hidden_size=4)
    command = ["probe", str(directory), "--architectures", "30", "--permutations", "9"]
    capsys.readouterr()
    assert run([*command, "--json", "--out", str(tmp_path / "found.json")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert run(command) == 0
    printed = capsys.readouterr().out
    assert all(sentence in printed for sentence in found["meaning"].values())
    assert "after 2 tokens" in printed
    assert run([*command, "--out", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err


@needs_data
def test_states_decode_back_with_a_memory_only(tmp_path: Path) -> None:
    """Adam & Lorraine's finding, on NAS-Bench-201."""
    ratios = {}
    for size in (0, 120):
        values = {
            "table": str(data("nasbench201.npz")),
            "metric": "valid_acc/cifar10",
            "budget": 120,
            "searcher": {"name": "reinforce", "buffer": size},
        }
        start_run(tmp_path / str(size), RunConfig.from_values(values))
        found = probe_run(tmp_path / str(size), architectures=24, permutations=199)
        ratios[size] = found["completions"][0]["distances"]["edit"]
    assert ratios[0]["ratio"] < 0.05
    assert ratios[120]["ratio"] > 0.2
    assert ratios[120]["p"] < 0.01
