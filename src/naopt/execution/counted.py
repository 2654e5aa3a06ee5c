"""How whoever does many things of one kind says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[str, int, int], AbstractContextManager[Callable[[], None]]]
"""From what is counted, how many there are, and how many are done already, to what is called after each."""


@contextmanager
def quiet(what: str, total: int, done: int) -> Iterator[Callable[[], None]]:  # noqa: ARG001
    """Progress that nobody wants to see."""
    yield lambda: None
