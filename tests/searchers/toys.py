"""Objectives whose best architecture is known, and searches of them."""

from __future__ import annotations

from typing import Any

from naopt.measurement import Goal, Measurement
from naopt.searchers import Objective, Proposal, Searcher, searchers
from naopt.spaces import Architecture, GenericSpace, Position, SearchSpace


def grid(positions: int = 4, choices: int = 4) -> GenericSpace:
    """Generic positions, ``choices ** positions`` architectures."""
    names = tuple(f"c{index}" for index in range(choices))
    return GenericSpace([Position(f"p{index}", names) for index in range(positions)], "grid")


def worth(architecture: Architecture) -> float:
    """Each token counts with a weight of its own; the best has the largest token everywhere."""
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def create(name: str, space: SearchSpace, budget: int, goal: Goal = "max", seed: int = 0, **options: Any) -> Searcher:
    """A searcher by name."""
    kind = searchers.get(name)
    return kind(space, Objective("score", goal), kind.settings_type.parse(options), seed=seed, budget=budget)


def run(search: Searcher, sign: int = 1) -> list[list[Proposal]]:
    """Asks and tells until the budget is spent; proposals round by round."""
    asked: list[list[Proposal]] = []
    while len(search.history) < search.budget:
        proposals = list(search.ask(search.budget - len(search.history)))
        if not proposals:
            break
        asked.append(proposals)
        for proposal in proposals:
            search.tell(proposal.architecture, Measurement({"score": sign * worth(proposal.architecture)}))
    return asked
