"""How long it will take yet, by all that was done so far: a bar's own guess knows only the last half minute."""

from __future__ import annotations

import time

from rich.progress import ProgressColumn, Task
from rich.text import Text

from naopt.durations import in_words


class TimeLeft:
    """The time that is left of a number of equal pieces.

    Args:
        total: how many there are.
        done: how many were done before, at another time.
        workers: how many are worked at together: while fewer have ended, the rest of these is taken to end soon.
    """

    def __init__(self, total: float, done: float = 0, workers: int = 1) -> None:
        self._total, self._before, self._done = total, done, done
        self._workers = workers
        self._began = self._last = time.monotonic()

    def reached(self, done: float) -> None:
        """So many are done now."""
        if done > self._done:
            self._done, self._last = done, time.monotonic()

    @property
    def seconds(self) -> float | None:
        """What is left; ``None`` before anything was done, for then it cannot be known."""
        new, left = self._done - self._before, self._total - self._done
        if new <= 0:
            return None
        counted = max(new, min(self._workers, new + left))
        now, each = time.monotonic(), (self._last - self._began) / counted
        # A piece that takes longer than those before it is taken to end now.
        late = (now - self._began) / (counted + 1) * max(left - 1, 0)
        return max(each * left - (now - self._last), late, 0.0)

    def __str__(self) -> str:
        seconds = self.seconds
        return "" if seconds is None else f"{in_words(seconds)} left"


class TimeLeftColumn(ProgressColumn):
    """Shows the field ``left`` of a bar's task, a ``TimeLeft``."""

    def render(self, task: Task) -> Text:
        """See ``ProgressColumn``."""
        return Text("" if task.finished else str(task.fields["left"]))
