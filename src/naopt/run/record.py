"""A search as it lies on the disk: what reports, ``show`` and benchmarks read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.devices.setting import LATENCY
from naopt.errors import InputError
from naopt.execution.trial import Trial
from naopt.files import at_home
from naopt.measurement import Measurement
from naopt.metrics import knee, non_dominated
from naopt.one_shot.kinds import decides_for_each
from naopt.problem import Objective, Problem
from naopt.run.config import RunConfig
from naopt.run.instances import Instances, read_instances
from naopt.run.names import CONFIG, INSTANCES
from naopt.run.order import Leaders, best_first, finalists_among, leaders, together, trained_first, with_finalist
from naopt.spaces import SearchSpace, space_from_document
from naopt.store.meta import problem_of
from naopt.store.store import DATABASE, RunStore

if TYPE_CHECKING:
    from numpy.typing import NDArray


_SPENT = 1e-9


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One search: its configuration, all its trials in order, and what the searcher logged in each round.

    Attributes:
        meta: versions, time of creation, seconds spent, positions of the space ... by name.
        finalists: what the training of finalists gave, by trial index. The trials have those of its metrics beside
            their own that they do not have themselves.
    """

    directory: Path
    config: RunConfig
    space: SearchSpace
    problem: Problem
    trials: list[Trial]
    rounds: list[dict[str, Any]]
    meta: dict[str, Any]
    finalists: Mapping[int, Measurement] = field(default_factory=dict)
    _leaders: dict[int, Leaders] = field(default_factory=dict, compare=False, repr=False)

    @property
    def objective(self) -> Objective:
        """The first one."""
        return self.problem.objective

    @property
    def evaluated(self) -> list[Trial]:
        """Trials with a measurement."""
        return [trial for trial in self.trials if trial.measurement is not None]

    @property
    def architectures(self) -> Sequence[Trial]:
        """The trials; with repeats one for each architecture, with all its measurements together."""
        return together(self.trials, self.problem)

    @property
    def failed(self) -> list[Trial]:
        """Trials whose measurement is not ``ok``."""
        return [trial for trial in self.trials if trial.measurement is not None and not trial.measurement.ok]

    @property
    def measured(self) -> bool:
        """Whether the budget is spent, or the searcher found nothing new, or its time is over."""
        ended = self.time_is_up or 0 < self.config.time <= float(self.meta.get("measuring_ended", 0))
        return self.spent > self.config.budget - _SPENT or self.exhausted or ended

    @property
    def spent(self) -> float:
        """What was measured, in full evaluations; without fidelities the number of trials that were measured."""
        return sum(trial.cost for trial in self.evaluated)

    @property
    def exhausted(self) -> bool:
        """Whether the searcher found nothing new before the budget was spent."""
        all_done = bool(self.meta.get("exhausted")) and len(self.evaluated) == len(self.trials)
        return all_done and self.spent < self.config.budget - _SPENT

    @property
    def time_is_up(self) -> bool:
        """Whether the search ended because its time limit was reached; a longer one lets it go on."""
        return 0 < self.config.time <= float(self.meta.get("time_is_up", 0))

    @property
    def wanted_finalists(self) -> list[Trial]:
        """What is to be trained longer: what was chosen when the trainings began, else ``finalists_among``."""
        noted = self.meta.get("wanted_finalists", {})
        if (noted.get("after"), noted.get("of")) == (len(self.evaluated), self.config.finalists):
            return [self.trials[index] for index in noted["trials"]]
        return finalists_among(self.architectures, self.problem, self.config.finalists, self.leaders.expected)

    @property
    def finalists_trained(self) -> bool:
        """Whether all of them are, if there are any."""
        if not self.config.finalists:
            return True
        if not self.finalists:
            return all(self.score(trial) is None for trial in self.evaluated)
        return all(trial.index in self.finalists for trial in self.wanted_finalists)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be measured or trained."""
        return self.measured and (self.time_is_up or (self.finalists_trained and self.instances_measured))

    @property
    def instance_aware(self) -> bool:
        """Whether the search gives a network that decides for each image."""
        return decides_for_each(self.config.searcher)

    @property
    def instances_measured(self) -> bool:
        """Whether it is known what that network does, if there is one."""
        return not self.instance_aware or (self.directory / INSTANCES).is_file()

    @property
    def instances(self) -> Instances | None:
        """What it does; ``None`` if there is none, or that is not measured. Read anew each time."""
        return read_instances(self.directory) if self.instance_aware else None

    @property
    def seconds(self) -> float:
        """Wall time of the search, all its parts together."""
        return float(self.meta.get("seconds", 0.0))

    @property
    def remarks(self) -> tuple[str, ...]:
        """On what was done to the data, a line each."""
        return tuple(self.meta.get("remarks", ()))

    @property
    def stopped(self) -> str | None:
        """Why the search cannot go on, where it cannot: its shared weights diverged."""
        return self.meta.get("stopped")

    def score(self, trial: Trial) -> float | None:
        """The trial's first objective, larger is better; ``None`` if it lacks one or breaks a limit."""
        scores = None if trial.measurement is None else self.problem.scores(trial.measurement)
        return None if scores is None else scores[0]

    @property
    def surrogate(self) -> bool:
        """Whether the objective's metric was predicted by a surrogate rather than measured."""
        return self.objective.metric in self.meta.get("surrogates", [])

    @property
    def standalone(self) -> Objective:
        """What finalists are compared by: the task's own metric on the validation data."""
        about = self.meta["finalist_objective"]
        return Objective(about["metric"], about["goal"])

    @property
    def leaders(self) -> Leaders:
        """What is expected of trials that were measured with errors; found out once for so many measurements."""
        count = len(self.evaluated)
        if count not in self._leaders:
            self._leaders.clear()
            self._leaders[count] = leaders(self.space, self.architectures, self.problem)
        return self._leaders[count]

    def ranked(self) -> list[Trial]:
        """Trials with a score, the best first, as ``best_first`` has them.

        Where measurements state standard errors, by what all of them together let one expect (``leaders``), and not by
        the luckiest. Finalists that were trained come before all others, by what that gave.
        """
        scored = best_first(self.architectures, self.problem, len(self.trials), self.leaders.expected)
        return trained_first(scored, self.finalists, self.standalone) if self.finalists else scored

    def best(self) -> Trial | None:
        """The first of ``ranked``; ``None`` if no evaluation succeeded."""
        return next(iter(self.ranked()), None)

    def front(self) -> list[Trial]:
        """Trials that no other dominates in all objectives, the best by the first one first; equal ones are all there.

        What lacks an objective or breaks a limit is none of them. With one objective these are the best.
        """
        scored = [t for t in self.evaluated if t.measurement and self.problem.scores(t.measurement) is not None]
        if not scored:
            return []
        scores = self.scores(scored)
        front = np.flatnonzero(non_dominated(scores))
        order = np.lexsort((front, *(-scores[front].T[::-1])))
        return [scored[at] for at in front[order].tolist()]

    def knee(self) -> Trial | None:
        """Where on the front giving up a little of one objective costs much of another; ``None`` if it is empty."""
        front = self.front()
        return front[knee(self.scores(front))] if front else None

    def chosen(self) -> Trial | None:
        """What is meant where nobody picks: the best by one objective, the knee of several; ``None`` without any."""
        return self.best() if len(self.problem.objectives) == 1 else self.knee()

    @property
    def latencies(self) -> str:
        """Where the latencies that were asked for come from, in words; empty if none were, and of tables."""
        config = self.config
        if LATENCY not in self.problem.metrics or not config.task:
            return ""
        if config.device_file:
            return f"{LATENCY} is predicted by {config.device_file}"
        how = f"{config.device}, threads: {config.threads}, images at a time: {config.latency_batch}"
        return f"{LATENCY} is measured on the device of the search ({how})"

    def scores(self, trials: Sequence[Trial]) -> NDArray[np.float64]:
        """All objectives ``(n, k)`` of trials that have them, larger is better."""
        found = [self.problem.scores(trial.measurement) for trial in trials if trial.measurement is not None]
        return np.array(found, dtype=np.float64).reshape(len(trials), len(self.problem.objectives))

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

    @property
    def beyond(self) -> list[Trial]:
        """Trials that ended well and break a limit, or lack what one is on."""
        ended_well = [t for t in self.evaluated if t.measurement and t.measurement.ok]
        return [t for t in ended_well if t.measurement and self.problem.broken(t.measurement.metrics)]

    @property
    def passed_over(self) -> int:
        """How often searchers passed an architecture over because of limits on known costs, without a query."""
        return sum(int(log.get("passed_over", 0)) for log in self.rounds)

    def why_none(self) -> str:
        """Why nothing can be shown as best: the limit that was broken most often, if any was."""
        if not self.beyond:
            return "has no evaluation that succeeded"
        broken = [limit for t in self.beyond if t.measurement for limit in self.problem.broken(t.measurement.metrics)]
        limit = max(set(broken), key=lambda each: (broken.count(each), str(each)))
        had = [t.measurement.metrics for t in self.evaluated if t.measurement]
        values = [metrics[limit.metric] for metrics in had if limit.metric in metrics]
        closest = min(values, key=limit.excess)
        return f"no evaluation keeps {limit}; the closest has {closest:g}"

    def failures(self) -> dict[tuple[str, str], int]:
        """How often an evaluation ended in each (status, reason), the most frequent first."""
        found = (trial.measurement for trial in self.failed if trial.measurement is not None)
        return dict(Counter((each.status, each.reason) for each in found).most_common())


