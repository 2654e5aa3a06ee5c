from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from naopt.logs import show_logs


@contextmanager
def bare() -> Iterator[logging.Logger]:
    """The package's logger in a program without handlers; pytest has some while a test runs."""
    logger, level = logging.getLogger("naopt"), logging.getLogger("naopt").level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        patch.setattr(logger, "handlers", [logging.NullHandler()])
        yield logger
    logger.setLevel(level)


def test_nothing_is_shown_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with bare():
        logging.getLogger("naopt.execution").warning("a worker was lost")
    assert capsys.readouterr().err == ""


def test_a_line_each_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("naopt.execution.pool")
    with bare():
        show_logs()
        show_logs()
        log.info("not this")
        log.warning("a worker\nwas %s", "lost")
        show_logs(logging.INFO)
        log.info("this")
    assert capsys.readouterr().err == "naopt: a worker was lost\nnaopt: this\n"


def test_a_program_with_handlers_shows_what_it_wants() -> None:
    with bare() as logger:
        logger.addHandler(own := logging.StreamHandler())
        show_logs()
        assert logger.handlers[1:] == [own]
