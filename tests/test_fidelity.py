"""Levels, what they are called and what they cost."""

from __future__ import annotations

import pytest

from naopt.errors import InputError
from naopt.fidelity import Fidelity


def test_costs_are_shares_of_the_full_level_and_steps_add_up() -> None:
    fidelity = Fidelity(("a", "b", "c"), (2, 6, 20))
    assert fidelity.costs == (0.1, 0.3, 1.0)
    assert fidelity.step(0) == 0.1
    assert sum(fidelity.step(level, level - 1) for level in range(3)) == pytest.approx(fidelity.step(2))
    assert fidelity.least == 0.1
    assert [fidelity.number(level) for level in (0, 1, None)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "costs"),
    [
        (["valid_acc_4", "valid_acc_12", "valid_acc_36"], (4 / 36, 12 / 36, 1)),
        (["valid/0.5/cifar10", " valid/2/cifar10"], (0.25, 1)),
        (["1", "3", "9"], (1 / 9, 3 / 9, 1)),
    ],
)
def test_costs_are_the_number_in_which_names_differ(names: list[str], costs: tuple[float, ...]) -> None:
    assert Fidelity.parse(names).costs == pytest.approx(costs)


@pytest.mark.parametrize("names", [["acc_12/cifar10", "acc/cifar10"], ["a1_2", "a2_3"], ["early", "late"]])
def test_names_that_say_nothing_of_costs_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="give --fidelity-costs, such as 12,200"):
        Fidelity.parse(names)
    assert Fidelity.parse(names, (12, 200)).costs == pytest.approx((0.06, 1))


@pytest.mark.parametrize(
    ("names", "costs", "rule"),
    [
        (["a"], (), "two or more"),
        (["a", "a"], (1, 2), "two or more"),
        (["a", "b"], (1, 2, 3), "one for each of a, b"),
        (["a", "b"], (2, 2), "rise from level to level"),
        (["a", "b"], (0, 2), "above 0"),
        (["a", "b"], (1, float("inf")), "above 0"),
        (["a", "b"], (1e-320, 1), "rise by 1e-06 of the full one"),
        (["a", "b"], (1e-300, 1e300), "rise by 1e-06 of the full one"),
        (["a", "b", "c"], (1, 1.0000001, 2), "rise by 1e-06 of the full one"),
        (["a3", "a2"], (), "rise from level to level"),
    ],
)
def test_what_is_no_fidelity_is_refused(names: list[str], costs: tuple[float, ...], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        Fidelity.parse(names, costs)
