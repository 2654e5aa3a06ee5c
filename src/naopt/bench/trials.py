"""What is noted of one search of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from naopt.bench.crews import ALONE, Crew


@dataclass(frozen=True, slots=True)
class OriginCount:
    """How many queries came from one origin, and how many of these were better than all before."""

    queries: int
    improved: int


@dataclass(frozen=True, slots=True)
class Timing:
    """When things happened in simulated time, from the beginning of the search.

    Attributes:
        wall: when the last result came.
        last_begun: when a worker took the last evaluation up; from then on workers run out of work.
        busy: what all workers together spent on evaluations.
        busy_before: of this, what they spent before ``last_begun``.
        selected: when each selection came, in the order of ``SearchTrial.selected``.
        optimum: when the table's best was measured; ``None`` if it was not.
    """

    wall: float
    last_begun: float
    busy: float
    busy_before: float
    selected: list[float]
    optimum: float | None

    @classmethod
    def of(cls, spans: Mapping[int, tuple[float, float]], selected: list[float], optimum: float | None) -> Timing:
        """From when evaluations began and ended."""
        last = max((begin for begin, _ in spans.values()), default=0.0)
        return cls(
            wall=max((end for _, end in spans.values()), default=0.0),
            last_begun=last,
            busy=sum(end - begin for begin, end in spans.values()),
            busy_before=sum(min(end, last) - begin for begin, end in spans.values()),
            selected=selected,
            optimum=optimum,
        )


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One search.

    Attributes:
        searcher: its name, with settings of its own if it was given some (``NAME:KEY=VALUE``).
        trial: 0-based.
        search_metric: of the selected architecture at each checkpoint (the mean of its repeats); ``None`` before
            anything was measured.
        report_metric: of the same architecture.
        queries: how many were used; fewer than the budget if the searcher found nothing new, in which case the last
            selection stands for the checkpoints after.
        queries_to_optimum: the query that first looked up the table's best mean search metric; ``None`` if none did.
        seconds: wall time of the search.
        searcher_seconds: of these, what was not spent on looking up.
        origins: queries by origin.
        selected: query (1-based) and table row of each selection that replaced the one before.
        crew: of how many workers, and how they were kept at work. Queries are counted as their results came.
        timing: in simulated time; ``None`` in trials of older versions, which had none.
        rows: with several objectives or limits, the table row of each query in order; ``None`` for what has none.
        pruned: with limits, how many architectures the searcher looked at and passed over, because a limit on what is
            known without a query forbids them; those that it looked at again in another round count again.
    """

    searcher: str
    trial: int
    search_metric: list[float | None]
    report_metric: list[float | None]
    queries: int
    queries_to_optimum: int | None
    seconds: float
    searcher_seconds: float
    origins: dict[str, OriginCount]
    selected: list[tuple[int, int]]
    crew: Crew = ALONE
    timing: Timing | None = None
    rows: list[int | None] | None = None
    pruned: int = 0
