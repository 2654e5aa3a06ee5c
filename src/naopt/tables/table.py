"""A table: architectures of one space and what was measured of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.measurement import MetricInfo
from naopt.metrics.scale import mean
from naopt.spaces import Architecture, EnumeratedSpace, SearchSpace
from naopt.spaces.row_index import RowIndex
from naopt.tables.surrogate import Surrogate

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Measured architectures; checked when made, and read-only.

    Attributes:
        name: of the table.
        space: what the rows are valid in.
        tokens: ``(n, positions)`` int64, one architecture a row, no two of them equal under the space's identity.
        metrics: name to ``(n,)`` or ``(n, repeats)`` float64, NaN where nothing was measured.
        infos: goal and unit of each metric; the same names.
        source: where the figures come from, in words.
        surrogates: of the metrics that a surrogate predicted in some or all rows, how.

    Raises:
        InputError: what breaks one of these rules, in which row.
    """

    name: str
    space: SearchSpace
    tokens: NDArray[np.int64]
    metrics: Mapping[str, NDArray[np.float64]]
    infos: Mapping[str, MetricInfo]
    source: str = ""
    surrogates: Mapping[str, Surrogate] = field(default_factory=dict)
    _rows: RowIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tokens = _whole_numbers(self.name, np.asarray(self.tokens))
        self._check_tokens(tokens)
        self._check_names()
        metrics = {name: self._numbers(name, np.asarray(values), len(tokens)) for name, values in self.metrics.items()}
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "metrics", metrics)
        object.__setattr__(self, "_rows", self._index(tokens))

    def __repr__(self) -> str:
        return f"<Table {self.name}: {len(self)} architectures of {self.space.name}, {', '.join(self.infos)}>"

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def checksum(self) -> str:
        """Of all that a search can see: positions, rows, figures and which way they are better; 16 hex digits."""
        positions = [(position.name, position.choices) for position in self.space.positions]
        goals = sorted((name, info.goal) for name, info in self.infos.items())
        digest = hashlib.sha256(repr((positions, goals)).encode() + self.tokens.tobytes())
        for name in sorted(self.metrics):
            digest.update(self.metrics[name].tobytes())
        return digest.hexdigest()[:16]

    @property
    def contents(self) -> dict[str, str]:
        """Name and checksum."""
        return {"name": self.name, "checksum": self.checksum}

    def search_space(self) -> SearchSpace:
        """What this table lets one search: the space, or the rows alone where some architectures have none."""
        whole = len(self) in (self.space.size, self.space.distinct)
        return self.space if whole else EnumeratedSpace(self.space, self.tokens)

    def row(self, architecture: Architecture) -> int | None:
        """The row that counts as the same query as the architecture; ``None`` if there is none."""
        return self._rows.get(architecture.identity) if architecture.space == self.space.name else None

    def architecture(self, row: int) -> Architecture:
        """The architecture in a row."""
        return self.space.architecture(self.tokens[row].tolist())

    def info(self, metric: str) -> MetricInfo:
        """Goal and unit of a metric. Raises ``UnknownNameError``, with the nearest name, if there is no such metric."""
        if metric not in self.infos:
            raise UnknownNameError(f"metric of table {self.name}", metric, self.infos)
        return self.infos[metric]

    def values(self, metric: str) -> NDArray[np.float64]:
        """Mean ``(n,)`` over the repeats that were measured; NaN for rows without any."""
        self.info(metric)
        values = self.metrics[metric].reshape(len(self), -1)
        measured = np.isfinite(values)
        count = measured.sum(axis=1)
        known = np.where(measured, values, 0.0)
        with np.errstate(over="ignore"):
            total = known.sum(axis=1)
        means: NDArray[np.float64] = np.divide(total, count, out=np.full(len(self), np.nan), where=count > 0)
        for row in np.flatnonzero(np.isinf(total)):
            means[row] = mean(known[row, measured[row]])
        return means

    def _check_tokens(self, tokens: NDArray[np.int64]) -> None:
        positions = self.space.positions
        if tokens.ndim != 2 or tokens.shape[1] != len(positions) or not len(tokens):
            raise self._error("tokens", str(tokens.shape), f"must have the shape (rows, {len(positions)}), rows > 0")
        for index, position in enumerate(positions):
            outside = np.flatnonzero((tokens[:, index] < 0) | (tokens[:, index] >= len(position.choices)))
            if len(outside):
                raise self._error(
                    f"row {outside[0]}, position {position.name}, token",
                    int(tokens[outside[0], index]),
                    f"is not in 0..{len(position.choices) - 1}",
                )
        wrong = np.flatnonzero(~self.space.valid_rows(tokens))
        if len(wrong):
            row = tokens[wrong[0]].tolist()
            reason = self.space.explain_invalid(row)
            raise self._error(f"row {wrong[0]}", " ".join(map(str, row)), f"not in the space: {reason}")

    def _check_names(self) -> None:
        if not self.metrics:
            raise self._error("metrics", "none", "needs at least one")
        for name in self.metrics:
            if name not in self.infos:
                raise self._error("metric", name, "is not declared")
        for name in self.infos:
            if name not in self.metrics:
                raise self._error("metric", name, "is declared but has no values")
        for name in self.surrogates:
            if name not in self.metrics:
                raise self._error("surrogate of metric", name, "has no values")

    def _numbers(self, name: str, values: NDArray[np.generic], rows: int) -> NDArray[np.float64]:
        if values.dtype.kind not in "fiu":
            raise self._error(f"metric {name}, type", str(values.dtype), "must be real numbers")
        if values.ndim not in (1, 2) or len(values) != rows or values.size == 0:
            raise self._error(f"metric {name}, shape", str(values.shape), f"must be ({rows},) or ({rows}, repeats)")
        numbers = values.astype(np.float64)
        if np.isinf(numbers).any():
            row = int(np.argwhere(np.isinf(numbers))[0, 0])
            raise self._error(f"metric {name}, row {row}", "inf", "must be finite, or NaN for not measured")
        numbers.setflags(write=False)
        return numbers

    def _index(self, tokens: NDArray[np.int64]) -> RowIndex:
        identities = self.space.identities(tokens)
        rows = RowIndex(identities, self.space.positions)
        repeated = rows.repeated(identities)
        if repeated is not None:
            row, first = repeated
            sequence = " ".join(map(str, tokens[row].tolist()))
            raise self._error(f"row {row}", sequence, f"is the same architecture as row {first}")
        return rows

    def _error(self, what: str, value: object, rule: str) -> InputError:
        return InputError(f"table {self.name}: {what}", value, rule)


def _whole_numbers(name: str, tokens: NDArray[np.generic]) -> NDArray[np.int64]:
    if tokens.dtype.kind not in "iu":
        raise InputError(f"table {name}: tokens, type", str(tokens.dtype), "must be whole numbers")
    if tokens.dtype == np.uint64 and tokens.size and tokens.max() > np.iinfo(np.int64).max:
        raise InputError(f"table {name}: token", int(tokens.max()), "is not in the range of any position")
    whole = tokens.astype(np.int64)
    whole.setflags(write=False)
    return whole
