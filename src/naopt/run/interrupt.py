"""Ctrl-C and SIGTERM: the first stops a search cleanly, the second at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal() -> Iterator[None]:
    """While it lasts, the first SIGINT or SIGTERM raises ``KeyboardInterrupt`` and the next ends the process.

    What is stored survives both; worker processes end with their parent. Does nothing outside the main thread, where
    no signals arrive.
    """
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
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
