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
        complete: of a controller, valid whole architectures ``(n, copies, T)`` that begin as ``(n, t)`` tokens say, so
            many from the state after each beginning. ``None`` for what has no such states.
        order: the positions as the controller decides them, by default as they stand: a beginning are tokens of the
            first t of these.
    """

    title: str
    space: SearchSpace
    states: Callable[[Sequence[Architecture]], NDArray[np.float64]]
    decode: Decode
    copies_differ: str
    complete: Complete | None = None
    order: tuple[int, ...] = ()

    @property
    def decided(self) -> tuple[int, ...]:
        """``order``, spelled out."""
        return self.order or tuple(range(len(self.space.positions)))


Adapter = Callable[[RunRecord, Setup], Subject]
"""From a run to what its searcher has learned."""

adapters: Registry[Adapter] = Registry("searcher with a controller or an encoder", "naopt.probes")
"""By searcher name."""
