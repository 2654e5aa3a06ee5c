"""A run as it lies on the disk: what reports, ``show`` and benchmarks read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from naopt.errors import InputError, UnknownNameError
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.run.config import RunConfig
from naopt.run.finalists import (
    finalists,
    standalone_objective,
    wanted_finalists,
    with_finalists,
)
from naopt.run.store import RunStore
from naopt.searchers.base import Objective
from naopt.spaces import GenericSpace, Position, SearchSpace, create_space

CONFIG, DATABASE, LOCK, REPORT = "config.toml", "run.db", "run.lock", "report.html"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: its configuration, all its trials in order, and what the searcher logged in each round.

    Attributes:
        meta: versions, time of creation, seconds spent, positions of the space ... by name.
        finalists: what trials gave that were trained stand-alone, by index.
    """

    directory: Path
    config: RunConfig
    space: SearchSpace
    objective: Objective
    trials: list[Trial]
    rounds: list[dict[str, Any]]
    meta: dict[str, Any]
    finalists: dict[int, Measurement] = field(default_factory=dict)

    @property
    def evaluated(self) -> list[Trial]:
        """Trials with a measurement."""
        return [trial for trial in self.trials if trial.measurement is not None]

    @property
    def failed(self) -> list[Trial]:
        """Trials whose measurement is not ``ok``."""
        return [trial for trial in self.trials if trial.measurement is not None and not trial.measurement.ok]

    @property
    def finished(self) -> bool:
        """Whether the budget is spent, or the searcher found nothing new, and all finalists are trained."""
        spent = len(self.evaluated) >= self.config.budget
        spent = spent or (bool(self.meta.get("exhausted")) and len(self.evaluated) == len(self.trials))
        if not spent:
            return False
        wanted = finalists(self.trials, self.objective, wanted_finalists(self.config))
        return len(self.finalists) >= len(wanted)

    @property
    def seconds(self) -> float:
        """Wall time of the search, all its parts together."""
        return float(self.meta.get("seconds", 0.0))

    @property
    def stopped(self) -> str | None:
        """Why the search cannot go on, where it cannot: its shared weights diverged."""
        return self.meta.get("stopped")

    def score(self, trial: Trial) -> float | None:
        """The trial's objective turned so that larger is better; ``None`` if it has none."""
        return None if trial.measurement is None else self.objective.score(trial.measurement)

    @property
    def surrogate(self) -> bool:
        """Whether the objective's metric was predicted by a surrogate rather than measured."""
        return self.objective.metric in self.meta.get("surrogates", [])

    def ranked(self) -> list[Trial]:
        """Trials with a score, the best first; of equal ones the earlier first.

        Finalists that were trained stand-alone come before all others, by what that gave.
        """
        scored = finalists(self.trials, self.objective, len(self.trials))
        trained = {index for index, found in self.finalists.items() if found.ok}
        if not trained:
            return scored
        first = finalists([t for t in scored if t.index in trained], standalone_objective(self.meta), len(trained))
        return first + [trial for trial in scored if trial.index not in trained]

    def best(self) -> Trial | None:
        """The first of ``ranked``; ``None`` if no evaluation succeeded."""
        return next(iter(self.ranked()), None)

    def trajectory(self) -> list[float | None]:
        """The best value of the metric after each evaluation; ``None`` before the first success."""
        best: float | None = None
        path: list[float | None] = []
        for trial in self.evaluated:
            score = self.score(trial)
            if score is not None and (best is None or score > best):
                best = score
            path.append(best if best is None or self.objective.goal == "max" else -best)
        return path

    def failures(self) -> dict[tuple[str, str], int]:
        """How often an evaluation ended in each (status, reason), the most frequent first."""
        counts: dict[tuple[str, str], int] = {}
        for trial in self.failed:
            if trial.measurement is not None:
                key = (trial.measurement.status, trial.measurement.reason)
                counts[key] = counts.get(key, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))


def load_run(directory: str | Path) -> RunRecord:
    """Reads a run; it may still be going on.

    Needs neither the run's table nor its task. A space that is not installed any more, or has changed, is read as a
    generic one with the same positions; ``Trial.text`` is always as it was written.

    Raises:
        InputError: the directory is missing, is not a run's, or is damaged.
    """
    directory = Path(directory)
    config = RunConfig.read(directory / CONFIG)
    with RunStore(directory / DATABASE, writable=False) as store:
        meta = store.meta
        try:
            positions = tuple(Position(p["name"], tuple(p["choices"]), p["kind"]) for p in meta["positions"])
            space = recorded_space(meta["space"], positions)
            objective = Objective(meta["objective"]["metric"], meta["objective"]["goal"])
        except (KeyError, TypeError) as error:
            raise InputError("run", str(directory), f"{DATABASE} is damaged: {error!r} in its meta data") from error
        trials = with_finalists(store.trials(space), store.finalists())
        return RunRecord(directory, config, space, objective, trials, store.rounds, meta, store.finalists())


def recorded_space(name: str, positions: tuple[Position, ...]) -> SearchSpace:
    """The installed space of that name if it has these positions, else a generic one that has them."""
    try:
        space = create_space(name)
    except UnknownNameError:
        return GenericSpace(positions, name)
    return space if space.positions == positions else GenericSpace(positions, name)
