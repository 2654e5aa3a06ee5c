"""A whole search, wherever its results go: the loop of its schedule, with all who want to hear of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from naopt.execution.asynchronous import run_async
from naopt.execution.conversation import Start
from naopt.execution.deadline import Deadline
from naopt.execution.engine import Engine
from naopt.execution.estimate import Estimate
from naopt.execution.failures import FailureGuard
from naopt.execution.log import LogObserver
from naopt.execution.loop import run_search
from naopt.execution.observer import Observer, Observers
from naopt.execution.progress import ProgressBar
from naopt.searchers.base import Searcher

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a search is carried out.

    Attributes:
        schedule: in rounds, or asynchronously.
        batch: rounds that the searcher wants smaller are enlarged to so many.
        stop_after: it stops after so many failures in a row; 0 for never.
        stop_alike: it stops after so many evaluations, if all of them fail with one reason; 0 for never.
        instant: evaluations are look-ups, of which nobody wants to know how long they take.
        searcher: its name, for people.
        by_name: a Python function gives metrics by name, which may be misspelt.
    """

    schedule: Literal["rounds", "async"] = "rounds"
    batch: int = 1
    stop_after: int = 0
    stop_alike: int = 0
    instant: bool = False
    searcher: str = ""
    by_name: bool = False


def measure_all(
    searcher: Searcher, engine: Engine, manner: Manner, start: Start, observers: Sequence[Observer], deadline: Deadline
) -> None:
    """Searches until the searcher's budget is spent, or it finds nothing new.

    Args:
        searcher: fresh.
        engine: measures.
        manner: how.
        start: where it begins.
        observers: hear of it, in this order; the one that keeps results is the first.
        deadline: when it has to end.

    Raises:
        TimeIsUpError: the deadline passed.
        RunStoppedError: an evaluation was interrupted, or too many failed.
        SearcherError: the searcher broke its contract.
    """
    used = max(searcher.round_size, manner.batch)
    if manner.schedule == "rounds" and used < engine.workers:
        _log.warning(
            "%s proposes %d at a time, so %d of %d workers will have nothing to do most of the time; "
            "the schedule async, or a batch of as many as there are workers, keeps them at work",
            *(manner.searcher or type(searcher).__name__, used, engine.workers - used, engine.workers),
        )
    done = [trial for trial in start.past if trial.measurement is not None]
    with ProgressBar(searcher.budget, done, searcher.problem, workers=engine.workers) as bar:
        first, *others = observers
        logs: list[Observer] = [bar, LogObserver()]
        wanted = searcher.problem.metrics if manner.by_name else ()
        guard = FailureGuard(manner.stop_after, manner.stop_alike, done, wanted)
        if not manner.instant:
            logs.append(Estimate(engine.workers, searcher.budget, len(done)))
        observer = Observers(first, *logs, *others, guard)
        if manner.schedule == "async":
            run_async(searcher, engine, searcher.budget, observer=observer, start=start, deadline=deadline)
            return
        run_search(
            searcher,
            engine,
            searcher.budget,
            observer=observer,
            start=start,
            batch=manner.batch,
            deadline=deadline,
        )
