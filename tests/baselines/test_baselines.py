"""Baselines: which networks, how large, what is kept, and what the table says. Trainings are made up."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import naopt
from naopt.baselines import BaselineRow, BaselineTable, Figure, baseline, compare, read_baselines
from naopt.baselines.networks import candidates
from naopt.baselines.training import AlikeEvaluator, figure, held_out_sizes
from naopt.cli.app import run as command
from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.final import final_workload
from naopt.evaluators.seeds import training_seed
from naopt.evaluators.workloads import create_workload
from naopt.measurement import Measurement
from naopt.run import load_run
from naopt.spaces import Architecture, create_space

TINY: dict[str, Any] = {"epochs": 1, "cells_per_stage": 1, "train_limit": 40, "valid_limit": 30}


class MadeUp(AlikeEvaluator):
    """Trains nothing."""

    inline = True
    asked: list[tuple[Architecture, int]]
    stop_after: int | None = None

    def prepare(self) -> None:
        pass

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        kind = type(self)
        if kind.stop_after == len(kind.asked):
            return Measurement({}, 0.0, "interrupted", "stop")
        kind.asked.append((architecture, seed))
        if architecture == create_space("image-baseline").parse("image-baseline:resnet-14"):
            return Measurement({}, 1.0, "diverged", "loss is nan")
        accuracy = 60.0 + sum(architecture.tokens) % 9 + seed % 5
        return Measurement({"params": 7.0, "valid_acc": accuracy, "test_acc": accuracy - 10}, 2.0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> type[MadeUp]:
    monkeypatch.setattr(compare, "AlikeEvaluator", MadeUp)
    monkeypatch.setattr(MadeUp, "asked", [], raising=False)
    monkeypatch.setattr(MadeUp, "stop_after", None)
    return MadeUp


def test_which_networks() -> None:
    images, text = create_workload("digits"), create_workload("python-docs")
    names = [each.name for each in candidates(images)]
    assert {"resnet-8", "resnet-20", "mobilenet-v2", "darts-v2", "naonet-a"} <= set(names)
    assert [each.name for each in candidates(text)] == ["lstm", "gru"]
    assert [each.name for each in candidates(images, ["darts-v2", "resnet-1*"])] == ["darts-v2", "resnet-14"]
    assert {"lstm", "darts-v2-recurrent"} <= {each.name for each in candidates(text, ["*"])}
    with pytest.raises(InputError, match="baseline 'resnet-21': unknown; did you mean 'resnet-"):
        candidates(images, ["resnet-21"])


def test_all_have_equal_parameters_and_are_trained_alike(made: type[MadeUp], tmp_path: Path) -> None:
    found = baseline("digits", out=tmp_path, networks=["resnet-*", "darts-v2"], parameters=20_000, seeds=2)
    assert (found.parameters, found.preset, found.epochs, found.seed) == (20_000, "digits-final", 50, 0)
    sizes = {row.name: row.parameters for row in found.rows}
    assert len(made.asked) == 12
    assert all(size is not None and 12_000 < size <= 20_000 for size in sizes.values())
    row = found.row("resnet-20")
    assert row is not None
    architecture = create_space("image-baseline").parse(row.architecture)
    values = [62.0 + training_seed(0, repeat, architecture) % 5 for repeat in range(2)]
    images = held_out_sizes(create_workload("digits"))["valid"]
    mean = sum(values) / 2
    share = (images * mean / 100 + 1) / (images + 2)
    error = math.sqrt((values[0] - values[1]) ** 2 / 4 + 100**2 * share * (1 - share) / images)
    assert row.valid is not None
    assert row.valid.value == pytest.approx(mean)
    assert row.valid.error == pytest.approx(error)
    failed = found.rows[-1]
    assert (failed.name, failed.seeds, failed.reason) == ("resnet-14", 0, "diverged: loss is nan")
    valid = [row.valid.value for row in found.rows if row.valid is not None]
    assert valid == sorted(valid, reverse=True)
    assert read_baselines(tmp_path) == found


def test_what_was_trained_is_kept(made: type[MadeUp], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options: dict[str, Any] = {"networks": ["resnet-8", "resnet-20", "mobilenet-v2-short"], "parameters": 50_000}
    monkeypatch.setattr(made, "stop_after", 2)
    with pytest.raises(RunStoppedError, match="the same command goes on"):
        baseline("digits", out=tmp_path, **options)
    monkeypatch.setattr(made, "stop_after", None)
    found = baseline("digits", out=tmp_path, **options)
    assert len(made.asked) == len(found.rows) == 3
    baseline("digits", out=tmp_path, **{**options, "seeds": 2})
    assert len(made.asked) == 6
    with pytest.raises(InputError, match="its trainings are of another training"):
        baseline("digits", out=tmp_path, **{**options, "parameters": 40_000})


def test_a_network_that_cannot_be_so_small_is_left_out(made: type[MadeUp], tmp_path: Path) -> None:
    found = baseline("digits", out=tmp_path, networks=["resnet-8", "mobilenet-v2"], parameters=2_000)
    assert [row.name for row in found.rows] == ["resnet-8", "mobilenet-v2"]
    assert "the narrowest network of image-baseline:mobilenet-v2 has" in found.rows[1].reason
    assert len(made.asked) == 1


def test_the_pick_of_a_search_stands_in_the_table(
    made: type[MadeUp], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "run"
    search = ["search", "--task", "digits", "--space", "conv-cell:nodes=1", "--searcher", "random", "--budget", "1"]
    settings = [f"training.{name}={value}" for name, value in {**TINY, "filters": 2, "image_size": 6}.items()]
    arguments = [part for setting in settings for part in ("--set", setting)]
    assert command([*search, *arguments, "--engine", "inline", "--run", str(directory)]) == 0
    capsys.readouterr()
    assert command(["baseline", "--run", str(directory), "--networks", "resnet-8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    record = load_run(directory)
    best = record.best()
    assert best is not None
    work = final_workload("digits")
    costs = work.costs(record.space)
    assert costs is not None
    assert found["parameters"] == costs.totals(best.architecture).params
    assert {row["name"]: row["architecture"] for row in found["rows"]}["pick"] == best.text
    assert (found["out"], found["run"]) == (str(directory / "baselines"), str(directory))
    assert json.loads((directory / "baselines" / "trainings" / "about.json").read_text())["training"]["image_size"] == 6
    assert "<h2>Baselines</h2>" in (directory / "report.html").read_text()
    full = ["train", str(directory), "--set", "epochs=1", "--set", "filters=3", "--set", "train_limit=40"]
    assert command(full) == 0
    capsys.readouterr()
    table = naopt.baseline(run=directory, out=tmp_path / "again", networks="resnet-8")
    assert table.epochs == 1
    trained = table.row("pick, in full")
    assert trained is not None
    assert trained.test is not None
    document = json.loads((directory / "final.json").read_text())
    assert (trained.test.value, trained.parameters) == (document["test_accuracy"], document["parameters"])
    assert table.parameters == document["parameters"]


def test_networks_are_really_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Text, whose sizes hold the vocabulary, and networks of two spaces."""
    monkeypatch.setattr(AlikeEvaluator, "inline", True)
    path = tmp_path / "text"
    path.mkdir()
    for part in ("train", "valid", "test"):
        (path / f"{part}.txt").write_text("the cat sat on the mat\n" * 40)
    small = {"epochs": 1, "batch_size": 2, "valid_batch_size": 2}
    options: dict[str, Any] = {"parameters": 2_000, "settings": small, "networks": ["lstm", "darts-v2-recurrent"]}
    found = baseline(f"text:{path}", out=tmp_path / "out", **options)
    assert (found.metric, found.goal) == ("ppl", "min")
    for row in found.rows:
        assert row.parameters is not None
        assert 1_000 < row.parameters <= 2_000
        assert row.test is not None
        assert (row.test.error, row.seeds, row.reason) == (None, 1, "")


