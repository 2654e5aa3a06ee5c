"""Architectures as rows of numbers, group by group: tokens, numbers, positions, paths, sizes, neighbourhoods."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.choice_codes import choice_ranks, scale_of
from naopt.latent.graph_features import graph_features, is_share
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    _Row = tuple[NDArray[np.intp], Array]

_GROUPS = ("paths", "sizes", "local")
_KNOWN = "log of "
POSITION = "position/"
"""How the groups of single positions begin; one kernel sees them all."""
_MOST_KEPT = 50_000
_MOST_COLUMNS = 1024
_LEAST_OFTEN = 2
_LOOKED_AT = 20
_ROUNDING = 1e-9


def one_hot(space: SearchSpace, tokens: Sequence[Tokens] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Token sequences ``(n, positions)`` as 0 and 1, ``(n, sum of the numbers of choices)``.

    A position with many choices on a scale has one column instead, their rank (``scale_of``).
    """
    rows = np.asarray(tokens, dtype=np.int64).reshape(-1, len(space.positions))
    blocks = []
    for index, position in enumerate(space.positions):
        scale = scale_of(position)
        blocks.append((_units(len(position.choices)) if scale is None else scale[:, None])[rows[:, index]])
    return np.concatenate(blocks, axis=1)


@lru_cache(maxsize=64)
def _units(count: int) -> NDArray[np.float64]:
    units = np.eye(count)
    units.setflags(write=False)
    return units


def by_position(space: SearchSpace, tokens: Sequence[Tokens]) -> dict[str, NDArray[np.float64]]:
    """Token sequences ``(n, positions)`` position by position: ranks ``(n, 1)``, else 0 and 1 ``(n, choices)``."""
    rows = np.asarray(tokens, dtype=np.int64).reshape(-1, len(space.positions))
    found = {}
    for index, position in enumerate(space.positions):
        ranks = choice_ranks(position)
        codes = _units(len(position.choices)) if ranks is None else ranks[:, None]
        found[f"{POSITION}{index}"] = codes[rows[:, index]]
    return found


def numeric_choices(space: SearchSpace) -> dict[int, NDArray[np.float64]]:
    """Positions whose choices are ordered or all numbers, and the choices' ranks there; see ``choice_ranks``."""
    ranks = enumerate(map(choice_ranks, space.positions))
    return {index: found for index, found in ranks if found is not None}


