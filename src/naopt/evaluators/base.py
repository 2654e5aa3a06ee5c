"""Evaluators: from an architecture to a measurement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from naopt.measurement import Measurement, MetricInfo
from naopt.registry import Registry

if TYPE_CHECKING:
    from naopt.fidelity import Fidelity
    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace

evaluators: Registry[type[Evaluator]] = Registry("evaluator", "naopt.evaluators")


class Evaluator(ABC):
    """Measures architectures of one space. Knows no searcher.

    Contract. ``evaluate`` depends only on the evaluator's own settings, the architecture and the seed, never on what
    was evaluated before, so that it may run in any order, in any process, on any worker. It returns a measurement for
    everything that can happen to a child (divergence, memory, a failed build): an exception is a bug, and the engine
    turns it into a ``failed`` measurement. Instances are picklable and cheap to pickle: heavy things (data, table
    contents) are loaded by ``prepare``, which the engine calls once in each worker.

    Attributes:
        space: the space of the architectures that it measures.
        metrics: what it measures.
        default_metric: the metric to search by unless the user names one.
        inline: lookups are too short to be worth another process.
        surrogates: metrics that are predicted by a surrogate, in some architectures at least, rather than measured.
        thread_safe: several threads may call ``evaluate`` of one instance at a time. Matters only to an evaluator that
            cannot be pickled, which breaks the contract, and is then measured in threads.
        batch: how many examples it takes at a time, if ``smaller`` can make that less.
        fidelity: its cheaper versions, if it has some.
        repeatable: whether another seed gives another measurement of the same, worth a query of its own.
        remarks: on what was done to the data, a line each, once ``check`` has looked at them.
    """

    space: SearchSpace
    metrics: Mapping[str, MetricInfo]
    default_metric: str
    inline: bool = False
    surrogates: frozenset[str] = frozenset()
    thread_safe: bool = True
    batch: int | None = None
    fidelity: Fidelity | None = None
    repeatable: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def table_contents(self) -> Mapping[str, str]:
        """Name and checksum of the table that it looks up in, by which a run notices another; empty for none."""
        return {}

    def costs(self) -> Costs | None:
        """What it knows of architectures without evaluating them; ``None`` for nothing."""
        return None

    def prepare(self) -> None:  # noqa: B027
        """Loads what ``evaluate`` needs; idempotent. Raises ``InputError`` for data that cannot be used."""

    def check(self) -> None:  # noqa: B027
        """Looks at all data once, also at what no search reads, before a search begins.

        Raises:
            InputError: data that could not be used later, an image of the test set that is damaged, say.
        """

    def smaller(self, halvings: int) -> Evaluator | None:  # noqa: ARG002
        """The same evaluator with its ``batch`` halved so often, for what runs out of memory.

        It is ready to ``evaluate`` if this one is. ``None`` if it has no batch, or none that is so small.
        """
        return None

    def at(self, level: int | None) -> Evaluator:
        """The same evaluator at a level of its fidelity, ready to ``evaluate`` if this one is; ``None``: the full one.

        What it measures there is called as ``fidelity`` says.
        """
        if level is not None:
            raise ValueError(f"{type(self).__name__} has no level {level}")
        return self

    def again(self, repeat: int) -> Evaluator:  # noqa: ARG002
        """The evaluator of the ``repeat``-th measurement of the same beside the first, ready if this one is.

        This one, which another seed makes another measurement, unless it knows how to make its errors independent.
        """
        return self

    @abstractmethod
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """Measures one architecture with the randomness of ``seed``."""
