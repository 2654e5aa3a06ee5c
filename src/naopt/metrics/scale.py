"""Arithmetic on numbers of whatever size a float can have, in a unit in which nothing overflows and nothing is lost.

The unit is a power of two, so it changes no bit of a result that is right without it. Numbers of a user's are finite,
and may still have sums, spreads and squares that are not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = float | Sequence[float] | NDArray[np.float64]
    Units = int | NDArray[np.int32]

_LARGEST = sys.float_info.max


def exponent(numbers: Numbers) -> int:
    """Of the unit 2 ** exponent in which the largest of these finite numbers is 0.5..1; 0 for zeros, and for none."""
    return int(exponents(np.reshape(np.asarray(numbers, dtype=np.float64), (-1, 1)))[0])


def exponents(table: NDArray[np.float64]) -> NDArray[np.int32]:
    """``exponent`` of every column of ``(n, m)``: ``(m,)``."""
    found: NDArray[np.int32] = np.frexp(np.max(np.abs(table), axis=0, initial=0.0))[1]
    return found


def scaled(numbers: Numbers, unit: Units) -> NDArray[np.float64]:
    """Numbers in the unit 2 ** ``unit``; of columns ``(n, m)`` each may have its own."""
    found: NDArray[np.float64] = np.ldexp(np.asarray(numbers, dtype=np.float64), -np.asarray(unit))
    return found


def unscaled(numbers: Numbers, unit: Units) -> NDArray[np.float64]:
    """Inverse of ``scaled``; what no float can hold becomes the largest or smallest one."""
    with np.errstate(over="ignore"):
        found: NDArray[np.float64] = np.ldexp(np.asarray(numbers, dtype=np.float64), unit)
    return np.clip(found, -_LARGEST, _LARGEST)


def mean(numbers: Numbers) -> float:
    """The mean of finite numbers, at least one."""
    unit = exponent(numbers)
    return float(unscaled(scaled(numbers, unit).mean(), unit))


def mean_squared_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The mean of squared differences of finite ``(n,)`` and ``(n,)``, n >= 1; at most the largest float."""
    unit = exponent([*first, *second])
    return float(unscaled(float(np.mean((scaled(first, unit) - scaled(second, unit)) ** 2)), 2 * unit))


def standard_deviation(numbers: Numbers, ddof: int = 0) -> float:
    """The standard deviation of finite numbers, more than ``ddof``."""
    unit = exponent(numbers)
    return float(unscaled(scaled(numbers, unit).std(ddof=ddof), unit))
