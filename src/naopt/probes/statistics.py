"""The three tests: cross-validated ridge regression, intraclass ratio, Mantel; each against permutations.

A p value is ``(1 + hits) / (1 + permutations)``: the permutations with a figure at least as large as the observed one,
this one included (Phipson & Smyth 2010).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.metrics import spearman

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDS = 5
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Of the ridge regression, per training row; chosen by leaving one out."""
_FLAT = 1e-12
_ROUNDING = 1e-9
_COLUMNS = 4096


@dataclass(frozen=True, slots=True)
class Predicted:
    """How well a label is predicted where it was not trained on.

    Attributes:
        r2: 1 - squared errors / squared deviations from the mean, over all folds together; negative if useless.
        spearman: rank correlation of prediction and label; NaN if the predictions are constant.
        p: of ``r2`` among permuted labels.
    """

    r2: float
    spearman: float
    p: float


@dataclass(frozen=True, slots=True)
class Alike:
    """How much more alike members of one group are than members of different groups.

    Attributes:
        within: mean distance of two members of one group.
        across: mean distance of two members of different groups.
        ratio: variance between groups over total variance; about 0 by chance, 1 if groups have identical members. NaN
            if all members of all groups are identical.
        p: of ``ratio`` among permuted members.
    """

    within: float
    across: float
    ratio: float
    p: float


@dataclass(frozen=True, slots=True)
class Follows:
    """Whether one distance follows another: Spearman's rank correlation over all pairs, and its one-sided p value."""

    spearman: float
    p: float


def p_value(hits: int, permutations: int) -> float:
    """``(1 + hits) / (1 + permutations)``."""
    return (1 + hits) / (1 + permutations)


def predictivity(states: Array, labels: Array, permutations: int, rng: np.random.Generator) -> list[Predicted]:
    """Ridge regression from states to each label, five-fold cross-validated, against permuted labels.

    States are standardised by each training part; the penalty is chosen there, for each label by itself, by the error
    of leaving one row out.

    Args:
        states: ``(n, d)``, n >= 10.
        labels: ``(n, q)``, none constant.
        permutations: of the rows of the labels.
        rng: draws folds and permutations.
    """
    count, kinds = labels.shape
    folds = np.array_split(rng.permutation(count), FOLDS)
    guessed = _guessed(states, labels, folds)
    observed = _r2(labels, guessed)
    hits = np.zeros(kinds, dtype=np.int64)
    at_once = max(1, _COLUMNS // kinds)
    for start in range(0, permutations, at_once):
        orders = [rng.permutation(count) for _ in range(min(at_once, permutations - start))]
        shuffled = np.concatenate([labels[order] for order in orders], axis=1)
        by_chance = _r2(shuffled, _guessed(states, shuffled, folds)).reshape(len(orders), kinds)
        hits += (by_chance >= observed - _ROUNDING).sum(axis=0)
    return [
        Predicted(float(r2), spearman(label, guess), p_value(int(hit), permutations))
        for r2, label, guess, hit in zip(observed, labels.T, guessed.T, hits, strict=True)
    ]


def _r2(labels: Array, guessed: Array) -> Array:
    found: Array = 1 - ((labels - guessed) ** 2).sum(axis=0) / ((labels - labels.mean(axis=0)) ** 2).sum(axis=0)
    return found


def _guessed(states: Array, labels: Array, folds: list[NDArray[np.int64]]) -> Array:
    """What is predicted of each row by a regression on the other folds, ``(n, q)``."""
    found = np.empty_like(labels)
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(states)), fold)
        centre, spread = states[rest].mean(axis=0), states[rest].std(axis=0)
        kept = spread > _FLAT
        train, test = ((states[rows][:, kept] - centre[kept]) / spread[kept] for rows in (rest, fold))
        found[fold] = ridge(train, labels[rest], test)
    return found


def ridge(train: Array, labels: Array, test: Array) -> Array:
    """Predictions ``(m, q)`` for states ``(m, d)`` after a fit to states ``(n, d)`` and labels ``(n, q)``.

    Without a state, ``d = 0``, the labels' mean.
    """
    from sklearn.linear_model import RidgeCV

    if not train.shape[1]:
        return np.tile(labels.mean(axis=0), (len(test), 1))
    penalties = len(train) * np.array(_PENALTIES)
    found: Array = RidgeCV(penalties, alpha_per_target=True).fit(train, labels).predict(test)
    return found.reshape(len(test), -1)


def alike(distances: Array, copies: int, permutations: int, rng: np.random.Generator) -> Alike:
    """Intraclass ratio of groups of equal size, from distances alone, against permuted members.

    Sums of squares follow from squared distances (Anderson 2001, "A new method for non-parametric multivariate analysis
    of variance"): with mean squares ``A`` between and ``W`` within groups of ``m``, the ratio of variances is
    ``(A - W) / (A + (m - 1) W)`` (Fisher's intraclass correlation).

    Args:
        distances: ``(k m, k m)``, the members of a group next to each other; k >= 2.
        copies: m >= 2.
        permutations: of all members.
        rng: draws them.
    """
    squares, count = distances**2, len(distances)
    groups = count // copies

    def within_sum(order: NDArray[np.int64]) -> float:
        blocks = order.reshape(groups, copies)
        return float(squares[blocks[:, :, None], blocks[:, None, :]].sum()) / 2 / copies

    total = float(squares.sum()) / 2 / count
    observed = within_sum(np.arange(count))
    hits = sum(within_sum(rng.permutation(count)) <= observed + _ROUNDING * total for _ in range(permutations))
    between, inside = (total - observed) / (groups - 1), observed / (count - groups)
    same = np.kron(np.eye(groups, dtype=np.bool_), np.ones((copies, copies), dtype=np.bool_))
    return Alike(
        within=float(distances[same].sum() / (count * (copies - 1))),
        across=float(distances[~same].mean()),
        ratio=(between - inside) / (between + (copies - 1) * inside) if total > 0 else math.nan,
        p=p_value(hits, permutations),
    )


def follows(
    distances: Array, others: Mapping[str, Array], permutations: int, rng: np.random.Generator
) -> dict[str, Follows]:
    """Mantel's test (Mantel 1967) with rank correlation, of one ``(n, n)`` distance against each of several.

    Whole objects are permuted, because the distances of one object are not independent. NaN, with p = 1, for a distance
    that is the same for all pairs.
    """
    first = _ranks(distances)
    flat = np.stack([_ranks(other).ravel() for other in others.values()])
    scale = np.linalg.norm(first) * np.linalg.norm(flat, axis=1)
    observed = flat @ first.ravel()
    hits = np.zeros(len(flat), dtype=np.int64)
    for _ in range(permutations):
        order = rng.permutation(len(first))
        hits += flat @ first[order][:, order].ravel() >= observed - _ROUNDING * scale
    return {
        name: Follows(float(value / size) if size > 0 else math.nan, p_value(int(hit), permutations))
        for name, value, size, hit in zip(others, observed, scale, hits, strict=True)
    }


def _ranks(distances: Array) -> Array:
    """Centred ranks of all pairs, in a symmetric matrix with zeros on the diagonal."""
    from scipy.stats import rankdata

    upper = np.triu_indices(len(distances), 1)
    ranks = rankdata(distances[upper])
    found = np.zeros_like(distances)
    found[upper] = ranks - ranks.mean()
    symmetric: Array = found + found.T
    return symmetric
