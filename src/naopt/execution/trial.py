"""One evaluation of a search, proposed and perhaps already measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from naopt.measurement import Measurement
from naopt.spaces import Architecture


@dataclass(frozen=True, slots=True)
class Trial:
    """The ``index``-th evaluation of a search (0-based), proposed in ``round`` (0-based).

    Attributes:
        architecture: what is measured; ``text`` is its text form.
        origin: how the searcher found it (``random``, ``ascent``, ...), ``parent`` from what.
        predicted: what the searcher expected, in the metric's own unit; ``None`` if it expected nothing.
        measurement: ``None`` until it was measured.
        place: how many results of the search came before its own, which is a matter of workers and does not make trials
            different; ``None`` until it was measured.
        level: of fidelity at which it is measured; ``None``: the full one.
        cost: in full evaluations; less than 1 at lower levels, and of what goes on from one.
        repeat: how often its architecture was proposed before, to be measured anew.
    """

    index: int
    round: int
    architecture: Architecture
    text: str
    origin: str
    parent: Architecture | None = None
    predicted: float | None = None
    measurement: Measurement | None = None
    place: int | None = field(default=None, compare=False)
    level: int | None = None
    cost: float = 1.0
    repeat: int = 0
