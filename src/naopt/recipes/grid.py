"""Which cheaper recipes are tried where nobody names any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.workloads import ImageWorkload, TextWorkload, Workload
from naopt.networks.settings import FEWEST
from naopt.recipes.recipe import Recipe, variant
from naopt.spaces import Architecture, SearchSpace
from naopt.tasks import Limits

SMALLEST_SIDE = 8
"""Pixels of an image after which two reductions leave something to see."""
_NARROWEST = 8


def suggested(base: Workload, space: SearchSpace, architecture: Architecture) -> tuple[list[Recipe], dict[str, str]]:
    """Cheaper versions of the search's recipe, each with one setting less, and why others are left out, by name.

    Half and a quarter of the epochs, half the data, images of half the size, half the width, fewer cells.

    Args:
        base: the task with the search's settings; its data are read to know how much they are.
        space: of the architectures.
        architecture: any of them, by which it is seen whether a change makes its network smaller at all.
    """
    found, left_out = list[Recipe](), dict[str, str]()
    for what, changes, reason in _changes(base):
        if reason:
            left_out[what] = reason
            continue
        try:
            recipe = variant(base, changes)
        except InputError as error:
            left_out[what] = str(error)
            continue
        if not recipe.changes or recipe.name in {each.name for each in found}:
            left_out[what] = f"is {recipe.name} again"
        elif changes.keys() & _OF_NETWORKS and not _smaller(base, recipe.work, space, architecture):
            left_out[what] = f"{recipe.name} makes no smaller networks of {space.name}"
        else:
            found.append(recipe)
    return found, left_out


_OF_NETWORKS = {"filters", "cells_per_stage", "parameters", "hidden_size"}


def _changes(base: Workload) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """What is tried, in words, as changes, and why not."""
    epochs = int(getattr(base.settings, "epochs"))  # noqa: B009 - of every kind of settings
    for part, words in ((2, "half of the epochs"), (4, "a quarter of the epochs")):
        yield words, {"epochs": epochs // part}, "" if epochs >= part else f"there {_are(epochs)}"
    yield "half of the training data", {"train_limit": training_size(base) // 2}, ""
    if isinstance(base, ImageWorkload):
        side = min(base.shapes()[0][1:])
        reason = "" if side // 2 >= SMALLEST_SIDE else f"of {side} pixels a side too little would be left"
        yield "half of the images' size", {"image_size": side // 2}, reason
        cells = base.settings.cells_per_stage
        yield "fewer cells", {"cells_per_stage": cells // 2}, "" if cells > 1 else "there is one cell a stage"
        width, least = base.settings.filters, FEWEST
    elif isinstance(base, TextWorkload):
        width, least = base.settings.hidden_size, _NARROWEST
    else:
        return
    if base.settings.parameters is not None:
        yield "half of the parameters", {"parameters": base.settings.parameters // 2}, ""
        return
    name = "filters" if isinstance(base, ImageWorkload) else "hidden_size"
    reason = "" if width // 2 >= least else f"{name} {width} can hardly be halved"
    yield "half of the width", {name: width // 2}, reason


def _are(epochs: int) -> str:
    return "is only one" if epochs == 1 else f"are only {epochs}"


def _smaller(base: Workload, other: Workload, space: SearchSpace, architecture: Architecture) -> bool:
    """Whether networks of other settings cost less, as far as that is known."""
    costs = [work.costs(space) for work in (base, other)]
    if costs[0] is None or costs[1] is None:
        return True
    first, second = costs[0].totals(architecture), costs[1].totals(architecture)
    return second.params < first.params or second.macs < first.macs


def training_size(work: Workload) -> int:
    """How many images or words the settings train on; reads them. Raises ``InputError`` for data that are none."""
    limits = Limits(work.limits()[0], 0, 0)
    if isinstance(work, ImageWorkload) and work.settings.stream:
        return len(work.task.files(limits).train)
    data = work.task.load(limits)
    return len(data.train)


def distinct(recipes: Sequence[Recipe], full: Recipe) -> tuple[list[Recipe], dict[str, str]]:
    """Recipes without those that train like another one or like the full one, and why these are left out."""
    found, left_out = list[Recipe](), dict[str, str]()
    for recipe in recipes:
        if recipe.work.settings == full.work.settings:
            left_out[recipe.name] = "is the full training itself"
        elif recipe.name not in {each.name for each in found}:
            found.append(recipe)
    return found, left_out
