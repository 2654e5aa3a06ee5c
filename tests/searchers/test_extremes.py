"""Metrics as large and as small as floats are: every searcher goes on, and knows which is best."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import naopt
from naopt.searchers import searchers
from tests.searchers.test_conformance import SETTINGS, VARIANTS

LARGEST = sys.float_info.max
KINDS: dict[str, list[float]] = {
    "max:score": [LARGEST, 1.7e308, 1e307, 5.0, 1e-310, 0.0, -0.0, -5e-324, -1.0, -1e308, -LARGEST],
    "min:score": [7e-310, 6e-310, 5e-310, 4e-310, 3e-310, 2e-310, 1e-310, 5e-324, 0.0, -0.0],
}
"""From the largest to the smallest."""
ALONE = [
    name
    for name in searchers.names()
    if not searchers.get(name).needs_priors and not getattr(searchers.get(name), "needs_fidelity", False)
]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, SETTINGS.get(name, {})) for name in ALONE},
    **VARIANTS,
    "bananas-standard": ("bananas", {**SETTINGS["bananas"], "normalisation": "standard"}),
    "nao-joint-min-max": ("nao", {**VARIANTS["nao-joint"][1], "normalisation": "min-max"}),
    "reinforce-raw": ("reinforce", {**SETTINGS["reinforce"], "reward": "raw"}),
}


@pytest.mark.parametrize("objective", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_searchers_take_any_finite_figure(name: str, objective: str) -> None:
    searcher, settings = CASES[name]
    figures = KINDS[objective]
    result = naopt.search(
        {"a": naopt.integer(0, 10), "b": ["x", "y", "z"]},
        lambda values: figures[values["a"] % len(figures)],
        budget=11,
        searcher=searcher,
        settings=settings,
        objective=objective,
    )
    assert len(result.trials) == 11
    found = [trial.value for trial in result.ranked() if trial.value is not None]
    assert found == sorted(found, reverse=objective.startswith("max"))
    assert len(found) == 11
