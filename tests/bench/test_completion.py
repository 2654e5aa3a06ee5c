"""Surrogate tables: what is kept, what is predicted, how well, with which noise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from naopt.bench.completion import CompletionSettings, complete_table, read_rows
from naopt.bench.regressors import SURROGATE_MODELS
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.evaluators import TableEvaluator
from naopt.measurement import MetricInfo
from naopt.spaces import GenericSpace, NASBench201Space, Position
from naopt.spaces.nasbench101 import NASBench101Space
from naopt.tables import Table, load_table, save_table

SPACE = GenericSpace([Position(name, tuple("01234567")) for name in "abc"], "cube")
ALL = np.array([a.tokens for a in SPACE.enumerate()])
FAST = CompletionSettings(folds=2)
TRUTH = ALL @ [4.0, 2.0, 1.0] - 0.5 * ALL[:, 0] * ALL[:, 1]


def cube(rows: int = 200, noise: float = 0.0, repeats: int = 0, seed: int = 0, **changes: Any) -> Table:
    """Some rows of the cube, measured."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(ALL))[:rows]
    score = TRUTH[chosen] + noise * rng.standard_normal((max(1, repeats), rows))
    values = {"score": score.T if repeats else score[0], "cost": ALL[chosen, 0] + 1.0}
    infos = {"score": MetricInfo("max", "points"), "cost": MetricInfo("min")}
    return Table("cube", SPACE, ALL[chosen], changes.pop("metrics", values), infos, "made up", **changes)


def truth(table: Table) -> np.ndarray[Any, Any]:
    index = {tuple(row): value for row, value in zip(ALL.tolist(), TRUTH, strict=True)}
    return np.array([index[tuple(row)] for row in table.tokens.tolist()])


@pytest.mark.parametrize("model", ["gbdt", "forest"])
def test_the_whole_space_is_spanned(model: str) -> None:
    part = cube()
    whole = complete_table(part, ["score"], CompletionSettings(model=model))
    assert len(whole) == len(ALL)
    assert len({tuple(row) for row in whole.tokens.tolist()}) == len(ALL)
    np.testing.assert_array_equal(whole.tokens[: len(part)], part.tokens)
    np.testing.assert_array_equal(whole.values("score")[: len(part)], part.values("score"))
    np.testing.assert_array_equal(whole.values("cost")[: len(part)], part.values("cost"))
    assert np.isnan(whole.values("cost")[len(part) :]).all()
    new = slice(len(part), None)
    tau = stats.kendalltau(whole.values("score")[new], truth(whole)[new]).statistic
    surrogate = whole.surrogates["score"]
    assert tau > 0.8
    assert abs(surrogate.cv.kendall_tau - tau) < 0.1
    assert (surrogate.model, surrogate.measured, surrogate.predicted, surrogate.kept) == (model, 200, 312, True)
    assert whole.name == "cube-surrogate"
    assert whole.source == f"score is a surrogate ({model} fitted to 200 measured rows). made up"


def test_quality_is_that_of_rows_that_were_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that knows its training rows by heart and nothing else has no quality."""

    class Memory:
        def fit(self, features: Any, targets: Any) -> None:
            self.known = {row.tobytes(): target for row, target in zip(features, targets, strict=True)}

        def predict(self, features: Any) -> Any:
            draw = np.random.default_rng(len(features))
            return np.array([self.known.get(row.tobytes(), draw.normal()) for row in features])

    monkeypatch.setitem(SURROGATE_MODELS, "memory", lambda rows, seed: Memory())
    found = complete_table(cube(), ["score"], CompletionSettings(model="memory")).surrogates["score"].cv
    assert abs(found.kendall_tau) < 0.15
    assert abs(found.spearman) < 0.2
    assert found.r2 < 0.2
    assert found.mae > 3


def test_quality_against_a_plain_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    class First:
        """The first token's rank, whatever it was fitted to."""

        def fit(self, features: Any, targets: Any) -> None:
            pass

        def predict(self, features: Any) -> Any:
            return features[:, :8] @ np.linspace(-1, 1, 8)

    monkeypatch.setitem(SURROGATE_MODELS, "first", lambda rows, seed: First())
    part = cube()
    found = complete_table(part, ["score"], CompletionSettings(model="first")).surrogates["score"].cv
    score = part.values("score")
    order = np.sort(score)
    places = (np.searchsorted(order, score, "left") + np.searchsorted(order, score, "right")) / 2 / len(score)
    distinct, at = np.unique(score, return_index=True)
    predicted = np.interp(np.linspace(-1, 1, 8)[part.tokens[:, 0]], stats.norm.ppf(places[at]), distinct)
    assert found.kendall_tau == pytest.approx(stats.kendalltau(score, predicted).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(score, predicted).statistic)
    assert found.r2 == pytest.approx(1 - ((score - predicted) ** 2).sum() / ((score - score.mean()) ** 2).sum())
    assert found.mae == pytest.approx(np.abs(score - predicted).mean())


