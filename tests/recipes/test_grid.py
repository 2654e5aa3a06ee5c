"""Recipes that users name, and those that are tried where they name none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.evaluators.final import final_workload
from naopt.evaluators.workloads import create_workload
from naopt.recipes.grid import distinct, suggested, training_size
from naopt.recipes.recipe import FULL, Recipe, parse_recipe, variant
from naopt.spaces import create_space


def grid(task: str, space: str, settings: dict[str, Any] | None = None) -> tuple[list[str], dict[str, str]]:
    base, where = create_workload(task, settings), create_space(space)
    found, left_out = suggested(base, where, where.sample(np.random.default_rng(0)))
    return [recipe.name for recipe in found], left_out


def test_a_recipe_is_called_by_what_differs() -> None:
    base = create_workload("digits")
    assert variant(base, parse_recipe("search")).name == "search"
    assert variant(base, {"epochs": 5, "filters": 4}).name == "search"
    found = variant(base, parse_recipe("filters=8, epochs=2"))
    assert (found.name, found.folder, found.changes) == ("epochs=2,filters=8",) * 2 + ({"epochs": 2, "filters": 8},)
    assert found.work.settings.model_dump() == {**base.settings.model_dump(), **found.changes}
    odd = variant(base, {"schedule": "step", "epochs": 2, "step_factor": 0.5})
    assert odd.name == odd.folder == "epochs=2,schedule=step,step_factor=0.5"
    long = Recipe("parts=train:a/b,valid:c", {}, base)
    assert long.folder.startswith("parts=train-a-b,valid-c-")
    with pytest.raises(InputError, match="recipe's setting 'epoch': unknown; did you mean 'epochs'"):
        variant(base, {"epoch": 2})
    with pytest.raises(InputError, match="recipe's setting epochs '0'"):
        variant(base, parse_recipe("epochs=0"))


def test_no_two_recipes_share_seeds() -> None:
    base, space = create_workload("digits"), create_space("conv-cell")
    architecture = space.sample(np.random.default_rng(0))
    recipes = [variant(base, {"epochs": epochs}) for epochs in (1, 2, 3)]
    seeds = {recipe.seed(seed, repeat, architecture) for recipe in recipes for seed in (0, 1) for repeat in (0, 1)}
    assert len(seeds) == 12


def test_grid_of_images() -> None:
    names, left_out = grid("digits", "conv-cell")
    assert names == ["epochs=2", "epochs=1", "train_limit=300", "filters=2"]
    assert left_out == {
        "half of the images' size": "of 8 pixels a side too little would be left",
        "fewer cells": "there is one cell a stage",
    }
    names, left_out = grid("digits", "conv-cell", {"image_size": 16, "cells_per_stage": 3, "epochs": 2, "filters": 3})
    assert names == ["epochs=1", "train_limit=300", "image_size=8", "cells_per_stage=1"]
    assert left_out == {
        "a quarter of the epochs": "there are only 2",
        "half of the width": "filters 3 can hardly be halved",
    }
    names, left_out = grid("digits", "conv-cell", {"parameters": 30_000, "epochs": 3, "cosine_epochs": 3})
    assert names == ["epochs=1", "train_limit=300", "parameters=15000"]
    assert left_out["a quarter of the epochs"] == "there are only 3"


def test_grid_where_cells_are_none() -> None:
    _, left_out = grid("digits", "insta:blocks=2", {"cells_per_stage": 2})
    assert left_out["fewer cells"] == "cells_per_stage=1 makes no smaller networks of insta:blocks=2,stages=2"


def test_grid_of_text(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("the cat sat on the mat\n" * 100)
    task = f"text:{tmp_path}"
    assert training_size(create_workload(task)) == 700  # with the ends of lines
    names, left_out = grid(task, "recurrent-cell:nodes=2")
    assert names == ["train_limit=350", "hidden_size=32"]
    assert left_out["half of the epochs"] == "there is only one"


def test_the_full_training_is_no_recipe_of_its_own() -> None:
    base = create_workload("digits")
    full = Recipe(FULL, {}, final_workload("digits", "recipe"))
    found, left_out = distinct([variant(base, {}), variant(base, {"epochs": 2}), variant(base, {"epochs": 2})], full)
    assert [recipe.name for recipe in found] == ["epochs=2"]
    assert left_out == {"search": "is the full training itself"}
