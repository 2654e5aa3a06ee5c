"""What is probed: anything that has states of architectures, and perhaps goes on from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naopt.registry import Registry
from naopt.run.record import RunRecord
from naopt.run.setup import Setup
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Decode = Callable[[Sequence[Architecture], int, np.random.Generator], NDArray[np.int64]]
    Complete = Callable[[NDArray[np.int64], int, np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True)
class Subject:
    """A controller or an encoder.

    Attributes:
        title: what it is, in words.
        space: of the architectures.
        states: of n architectures, ``(n, d)`` float64.
        decode: valid whole architectures ``(n, copies, T)``, so many from the state of each of n architectures.
        copies_differ: why those of one state differ: where their randomness comes from.
        complete: of a controller, valid completions ``(n, copies, T)`` of prefixes ``(n, t)``, so many from the state
            after each prefix. ``None`` for what has no such states.
    """

    title: str
    space: SearchSpace
    states: Callable[[Sequence[Architecture]], NDArray[np.float64]]
    decode: Decode
    copies_differ: str
    complete: Complete | None = None


Adapter = Callable[[RunRecord, Setup], Subject]
"""From a run to what its searcher has learned."""

adapters: Registry[Adapter] = Registry("searcher with a controller or an encoder", "naopt.probes")
"""By searcher name."""
