"""How much one assignment says about another: entropy and mutual information, with permutation tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Values = Sequence[Any] | NDArray[Any]

PERMUTATIONS = 999
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Dependence:
    """How much two assignments have in common.

    Attributes:
        nats: mutual information of their empirical distribution.
        by_chance: its mean where one of them is permuted; of small samples with many values it is far above 0.
        p: share of permutations, the given one counted in, that have at least as much.
    """

    nats: float
    by_chance: float
    p: float


def entropy(values: Values) -> float:
    """Nats of the empirical distribution of ``(n,)`` values of any one kind."""
    return _entropy(np.unique(np.asarray(list(values)), return_counts=True)[1])


def mutual_information(first: Values, second: Values) -> float:
    """Nats that one value says about the other, of ``(n,)`` pairs: ``H(X) + H(Y) - H(X, Y)`` (the plug-in estimate).

    Raises:
        InputError: no pairs, or not equally many.
    """
    x, y = _codes(first, second)
    return max(0.0, _entropy(np.bincount(x)) + _entropy(np.bincount(y)) - _joint(x, y))


def dependence(first: Values, second: Values, *, permutations: int = PERMUTATIONS, seed: int = 0) -> Dependence:
    """Mutual information with a permutation test, seeded. Raises ``InputError`` as ``mutual_information``."""
    x, y = _codes(first, second)
    rng, whole = np.random.default_rng(seed), _entropy(np.bincount(x)) + _entropy(np.bincount(y))
    found = max(0.0, whole - _joint(x, y))
    others = np.array([max(0.0, whole - _joint(x, rng.permutation(y))) for _ in range(permutations)])
    return Dependence(found, float(others.mean()), permutation_p(found, others))


def permutation_p(value: float, others: ArrayLike) -> float:
    """One-sided p-value of a figure among those of permutations ``(n,)``: the share that is as large, itself included.

    What differs by rounding only is equal.
    """
    drawn = np.asarray(others, dtype=np.float64)
    return float((1 + (drawn >= value - _ROUNDING).sum()) / (1 + len(drawn)))


def _codes(first: Values, second: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if len(first) != len(second) or not len(first):
        raise InputError("values", f"{len(first)} and {len(second)}", "must be pairs, at least one")
    x, y = (np.unique(np.asarray(list(values)), return_inverse=True)[1] for values in (first, second))
    return x, y


def _joint(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    return _entropy(np.unique(x * (y.max() + 1) + y, return_counts=True)[1])


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum()) + 0.0
