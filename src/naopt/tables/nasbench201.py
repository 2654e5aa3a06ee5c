"""Tables from the official files of NAS-Bench-201 (Dong & Yang 2020) and NATS-Bench topology (Dong et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import NASBench201Space
from naopt.tables.importers import refuse_metrics, table_importers
from naopt.tables.nasbench201_files import Recipes, read_results
from naopt.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SOURCES = {
    "valid_acc": {"cifar10": ("cifar10-valid", "x-valid")}
    | {d: (d, "x-valid") for d in ("cifar100", "ImageNet16-120")},
    "test_acc": {"cifar10": ("cifar10", "ori-test")} | {d: (d, "x-test") for d in ("cifar100", "ImageNet16-120")},
    "train_acc": {d: (d, "train") for d in ("cifar10", "cifar100", "ImageNet16-120")},
    "train_seconds": {"cifar10": ("cifar10-valid", "seconds")}
    | {d: (d, "seconds") for d in ("cifar100", "ImageNet16-120")},
}
"""Metric and data set to where they stand: the trials of which training set, and the name of the evaluation there.

CIFAR-10 is trained twice in the benchmark: on half of the training set, where the other half validates, and on all of
it, where only the test set is left. What a search pays is the first of the two.
"""

_COSTS = {"params_m": "params", "flops_m": "flops"}
_UNITS = {"acc": MetricInfo("max", "%"), "seconds": MetricInfo("min", "s")}


@table_importers.register("nasbench201")
def import_nasbench201(source: str | Path, metrics: Mapping[str, MetricInfo]) -> Table:
    """NAS-Bench-201's ``.pth`` file, or NATS-Bench topology as folder, ``.tar`` or single ``.pickle.pbz2``.

    Metrics, each with the training seeds as repeats (NaN where a seed was not run): ``valid_acc/D``, ``test_acc/D``,
    ``train_acc/D`` (%) and ``train_seconds/D`` after 200 epochs, for ``D`` = ``cifar10``, ``cifar100``,
    ``ImageNet16-120``; ``valid_acc_12/D`` and so on after 12; ``latency_ms/D``, and ``params_m``, ``flops_m`` of the
    network for CIFAR-10. A metric that the file does not hold at all is left out.

    The pickles in these files are read by ``naopt.pickles``, which constructs plain values only, and reduced trial
    by trial: network weights are passed over, and a few hundred MB of memory suffice for the file of 4.7 GB.

    Args:
        source: file or folder.
        metrics: must be empty; the files say what they hold.

    Raises:
        InputError: what cannot be read, or is not one of these layouts.
    """
    refuse_metrics("nasbench201", metrics)
    path = Path(source)
    names, results = read_results(path)
    return _table(path, names, results)


def _table(path: Path, names: list[str], results: Mapping[int, Recipes]) -> Table:
    space = NASBench201Space()
    indices = sorted(results)
    if not indices:
        raise InputError("table", str(path), "holds results of no architecture")
    if not 0 <= indices[0] <= indices[-1] < len(names):
        raise InputError("table", str(path), f"has results of architecture {indices[-1]}, but {len(names)} names")
    tokens = np.array([space.parse(names[index]).tokens for index in indices], dtype=np.int64)
    rows = [results[index] for index in indices]
    columns: dict[str, NDArray[np.float64]] = {}
    infos: dict[str, MetricInfo] = {}
    for suffix in ("", "_12"):
        for kind, places in _SOURCES.items():
            for dataset, (trained, name) in places.items():
                columns[f"{kind}{suffix}/{dataset}"] = _repeats(rows, suffix, trained, name)
                infos[f"{kind}{suffix}/{dataset}"] = _UNITS[kind.rpartition("_")[2]]
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        columns[f"latency_ms/{dataset}"] = _latencies(rows, dataset)
        infos[f"latency_ms/{dataset}"] = MetricInfo("min", "ms")
    for metric, name in _COSTS.items():
        columns[metric] = _costs(rows, name)
        infos[metric] = MetricInfo("min", "million")
    measured = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    source = f"NAS-Bench-201 (Dong & Yang 2020), imported from {path.name}: 200-epoch values unless the name says 12"
    return Table("nasbench201", space, tokens, measured, {name: infos[name] for name in measured}, source)


def _repeats(rows: list[Recipes], suffix: str, dataset: str, name: str) -> NDArray[np.float64]:
    """``(n, seeds)``, or ``(n,)`` for one seed: a figure of the trials on a data set; seeds in ascending order."""
    seeds = sorted({seed for row in rows for d, seed in row.get(suffix, {}) if d == dataset})
    column = {seed: at for at, seed in enumerate(seeds)}
    values = np.full((len(rows), max(1, len(seeds))), np.nan)
    for at, row in enumerate(rows):
        for (trained, seed), trial in row.get(suffix, {}).items():
            if trained == dataset:
                values[at, column[seed]] = trial.figures.get(name, math.nan)
    return values[:, 0] if values.shape[1] == 1 else values


def _latencies(rows: list[Recipes], dataset: str) -> NDArray[np.float64]:
    """``(n,)`` ms: mean over the trials of the longest recipe that has any (the architecture is the same in all)."""
    values = np.full(len(rows), np.nan)
    for at, row in enumerate(rows):
        for suffix in ("_12", ""):
            found = [t.latency for (d, _), t in row.get(suffix, {}).items() if d == dataset and t.latency > 0]
            values[at] = np.mean(found) if found else values[at]
    return values


def _costs(rows: list[Recipes], name: str) -> NDArray[np.float64]:
    """``(n,)`` millions, of the network with ten classes."""
    values = np.full(len(rows), np.nan)
    for at, row in enumerate(rows):
        for trials in row.values():
            for (dataset, _), trial in trials.items():
                if dataset in ("cifar10-valid", "cifar10"):
                    values[at] = trial.figures[name]
    return values
