"""What children are worth stand-alone: by training them, or from a table."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from naopt._version import __version__
from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.seeds import training_seed
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.execution.counted import Progress
from naopt.execution.engines import create_engine
from naopt.execution.jobs import Job
from naopt.measurement import Measurement
from naopt.run.record import RunRecord
from naopt.spaces import Architecture, SearchSpace
from naopt.store.training_cache import TrainingCache
from naopt.tables import load_table

if TYPE_CHECKING:
    from naopt.measurement import MetricInfo

CPU_SECONDS = "cpu_seconds"
"""Metric of a training beside those of its network: what it took of the processor."""


class Standalone(ABC):
    """Where the stand-alone metric comes from.

    Attributes:
        space: of the children that it can measure.
        metric: its name.
        info: its goal and unit.
        table: name of the table it is looked up in; empty if children are trained.
    """

    space: SearchSpace
    metric: str
    info: MetricInfo
    table: str = ""

    @abstractmethod
    def measure(self, architectures: Mapping[str, Architecture], progress: Progress) -> dict[str, list[Measurement]]:
        """All measurements of each architecture, by its text.

        Raises:
            RunStoppedError: a training was interrupted.
        """


class LookedUp(Standalone):
    """Looks children up in a table.

    Args:
        record: the run that they belong to.
        source: file or built-in name of the table.
        metric: by default the table's first.

    Raises:
        InputError: no such table or metric, or a table of another space than the run's.
    """

    def __init__(self, record: RunRecord, source: str | Path, metric: str | None) -> None:
        table = load_table(source)
        if (table.space.name, table.space.positions) != (record.space.name, record.space.positions):
            rule = f"is of space {table.space.name}; the run searched {record.space.name}"
            raise InputError("table", str(source), rule)
        self.metric = metric or next(iter(table.infos))
        self.info = table.info(self.metric)
        self._evaluator = TableEvaluator(table, [self.metric])
        self.space, self.table = self._evaluator.space, table.name

    def measure(self, architectures: Mapping[str, Architecture], progress: Progress) -> dict[str, list[Measurement]]:  # noqa: ARG002
        """See ``Standalone``."""
        return {text: [self._evaluator.evaluate(a, 0)] for text, a in architectures.items()}


class Trained(Standalone):
    """Trains children with the training settings of a run.

    Args:
        record: the run.
        seed: all seeds of trainings are spawned from it.
        repeats: trainings of each child.
        workers: processes.
        folder: where trainings are kept.

    Raises:
        InputError: data or a device that cannot be used, fewer than one worker, or a folder of other trainings.
    """

    def __init__(self, record: RunRecord, seed: int, repeats: int, workers: int, folder: Path) -> None:
        config = record.config
        evaluator = TrainingEvaluator(
            record.space, config.task, config.training, device=config.device, threads=config.threads
        )
        self.space, self.metric = record.space, evaluator.default_metric
        self.info = evaluator.metrics[self.metric]
        self._seed, self._repeats = seed, repeats
        self._engine = create_engine("local", _Clocked(evaluator), workers, config.timeout or None)
        about = {
            "naopt": __version__,
            "task": config.task,
            "space": record.space.name,
            "training": evaluator.settings.model_dump(mode="json"),
            "threads": config.threads,
        }
        self._cache = TrainingCache(folder, about)

    def measure(self, architectures: Mapping[str, Architecture], progress: Progress) -> dict[str, list[Measurement]]:
        """See ``Standalone``."""
        seeds = {t: [training_seed(self._seed, r, a) for r in range(self._repeats)] for t, a in architectures.items()}
        keys = [(text, seed) for text, own in seeds.items() for seed in own]
        with self._cache.open():
            jobs = [
                Job(index, architectures[key[0]], key[1])
                for index, key in enumerate(keys)
                if self._cache.get(key) is None
            ]
            with progress("trainings", len(keys), len(keys) - len(jobs)) as advance, self._engine as engine:
                for index, measurement in engine.evaluate(jobs):
                    if measurement.status == "interrupted":
                        raise RunStoppedError(f"a training was interrupted: {measurement.reason}")
                    self._cache.add(keys[index], measurement)
                    advance()
            return {text: [self._kept(text, seed) for seed in own] for text, own in seeds.items()}

    def _kept(self, text: str, seed: int) -> Measurement:
        found = self._cache.get((text, seed))
        assert found is not None
        return found


class _Clocked(Evaluator):
    """Another evaluator, with the processor's seconds as a further metric."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator, self.space, self.metrics = evaluator, evaluator.space, evaluator.metrics
        self.default_metric, self.inline = evaluator.default_metric, evaluator.inline
        self.device, self.thread_safe = getattr(evaluator, "device", "cpu"), evaluator.thread_safe

    def prepare(self) -> None:
        self.evaluator.prepare()

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        started = time.process_time()
        found = self.evaluator.evaluate(architecture, seed)
        return replace(found, metrics={**found.metrics, CPU_SECONDS: time.process_time() - started})
