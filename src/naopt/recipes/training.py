"""Training architectures by several recipes, and keeping what was trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from naopt._version import __version__
from naopt.evaluators.base import Evaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.execution import Job, create_engine
from naopt.execution.counted import Progress
from naopt.recipes.recipe import FULL, Recipe
from naopt.store.training_cache import TrainingCache

if TYPE_CHECKING:
    from naopt.measurement import Measurement
    from naopt.spaces import Architecture, SearchSpace

TRAININGS = "trainings"


class RecipesEvaluator(Evaluator):
    """Trains architectures of one space by any of several recipes, which are its levels; the first is the full one.

    Args:
        space: of the architectures.
        task: its name and source.
        recipes: the full one first.
        device: where to train.
        threads: CPU threads of one training.

    Raises:
        InputError: as ``TrainingEvaluator``.
    """

    thread_safe = False

    def __init__(
        self, space: SearchSpace, task: str, recipes: Sequence[Recipe], *, device: str = "cpu", threads: int = 1
    ) -> None:
        self._each = [
            TrainingEvaluator(space, task, recipe.work.settings, device=device, threads=threads) for recipe in recipes
        ]
        self.space, self.metrics = space, self._each[0].metrics
        self.default_metric, self.device = self._each[0].default_metric, device

    def prepare(self) -> None:
        """See ``Evaluator.prepare``; recipes may differ in their data."""
        for each in self._each:
            each.prepare()

    def check(self) -> None:
        """See ``Evaluator.check``."""
        self._each[0].check()
        for each in self._each[1:]:
            each.check_folds()
        self.remarks = self._each[0].remarks

    def at(self, level: int | None) -> Evaluator:
        """See ``Evaluator.at``."""
        return self._each[level or 0]

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """See ``Evaluator.evaluate``."""
        return self._each[0].evaluate(architecture, seed)


class Trainings:
    """The trainings in a folder: one of each architecture, recipe and repeat.

    Args:
        folder: is made if it is not there.
        task: its name and source.
        space: of the architectures.
        recipes: the full one first.
        threads: CPU threads, a part of what fixes the bits of a result.

    Raises:
        InputError: the folder cannot be used, or holds trainings of another task, space or recipe of that name.
    """

    def __init__(self, folder: Path, task: str, space: SearchSpace, recipes: Sequence[Recipe], threads: int) -> None:
        self._recipes = recipes
        about = {"naopt": __version__, "task": task, "space": space.name, "threads": threads}
        self._caches = {
            recipe.name: TrainingCache(
                folder / TRAININGS / recipe.folder,
                {**about, "recipe": recipe.name, "training": recipe.work.settings.model_dump(mode="json")},
            )
            for recipe in sorted(recipes, key=lambda recipe: recipe.name != FULL)
        }

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keeps other processes out, and reads what is there. Raises ``InputError``."""
        with ExitStack() as stack:
            for cache in self._caches.values():
                stack.enter_context(cache.open())
            yield

    def train(
        self,
        evaluator: Evaluator,
        architectures: Mapping[str, Architecture],
        repeats: int,
        seed: int,
        workers: int,
        progress: Progress,
    ) -> Mapping[str, list[list[Measurement]]]:
        """Trains what is missing; by recipe a list for each architecture of one measurement a repeat.

        Architecture by architecture and recipe after recipe, so that whatever else slows the machine down slows all
        recipes alike, and their costs can be compared.

        Raises:
            KeyboardInterrupt: a training was interrupted.
            InputError: data or a device that cannot be used.
        """
        every = [
            (level, recipe.name, (text, recipe.seed(seed, repeat, architecture)), architecture)
            for text, architecture in architectures.items()
            for repeat in range(repeats)
            for level, recipe in enumerate(self._recipes)
        ]
        missing = [each for each in every if self._caches[each[1]].get(each[2]) is None]
        jobs = [Job(at, each[3], each[2][1], level=each[0]) for at, each in enumerate(missing)]
        if jobs:
            engine = create_engine("local", evaluator, workers)
            with progress("trainings", len(every), len(every) - len(jobs)) as advance, engine:
                for at, found in engine.evaluate(jobs):
                    if found.status == "interrupted":
                        raise KeyboardInterrupt
                    _, name, key, _ = missing[at]
                    self._caches[name].add(key, found)
                    advance()
        return {
            recipe.name: [
                [self._kept(recipe, text, recipe.seed(seed, repeat, a)) for repeat in range(repeats)]
                for text, a in architectures.items()
            ]
            for recipe in self._recipes
        }

    def _kept(self, recipe: Recipe, text: str, seed: int) -> Measurement:
        found = self._caches[recipe.name].get((text, seed))
        assert found is not None
        return found
