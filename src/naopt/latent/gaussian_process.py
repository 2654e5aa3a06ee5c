"""Gaussian-process regression on groups of features, with one kernel a group, or one of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from naopt.latent.distances import squared_distances
from naopt.latent.kernel_sum import KernelSum
from naopt.latent.kernels import Kernel, apart, scale_of, value_and_slope, value_of
from naopt.latent.layout import row_major
from naopt.latent.likelihood import JITTER, likeliest
from naopt.latent.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class GaussianProcess:
    """``y = f(x) + noise`` with a sum of kernels, an isotropic one for each group of features.

    Rasmussen & Williams 2006, chapters 2 and 5; additive kernels: Duvenaud et al. 2011. Distances of a group are
    divided by the root of their median square among the data, so that a length scale of 1 fits any group. Weights,
    length scales and noise maximise the marginal likelihood times log-normal priors: weights around equal shares of 1,
    length scales around 1, the noise variance around 0.05. Targets should have mean 0 and variance about 1.

    Groups of ``product`` share one kernel, a function of the sum of their squared distances, each in its own length
    scale and divided by their number: a product of kernels if these are squared exponentials, which knows how groups
    work together and which of them matter (automatic relevance determination, section 5.1).

    The last ``linear`` groups have linear kernels instead: straight lines through 0 whose slopes are normal, with the
    weight for their variance, of either sign. They are those of as many groups before them once more, which should have
    mean 0 and variance 1; their length scales mean nothing. Both are expected to weigh little: 0.05, and 0.03 for
    the others.

    Far from all data it returns to 0, or with ``levelled`` to the generalised least-squares mean of the targets with a
    standard normal prior (section 2.7): data that lie close together count as few, so where a search has measured much
    in a good region, unknown regions are not believed to be as good.

    Where the variances of errors of measurement are given, the noise that is fitted is what comes beside them: what
    each datum has of its own, which no kernel sees and a second measurement would give again.

    All linear algebra is in one thread, whatever the caller's setting.

    Args:
        kernel: ``rbf`` (squared exponential) or ``matern`` (5/2).
        steps: most iterations of the optimiser.
        linear: how many groups have linear kernels.
        levelled: see above.
        product: indices of the groups that share a kernel, none of them linear.
    """

    def __init__(
        self,
        kernel: Kernel = "rbf",
        steps: int = 30,
        linear: int = 0,
        levelled: bool = False,
        product: range = range(0),
    ) -> None:
        self.kernel, self.steps, self.linear, self.levelled, self.product = kernel, steps, linear, levelled, product
        self.parameters: Array | None = None
        self.level = 0.0
        self._errors: Array | None = None

    @one_thread()
    def fit(
        self,
        groups: Sequence[Array],
        targets: Array,
        parameters: Array | None = None,
        level: float | None = None,
        errors: Array | None = None,
    ) -> GaussianProcess:
        """Fits on groups, each ``(n, columns)``, and targets ``(n,)``, ``n >= 1``.

        Args:
            groups: features.
            targets: finite.
            parameters: logarithms of the kernels' weights, of the groups' length scales and of the noise variance, to
                take as they are, of an earlier fit; if not given they are fitted.
            level: what it returns to, likewise.
            errors: variances of the errors of measurement ``(n,)``, where they are known.
        """
        self._errors = errors
        self._data = [row_major(group) for group in groups]
        self._kernels = KernelSum.over(len(groups), self.kernel, self.linear, self.product)
        kinds = self._kernels.of_groups
        squares = [apart(kind, group, group) for kind, group in zip(kinds, self._data, strict=True)]
        self._scales = [scale_of(kind, square) for kind, square in zip(kinds, squares, strict=True)]
        for at in self.product:
            self._scales[at] *= len(self.product)
        squares = [square / scale for square, scale in zip(squares, self._scales, strict=True)]
        if parameters is None:
            parameters = likeliest(self._kernels, squares, targets, errors, self.steps)
        self.parameters = parameters.copy()
        weights, lengths, noise = self._kernels.unpack(self.parameters)
        joined = self._kernels.joined([s / length**2 for s, length in zip(squares, lengths, strict=True)])
        covariance = sum(
            w * value_of(kind, square) for kind, w, square in zip(self._kernels.kinds, weights, joined, strict=True)
        )
        spread = noise + JITTER if errors is None else noise + JITTER + errors
        self._root = cholesky(covariance + spread * np.eye(len(targets)), lower=True)
        self._given = row_major(targets)
        if level is not None:
            self.level = level
        elif self.levelled:
            ones = cho_solve((self._root, True), np.ones(len(targets)))
            self.level = float(ones @ targets / (ones.sum() + 1))
        self._solved: Array = cho_solve((self._root, True), targets - self.level)
        return self

    def unfitted(self) -> GaussianProcess:
        """A process of the same kernels."""
        return GaussianProcess(self.kernel, self.steps, self.linear, self.levelled, self.product)

    @property
    def noise(self) -> float:
        """Variance of the noise; where errors of measurement are known, of what comes beside them."""
        return float(self._unpacked()[2])

    @property
    def knows_errors(self) -> bool:
        """Whether the errors of measurement are known."""
        return self._errors is not None

    @one_thread()
    def own(self) -> tuple[Array, Array]:
        """What an endless repetition of each measurement would give: mean and variance, each ``(n,)``.

        That is ``f(x)`` and what the datum has of its own. Without known errors it is what was measured.
        """
        if self._errors is None:
            return self._given, np.zeros(len(self._given))
        precision = np.diag(cho_solve((self._root, True), np.eye(len(self._given))))
        return self._given - self._errors * self._solved, self._errors * (1 - self._errors * precision)

    @property
    def targets(self) -> Array:
        """What it was fitted to ``(n,)``."""
        return self._given

    @one_thread()
    def left_out(self) -> tuple[Array, Array]:
        """What the process with these parameters predicts of each datum from all others.

        Mean and variance, noise included, each ``(n,)``. The level stays. Rasmussen & Williams 2006, Eq. 5.12.
        """
        precision = np.diag(cho_solve((self._root, True), np.eye(len(self._given))))
        return self._given - self._solved / precision, 1 / precision

    def believing(self, groups: Sequence[Array]) -> GaussianProcess:
        """The process after it was told that its means at further points ``(m, columns)`` are true."""
        mean, _ = self.predict(groups)
        data = [np.concatenate([known, new]) for known, new in zip(self._data, groups, strict=True)]
        errors = None if self._errors is None else np.concatenate([self._errors, np.zeros(len(mean))])
        return self.unfitted().fit(data, np.concatenate([self._given, mean]), self._known(), self.level, errors)

    @one_thread()
    def predict(self, groups: Sequence[Array]) -> tuple[Array, Array]:
        """Posterior mean and variance of ``f``, each ``(n,)``, without the noise."""
        weights, lengths, _ = self._unpacked()
        covariance = np.zeros((len(groups[0]), len(self._solved)))
        self._add_up(covariance, self._squares(groups, lengths), weights)
        mean = self.level + covariance @ self._solved
        half = solve_triangular(self._root, covariance.T, lower=True, overwrite_b=True, check_finite=False)
        half *= half
        variance = self._before(weights, groups) - half.sum(axis=0)
        return mean, np.maximum(variance, 1e-9)

    @one_thread()
    def predict_from(self, squares: Sequence[Array], rest: Sequence[Array] = ()) -> tuple[Array, Array]:
        """What ``predict`` gives, from squared distances of the data to the points.

        Args:
            squares: for each of the first groups ``(data, n)``; of groups that share a kernel for all or none.
            rest: the features of the other groups, each ``(n, columns)``; of all that have linear kernels at least.
        """
        weights, lengths, _ = self._unpacked()
        covariance = np.zeros(squares[0].shape)
        rows = [*squares, *map(row_major, rest)]
        every = []
        for term, kind in zip(self._kernels.terms, self._kernels.kinds, strict=True):
            if term.stop > len(squares) and len(term) > 1:
                every.append(self._together(term, self._data, rows, lengths))
                continue
            each = [rows[at] if at < len(squares) else apart(kind, self._data[at], rows[at]) for at in term]
            units = [self._scales[at] * lengths[at] ** 2 for at in term]
            every.append(reduce(np.add, [square / unit for square, unit in zip(each, units, strict=True)]))
        self._add_up(covariance, every, weights)
        mean = self.level + self._solved @ covariance
        half = solve_triangular(self._root, covariance, lower=True, check_finite=False)
        half *= half
        return mean, np.maximum(self._before(weights, rest) - half.sum(axis=0), 1e-9)

    def _add_up(self, covariance: Array, squares: list[Array], weights: Array) -> None:
        """Adds all kernels, of squared distances ``(n, m)`` in length scales for each."""
        for kind, square, weight in zip(self._kernels.kinds, squares, weights, strict=True):
            value = value_of(kind, square)
            value *= weight
            covariance += value

    def _before(self, weights: Array, groups: Sequence[Array]) -> Array:
        """Prior variance of ``f`` at points ``(n,)``, or ``()`` without linear kernels."""
        found: Array = weights[: len(weights) - self.linear].sum()
        for weight, group in zip(weights[::-1][: self.linear], groups[::-1], strict=False):
            found = found + weight * (group * group).sum(axis=1)
        return found

    @one_thread()
    def slopes(self, groups: Sequence[Array]) -> tuple[Array, Array, list[Array], list[Array]]:
        """Posterior mean and variance ``(n,)`` and their gradients with respect to each group ``(n, columns)``."""
        weights, lengths, _ = self._unpacked()
        covariance = np.zeros((len(groups[0]), len(self._solved)))
        inner = []
        squares = self._squares(groups, lengths)
        each = zip(self._kernels.kinds, self._kernels.terms, squares, weights, strict=True)
        for kind, term, square, weight in each:
            value, slope = value_and_slope(kind, square)
            covariance += weight * value
            # Times (x - data) they are gradients of the kernel.
            inner += [weight * slope * 2 / (lengths[at] ** 2 * self._scales[at]) for at in term]
        solved = cho_solve((self._root, True), covariance.T).T
        variance = self._before(weights, groups) - (covariance * solved).sum(axis=1)
        of_mean: list[Array] = []
        of_variance: list[Array] = []
        owners = [weight for weight, term in zip(weights, self._kernels.terms, strict=True) for _ in term]
        every = zip(self._kernels.of_groups, owners, inner, groups, self._data, strict=True)
        for kind, weight, part, group, data in every:
            if kind == "linear":
                of_mean.append(np.broadcast_to(weight * (self._solved @ data), group.shape))
                of_variance.append(2 * weight * (group - solved @ data))
                continue
            for weight_nm, found, factor in ((part * self._solved, of_mean, 1.0), (part * solved, of_variance, -2.0)):
                found.append(factor * (group * weight_nm.sum(axis=1, keepdims=True) - weight_nm @ data))
        return self.level + covariance @ self._solved, np.maximum(variance, 1e-9), of_mean, of_variance

    def shares(self) -> Array:
        """Of the weights of all kernels, the share of each ``(kernels,)``."""
        weights, _, _ = self._unpacked()
        found: Array = weights / weights.sum()
        return found

    def _unpacked(self) -> tuple[Array, Array, float]:
        parameters = self._known()
        return self._kernels.unpack(parameters)

    def _known(self) -> Array:
        if self.parameters is None:
            raise RuntimeError("a prediction needs a fit first")
        return self.parameters

    def _squares(self, groups: Sequence[Array], lengths: Array) -> list[Array]:
        """For each kernel squared distances ``(n, data)`` in length scales, new arrays."""
        rows, found = list(map(row_major, groups)), []
        for term, kind in zip(self._kernels.terms, self._kernels.kinds, strict=True):
            if len(term) > 1:
                found.append(self._together(term, rows, self._data, lengths))
                continue
            squares = apart(kind, rows[term.start], self._data[term.start])
            squares /= self._scales[term.start]
            squares /= lengths[term.start] ** 2
            found.append(squares)
        return found

    def _together(self, term: range, first: Sequence[Array], second: Sequence[Array], lengths: Array) -> Array:
        """The sum ``(n, m)`` over the groups of a kernel: one distance, each column in its group's length scale."""
        units = [np.sqrt(self._scales[at]) * lengths[at] for at in term]
        rows = [
            np.concatenate([side[at] / unit for at, unit in zip(term, units, strict=True)], axis=1)
            for side in (first, second)
        ]
        return squared_distances(*rows)
