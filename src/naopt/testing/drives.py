"""Searches that the suite for searchers drives, with every step checked against the contract."""

from __future__ import annotations

import heapq
import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from naopt.configuration import Settings
from naopt.measurement import Goal, Measurement
from naopt.problem import Objective, Problem
from naopt.searchers import Proposal, Searcher
from naopt.searchers.forbidden import Forbidden
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

Measure = Callable[[Architecture], Measurement]
History = list[tuple[Architecture, Measurement]]


def score(architecture: Architecture) -> float:
    """A smooth toy metric in -1..1 that any space has: equal architectures score alike."""
    weights = np.cos(np.arange(len(architecture.identity), dtype=np.float64))
    return float(np.tanh(weights @ np.asarray(architecture.identity) / len(weights)))


def measure(architecture: Architecture) -> Measurement:
    """The toy metric as a measurement."""
    return Measurement({"score": score(architecture)})


def cost(architecture: Architecture) -> float:
    """A toy cost in 0..1 that any space has: the mean place of the choices among those of their positions."""
    tokens = np.asarray(architecture.identity, dtype=np.float64)
    return float(np.mean(tokens / (1 + tokens.max(initial=0.0))))


def measure_both(architecture: Architecture) -> Measurement:
    """The toy metric and the toy cost as a measurement."""
    return Measurement({"score": score(architecture), "cost": cost(architecture)})


class ToyCosts:
    """The toy cost, known of every architecture."""

    metrics = ("cost",)

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        return {"cost": np.array([cost(architecture) for architecture in architectures], dtype=np.float64)}


@dataclass(frozen=True, slots=True)
class SearcherCase:
    """A searcher, its settings, the space that it is tried on, and how far."""

    searcher: type[Searcher]
    space: SearchSpace
    settings: Settings | None = None
    budget: int = 24
    batch: int = 4

    def create(
        self,
        *,
        seed: int = 0,
        budget: int | None = None,
        goal: Goal = "max",
        space: SearchSpace | None = None,
        problem: Problem | None = None,
    ) -> Searcher:
        """A fresh searcher; for the toy metric if no problem is given. The toy cost is known beforehand if need be."""
        wanted = Problem.of(problem or Objective("score", goal))
        if self.searcher.needs_priors and wanted.priors is None:
            wanted = replace(wanted, priors=ToyCosts())
        return self.searcher(
            space or self.space,
            wanted,
            self.settings if self.settings is not None else self.searcher.settings_type(),
            seed=seed,
            budget=budget or self.budget,
        )


def require_pending(searcher: type[Searcher]) -> None:
    """Raises ``AssertionError`` with what to add if an ``ask`` takes nothing but a count."""
    assert "pending" in inspect.signature(searcher.ask).parameters, (
        f"{searcher.__name__}.ask takes no pending: make it ask(self, count, pending=()), propose none of these, and "
        "draw from self.generator(pending=pending)"
    )


@dataclass(frozen=True, slots=True)
class State:
    """When something was proposed: how much was told, what was pending, and the proposals."""

    told: int
    pending: tuple[Architecture, ...]
    proposals: list[Proposal]


@dataclass(slots=True)
class Drive:
    """One search, with every ``ask`` checked against the contract."""

    searcher: Searcher
    measure: Measure = measure
    asked: list[list[Proposal]] = field(default_factory=list)
    busy: float = 0.0
    """Time that simulated workers were at work, of ``capacity``."""
    capacity: float = 0.0

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """What the searcher proposes, if it may."""
        if pending:
            require_pending(type(self.searcher))
        asked = self.searcher.ask(count, tuple(pending)) if pending else self.searcher.ask(count)
        proposals = list(asked)
        architectures = [proposal.architecture for proposal in proposals]
        assert len(proposals) <= count, f"asked for {count} proposals, got {len(proposals)}"
        assert len(set(architectures)) == len(architectures), "proposals repeat"
        forbidden = [a for a in architectures if a in Forbidden(self.searcher.problem)]
        assert not forbidden, (
            f"proposed {forbidden[0].tokens if forbidden else ()}, which is in seen: a limit forbids it"
        )
        told = {architecture for architecture, _ in self.searcher.history}
        assert not told & set(architectures), "a proposal was told before"
        assert not set(pending) & set(architectures), "a proposal is pending already"
        for proposal in proposals:
            reason = self.searcher.space.explain_invalid(proposal.architecture.tokens)
            assert reason is None, f"proposed {proposal.architecture.tokens}: {reason}"
            assert proposal.origin, "a proposal must say its origin"
            finite = proposal.predicted is None or math.isfinite(proposal.predicted)
            assert finite, f"predicted {proposal.predicted} is not finite"
        json.dumps(self.searcher.round_log(), allow_nan=False)
        return proposals

    def tell(self, architectures: Iterable[Architecture]) -> None:
        """Measures and tells, one after the other."""
        for architecture in architectures:
            self.searcher.tell(architecture, self.measure(architecture))

    def run(self, budget: int, batch: int) -> list[Architecture]:
        """Asks and tells until the budget is spent or nothing is proposed; all proposals, in order."""
        found: list[Architecture] = []
        while len(found) < budget:
            proposals = self.ask(min(batch, budget - len(found)))
            if not proposals:
                break
            self.asked.append(proposals)
            round_ = [proposal.architecture for proposal in proposals]
            self.tell(round_)
            found += round_
        return found

    def run_workers(self, budget: int, workers: int, seed: int = 0) -> list[State]:
        """The asynchronous schedule: whoever is free asks, and results are told as they come.

        Measurements take log-normal times (sigma 0.5).

        Returns:
            Every state in which something was proposed.
        """
        rng = np.random.default_rng(seed)
        running: list[tuple[float, int, Architecture]] = []
        states: list[State] = []
        now, asked, told = 0.0, 0, len(self.searcher.history)
        while True:
            while len(running) < workers and asked < budget:
                pending = tuple(architecture for _, _, architecture in sorted(running, key=lambda job: job[1]))
                proposals = self.ask(min(workers - len(running), budget - asked), pending)
                if not proposals:
                    break
                states.append(State(len(self.searcher.history) - told, pending, proposals))
                for proposal in proposals:
                    took = float(rng.lognormal(0.0, 0.5))
                    heapq.heappush(running, (now + took, asked, proposal.architecture))
                    self.busy += took
                    asked += 1
            if not running:
                self.capacity += workers * now
                return states
            now, _, architecture = heapq.heappop(running)
            self.tell([architecture])