def test_noise_of_repeats_is_found_and_drawn() -> None:
    part = cube(noise=1.5, repeats=4, rows=400)
    whole = complete_table(part, ["score"], CompletionSettings(repeats=3, folds=2))
    noise = whole.surrogates["score"].noise
    assert (noise.origin, noise.repeats) == ("repeats", 3)
    np.testing.assert_allclose(noise.deviations, 1.5, rtol=0.2)
    assert len(noise.deviations) == len(noise.edges) + 1 == 10
    drawn = whole.metrics["score"][len(part) :]
    assert np.isnan(drawn[:, 3]).all()
    assert np.isfinite(drawn[:, :3]).all()
    spread = drawn[:, :3] - drawn[:, :3].mean(axis=1, keepdims=True)
    assert spread.std(ddof=0) == pytest.approx(1.5, rel=0.1)
    assert np.abs(spread.sum(axis=1)).max() < 1e-9
    np.testing.assert_array_equal(whole.metrics["score"][: len(part)], part.metrics["score"])


def test_without_repeats_errors_bound_the_noise() -> None:
    whole = complete_table(cube(noise=3.0, rows=400), ["score"], FAST)
    noise = whole.surrogates["score"].noise
    assert noise.origin == "residuals"
    assert np.mean(noise.deviations) == pytest.approx(3.0, rel=0.35)
    values = whole.metrics["score"]
    assert values.shape == (512, 3)
    assert np.isnan(values[:400, 1:]).all()  # measured once
    looked = TableEvaluator(whole, ["score"], "repeat")
    architecture = whole.architecture(500)
    seen = {looked.evaluate(architecture, seed).metrics["score"] for seed in range(50)}
    assert seen == set(values[500].tolist())


def test_one_repeat_is_the_prediction_itself() -> None:
    one = complete_table(cube(), ["score"], CompletionSettings(repeats=1, folds=2))
    three = complete_table(cube(), ["score"], CompletionSettings(repeats=3, folds=2))
    assert one.metrics["score"].shape == (512,)
    np.testing.assert_allclose(one.values("score"), three.values("score"), atol=1e-9)


def test_measured_rows_may_be_predicted_too() -> None:
    part = cube(noise=2.0)
    whole = complete_table(part, ["score"], CompletionSettings(measured="predict", folds=2))
    surrogate = whole.surrogates["score"]
    assert (surrogate.kept, surrogate.predicted) == (False, 512)
    assert np.isfinite(whole.metrics["score"]).all()
    assert (whole.values("score")[:200] != part.values("score")).mean() > 0.95