def load_run(directory: str | Path, config: RunConfig | None = None) -> RunRecord:
    """Reads a search, which may still be going on, with its configuration if that was read already.

    Raises ``InputError`` for a directory that is missing, is not a search's, or is damaged.
    """
    directory = Path(at_home(directory))
    config = config or RunConfig.read(directory / CONFIG)
    with RunStore(directory / DATABASE, writable=False) as store:
        return record_of(directory, config, store)


def record_of(directory: Path, config: RunConfig, store: RunStore, space: SearchSpace | None = None) -> RunRecord:
    """What an open store holds.

    Needs neither the run's table nor its task. A space that is not installed any more, or has changed, is read as a
    generic one with the same positions; ``Trial.text`` is always as it was written.

    Args:
        directory: of the run.
        config: its configuration.
        store: of the run.
        space: of the run, if it is known already.

    Raises:
        InputError: the database is damaged.
    """
    meta = store.meta
    try:
        space = space or space_from_document(meta["space"], meta["positions"])
        problem = problem_of(meta)
    except (InputError, KeyError, TypeError) as error:
        raise InputError("run", str(directory), f"{DATABASE} is damaged: {error!r} in its meta data") from error
    finalists = store.finalists()
    trials = [with_finalist(trial, finalists.get(trial.index)) for trial in store.trials(space)]
    return RunRecord(directory, config, space, problem, trials, list(store.rounds), dict(meta), finalists)
