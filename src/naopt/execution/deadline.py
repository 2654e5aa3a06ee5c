"""The time limit of a search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from naopt.errors import NaoptError
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.measurement import Measurement


class TimeIsUpError(NaoptError):
    """The time limit of a search is reached. What was measured is stored; what was being measured is given up."""


class Deadline:
    """When a search has to end.

    Args:
        seconds: from now; infinite for no limit.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._end = time.monotonic() + seconds
        self._kept: Callable[[], float] | None = None

    def keeping(self, seconds: Callable[[], float]) -> Deadline:
        """This limit, less the seconds that are to be left for what comes after; they may change with time."""
        earlier = Deadline()
        earlier._end, earlier._kept = self._end, seconds
        return earlier

    @property
    def left(self) -> float:
        """Seconds that are left; negative when it has passed."""
        return self._end - time.monotonic() - (0.0 if self._kept is None else self._kept())

    def check(self) -> None:
        """Raises ``TimeIsUpError`` if it has passed."""
        if self.left <= 0:
            raise TimeIsUpError("the time limit of the search is reached")

    def wait(self, engine: Engine) -> tuple[Job, Measurement]:
        """The next evaluation that ends in time. Raises ``TimeIsUpError`` if none does."""
        if math.isinf(self._end):
            found = engine.next_done()
        else:
            self.check()
            found = engine.next_done(max(self.left, 0.0))
        if found is None:
            raise TimeIsUpError("the time limit of the search is reached")
        return found


NEVER = Deadline()
