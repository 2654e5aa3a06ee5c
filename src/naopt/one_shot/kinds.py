"""Names of searchers, those that share weights included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naopt.errors import UnknownNameError
from naopt.one_shot import OneShotSearcher, one_shot
from naopt.one_shot.instanas import InstaNASSearcher
from naopt.searchers import Searcher, searchers

if TYPE_CHECKING:
    from naopt.configuration import Settings


def searcher_kind(name: str) -> type[Searcher] | type[OneShotSearcher]:
    """The class of a searcher. Raises ``UnknownNameError``, with the nearest name, if there is none."""
    if name in searchers.names():
        return searchers.get(name)
    if name in one_shot.names():
        return one_shot.get(name)
    raise UnknownNameError("searcher", name, searcher_names())


def searcher_names() -> list[str]:
    """All names, sorted."""
    return sorted({*searchers.names(), *one_shot.names()})


def searcher_settings(name: str) -> type[Settings]:
    """The class of a searcher's settings. Raises ``UnknownNameError`` as ``searcher_kind``."""
    return searcher_kind(name).settings_type


def shares_weights(name: str) -> bool:
    """Whether a searcher trains a supernet, instead of asking for one architecture after the other."""
    return issubclass(searcher_kind(name), OneShotSearcher)


def decides_for_each(name: str) -> bool:
    """Whether a searcher gives a network that decides for each image what it computes; not if there is no such one."""
    return name in one_shot.names() and issubclass(one_shot.get(name), InstaNASSearcher)
