"""The search loop without rounds: a worker that is free gets the next architecture at once.

A searcher is asked while others are at work, and told about each result when it comes. Which results come first depends
on how long evaluations take, so two such searches are not alike; the order is recorded, and a search that was
cut off goes on from a state that is as good: told the results in their order, with what was being measured
submitted again.
"""

from __future__ import annotations

from naopt.errors import RunStoppedError
from naopt.execution.conversation import Conversation, Start
from naopt.execution.deadline import NEVER, Deadline
from naopt.execution.engine import Engine
from naopt.execution.loop import job_of, told_in_order
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.searchers.base import Searcher
from naopt.spaces import Architecture


def run_async(
    searcher: Searcher,
    engine: Engine,
    budget: int,
    *,
    observer: Observer,
    start: Start | None = None,
    deadline: Deadline = NEVER,
) -> list[Trial]:
    """Searches with all workers of the engine at work, until the budget is spent. As ``run_search`` otherwise."""
    talk = Conversation(searcher, budget, observer, start or Start())
    talk.tell(told_in_order(talk.trials))
    pending: dict[int, Architecture] = {}
    for trial in talk.trials:
        if trial.measurement is None:
            pending[trial.index] = trial.architecture
            engine.submit(job_of(talk, trial.index))
    while True:
        while (count := min(engine.workers - len(pending), talk.left)) > 0:
            deadline.check()
            trials = talk.ask(count, list(pending.values()))
            for trial in trials:
                pending[trial.index] = trial.architecture
                engine.submit(job_of(talk, trial.index))
            if not trials:
                break
        if not pending:
            break
        job, measurement = deadline.wait(engine)
        if measurement.status == "interrupted":
            raise RunStoppedError(f"evaluation {job.index} was interrupted: {measurement.reason}")
        del pending[job.index]
        talk.tell([talk.measured(job.index, measurement)])
    if talk.left > 0:
        observer.exhausted()
    return talk.trials
