"""A study really trained: what is kept, what a kill costs, workers, what is refused, and what the command prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naopt
from naopt.cli.app import run as command
from naopt.errors import InputError
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads import create_workload
from naopt.recipes import PROXY, RecipeTable, read_proxy
from naopt.recipes.recipe import FULL, Recipe, variant
from naopt.recipes.training import RecipesEvaluator
from naopt.spaces import create_space
from tests.docs.test_reference import fields, section

ARGUMENTS = ["proxy", "--task", "digits", "--space", "conv-cell:nodes=1", "--architectures", "4"]
ARGUMENTS += ["--full", "epochs=1,filters=2,train_limit=60,valid_limit=60", "--recipe", "train_limit=30"]
ARGUMENTS += ["--set", "epochs=1", "--set", "filters=2", "--set", "valid_limit=60", "--set", "training.train_limit=40"]
CALL: dict[str, Any] = {
    "space": "conv-cell:nodes=1",
    "architectures": 4,
    "full": {"epochs": 1, "filters": 2, "train_limit": 60, "valid_limit": 60},
    "recipes": [{"train_limit": 30}],
    "settings": {"epochs": 1, "filters": 2, "valid_limit": 60, "train_limit": 40},
}


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains in this process: a worker imports torch first."""
    monkeypatch.setattr(RecipesEvaluator, "inline", True)


def scores(table: RecipeTable) -> dict[str, object]:
    """What does not depend on the machine's speed."""
    return {row.name: replace(row, seconds=0.0, share=0.0) for row in table.rows}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecipeTable]:
    """A study in one go."""
    folder = tmp_path_factory.mktemp("study") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecipesEvaluator, "inline", True)
        return folder, naopt.proxy("digits", out=folder, **CALL)


def trainings(folder: Path) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in folder.glob("trainings/*/trainings.jsonl"))


def test_what_a_study_says(whole: tuple[Path, RecipeTable]) -> None:
    folder, table = whole
    assert [row.name for row in table.rows] == ["full", "train_limit=30"]
    assert (table.preset, table.metric, table.goal) == ("digits-final", "valid_acc", "max")
    assert trainings(folder) == sum(row.trainings for row in table.rows) == 16
    assert read_proxy(folder) == table
    space, full = create_space("conv-cell:nodes=1"), json.loads(_about(folder, "full"))
    about = json.loads(_about(folder, "train_limit=30"))["training"]
    assert (full["training"]["batch_size"], full["training"]["train_limit"]) == (60, 60)
    assert (about["batch_size"], about["train_limit"]) == (30, 30)
    # One of its trainings, made again by what a search trains with.
    line = json.loads((folder / "trainings/train_limit=30/trainings.jsonl").read_text().splitlines()[0])
    settings = {**CALL["settings"], "train_limit": 30}
    again = TrainingEvaluator(space, "digits", settings).evaluate(space.parse(line["architecture"]), line["seed"])
    assert again.metrics == line["metrics"]
    for row in table.rows:
        lines = map(json.loads, (folder / f"trainings/{row.name}/trainings.jsonl").read_text().splitlines())
        found = {(each["architecture"], each["seed"]): each["metrics"]["valid_acc"] for each in lines}
        for text, own in zip(table.architectures, row.scores, strict=True):
            assert set(own) == {value for (of, _), value in found.items() if of == text}
    assert [each.finalists for each in table.budgets] == [0, 0]
    assert table.budgets[1].seconds == pytest.approx(100 * table.rows[0].seconds)


def _about(folder: Path, recipe: str) -> str:
    return (folder / "trainings" / recipe / "about.json").read_text()


def test_workers_and_kills_change_nothing(whole: tuple[Path, RecipeTable], tmp_path: Path) -> None:
    """In processes of their own; killed once with two workers, amid the trainings, and ended with one."""
    code = "import sys; from naopt.cli.app import main; main()"
    begin = [sys.executable, "-c", code, *ARGUMENTS, "--out", str(tmp_path)]
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    process = subprocess.Popen([*begin, "--workers", "2"], stderr=subprocess.DEVNULL, env=unmeasured)
    while process.poll() is None and trainings(tmp_path) < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 2 <= trainings(tmp_path) < 16
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecipesEvaluator, "inline", True)
        table = naopt.proxy("digits", out=tmp_path, **CALL)
    assert trainings(tmp_path) == 16
    assert scores(table) == scores(whole[1])


def test_more_is_added_to_what_is_there(inline: None, whole: tuple[Path, RecipeTable], tmp_path: Path) -> None:
    folder, table = whole
    again = naopt.proxy("digits", out=folder, **CALL, time=["2m", 30])
    assert again.rows == table.rows
    assert [each.seconds for each in again.budgets] == [120, 30]
    more = naopt.proxy("digits", out=folder, **{**CALL, "recipes": "search"}, finalists=2)
    assert trainings(folder) == 24
    assert {row.name for row in more.rows} == {"full", "search"}
    assert more.row("full") == table.row("full")
    assert [each.finalists for each in more.budgets] == [2, 2]
    for changed in ({"full": {**CALL["full"], "epochs": 2}}, {"settings": {**CALL["settings"], "filters": 3}}):
        with pytest.raises(InputError, match="its trainings are of another training; choose another folder"):
            naopt.proxy("digits", out=folder, **{**CALL, **changed})
    with pytest.raises(InputError, match="its trainings are of another space"):
        naopt.proxy("digits", out=folder, **{**CALL, "space": "conv-cell:nodes=2"})


