"""Searches of a case that several checks look at: each is carried out once."""

from __future__ import annotations

from typing import NamedTuple

from naopt.testing.drives import Drive, SearcherCase, State


class Whole(NamedTuple):
    """A search that has spent its budget, to be looked at only, and with workers its states."""

    drive: Drive
    states: list[State]


_MOST = 256
_wholes: dict[tuple[object, ...], Whole] = {}


def whole_search(case: SearcherCase, seed: int, workers: int = 0) -> Whole:
    """The search of a case for the toy metric; with ``workers`` by the asynchronous schedule."""
    # Settings need not be hashable; they show all that they hold.
    key = type(case), case.searcher, case.space, repr(case.settings), case.budget, case.batch, seed, workers
    if key not in _wholes:
        drive, states = Drive(case.create(seed=seed)), []
        if workers:
            states = drive.run_workers(case.budget, workers, seed)
        else:
            drive.run(case.budget, case.batch)
        if len(_wholes) >= _MOST:
            _wholes.clear()
        _wholes[key] = Whole(drive, states)
    return _wholes[key]
