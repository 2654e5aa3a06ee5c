"""Searches on tables in memory, for the tests of searchers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from naopt.measurement import Goal, Measurement
from naopt.problem import Problem
from naopt.searchers import Objective, Proposal, Searcher
from naopt.spaces import Architecture, GenericSpace, Position, SearchSpace
from naopt.testing.drives import ToyCosts

Measure = Callable[[Architecture], Measurement]
FAILED = Measurement({}, 1.0, "diverged", "loss is not finite")

needs_data = pytest.mark.skipif("NAOPT_DATA" not in os.environ, reason="NAOPT_DATA is not set")


def data(name: str) -> Path:
    """A file of the folder that ``NAOPT_DATA`` names."""
    return Path(os.environ["NAOPT_DATA"]) / name


def grid(*sizes: int, name: str = "grid") -> GenericSpace:
    """As many positions as sizes, each with so many choices."""
    return GenericSpace([Position(f"p{i}", tuple(map(str, range(size)))) for i, size in enumerate(sizes)], name)


def scored(value: float) -> Measurement:
    return Measurement({"score": value})


def create(
    kind: type[Searcher], space: SearchSpace, budget: int = 40, seed: int = 0, goal: Goal = "max", **settings: Any
) -> Any:
    """A searcher for the metric ``score``; one that needs something known beforehand is given the toy cost."""
    parsed = kind.settings_type.parse(settings)
    problem = Problem((Objective("score", goal),), priors=ToyCosts() if kind.needs_priors else None)
    return kind(space, problem, parsed, seed=seed, budget=budget)


def drive(searcher: Searcher, measure: Measure, budget: int) -> list[Proposal]:
    """Asks and tells until so many are measured or nothing is proposed."""
    done: list[Proposal] = []
    while len(done) < budget:
        proposals = searcher.ask(budget - len(done))
        if not proposals:
            break
        for proposal in proposals:
            searcher.tell(proposal.architecture, measure(proposal.architecture))
        done += proposals
    return done