class Features:
    """Groups of numbers that describe the architectures of a space, each ``(n, columns)``.

    ``tokens``: the canonical form (``one_hot``). ``numbers``: ranks of choices that are ordered or numbers, as generic
    spaces have them (widths, rates); in a cell the choice of an input is a name. ``paths``, ``sizes``, ``local``: see
    ``GraphFeatures``; 0 or 1, standardised, and logarithms of one plus the count. Among the sizes are the logarithms of
    one plus ``SearchSpace.quantities``. ``flow``: those, and the sizes that are shares, once more, so that a kernel can
    weigh them by themselves. Without paths, where nothing flows through positions, each position is a group besides
    (``position/0`` ...): its rank, or its choices, so that a kernel can tell which of them matter. Groups without
    columns are left out.

    Args:
        space: of the architectures.
        columns: names of the columns of ``paths``, ``sizes`` and ``local``; other names are left out.
        centre: mean of the sizes, by column.
        deviation: positive; their standard deviation.

    Attributes:
        apart: whether each position is a group.
    """

    def __init__(
        self, space: SearchSpace, columns: Mapping[str, Sequence[str]], centre: Array, deviation: Array
    ) -> None:
        self.space, self.columns, self.centre, self.deviation = space, columns, centre, deviation
        self._at = {group: {name: index for index, name in enumerate(names)} for group, names in columns.items()}
        self._numbers = {} if space.tokens_per_step > 1 else numeric_choices(space)
        self.apart = stands_apart(space)
        self._flow = [index for name, index in self._at["sizes"].items() if name.startswith(_KNOWN) or is_share(name)]
        self._rows: dict[Tokens, dict[str, _Row]] = {}

    @classmethod
    def learn(cls, space: SearchSpace, sample: Sequence[Architecture]) -> Features:
        """Columns, mean and deviation from unlabelled architectures.

        Names that occur once, and all but the 1,024 most frequent of a group, get no column.
        """
        tokens = dict.fromkeys(space.canonical(architecture.tokens) for architecture in sample)
        described = {row: _described(space, row) for row in tokens}
        every = [described[space.canonical(architecture.tokens)] for architecture in sample]
        columns = {group: _frequent([row[group] for row in every]) for group in _GROUPS}
        count = len(columns["sizes"])
        plain = cls(space, columns, np.zeros(count), np.ones(count))
        plain._rows = {row: plain._kept(found) for row, found in described.items()}
        sizes = plain(sample)["sizes"] if count else np.zeros((1, 0))
        deviation = sizes.std(axis=0)
        learnt = cls(space, columns, sizes.mean(axis=0), np.where(deviation > _ROUNDING, deviation, 1.0))
        learnt._rows = plain._rows
        return learnt

    def canonical(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Canonical tokens of each."""
        return [self.space.canonical(architecture.tokens) for architecture in architectures]

    def __call__(self, architectures: Sequence[Architecture]) -> dict[str, NDArray[np.float64]]:
        """The groups of ``n >= 1`` architectures."""
        tokens = self.canonical(architectures)
        rows = [self._row(row) for row in tokens]
        groups = {"tokens": one_hot(self.space, tokens)}
        if self._numbers:
            table = np.asarray(tokens)
            groups["numbers"] = np.stack([ranks[table[:, index]] for index, ranks in self._numbers.items()], axis=1)
        if self._at["paths"]:
            groups["paths"] = (self._matrix(rows, "paths") > 0).astype(np.float64)
        if self._at["sizes"]:
            groups["sizes"] = (self._matrix(rows, "sizes") - self.centre) / self.deviation
        if self._flow:
            groups["flow"] = groups["sizes"][:, self._flow]
        if self._at["local"]:
            groups["local"] = np.log1p(self._matrix(rows, "local"))
        if self.apart:
            groups |= by_position(self.space, tokens)
        return groups

    def _row(self, tokens: Tokens) -> dict[str, _Row]:
        if tokens not in self._rows:
            if len(self._rows) >= _MOST_KEPT:
                self._rows.clear()
            self._rows[tokens] = self._kept(_described(self.space, tokens))
        return self._rows[tokens]

    def _kept(self, described: Mapping[str, Mapping[str, float]]) -> dict[str, _Row]:
        kept = {}
        for group, at in self._at.items():
            known = [
                (column, value) for name, value in described[group].items() if (column := at.get(name)) is not None
            ]
            columns, values = zip(*known, strict=True) if known else ((), ())
            kept[group] = np.array(columns, dtype=np.intp), np.array(values, dtype=np.float64)
        return kept

    def _matrix(self, rows: Sequence[dict[str, _Row]], group: str) -> Array:
        matrix = np.zeros((len(rows), len(self._at[group])))
        columns = [row[group][0] for row in rows]
        at = np.repeat(np.arange(len(rows)), [len(found) for found in columns])
        matrix[at, np.concatenate(columns)] = np.concatenate([row[group][1] for row in rows])
        return matrix


@lru_cache(maxsize=64)
def stands_apart(space: SearchSpace) -> bool:
    """Whether each position of a space is a group: of several through which nothing flows, as far as a few show."""
    rng = np.random.default_rng(0)
    drawn = (space.graph(space.sample(rng)) for _ in range(_LOOKED_AT if len(space.positions) > 1 else 0))
    return len(space.positions) > 1 and not any(graph_features(graph, space.skips).paths for graph in drawn)


def together(groups: Iterable[str]) -> range:
    """Where in a list of groups the single positions stand, which share a kernel (``GaussianProcess``)."""
    found = [at for at, name in enumerate(groups) if name.startswith(POSITION)]
    return range(found[0], found[-1] + 1) if found else range(0)


def _described(space: SearchSpace, tokens: Tokens) -> dict[str, Mapping[str, float]]:
    """Named numbers of a canonical form, by group."""
    # Canonical forms are valid, so what ``SearchSpace.architecture`` would check is known.
    architecture = Architecture(space.name, tokens, space.identity(tokens))
    graph = graph_features(space.graph(architecture), space.skips)
    known = {f"{_KNOWN}{name}": math.log1p(value) for name, value in space.quantities(architecture).items()}
    return {"paths": graph.paths, "sizes": graph.sizes | known, "local": graph.local}


def _frequent(rows: Sequence[Mapping[str, float]]) -> list[str]:
    often = Counter(itertools.chain.from_iterable(rows))
    names = [name for name, count in often.items() if count >= _LEAST_OFTEN]
    names.sort(key=lambda name: (-often[name], name))
    return names[:_MOST_COLUMNS]
