"""Which proxies there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from naopt.measurement import Goal
from naopt.registry import Registry

if TYPE_CHECKING:
    from naopt.proxies.probe import Probe

Record = Literal["codes", "jacobian", "gradients"]
"""What has to be kept of the pass of the first batch."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A number that a network has before it is trained.

    Attributes:
        meaning: what it is, in one line.
        source: authors and year.
        compute: gives it, of a ``Probe``; what is not finite means that it is not known.
        goal: which way better networks are.
        kinds: of tasks whose networks have it.
        records: what it reads of the pass of the first batch; one pass serves all proxies.
    """

    meaning: str
    source: str
    compute: Callable[[Probe], float]
    goal: Goal = "max"
    kinds: tuple[str, ...] = ("images",)
    records: tuple[Record, ...] = ()


proxies: Registry[Proxy] = Registry("proxy", "naopt.proxies")


def proxies_for(kind: str) -> list[str]:
    """Names of the proxies that networks for a kind of task have, sorted."""
    return [name for name in proxies.names() if kind in proxies.get(name).kinds]
