"""``naopt.proxy``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.durations import parse_duration

if TYPE_CHECKING:
    from naopt.recipes import RecipeTable
    from naopt.spaces import SearchSpace


def proxy(
    task: str,
    *,
    out: str | Path,
    space: str | SearchSpace | None = None,
    recipes: Sequence[Mapping[str, Any] | str] | Mapping[str, Any] | str = (),
    preset: str | None = None,
    full: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    architectures: int = 20,
    repeats: int = 2,
    seed: int = 0,
    time: float | str | Sequence[float | str] = (),
    finalists: int = 0,
    device: str = "cpu",
    threads: int = 1,
    workers: int = 1,
) -> RecipeTable:
    """Says how well cheaper recipes of training rank architectures, and which one to search with.

    Args:
        task: ``"digits"``, ``"cifar10:PATH"``, ``"ptb:PATH"`` ...
        out: a folder for trainings and table, from which the same call goes on.
        space: of the architectures; by default the task's.
        recipes: what differs from the search's recipe: ``[{"epochs": 2}, "epochs=4,filters=8", "search"]``, or one of
            these; by default a grid.
        preset: of the full training; ``"recipe"`` for the search's. By default the task's.
        full: single settings of the full training.
        settings: single settings of the search's recipe.
        architectures: how many, at random.
        repeats: trainings of each by each recipe, at least 2.
        seed: of architectures and trainings.
        time: of searches that recipes are compared for: seconds or ``"8h"``, one or several; by default those of 10 and
            100 full trainings.
        finalists: the best of a search are trained in full within that time.
        device: where to train.
        threads: CPU threads of one training.
        workers: trainings at a time.

    Returns:
        ``rows``, the full training first; ``budgets``, what each recipe makes of a time; and ``sentences`` on what to
        take.

    Raises:
        InputError: something unknown or out of range, data that cannot be used, or a folder of other trainings.
        RunStoppedError: it was stopped; the same call goes on.
    """
    from naopt.recipes import proxy as compared

    every = [time] if isinstance(time, float | int | str) else time
    return compared(
        task,
        out=out,
        space=space,
        recipes=[recipes] if isinstance(recipes, str | Mapping) else recipes,
        preset=preset,
        full=full,
        settings=settings,
        architectures=architectures,
        repeats=repeats,
        seed=seed,
        times=[parse_duration(each) if isinstance(each, str) else each for each in every],
        finalists=finalists,
        device=device,
        threads=threads,
        workers=workers,
    )
