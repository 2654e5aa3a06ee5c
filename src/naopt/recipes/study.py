"""``naopt.proxy``: random architectures trained by several recipes, and what cheaper ones say of the full one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt._version import __version__
from naopt.errors import InputError
from naopt.evaluators.final import DATA_SETTINGS, default_preset, final_workload
from naopt.evaluators.workloads import create_workload
from naopt.execution.counted import Progress, quiet, to_be_continued
from naopt.execution.interrupt import stop_on_signal
from naopt.files import at_home
from naopt.metrics import Estimate
from naopt.recipes.budget import budget
from naopt.recipes.figures import Trained, recipe_figures
from naopt.recipes.grid import distinct, suggested
from naopt.recipes.recipe import FULL, Recipe, parse_recipe, variant
from naopt.recipes.table import RecipeRow, RecipeTable
from naopt.recipes.training import RecipesEvaluator, Trainings
from naopt.searchers.base import sample_new
from naopt.spaces import Architecture, SearchSpace, create_space
from naopt.tasks import located

if TYPE_CHECKING:
    from naopt.measurement import Measurement

FEWEST_ARCHITECTURES = 4
_BUDGETS = (10, 100)
"""Times without which none is named, in full trainings."""
_DRAWN = 3
"""Keeps the draw of architectures apart from other randomness of the same seed."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be trained: ``recipes``, the full one first, and what is left out, with reasons."""

    task: str
    space: SearchSpace
    preset: str
    architectures: Mapping[str, Architecture]
    recipes: Sequence[Recipe]
    left_out: Mapping[str, str]


def proxy(
    task: str,
    *,
    out: str | Path,
    space: str | SearchSpace | None = None,
    recipes: Sequence[Mapping[str, Any] | str] = (),
    preset: str | None = None,
    full: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    architectures: int = 20,
    repeats: int = 2,
    seed: int = 0,
    times: Sequence[float] = (),
    finalists: int = 0,
    device: str = "cpu",
    threads: int = 1,
    workers: int = 1,
    progress: Progress = quiet,
) -> RecipeTable:
    """Trains random architectures by several recipes and in full, and says how well the cheaper ones stand for it.

    All are trained on the training data and measured on the validation data; the test data have no part. What was
    trained once, in ``out``, is not trained again, so a call that was stopped goes on; the table is written there.

    Args:
        task: ``digits``, ``cifar10:PATH``, ``ptb:PATH`` ...
        out: a folder for trainings and table.
        space: of the architectures; by default the task's.
        recipes: what differs from the search's recipe, as values or as text: ``epochs=2,filters=8``; nothing, or
            ``search``, for that recipe as it is. By default a grid (``naopt.recipes.grid``), and the recipe as it is.
        preset: of the full training: a name of final training, or ``recipe`` for the search's; by default the task's.
        full: single settings of the full training.
        settings: single settings of the search's recipe.
        architectures: how many; at least 4.
        repeats: trainings of each by each recipe; at least 2.
        seed: of the architectures and all trainings.
        times: seconds that a search may take, for which recipes are compared; by default those of 10 and 100 full
            trainings.
        finalists: how many of the best are trained in full within that time before one is picked.
        device: where to train.
        threads: CPU threads of one training.
        workers: trainings at a time; results do not depend on it, but for the seconds.
        progress: is told how it goes.

    Raises:
        InputError: a number below its least, an unknown name or setting, data that cannot be used, recipes of which
            none is left, or a folder of other trainings.
        RunStoppedError: a signal, an interrupted training or a full disk stopped it; the same call goes on.
    """
    least = {"architectures": FEWEST_ARCHITECTURES, "repeats": 2, "seed": 0, "finalists": 0, "workers": 1}
    given = {"architectures": architectures, "repeats": repeats, "seed": seed, "finalists": finalists}
    for name, number in {**given, "workers": workers}.items():
        if number < least[name]:
            raise InputError(name, number, f"must be at least {least[name]}")
    for seconds in times:
        if not 0 < seconds < math.inf:
            raise InputError("time", seconds, "must be a number of seconds above 0")
    plan = _plan(task, space, recipes, preset, full, settings, architectures, seed)
    folder = Path(at_home(out))
    evaluator = RecipesEvaluator(plan.space, plan.task, plan.recipes, device=device, threads=threads)
    trainings = Trainings(folder, plan.task, plan.space, plan.recipes, threads)
    with trainings.open(), to_be_continued(), stop_on_signal():
        evaluator.check()
        found = trainings.train(evaluator, plan.architectures, repeats, seed, workers, progress)
        table = _table(plan, found, seed, repeats, times, finalists)
        table.write(folder)
    return table


