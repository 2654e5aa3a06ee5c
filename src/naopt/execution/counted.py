"""How whoever does many things of one kind says how far it is, and how to go on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from naopt.errors import RunStoppedError
from naopt.files import NotWrittenError

Progress = Callable[[str, int, int], AbstractContextManager[Callable[[], None]]]
"""From what is counted, how many there are, and how many are done already, to what is called after each."""


@contextmanager
def quiet(what: str, total: int, done: int) -> Iterator[Callable[[], None]]:  # noqa: ARG001
    """Progress that nobody wants to see."""
    yield lambda: None


@contextmanager
def to_be_continued() -> Iterator[None]:
    """Says of what stops trainings that are kept one by one how to go on. Raises ``RunStoppedError``."""
    rest = "the same command goes on with the trainings that are missing"
    try:
        yield
    except NotWrittenError as error:
        raise RunStoppedError(f"{error.line}; {rest}") from error
    except KeyboardInterrupt:
        raise RunStoppedError(f"stopped; {rest}") from None
