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


@contextmanager
def stop_after_step() -> Iterator[Callable[[], bool]]:
    """While it lasts, the first SIGINT or SIGTERM is remembered, for work to stop where its state is whole.

    Yields:
        Whether a signal came. The next one ends the process.
    """
    came: list[bool] = []
    with _first_signal(lambda: came.append(True)):
        yield lambda: bool(came)


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
