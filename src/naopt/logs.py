"""Python's ``logging``, as naopt uses it.

Loggers are named after modules: ``naopt.execution`` and what is below it, ``naopt.evaluators``. ``WARNING`` is what a
user should see (a worker was lost, evaluations fail, an evaluator cannot be sent to processes, what was done to data),
``INFO`` each such event, and ``DEBUG`` rounds. The library itself shows nothing: programs do, with ``show_logs`` or a
handler of their own.
"""

from __future__ import annotations

import logging
import sys


class _Lines(logging.Handler):
    """Each record as one line on standard error, wherever that is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write("naopt: " + " ".join(record.getMessage().split()) + "\n")
        sys.stderr.flush()


def show_logs(level: int = logging.WARNING) -> None:
    """Shows naopt's own log on standard error, one line a record; once, however often it is called.

    Does nothing where the program has handlers of its own: then it is for them to show what they want.

    Args:
        level: least severity to be shown.
    """
    logger = logging.getLogger("naopt")
    shown = next((handler for handler in logger.handlers if isinstance(handler, _Lines)), None)
    if shown is None:
        if logging.getLogger().handlers or any(not isinstance(h, logging.NullHandler) for h in logger.handlers):
            return
        shown = _Lines()
        logger.addHandler(shown)
    shown.setLevel(level)
    logger.setLevel(level)
