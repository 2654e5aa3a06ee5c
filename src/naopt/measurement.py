"""What an evaluation found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Status = Literal["ok", "failed", "invalid", "timeout", "oom", "diverged", "interrupted"]
Goal = Literal["max", "min"]

STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """Which direction of a metric is better, and its unit."""

    goal: Goal = "max"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Metrics by name, cost in seconds, and how the evaluation ended.

    ``ok`` has at least one metric and only finite ones; every other status has a one-line reason, and may hold the
    finite metrics that were known before the failure. A reason beside ``ok`` is a note on how it came about (a smaller
    batch, a second attempt). A NaN never looks like a number: a table's NaN is left out.

    Attributes:
        metrics: finite numbers by name.
        seconds: what it took.
        status: how it ended.
        reason: why, in one line.
        details: traceback and last lines of output of what failed.

    Raises:
        ValueError: a metric that is not finite, seconds that are not or are negative, ``ok`` without metrics, or
            another status without a reason.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    status: Status = "ok"
    reason: str = ""
    details: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is not one of {', '.join(STATUSES)}")
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds must be finite and not negative, got {self.seconds}")
        bad = [name for name, value in self.metrics.items() if not math.isfinite(value)]
        if bad:
            raise ValueError(f"metric {bad[0]!r} is not finite; leave it out and give the reason")
        if self.status == "ok" and not self.metrics:
            raise ValueError("an 'ok' measurement needs at least one metric")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a {self.status!r} measurement needs a reason")

    @property
    def ok(self) -> bool:
        """Whether the evaluation ended as it should."""
        return self.status == "ok"
