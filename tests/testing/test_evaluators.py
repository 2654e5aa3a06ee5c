"""The suite for evaluators accepts what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.evaluators import Evaluator
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import (
    Architecture,
    ConvCellSpace,
)
from naopt.testing import check_evaluator


class Toy(Evaluator):
    """A good evaluator, of which each class below breaks one rule."""

    def __init__(self) -> None:
        self.space = ConvCellSpace(1, "enas-5")
        self.metrics = {"score": MetricInfo()}
        self.default_metric = "score"
        self.inline = True

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        if sum(architecture.identity) % 2:
            return Measurement({}, 0.1, "diverged", "loss is not finite")
        return Measurement({"score": float(sum(architecture.identity) + seed)}, 0.1)


class Undeclared(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": 1.0, "other": 2.0})


class NoDefault(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.default_metric = "accuracy"


class GlobalRandomness(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": float(np.random.random())})  # noqa: NPY002


class Counting(Toy):
    calls = 0

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        self.calls += 1
        return Measurement({"score": float(self.calls)})


class TellsEqualsApart(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": float(np.dot(architecture.tokens, np.arange(len(architecture.tokens))))})


class Heavy(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.contents = bytes(17 * 2**20)


class TwoLineReason(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({}, 0.0, "failed", "first line\nsecond line")


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (Undeclared, "measured what is not declared"),
        (NoDefault, "is not among the metrics"),
        (GlobalRandomness, "global random state"),
        (Counting, "depend on order"),
        (TellsEqualsApart, "are equal and measure differently"),
        (Heavy, "load heavy things in prepare"),
        (TwoLineReason, "a reason must be one line"),
    ],
)
def test_an_evaluator_that_breaks_a_rule(evaluator: type[Toy], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_evaluator(evaluator())


def test_good_evaluators() -> None:
    toy = Toy()
    check_evaluator(toy)
    check_evaluator(toy, seed=1)
    toy.inline = False
    check_evaluator(toy, seed=2)
