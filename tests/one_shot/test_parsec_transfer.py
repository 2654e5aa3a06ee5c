"""What PARSEC's distribution is worth on another task: the benchmark, on sixty digits."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import parsec_transfer
from benchmarks.parsec_transfer import configuration, figures, follow, main, parse, table_measure

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.one_shot.distribution import ArchitectureDistribution
from naopt.one_shot.parsec import PARSECSearcher
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import create_space
from naopt.tables import Table, save_table
from naopt.training.trainer import DivergedError

SPACE = create_space("nasbench201")
TOKENS = np.array([architecture.tokens for architecture in SPACE.enumerate()])
TINY = ["training.batch_size=20", "filters=2", "cells_per_stage=1", "train_limit=60", "valid_limit=40", "samples=2"]
TINY += ["weight_samples=1"]
FAST = [*TINY, "distribution_learning_rate=0.3", "warmup=0"]


def made_up(tokens: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(tokens @ np.array([1.0, 2.0, 3.0, 5.0, 7.0, 11.0]), dtype=np.float64)


def table(values: np.ndarray[Any, np.dtype[np.float64]], rows: int = len(TOKENS)) -> Table:
    return Table("bench", SPACE, TOKENS[:rows], {"acc": values[:rows]}, {"acc": MetricInfo("max", "%")})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_table(table(made_up(TOKENS)), tmp_path / "t.npz")
    return tmp_path / "t.npz"


def command(out: Path, *more: str) -> list[str]:
    tasks = ["--from", "digits", "--to", "digits", "--space", "nasbench201", "--epochs", "2", "--from-epochs", "3"]
    return [*tasks, "--points", "3", "--set", *TINY, "--from-set", *FAST, "--out", str(out), *more]


def trace(*values: tuple[int, float]) -> list[dict[str, float]]:
    return [{"step": step, "expected": value, "mode": value + 1, "entropy": 9.0 - step} for step, value in values]


COLD = trace((0, 80), (10, 82), (20, 85), (30, 84))


@pytest.mark.parametrize(
    ("warm", "steps", "ratio"),
    [
        (trace((0, 86), (10, 70), (20, 70), (30, 70)), 0, 0.0),
        (trace((0, 81), (10, 85), (20, 84), (30, 90)), 10, 0.5),
        (trace((0, 81), (10, 82), (20, 84), (30, 84.9)), None, None),
    ],
)
def test_steps_to_the_best_of_the_cold_start(warm: list[dict[str, float]], steps: int, ratio: float | None) -> None:
    found = figures(COLD, warm, "max")
    assert (found["cold_best"], found["cold_steps"], found["warm_steps"], found["ratio"]) == (85, 20, steps, ratio)
    assert (found["cold_expected_end"], found["warm_expected_start"]) == (84, warm[0]["expected"])
    assert (found["cold_entropy_end"], found["warm_mode_end"]) == (-21, warm[-1]["mode"])


def test_lower_is_better_where_the_metric_says_so_and_a_cold_start_that_only_gets_worse_has_no_ratio() -> None:
    found = figures(COLD, trace((0, 81), (30, 79)), "min")
    assert (found["cold_best"], found["cold_steps"], found["warm_steps"], found["ratio"]) == (80, 0, 30, None)


def test_the_expectation_is_that_of_going_through_all_cells() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 5))
    tables = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    values = rng.uniform(10, 90, len(TOKENS))
    cells = list(itertools.product(range(5), repeat=6))
    of = dict(zip(map(tuple, TOKENS.tolist()), values.tolist(), strict=True))
    naive = sum(of[cell] * float(np.prod(tables[range(6), cell])) for cell in cells)
    expected, mode = table_measure(table(values), "acc", SPACE)(ArchitectureDistribution.of(SPACE, list(logits)), None)  # type: ignore[arg-type]
    assert expected == pytest.approx(naive, rel=1e-5)
    assert mode == of[tuple(logits.argmax(axis=1).tolist())]


def test_a_table_with_gaps_is_refused() -> None:
    gap = made_up(TOKENS)
    gap[7] = np.nan
    for incomplete in (table(gap), table(made_up(TOKENS), rows=100)):
        with pytest.raises(InputError, match="needs acc of every architecture of space nasbench201"):
            table_measure(incomplete, "acc", SPACE)


def test_the_warm_start_begins_with_what_the_first_task_left(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(command(out, "--table", str(saved), "--metric", "acc", "--seeds", "1", "--points", "2", "--json"))
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((out / "parsec_transfer.json").read_text(encoding="utf-8"))
    (run,) = document["runs"]
    first, cold, warm = (run["traces"][name] for name in ("first", "cold", "warm"))
    assert [point["step"] for point in first] == [0, 4, 9]
    assert [point["step"] for point in cold] == [point["step"] for point in warm] == [0, 3, 6]
    assert cold[0]["expected"] == pytest.approx(made_up(TOKENS).mean(), rel=1e-5)
    assert cold[0]["entropy"] == pytest.approx(6 * np.log(5), rel=1e-5)
    assert first[-1]["entropy"] < cold[0]["entropy"] - 0.1
    for key in ("expected", "mode", "entropy"):
        assert warm[0][key] == pytest.approx(first[-1][key], rel=1e-5)
    left = ArchitectureDistribution.load(out / "first-0", SPACE)
    assert warm[0]["mode"] == made_up(np.array(left.mode(SPACE)))
    shown = (out / "parsec_transfer.md").read_text(encoding="utf-8")
    assert f"| {warm[0]['expected']:.2f}, {warm[-1]['expected']:.2f} |" in shown


def test_without_a_table_shared_weights_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(command(tmp_path, "--seeds", "1", "--paths", "3", "--set", "searcher.learning_rate=0.5"))
    assert "shared_acc expected under the distribution" in capsys.readouterr().out
    (run,) = json.loads((tmp_path / "parsec_transfer.json").read_text(encoding="utf-8"))["runs"]
    assert "expected" not in run["traces"]["first"][0]
    accuracies = [point["expected"] for point in run["traces"]["cold"]]
    assert len(set(accuracies)) > 1
    assert all(0 <= accuracy <= 100 for accuracy in accuracies)


def test_steps_that_were_taken_back_are_not_in_the_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    step = PARSECSearcher.step

    def once_diverging(self: PARSECSearcher, trainer: SharedTrainer) -> float:
        calls.append(trainer.step)
        return float("nan") if len(calls) == 6 else step(self, trainer)

    monkeypatch.setattr(PARSECSearcher, "step", once_diverging)
    setup = configuration(parse(command(tmp_path)), "digits", 2, FAST, 0)
    found = follow(setup, "", None, 6)
    assert calls == [0, 1, 2, 3, 4, 5, 3, 4, 5]
    assert [point["step"] for point in found] == list(range(7))


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--metric", "acc"], "--metric"), (["--set", "sampels=3"], "samples"), (["--space", "nasbench"], "nasbench201")],
)
def test_bad_input_is_one_line_and_2(
    more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command(tmp_path, *more))
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.count("\n") == 1
    assert said in error


def test_counts_are_positive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(command(tmp_path, "--points", "0"))
    assert stopped.value.code == 2
    assert "--points must be at least 1" in capsys.readouterr().err


def test_weights_that_diverge_end_it_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(*_: object) -> None:
        raise DivergedError("loss nan")

    monkeypatch.setattr(parsec_transfer, "follow", diverging)
    with pytest.raises(SystemExit) as stopped:
        main(command(tmp_path))
    assert stopped.value.code == 3
    assert capsys.readouterr().err == "loss nan\n"