def test_what_the_command_prints(
    inline: None, whole: tuple[Path, RecipeTable], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, table = whole
    assert command([*ARGUMENTS, "--out", str(folder), "--time", "1m,1h"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].startswith("digits: 4 architectures of conv-cell:nodes=1, 2 trainings each; full is digits-final")
    assert [line.split()[0] for line in lines[1:4]] == ["recipe", "full", "train_limit=30"]
    assert "60 min of random architectures: the expected full valid_acc" in lines
    assert f"table: {folder / PROXY}" in shown.err
    assert command([*ARGUMENTS, "--out", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document.pop("out") == str(folder)
    assert document == json.loads((folder / PROXY).read_text())
    assert fields(section("proxy"), "JSON, ") == {*document, "out"}
    assert fields(section("proxy"), "Fields of a row") == document["rows"][0].keys()
    assert fields(section("proxy"), "Fields of a budget") == document["budgets"][0].keys()
    picks = section("proxy").split("| `picks` |")[1].split("\n")[0]
    assert document["budgets"][0]["picks"][0].keys() <= set(re.findall(r"`(\w+)`", picks))
    assert document["rows"] == json.loads(json.dumps(table.document()["rows"]))


def test_text(inline: None, tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("the cat sat on the mat\na dog ran\n" * 30)
    small = {"hidden_size": 4, "batch_size": 2, "valid_batch_size": 2}
    call: dict[str, Any] = {"space": "recurrent-cell:nodes=2", "architectures": 4, "settings": small}
    table = naopt.proxy(f"text:{tmp_path}", out=tmp_path / "out", **call, preset="recipe", recipes=["hidden_size=2"])
    assert (table.metric, table.goal, table.preset) == ("valid_ppl", "min", "recipe")
    full = table.rows[0]
    assert full.mean is not None
    assert full.mean.ci95[0] <= full.mean.value <= full.mean.ci95[1]
    assert full.mean.value == pytest.approx(sum(sum(filter(None, own)) for own in full.scores) / 8)


def test_failures_are_counted(inline: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A learning rate at which the loss is no number."""
    failing = ["--recipe", "learning_rate=1e30,clip_norm=0", "--out", str(tmp_path)]
    assert command([*ARGUMENTS, *failing]) == 0
    table = read_proxy(tmp_path)
    assert table is not None
    row = table.row("clip_norm=0.0,learning_rate=1e+30")
    assert row is not None
    assert (row.failed, row.trainings, row.mean) == (8, 8, None)
    assert f"{row.name}: 8 of 8 trainings failed: diverged" in capsys.readouterr().out
    (tmp_path / PROXY).write_text("{}")
    with pytest.raises(InputError, match="naopt proxy makes it again"):
        read_proxy(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "digit"], "task 'digit': unknown; did you mean 'digits'"),
        (["--task", "digits", "--space", "recurrent-cell"], "has no networks for images"),
        (["--task", "digits", "--recipe", "epoch=2"], "recipe's setting 'epoch': unknown; did you mean 'epochs'"),
        (["--task", "digits", "--recipe", "epochs"], "setting 'epochs': must be KEY=VALUE"),
        (["--task", "digits", "--full", "epochs=0"], "training setting epochs '0'"),
        (["--task", "digits", "--preset", "ptb-final"], "is for text"),
        (["--task", "digits", "--architectures", "3"], "architectures '3': must be at least 4"),
        (["--task", "digits", "--repeats", "1"], "repeats '1': must be at least 2"),
        (["--task", "digits", "--workers", "0"], "workers '0': must be at least 1"),
        (["--task", "digits", "--time", "soon"], "duration 'soon': must be a time"),
        (["--task", "digits", "--device", "tpu"], "device 'tpu': must be cpu, cuda"),
        (["--task", "digits", "--preset", "recipe", "--recipe", "search"], "are the full training itself"),
        (["--task", "digits", "--space", "image-baseline", "--architectures", "99"], "space image-baseline has only 7"),
        ([], "Missing option '--task'"),
    ],
)
def test_what_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command(["proxy", "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_recipe_with_more_folds_than_images_of_a_class_is_refused_before_anything_is_trained() -> None:
    work = create_workload("digits", {"train_limit": 40, "valid_limit": 40})
    recipes = [Recipe(FULL, {}, work), variant(work, {"folds": 30})]
    with pytest.raises(InputError, match="folds '30': is more than the"):
        RecipesEvaluator(create_space("conv-cell:nodes=2"), "digits", recipes).check()
