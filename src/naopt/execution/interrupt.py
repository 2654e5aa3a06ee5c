"""Ctrl-C and SIGTERM: the first stops a search or a training cleanly, the second at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal() -> Iterator[None]:
    """While it lasts, the first SIGINT or SIGTERM raises ``KeyboardInterrupt`` and the next ends the process.

    What is stored survives both; worker processes end with their parent. Does nothing outside the main thread, where
    no signals arrive.
    """

    def stop() -> None:
        raise KeyboardInterrupt

    with _first_signal(stop):
        yield


class Stop:
    """Whether a signal came.

    Attributes:
        waits: whether a signal is remembered until the work asks; before, it raises ``KeyboardInterrupt``.
    """

    def __init__(self) -> None:
        self.waits = self._came = False

    def __call__(self) -> bool:
        """Whether one came."""
        return self._came

    def signal(self) -> None:
        """A signal came."""
        if not self.waits:
            raise KeyboardInterrupt
        self._came = True


@contextmanager
def stop_after_step() -> Iterator[Stop]:
    """While it lasts, the first SIGINT or SIGTERM is remembered, for work to stop where its state is whole.

    Until the work says that it has begun (``waits``), while data are read, a signal stops it at once.

    Yields:
        Whether a signal came. The next one ends the process.
    """
    stop = Stop()
    with _first_signal(stop.signal):
        yield stop


@contextmanager
def _first_signal(act: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal stopping
        if stopping:
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the progress bar hides the cursor
            os._exit(128 + number)
        stopping = True
        act()

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
