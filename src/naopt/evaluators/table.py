"""Looks measurements up in a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator, evaluators
from naopt.evaluators.table_costs import TableCosts, table_costs
from naopt.fidelity import Fidelity
from naopt.measurement import Measurement, MetricInfo, error_name
from naopt.spaces import Architecture
from naopt.tables import Table, load_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

Noise = Literal["mean", "repeat"]
"""What a query of a table with repeats returns: their mean, or one of them, drawn at random."""

_NOISES: dict[str, Noise] = {"mean": "mean", "repeat": "repeat"}


def parse_noise(text: str) -> Noise:
    """``mean`` or ``repeat``. Raises ``UnknownNameError``, with the nearest name, for anything else."""
    if text not in _NOISES:
        raise UnknownNameError("noise", text, _NOISES)
    return _NOISES[text]


def check_noise(table: Table, metric: str, noise: Noise) -> None:
    """Raises ``InputError`` if repeats are to be drawn from a metric that has none."""
    repeats = table.metrics[metric].reshape(len(table), -1)
    if noise == "repeat" and np.isfinite(repeats).sum(axis=1).max() < 2:
        raise InputError("noise", noise, f"metric {metric} of table {table.name} has one value a row, none to draw")


@evaluators.register("table")
class TableEvaluator(Evaluator):
    """Looks architectures up in a benchmark table; costs no seconds.

    Args:
        source: a table, or the file or built-in name of one. Pickles of an evaluator that was made from a file or a
            name hold only that.
        metrics: what may be seen, the metric that is searched by first; by default all of the table's. Leave test
            metrics out, and no searcher can look at them.
        noise: ``mean`` averages the repeats and uses no randomness. ``repeat`` returns one repeat of those that the row
            has, all equally likely, drawn with the evaluation's seed: a search then sees the noise of a single
            training, as in the protocol of NAS-Bench-101 (Ying et al. 2019, section 4.1). Metrics with the same repeats
            are taken from the same one.
        known: columns that are known without a query; those that are called like a cost if left out, ``none`` for none.
        fidelity: columns that are cheaper versions of the first metric, and what they cost.

    Metrics have their standard errors beside them where a column or the repeats say them (``standard_errors``).

    An architecture without a row is ``invalid``; one whose first metric was not measured is ``failed``. Other metrics
    that were not measured are left out.

    Raises:
        InputError: a table that cannot be loaded, a metric that it does not have or that is named twice, another
            ``noise``, ``repeat`` where the first metric has no repeats, or negative standard errors.
    """

    inline = True

    def __init__(
        self,
        source: Table | str | Path,
        metrics: Sequence[str] | None = None,
        noise: Noise = "mean",
        known: Sequence[str] = (),
        fidelity: Fidelity | None = None,
    ) -> None:
        self._source, self._names = source, tuple(metrics) if metrics is not None else None
        self._known_names = tuple(known)
        self.table = source if isinstance(source, Table) else load_table(source)
        names = tuple(self.table.infos) if self._names is None else self._names
        if not names or len(set(names)) != len(names):
            raise InputError("metrics", ", ".join(names), "must be at least one, none twice")
        self.metrics = {name: self.table.info(name) for name in names}
        self.surrogates = frozenset(self.table.surrogates).intersection(names)
        self.default_metric, self.noise = names[0], parse_noise(noise)
        check_noise(self.table, self.default_metric, self.noise)
        self.repeatable = self.noise == "repeat"
        self.space = self.table.search_space()
        self._values = {name: self.table.values(name) for name in names}
        self._learn_errors()
        self._take(fidelity)
        self._costs = table_costs(self.table, self._known_names)

    def __reduce__(self) -> tuple[type[TableEvaluator], tuple[Any, ...]]:
        return type(self), (self._source, self._names, self.noise, self._known_names, self.fidelity)

    def _learn_errors(self) -> None:
        """Finds out the standard errors of what may be seen, where something says them."""
        names = list(self._values)
        errors = {error_name(name): standard_errors(self.table, name, self.noise) for name in names}
        self._errors = {name: found for name, found in errors.items() if found is not None and name not in names}
        self.metrics = {**self.metrics, **{name: MetricInfo("min") for name in self._errors}}

    def with_fidelity(self, fidelity: Fidelity) -> TableEvaluator:
        """The same evaluator with cheaper versions. Raises ``InputError`` for columns that are none."""
        found = self._copy()
        found._take(fidelity)
        return found

    def _copy(self) -> TableEvaluator:
        """One with the same table and space, which take long to make."""
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__)
        return found

    def _take(self, fidelity: Fidelity | None) -> None:
        self.fidelity, self._lower = fidelity, list[TableEvaluator]()
        if fidelity is not None:
            if fidelity.metrics[-1] != self.default_metric:
                rule = f"must end with the metric that is searched by, {self.default_metric}"
                raise InputError("fidelities", ", ".join(fidelity.metrics), rule)
            self._lower = [self._only(metric) for metric in fidelity.metrics[:-1]]

    def _only(self, metric: str) -> TableEvaluator:
        """The evaluator of a column that stands for the first metric."""
        info, wanted = self.table.info(metric), self.metrics[self.default_metric]
        if info.goal != wanted.goal:
            raise InputError("fidelities", metric, f"is to be {info.goal}imised, {self.default_metric} not")
        check_noise(self.table, metric, self.noise)
        lower = self._copy()
        lower.metrics, lower.default_metric, lower.fidelity = {metric: info}, metric, None
        lower._values = {metric: self.table.values(metric)}
        lower._learn_errors()
        return lower

    def at(self, level: int | None) -> TableEvaluator:
        """See ``Evaluator``: the column that stands for the first metric at a level, and no other."""
        return self if level is None else self._lower[level]

    def costs(self) -> TableCosts | None:
        """Columns that are known without a query."""
        return self._costs

    @property
    def table_contents(self) -> Mapping[str, str]:
        """See ``Evaluator``."""
        return self.table.contents

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """The architecture's row: every metric that may be seen and was measured."""
        row = self.table.row(architecture)
        if row is None:
            return Measurement(status="invalid", reason=f"not in table {self.table.name}")
        found = {name: float(values[row]) for name, values in self._values.items() if not math.isnan(values[row])}
        if self.noise == "repeat":
            share = np.random.SeedSequence(seed).generate_state(1)[0] / 2**32
            found = {name: _drawn(np.atleast_1d(self.table.metrics[name][row]), share) for name in found}
        stated = ((name, float(errors[row])) for name, errors in self._errors.items())
        found |= {name: error for name, error in stated if not math.isnan(error)}
        if self.default_metric not in found:
            reason = (
                f"{self.default_metric} was not measured: table {self.table.name} has no value for this architecture"
            )
            return Measurement(found, status="failed", reason=reason)
        return Measurement(found)


def standard_errors(table: Table, metric: str, noise: Noise) -> NDArray[np.float64] | None:
    """Standard errors ``(n,)`` of a metric, as it is seen; ``None`` where nothing is known of them.

    A column of that name (``valid_acc_se``) says them. Else, where a query gives one repeat, the repeats do: the median
    over rows of their deviation, for that of two or three says little of a single row. The mean of the repeats is what
    the table says, and exact.
    """
    if (name := error_name(metric)) in table.metrics:
        errors = table.values(name)
        if (negative := errors[errors < 0]).size:
            raise InputError(
                f"column {name} of table {table.name}", float(negative[0]), "a standard error is not negative"
            )
        return errors
    repeats = table.metrics[metric].reshape(len(table), -1)
    several = repeats[np.isfinite(repeats).sum(axis=1) > 1]
    if noise == "mean" or not len(several):
        return None
    return np.full(len(table), np.median(np.nanstd(several, axis=1, ddof=1)))


def _drawn(repeats: NDArray[np.float64], share: float) -> float:
    """The measured repeat at ``share`` in [0, 1) of the way through them."""
    measured = repeats[np.isfinite(repeats)]
    return float(measured[int(share * len(measured))])
