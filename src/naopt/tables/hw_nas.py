"""Tables of hardware costs from pickles laid out as HW-NAS-Bench (Li et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.pickles import BENCHMARKS, PickledArray, PlainReader
from naopt.spaces import NASBench201Space, Tokens
from naopt.tables.importers import refuse_metrics, table_importers
from naopt.tables.table import Table

_SPACE = "nasbench201"
_KINDS = {"latency": MetricInfo("min", "ms"), "energy": MetricInfo("min", "mJ")}
"""What the devices measured; other quantities of the file (an estimate of Eyeriss's arithmetic intensity) have no
documented unit and are left out."""


@table_importers.register("hw-nas-bench")
def import_hw_nas_bench(source: str | Path, metrics: Mapping[str, MetricInfo]) -> Table:
    """``HW-NAS-Bench-v1_0.pickle`` or a pickle laid out like it: costs of NAS-Bench-201's cells on devices.

    The layout is ``{"nasbench201": {DATASET: {"config": [{"arch_str": ...}, ...], "DEVICE_latency": [...],
    "DEVICE_energy": [...]}}}``. Metrics: ``latency/DEVICE/DATASET`` (ms) and ``energy/DEVICE/DATASET`` (mJ), the units
    of the authors' own reader; smaller is better. The file's other space, ``fbnet``, holds costs of layers, not of
    architectures, and is passed over.

    Args:
        source: path.
        metrics: must be empty; the file says what it holds.

    Raises:
        InputError: what cannot be read, names a class in the pickle, or is not this layout.
    """
    refuse_metrics("hw-nas-bench", metrics)
    path = Path(source)
    content = _read(path)
    datasets = content.get(_SPACE) if isinstance(content, dict) else None
    if not isinstance(datasets, dict) or not datasets:
        raise InputError("table", str(path), f"has no '{_SPACE}' with data sets; is it a file of HW-NAS-Bench?")
    space = NASBench201Space()
    rows: dict[Tokens, int] = {}
    found: dict[str, dict[int, float]] = {}
    for dataset, columns in datasets.items():
        where = f"{_SPACE}, {dataset}"
        if not isinstance(columns, dict) or not isinstance(columns.get("config"), list):
            raise InputError("table", str(path), f"{where} has no list 'config'")
        at = [_row(path, where, space, rows, config) for config in columns["config"]]
        for name, values in columns.items():
            device, _, kind = str(name).rpartition("_")
            if kind in _KINDS and device:
                numbers = _numbers(path, f"{where}, {name}", values, len(at))
                found[f"{kind}/{device}/{dataset}"] = dict(zip(at, numbers, strict=True))
    if not found:
        raise InputError("table", str(path), "holds no latency and no energy")
    infos = {name: info for kind, info in _KINDS.items() for name in found if name.startswith(f"{kind}/")}
    measured = {name: np.array([found[name].get(row, np.nan) for row in range(len(rows))]) for name in infos}
    source_text = f"HW-NAS-Bench (Li et al. 2021), imported from {path.name}"
    return Table("hw-nas-bench", space, np.array(list(rows)), measured, infos, source_text)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return PlainReader(data, str(path), BENCHMARKS).read()
    except InputError:
        raise
    except OSError as error:
        raise InputError("table", str(path), error.strerror or "cannot be read") from error
    except ValueError as error:
        raise InputError("table", str(path), f"cannot be read: {error}") from error


def _row(path: Path, where: str, space: NASBench201Space, rows: dict[Tokens, int], config: Any) -> int:
    text = config.get("arch_str") if isinstance(config, dict) else None
    if not isinstance(text, str):
        raise InputError("table", str(path), f"{where}: an entry of 'config' has no 'arch_str'")
    return rows.setdefault(space.parse(text).tokens, len(rows))


def _numbers(path: Path, where: str, values: Any, count: int) -> list[float]:
    values = values.values if isinstance(values, PickledArray) else values
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("table", str(path), f"{where} must be numbers") from error
    if numbers.shape != (count,):
        raise InputError("table", str(path), f"{where}: shape {numbers.shape}, there are {count} architectures")
    return [float(value) for value in numbers]
