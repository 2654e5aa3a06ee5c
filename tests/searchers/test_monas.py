"""MONAS: its three rewards against their formulas, and that controllers learn them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Limit, Objective, Problem
from naopt.searchers import MONASSearcher
from naopt.spaces import Architecture
from tests.searchers.driving import drive, grid

SPACE = grid(3, 3, 3, 3, 3, 3)
ACC, MS, MB = Objective("acc"), Objective("ms", "min"), Objective("mb", "min")
AT_MOST, AT_LEAST = Limit("ms", "max", 8.0), Limit("acc", "min", 0.6)
ENDS = {"acc": (0.0, 1.0), "ms": (0.0, 20.0), "mb": (0.0, 4.0)}


def create(problem: Problem, **settings: Any) -> MONASSearcher:
    ends = {objective.metric: ENDS[objective.metric] for objective in problem.objectives}
    parsed = MONASSearcher.settings_type.parse(
        {"scale": ends, "policy": "independent", "learning_rate": 0.1} | settings
    )
    return MONASSearcher(SPACE, problem, parsed, seed=0, budget=300)


def measurement(acc: float, ms: float, mb: float = 1.0) -> Measurement:
    return Measurement({"acc": acc, "ms": ms, "mb": mb})


def reward(search: MONASSearcher, *given: Measurement) -> list[float]:
    return [float(each) for each in search._values(given) @ search.weights[0]]


def test_rewards_are_those_of_the_paper() -> None:
    some = [measurement(0.9, 4), measurement(0.5, 2), measurement(0.7, 10)]
    assert reward(create(Problem((ACC, MS)), weight=0.25), *some) == pytest.approx([0.825, 0.8, 0.55])
    assert reward(create(Problem((ACC, MS, MB)), weight=0.5), some[0]) == pytest.approx([0.45 + 0.5 * (0.8 + 0.75) / 2])
    bounded = create(Problem((ACC, MS), (AT_MOST,)), reward="cost-constrained")
    assert reward(bounded, *some) == pytest.approx([0.9, 0.5, 0])
    accurate = create(Problem((ACC, MS), (AT_LEAST,)), reward="accuracy-constrained")
    assert reward(accurate, *some) == pytest.approx([0.8, 0, 0.5])
    one = create(Problem((ACC,), (AT_MOST,)), reward="cost-constrained")
    assert reward(one, *some) == pytest.approx([0.9, 0.5, 0])


def test_a_sweep_has_a_controller_for_each_weighting() -> None:
    search = create(Problem((ACC, MS)), weights=5)
    np.testing.assert_allclose(np.sort(search.weights[:, 0]), np.linspace(0, 1, 5))
    writers = []
    for _ in range(10):
        search.ask(1)
        writers.append(search.learners.index(next(x for x in search.learners if x.controller is search.writer(()))))
        drive(search, measure, 1)
    assert writers == [0, 1, 2, 3, 4] * 2


def measure(architecture: Architecture) -> Measurement:
    """Zeros are accurate, twos are quick."""
    tokens = architecture.tokens
    return measurement(tokens.count(0) / 6, 20 - 20 * tokens.count(2) / 6)


def test_controllers_of_a_sweep_learn_different_things() -> None:
    search = create(Problem((ACC, MS)), weights=3)
    drive(search, measure, 250)
    shares = {}
    for learner, weights in zip(search.learners, search.weights, strict=True):
        some = np.array(learner.controller.sample(200, np.random.default_rng(0)))
        shares[round(float(weights[0]), 2)] = ((some == 0).mean(), (some == 2).mean())
    assert shares[1.0][0] > 0.6 > shares[0.0][0]
    assert shares[0.0][1] > 0.6 > shares[1.0][1]


def test_a_cost_in_bounds_is_learned() -> None:
    search = create(Problem((ACC, MS), (Limit("ms", "max", 11.0),)), reward="cost-constrained")
    drive(search, measure, 60)
    chance = np.mean([measure(architecture).metrics["ms"] <= 11 for architecture in SPACE.enumerate()])
    assert np.mean([m.metrics["ms"] <= 11 for _, m in search.history]) > 1.5 * chance


@pytest.mark.parametrize(
    ("problem", "settings", "says"),
    [
        (Problem((ACC, MS)), {"reward": "cost-constrained"}, "needs a limit, such as --max"),
        (Problem((ACC, MS)), {"reward": "accuracy-constrained"}, "needs a limit, such as --min"),
        (Problem((ACC,), (AT_LEAST,)), {"reward": "accuracy-constrained"}, "needs a second objective"),
        (Problem((ACC, MS)), {"weight": 1.5}, "from 0 to 1, or sweep"),
        (Problem((ACC, MS)), {"scale": {"mss": (0, 1)}}, "did you mean 'ms'"),
    ],
)
def test_mistakes(problem: Problem, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        create(problem, **settings)
