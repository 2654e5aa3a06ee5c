"""Surrogate benchmarks: a model fitted to the measured rows of a table fills in the rest of a space.

After NAS-Bench-301 (Zela et al. 2022, first Siems et al. 2020, section 4), where a searcher's queries are answered by a
regression model of the measured architectures. Departures: boosted trees on tokens, paths and sizes only; ranks are
fitted, not values, since a few architectures that hardly learn would dominate the squared error; measured rows keep
what was measured unless asked otherwise; noise is a normal one that depends on the prediction, not the spread of an
ensemble.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from naopt.bench.completion_noise import LEAST_ROWS, noise_model, scatter_of
from naopt.bench.regressors import SURROGATE_MODELS
from naopt.configuration import Settings
from naopt.errors import InputError, UnknownNameError
from naopt.metrics import kendall_tau, spearman
from naopt.metrics.scale import exponent, scaled, unscaled
from naopt.spaces import Architecture
from naopt.spaces.row_index import RowIndex, token_type
from naopt.tables import CrossValidation, Surrogate, Table, load_table
from naopt.tables.nasbench101 import nasbench101_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROUPS = ("tokens", "numbers", "paths", "sizes")
"""Of ``latent.features``. ``local`` takes five times as long as these together, for 0.009 of Kendall's tau (9,000
cells of NAS-Bench-101)."""

_LARGEST = 10**6
"""Spaces with more sequences are not enumerated unless their rows are given."""

_CHUNK = 20_000


class CompletionSettings(Settings):
    """How a table is completed.

    Attributes:
        model: ``gbdt``, histogram gradient boosting, or ``forest``, extremely randomised trees.
        folds: parts of the cross validation; as many models are averaged, each fitted to all parts but one.
        repeats: drawn for each predicted row; their mean is the prediction. With 1 there is no noise.
        measured: whether measured rows ``keep`` their values or get a prediction too (``predict``), as in
            NAS-Bench-301. Kept values carry the luck of their training, predictions are smooth.
        seed: of folds, models and noise.
    """

    model: str = "gbdt"
    folds: int = Field(5, ge=2)
    repeats: int = Field(3, ge=1)
    measured: Literal["keep", "predict"] = "keep"
    seed: int = Field(0, ge=0)


def complete_table(
    table: Table,
    metrics: Sequence[str],
    settings: CompletionSettings | None = None,
    rows: NDArray[np.integer] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Table:
    """A table that spans a space, the missing values of some metrics predicted from the measured ones.

    The rows are the table's, then those that are given or, without any, all other architectures of the space if it has
    no more than a million token sequences. Other metrics stay as they are, NaN in new rows. The result's name and
    source say that it is a surrogate, and ``surrogates`` how good it is.

    Args:
        table: partly measured.
        metrics: what to predict, one model each.
        settings: how; the defaults if left out.
        rows: ``(n, positions)`` tokens, valid in the table's space; those that the table has are passed over.
        on_step: is told what goes on.

    Raises:
        InputError: an unknown model or metric, fewer than 50 measured rows, rows all measured alike, or nothing to
            predict; says which.
    """
    settings = settings or CompletionSettings()
    if settings.model not in SURROGATE_MODELS:
        raise UnknownNameError("model", settings.model, SURROGATE_MODELS)
    if not metrics or len(set(metrics)) != len(metrics):
        raise InputError("metrics", ", ".join(metrics), "name at least one, none twice")
    measured = {name: np.isfinite(table.values(name)) for name in metrics}
    for name, found in measured.items():
        if name in table.surrogates:
            raise InputError("metric", name, f"is a surrogate's in table {table.name} already")
        if found.sum() < LEAST_ROWS:
            raise InputError("metric", name, f"is measured in {found.sum()} rows; a surrogate needs {LEAST_ROWS}")
        if len(np.unique(table.values(name)[found])) == 1:
            raise InputError("metric", name, "has the same value in all measured rows")
    on_step("listing the space")
    others = _others(table, rows)
    full = [name for name, found in measured.items() if found.all()]
    if full and not len(others) and settings.measured == "keep":
        raise InputError("metric", full[0], "has all its values already; give the rows of the space (--space-rows)")
    tokens = np.concatenate([table.tokens, others])
    describe = _Describer(table, tokens)
    values, surrogates = {}, {}
    for name, known in table.metrics.items():
        grown = np.full((len(tokens), 1 if known.ndim == 1 else known.shape[1]), np.nan)
        grown[: len(table)] = known.reshape(len(table), -1)
        values[name] = grown if known.ndim == 2 else grown[:, 0]
    for name in metrics:
        values[name], surrogates[name] = _complete(table, name, settings, describe, on_step)
    told = "; ".join(
        f"{name} is a surrogate ({one.model} fitted to {one.measured:,} measured rows)"
        for name, one in surrogates.items()
    )
    return Table(
        name=f"{table.name.removesuffix('-surrogate')}-surrogate",
        space=table.space,
        tokens=tokens,
        metrics=values,
        infos=table.infos,
        source=f"{told}. {table.source}".strip(),
        surrogates={**table.surrogates, **surrogates},
    )


def _others(table: Table, rows: NDArray[np.integer] | None) -> NDArray[np.int64]:
    """Tokens of the architectures that are to be in the result and are not in the table, each once."""
    space = table.space
    if rows is None:
        listed = space.enumerate() if space.size <= _LARGEST else ()
        tokens = np.array([architecture.tokens for architecture in listed], dtype=np.int64)
        tokens = tokens.reshape(-1, len(space.positions))
    else:
        tokens = np.asarray(rows, dtype=np.int64)
        if tokens.ndim != 2 or tokens.shape[1] != len(space.positions):
            raise InputError("rows", str(tokens.shape), f"must have the shape (n, {len(space.positions)})")
        wrong = np.flatnonzero(~space.valid_rows(tokens))
        if len(wrong):
            row = tokens[wrong[0]].tolist()
            raise InputError(f"rows, row {wrong[0]}", " ".join(map(str, row)), str(space.explain_invalid(row)))
    identities = space.identities(tokens).astype(token_type(space.positions))
    first = np.sort(np.unique(identities, axis=0, return_index=True)[1])
    known = RowIndex(space.identities(table.tokens), space.positions)
    return tokens[[row for row in first.tolist() if known.get(identities[row].tolist()) is None]]


class _Describer:
    """Features of all architectures of the result, by ranges, without holding them all."""

    def __init__(self, table: Table, tokens: NDArray[np.int64]) -> None:
        from naopt.latent.features import Features

        self._space, self._tokens = table.space, tokens
        self._features = Features.learn(table.space, self._architectures(np.arange(min(len(table), _CHUNK))))

    def __len__(self) -> int:
        return len(self._tokens)

    def _architectures(self, rows: NDArray[np.integer]) -> list[Architecture]:
        return [self._space.architecture(row) for row in self._tokens[rows].tolist()]

    def __call__(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """``(n, columns)``."""
        parts = []
        for start in range(0, len(rows), _CHUNK):
            groups = self._features(self._architectures(rows[start : start + _CHUNK]))
            parts.append(np.concatenate([groups[g] for g in _GROUPS if g in groups], axis=1, dtype=np.float32))
        return np.concatenate(parts)


@dataclass(frozen=True)
class _Ranks:
    """Values as normal scores of their ranks, and back; the order is kept."""

    values: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> _Ranks:
        from scipy.stats import norm

        distinct, counts = np.unique(values, return_counts=True)
        middle = np.cumsum(counts) - counts / 2
        return cls(distinct, norm.ppf(middle / len(values)))

    def forward(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(values, self.values, self.scores)

    def back(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(scores, self.scores, self.values)


def _complete(
    table: Table, name: str, settings: CompletionSettings, describe: _Describer, on_step: Callable[[str], None]
) -> tuple[NDArray[np.float64], Surrogate]:
    """Values of one metric in all rows, ``(n,)`` or ``(n, repeats)``, and how they came about."""
    goal = table.values(name)
    rows = np.flatnonzero(np.isfinite(goal))
    targets = goal[rows]
    ranks = _Ranks.of(targets)
    on_step(f"{name}: describing {len(rows):,} measured rows")
    features = describe(rows)
    rng = np.random.default_rng([settings.seed, 0])
    fold = rng.permutation(len(rows)) % settings.folds
    models, held_out = [], np.empty(len(rows))
    for index in range(settings.folds):
        on_step(f"{name}: model {index + 1} of {settings.folds}")
        inside = fold != index
        model = SURROGATE_MODELS[settings.model](int(inside.sum()), int(rng.integers(2**31)))
        model.fit(features[inside], ranks.forward(targets[inside]))
        held_out[~inside] = ranks.back(model.predict(features[~inside]))
        models.append(model)
    del features
    quality = _quality(name, targets, held_out, settings.folds)
    noise = noise_model(table.metrics[name].reshape(len(table), -1)[rows], held_out, targets, settings.repeats)
    keep = settings.measured == "keep"
    wanted = np.setdiff1d(np.arange(len(describe)), rows) if keep else np.arange(len(describe))
    width = settings.repeats
    known = table.metrics[name].reshape(len(table), -1)
    values = np.full((len(describe), max(width, known.shape[1] if keep else 1)), np.nan)
    if keep:
        values[: len(table), : known.shape[1]] = known
    for start in range(0, len(wanted), _CHUNK):
        on_step(f"{name}: predicted {start:,} of {len(wanted):,} rows")
        part = wanted[start : start + _CHUNK]
        described = describe(part)
        predicted = ranks.back(np.mean([model.predict(described) for model in models], axis=0))
        draw = np.random.default_rng([settings.seed, 1, start])
        values[part, :width] = predicted[:, None] + scatter_of(predicted, noise, draw)
    surrogate = Surrogate(
        model=settings.model,
        seed=settings.seed,
        measured=len(rows),
        predicted=len(wanted),
        kept=keep,
        cv=quality,
        noise=noise,
    )
    return values[:, 0] if values.shape[1] == 1 else values, surrogate


def _quality(name: str, measured: NDArray[np.float64], predicted: NDArray[np.float64], folds: int) -> CrossValidation:
    if len(np.unique(predicted)) == 1:
        raise InputError("metric", name, "the surrogate predicts one value for all rows; it needs more measured ones")
    unit = exponent([*measured, *predicted])
    found, errors = scaled(measured, unit), scaled(measured, unit) - scaled(predicted, unit)
    return CrossValidation(
        folds=folds,
        kendall_tau=kendall_tau(measured, predicted),
        spearman=spearman(measured, predicted),
        r2=float(1 - np.mean(errors**2) / np.var(found)),
        mae=float(unscaled(float(np.mean(np.abs(errors))), unit)),
    )


def _lists_cells(path: Path) -> bool:
    """Whether a file is an npz, but no naopt-table."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "meta.npy" not in archive.namelist()


def read_rows(path: str | Path, table: Table) -> NDArray[np.integer]:
    """Tokens ``(n, positions)`` from a naopt-table of the same space, or from an npz of NAS-Bench-101's cells.

    Raises:
        InputError: a file that cannot be read, or of another space.
    """
    if table.space.name == "nasbench101" and _lists_cells(Path(path)):
        return nasbench101_rows(path)
    other = load_table(path)
    if other.space.name != table.space.name or other.space.positions != table.space.positions:
        raise InputError("--space-rows", str(path), f"is of space {other.space.name}, not {table.space.name}")
    return other.tokens
