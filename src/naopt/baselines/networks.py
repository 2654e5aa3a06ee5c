"""Which networks a search's pick is compared with, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from naopt.errors import UnknownNameError
from naopt.evaluators.workloads import Workload
from naopt.spaces import Architecture, ImageBaselineSpace, SearchSpace
from naopt.spaces.image_baseline import NETWORKS
from naopt.zoo import get, names

DEFAULT = {"images": ("*",), "text": ("lstm", "gru")}
"""By kind of task."""
SIZED_BY = {"images": "darts-v2", "text": "naonet-recurrent"}
"""A published cell, whose size under the task's settings all have where nobody names another."""
PICK = "pick"
"""The name of a search's pick."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network to be trained."""

    name: str
    space: SearchSpace
    architecture: Architecture

    @property
    def text(self) -> str:
        """The architecture's text form."""
        return self.space.format(self.architecture)


def candidates(work: Workload, patterns: Sequence[str] = ()) -> list[Candidate]:
    """Networks for a task: ResNets, MobileNets and the zoo's cells, or LSTM, GRU and the zoo's recurrent cells.

    Args:
        work: the task.
        patterns: names, or shell patterns of them (``resnet-*``); by default those of ``DEFAULT``.

    Raises:
        UnknownNameError: a pattern that no name fits, with the nearest name.
    """
    every: dict[str, Candidate] = {}
    if work.task.kind == "images":
        space = ImageBaselineSpace()
        every = {name: Candidate(name, space, space.architecture((at,))) for at, name in enumerate(NETWORKS)}
    for name in names():
        found = get(name).architecture()
        if work.supports(found[0]):
            every[name] = Candidate(name, *found)
    chosen = dict[str, Candidate]()
    for pattern in patterns or DEFAULT[work.task.kind]:
        fitting = [name for name in every if fnmatchcase(name, pattern)]
        if not fitting:
            raise UnknownNameError("baseline", pattern, every)
        chosen |= {name: every[name] for name in fitting}
    return list(chosen.values())