def _plan(
    task: str,
    space: str | SearchSpace | None,
    recipes: Sequence[Mapping[str, Any] | str],
    preset: str | None,
    full: Mapping[str, Any] | None,
    settings: Mapping[str, Any] | None,
    count: int,
    seed: int,
) -> _Plan:
    task, own = located(task), dict(settings or {})
    base = create_workload(task, own)
    preset = preset or default_preset(task)
    if preset == "recipe":
        work = final_workload(task, preset, {**own, **(full or {})})
    else:
        work = final_workload(task, preset, full, {name: own[name] for name in DATA_SETTINGS if name in own})
    final = Recipe(FULL, dict(full or {}), work)
    where = create_space(space or base.default_space) if isinstance(space, str | None) else space
    base.check_space(where)
    drawn = sample_new(where, set(), count, np.random.default_rng([seed, _DRAWN]))
    if len(drawn) < count:
        raise InputError("architectures", count, f"space {where.name} has only {len(drawn)}")
    left_out = dict[str, str]()
    if recipes:
        wanted = [variant(base, parse_recipe(each) if isinstance(each, str) else each) for each in recipes]
    else:
        cheaper, left_out = suggested(base, where, drawn[0])
        wanted = [variant(base, {}), *cheaper]
    chosen, same = distinct(wanted, final)
    if not chosen:
        raise InputError("recipes", ", ".join(same), "are the full training itself; name others")
    every = {where.format(architecture): architecture for architecture in drawn}
    return _Plan(task, where, preset, every, [final, *chosen], {**left_out, **same})


def _table(
    plan: _Plan,
    found: Mapping[str, list[list[Measurement]]],
    seed: int,
    repeats: int,
    times: Sequence[float],
    finalists: int,
) -> RecipeTable:
    work = plan.recipes[0].work
    metric = work.default_metric
    info = work.metrics[metric.removeprefix("valid_")]
    sign = 1.0 if info.goal == "max" else -1.0
    trained = {name: _trained(own, metric, sign) for name, own in found.items()}
    full = trained[FULL]
    rows = [_row(recipe, found[recipe.name], trained[recipe.name], full, metric, sign) for recipe in plan.recipes]
    rows.sort(key=lambda row: (row.name != FULL, row.seconds))
    price = float(full.seconds.mean())
    ordered = {row.name: trained[row.name] for row in rows}
    return RecipeTable(
        naopt=__version__,
        task=plan.task,
        space=plan.space.name,
        preset=plan.preset,
        metric=metric,
        goal=info.goal,
        unit=info.unit,
        seed=seed,
        repeats=repeats,
        architectures=tuple(plan.architectures),
        rows=tuple(rows),
        left_out=dict(plan.left_out),
        budgets=tuple(
            budget(ordered, full, seconds, finalists=finalists, larger=info.goal == "max")
            for seconds in times or [count * price for count in _BUDGETS]
        ),
        total_seconds=sum(float(each.seconds.sum()) for each in trained.values()),
    )


def _trained(found: Sequence[Sequence[Measurement]], metric: str, sign: float) -> Trained:
    scores = [[sign * each.metrics[metric] if each.ok else math.nan for each in own] for own in found]
    return Trained(np.array(scores), np.array([[each.seconds for each in own] for own in found]))


def _row(
    recipe: Recipe,
    found: Sequence[Sequence[Measurement]],
    trained: Trained,
    full: Trained,
    metric: str,
    sign: float,
) -> RecipeRow:
    figures = recipe_figures(trained, full)
    bad = [each for own in found for each in own if not each.ok]
    return RecipeRow(
        name=recipe.name,
        changes=recipe.changes,
        trainings=trained.scores.size,
        failed=len(bad),
        reason="; ".join(dict.fromkeys(f"{each.status}: {each.reason}" for each in bad)),
        seconds=figures.seconds,
        share=figures.seconds / max(float(full.seconds.mean()), 1e-9),
        mean=_turned(figures.mean, sign),
        noise=figures.noise,
        signal=figures.signal,
        reliability=figures.reliability,
        correlation=figures.correlation,
        kendall_tau=figures.kendall_tau,
        spearman=figures.spearman,
        single=figures.single,
        scores=tuple(tuple(each.metrics[metric] if each.ok else None for each in own) for own in found),
    )


def _turned(found: Estimate | None, sign: float) -> Estimate | None:
    if found is None or sign > 0:
        return found
    return Estimate(-found.value, (-found.ci95[1], -found.ci95[0]))
