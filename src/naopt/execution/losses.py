"""How often the machine may lose an evaluation."""

from __future__ import annotations

import logging
from collections import Counter

from naopt.execution.jobs import Job

_AGAIN = 3
"""How often an evaluation is done again, with the same seed, because the machine lost it."""

_log = logging.getLogger(__name__)


class Losses:
    """Counts, for each job, how often the machine lost it."""

    def __init__(self) -> None:
        self._counts: Counter[Job] = Counter()

    def again(self, job: Job, why: str) -> bool:
        """Whether a job that was lost now is to be done again."""
        self._counts[job] += 1
        again = self._counts[job] <= _AGAIN
        _log.warning(
            "evaluation %d was lost: %s; %s", job.index, why, "it is done again" if again else "it is given up"
        )
        return again

    def reason(self, job: Job, why: str) -> str:
        """Why a job is given up that was lost too often."""
        return f"lost {self._counts[job]} times, the last time: {why}"

    def forget(self, job: Job) -> None:
        """The job is done."""
        self._counts.pop(job, None)
