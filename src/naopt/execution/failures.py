"""What a run does about evaluations that fail: the children's doing, not the machine's, which engines see to."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement, Status, missing

_CHILDS_DOING: tuple[Status, ...] = ("failed", "timeout", "oom", "diverged")
_HALVINGS = 5
"""How often a batch is halved at most."""
_NUMBER = re.compile(r"\d+")
ALIKE = 20
"""Failures with one reason, and nothing else, after which a run stops: what is wrong is not the architecture."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What is done about evaluations that fail. By default each is a result like any other.

    Attributes:
        retries: how often an evaluation is done again, each time with a seed of its own, spawned from its first.
        smaller_batch: whether one that ran out of memory is done again with half its batch, five times at most, before
            it counts as failed; for evaluators that can (``Evaluator.smaller``).
        stop_after: after how many failures in a row the run stops (``FailureGuard``); 0 for never.
        stop_alike: after how many evaluations it stops if all of them have failed with one reason; 0 for never.

    Raises:
        InputError: a negative number.
    """

    retries: int = 0
    smaller_batch: bool = False
    stop_after: int = 0
    stop_alike: int = ALIKE

    def __post_init__(self) -> None:
        for name in ("retries", "stop_after", "stop_alike"):
            if getattr(self, name) < 0:
                raise InputError(name, getattr(self, name), "must not be negative")

    @property
    def acts(self) -> bool:
        """Whether evaluations are ever done again."""
        return self.retries > 0 or self.smaller_batch


class RetryingEngine(Engine):
    """Another engine, with failed evaluations done again as a policy says; how a result came about is in its reason.

    Args:
        engine: measures; is closed with this one.
        policy: says what is done again.
        evaluator: of the engine; says whether its batch can be smaller.
    """

    def __init__(self, engine: Engine, policy: FailurePolicy, evaluator: Evaluator) -> None:
        self._engine, self._policy, self._evaluator = engine, policy, evaluator
        self.workers = engine.workers
        self._changed: dict[Job, tuple[Job, str]] = {}
        """From a job that stands for another one to that, and to what happened before."""

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._engine.submit(job)

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """See ``Engine``."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        while True:
            found = self._engine.next_done(None if math.isinf(end) else max(0.0, end - time.monotonic()))
            if found is None:
                return None
            job, measurement = found
            original, before = self._changed.pop(job, (job, ""))
            again = self._again(original, job, measurement)
            if again is None:
                reason = "; ".join(part for part in (measurement.reason, before) if part)
                return original, replace(measurement, reason=reason) if before else measurement
            if again.attempt > job.attempt:
                before = f"attempt {again.attempt + 1}, before: {measurement.reason}"
            self._changed[again] = original, before
            _log.info("evaluation %d is done again: %s: %s", job.index, measurement.status, measurement.reason)
            self._engine.submit(again)

    def _again(self, original: Job, job: Job, found: Measurement) -> Job | None:
        """What is to be done instead of a job that gave this, if anything."""
        if found.status not in _CHILDS_DOING:
            return None
        halve = found.status == "oom" and self._policy.smaller_batch and job.halvings < _HALVINGS
        if halve and self._evaluator.smaller(job.halvings + 1) is not None:
            return replace(job, halvings=job.halvings + 1)
        if job.attempt < self._policy.retries:
            attempt = job.attempt + 1
            return replace(job, attempt=attempt, seed=_attempt_seed(original.seed, attempt))
        return None

    def close(self) -> None:
        """See ``Engine``."""
        self._changed.clear()
        self._engine.close()


def _attempt_seed(seed: int, attempt: int) -> int:
    """The seed of a further attempt, in 0..2^32-1: spawned from the first one's."""
    return int(np.random.SeedSequence(seed, spawn_key=(attempt,)).generate_state(1)[0])


def without_numbers(reason: str) -> str:
    """A reason as it is of one kind with others: its numbers aside."""
    return _NUMBER.sub("0", reason)


class FailureGuard(Observer):
    """Stops a run in which too much fails, in the order of results; told after the store, it loses none.

    Designs that are ``invalid`` are no failures here: constraints may well refuse most of a space.

    Args:
        limit: after so many failures in a row; 0 for never.
        alike: after so many evaluations, if all of them have failed with one status and one reason, numbers aside; 0
            for never. They are counted anew when a run goes on, for then somebody has seen them.
        done: what was measured before.
        wanted: metrics; if nothing has been measured well yet, what ended well but has no such metric, and says nothing
            of it, stops the run unless ``alike`` is 0: a name is misspelt.
    """

    def __init__(self, limit: int, alike: int = 0, done: Iterable[Trial] = (), wanted: Sequence[str] = ()) -> None:
        self._limit, self._alike, self._row = limit, alike, 0
        self._first: tuple[Status, str] | None = None
        if any(trial.measurement is not None and trial.measurement.ok for trial in done):
            self._alike = 0
        self._wanted = wanted if self._alike else ()

    def measured(self, trial: Trial) -> None:
        """Counts. Raises ``RunStoppedError``, with the last reason, when there are too many."""
        found = trial.measurement
        if found is None or found.status not in (*_CHILDS_DOING, "ok"):
            if found is not None:
                self._alike = 0
            return
        self._row = 0 if found.ok else self._row + 1
        lacking = next((name for name in self._wanted if name not in found.metrics), None)
        if found.ok:
            self._wanted = ()
        elif lacking is not None and found.reason == missing(lacking, found.metrics):
            rule = "say so with an exception where nothing can be measured (stop_alike=0 goes on all the same)"
            raise RunStoppedError(f"evaluation {trial.index} {found.reason}; {rule}")
        kind = found.status, without_numbers(found.reason)
        self._first = self._first or kind
        if kind != self._first:
            self._alike = 0
        if self._limit and self._row >= self._limit:
            said = f"{self._row} evaluations in a row failed, the last one with {found.status}: {found.reason}"
            raise RunStoppedError(said)
        if self._alike and self._row >= self._alike:
            said = f"all {self._row} evaluations failed alike: {found.status}: {found.reason}"
            raise RunStoppedError(f"{said} (stop_alike=0 goes on all the same)")