def test_what_the_sentence_says() -> None:
    def row(name: str, valid: float, test: float, error: float | None) -> BaselineRow:
        return BaselineRow(name, name, 1, 1, Figure(valid, error), Figure(test, error), 1, 1.0)

    def table(*rows: BaselineRow) -> str:
        return BaselineTable("", "digits", "", "p", 1, 9, "acc", "max", "%", 0, rows).sentence

    first, second = row("a", 90, 80, 1.0), row("b", 80, 99, 1.0)
    assert table(first, second) == "The best baseline on the validation data is a."
    assert "the pick is 2 ahead of it (95 % interval of the difference: +-2.77), which" in table(
        row("pick", 91, 82, 1.0), first, second
    )
    assert table(row("pick", 91, 70, 1.0), first).endswith("10 behind it (95 % interval of the difference: +-2.77).")
    assert "nothing certain" in table(row("pick", 1, 1, None), first)
    assert table() == "No baseline was trained."


def test_standard_errors() -> None:
    assert figure([], 10) is None

    def error(values: list[float], images: int | None) -> float | None:
        found = figure(values, images)
        assert found is not None
        return found.error

    assert error([90.0], 100) == pytest.approx(3.0, rel=0.05)
    assert error([100.0, 100.0], 60) == pytest.approx(100 / 62, rel=0.02)  # by the rule of succession
    assert error([4.0, 6.0], None) == pytest.approx(1.0)
    assert figure([5.0], None) == Figure(5.0, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --task"),
        (["--task", "digits", "--networks", "resnet-9"], "baseline 'resnet-9': unknown"),
        (["--task", "digits", "--preset", "ptb-final"], "is for text"),
        (["--task", "digits", "--seeds", "0"], "seeds '0': must be at least 1"),
        (["--run", "nowhere"], "there is no such directory"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["baseline", *arguments]) == 2
    assert message in capsys.readouterr().err
    with pytest.raises(InputError, match="give a folder"):
        naopt.baseline("digits")