def test_it_depends_on_the_seed_alone() -> None:
    first, again, other = (complete_table(cube(), ["score"], CompletionSettings(seed=s, folds=2)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.metrics["score"], again.metrics["score"])
    assert (first.values("score")[200:] != other.values("score")[200:]).any()


def test_only_the_gaps_of_a_large_space_are_filled() -> None:
    space = GenericSpace([Position(f"p{index}", tuple("0123456789")) for index in range(9)], "large")
    rng = np.random.default_rng(0)
    tokens = np.array([space.sample(rng).tokens for _ in range(90)])
    score = tokens.sum(axis=1).astype(float)
    score[60:] = np.nan
    part = Table("cells", space, tokens, {"score": score}, {"score": MetricInfo()})
    whole = complete_table(part, ["score"], FAST)
    assert len(whole) == 90
    assert np.isfinite(whole.values("score")).all()
    full = Table("cells", space, tokens[:60], {"score": score[:60]}, {"score": MetricInfo()})
    with pytest.raises(InputError, match="has all its values already; give the rows of the space"):
        complete_table(full, ["score"])
    grown = complete_table(full, ["score"], FAST, tokens[50:])
    assert len(grown) == 90
    assert grown.surrogates["score"].predicted == 30


def test_several_metrics() -> None:
    whole = complete_table(cube(), ["score", "cost"], FAST)
    assert whole.surrogates.keys() == {"score", "cost"}
    assert np.isfinite(whole.values("cost")).all()
    assert "score is a surrogate (gbdt fitted to 200 measured rows); cost is a surrogate" in whole.source


def test_paths_and_sizes_of_cells_are_used() -> None:
    """How many convolutions a cell of NAS-Bench-201 has on its way is learnt from a few of them."""
    space = NASBench201Space()
    rng = np.random.default_rng(3)
    tokens = np.array(list({space.sample(rng).tokens: 0 for _ in range(300)}))
    live = np.array([sum(op in (2, 3) for op in space.canonical(row)) for row in tokens.tolist()], dtype=float)
    part = Table("cells", space, tokens, {"score": live}, {"score": MetricInfo()})
    whole = complete_table(part, ["score"], FAST)
    assert len(whole) == 15_625
    assert whole.surrogates["score"].cv.r2 > 0.95


@pytest.mark.parametrize(
    ("changes", "metrics", "settings", "rule"),
    [
        ({}, ["scor"], {}, "metric of table cube 'scor': unknown; did you mean 'score'"),
        ({}, [], {}, "name at least one, none twice"),
        ({}, ["score", "score"], {}, "name at least one, none twice"),
        ({}, ["score"], {"model": "gdbt"}, "model 'gdbt': unknown; did you mean 'gbdt'"),
        ({"rows": 49}, ["score"], {}, "is measured in 49 rows; a surrogate needs 50"),
        ({"rows": 512}, ["score"], {}, "metric 'score': has all its values already"),
    ],
)
def test_what_cannot_be_completed(changes: Any, metrics: list[str], settings: Any, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as error:
        complete_table(cube(**changes), metrics, CompletionSettings(**settings))
    assert "\n" not in str(error.value)


def test_nothing_to_learn() -> None:
    flat = {"score": np.ones(200), "cost": np.ones(200)}
    with pytest.raises(InputError, match="has the same value in all measured rows"):
        complete_table(cube(metrics=flat), ["score"])
    whole = complete_table(cube(), ["score"], FAST)
    with pytest.raises(InputError, match="is a surrogate's in table cube-surrogate already"):
        complete_table(whole, ["score"])


@pytest.mark.parametrize(
    ("rows", "rule"),
    [([[0, 0]], r"rows '\(1, 2\)': must have the shape \(n, 3\)"), ([[0, 0, 9]], "row 0 '0 0 9': token 9")],
)
def test_rows_that_are_none(rows: list[list[int]], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        complete_table(cube(), ["score"], rows=np.array(rows))


def test_rows_of_another_table(tmp_path: Path) -> None:
    save_table(cube(rows=300), tmp_path / "rows.npz")
    loaded = load_table(tmp_path / "rows.npz")
    assert len(read_rows(tmp_path / "rows.npz", loaded)) == 300
    cells = Table("c", NASBench201Space(), np.zeros((1, 6), dtype=int), {"s": np.ones(1)}, {"s": MetricInfo()})
    with pytest.raises(InputError, match="is of space cube, not nasbench201"):
        read_rows(tmp_path / "rows.npz", cells)
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.npz", cells)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(cube(), tmp_path / "part.npz")
    save_table(cube(rows=250), tmp_path / "rows.npz")
    out = tmp_path / "out.npz"
    arguments = ["table", "complete", str(tmp_path / "part.npz"), str(out), "--metric", "score", "--folds", "2"]
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{out}: 512 architectures, 200 of them from cube\nscore is a surrogate: gbdt, ")
    assert "2-fold cross validation: Kendall tau 0." in captured.out
    assert "noise of a repeat by residuals: standard deviation" in captured.out
    assert "score: model 2 of 2" in captured.err
    assert run(["table", "info", str(out)]) == 0
    info = capsys.readouterr().out
    assert info.startswith("cube-surrogate: 512 architectures")
    assert "score is a surrogate: gbdt, fitted to 200 measured rows, predicts 312; measured rows keep their" in info
    assert "agree with" not in info
    assert run(["table", "info", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["surrogates"]["score"]["cv"]["folds"] == 2
    assert (
        run([*arguments, "--force", "--space-rows", str(tmp_path / "rows.npz"), "--json", "--measured", "predict"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["table"], found["rows"]) == (str(out), 250)
    assert found["surrogates"]["score"]["kept"] is False
    assert run(["table", "info", str(out)]) == 0
    assert "measured rows are predicted too" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [("--folds", "1", "folds '1'"), ("--measured", "drop", "measured 'drop'"), ("--model", "tree", "model 'tree'")],
)
def test_wrong_options(option: str, value: str, rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(cube(), tmp_path / "part.npz")
    arguments = ["table", "complete", str(tmp_path / "part.npz"), str(tmp_path / "o.npz"), "--metric", "score"]
    assert run([*arguments, option, value]) == 2
    assert rule in capsys.readouterr().err
    assert not (tmp_path / "o.npz").exists()


def test_rows_from_a_list_of_cells(tmp_path: Path) -> None:
    space = NASBench101Space()
    adjacency, labels = np.zeros((2, 7, 7), dtype=np.uint8), np.full((2, 7), -3, dtype=np.int8)
    adjacency[:, 0, 1] = adjacency[:, 1, 2] = adjacency[1, 0, 2] = 1
    labels[:, :3] = [[-1, 0, -2], [-1, 2, -2]]
    np.savez(tmp_path / "cells.npz", adjacency=adjacency, ops=labels)
    expected = [
        space.from_matrix(adjacency[row, :3, :3], ["input", name, "output"]).tokens
        for row, name in enumerate(("conv3x3-bn-relu", "maxpool3x3"))
    ]
    part = Table("cells", space, np.array(expected[:1]), {"s": np.ones(1)}, {"s": MetricInfo()})
    np.testing.assert_array_equal(read_rows(tmp_path / "cells.npz", part), expected)
    save_table(part, tmp_path / "table.npz")
    np.testing.assert_array_equal(read_rows(tmp_path / "table.npz", part), expected[:1])
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.npz", part)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="is not an npz file"):
        read_rows(tmp_path / "text.npz", part)
