"""Tables from the official files of NAS-Bench-201 (Dong & Yang 2020) and NATS-Bench topology (Dong et al. 2021).

Layouts after the authors' readers (``nas_201_api`` and ``nats_bench``): each architecture has one result per recipe (12
epochs, called ``less`` or ``12``; 200 epochs, ``full`` or ``200``), and each result one trial per data set and seed,
with the course of every accuracy over the epochs. Only what belongs to the last epoch is kept, while the file is read.
"""

from __future__ import annotations

import bz2
import math
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.pickles import BENCHMARKS, PlainReader
from naopt.spaces import NASBench201Space
from naopt.tables.importers import refuse_metrics, table_importers
from naopt.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECIPES = {"full": "", "200": "", "less": "_12", "12": "_12"}
"""Names of the recipes in the files, and what they add to the names of metrics."""

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
_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle in what torch wrote before it used zip files."""

_NAME = re.compile(r"(\d+)\.pickle\.pbz2")
_DROPPED = ("net_state_dict", "train_acc5es", "train_losses", "eval_losses", "eval_times", "arch_config")
_TOTAL = "total"


@dataclass(frozen=True, slots=True)
class _Trial:
    """One training: figures of the last epoch by name, seconds of all epochs."""

    figures: dict[str, float]
    latency: float


Recipes = dict[str, dict[tuple[str, int], _Trial]]
"""Of one architecture: the recipe's suffix to trials by data set and seed."""


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
    results: dict[int, Recipes] = {}
    try:
        if path.is_dir():
            names = _read_parts(path, _files(path), results)
        elif tarfile.is_tarfile(path):
            names = _read_parts(path, _members(path), results)
        else:
            names = _read_whole(path, results)
    except InputError:
        raise
    except (OSError, EOFError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise InputError("table", str(path), f"cannot be read: {error}") from error
    return _table(path, names, results)


# From files to trials.


def _read_whole(path: Path, results: dict[int, Recipes]) -> list[str]:
    with _mapped(path) as (data, start):
        reader = PlainReader(data, str(path), BENCHMARKS, _simplify, start)
        content = reader.read()
        if content == _MAGIC:
            reader.read(), reader.read()  # version, facts about the machine
            content = reader.read()
    for key in ("meta_archs", "arch2infos"):
        if not isinstance(content, dict) or key not in content:
            raise InputError("table", str(path), f"has no '{key}'; is it a file of NAS-Bench-201 or NATS-Bench?")
    for index, infos in _entries(path, "arch2infos", content["arch2infos"]).items():
        results[index] = _recipes(path, index, infos)
    return _names(path, content)


@contextmanager
def _mapped(path: Path) -> Iterator[tuple[mmap | bytes, int]]:
    """The file's contents, and where the first pickle begins; a compressed one is unpacked to a temporary file."""
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if not magic:
            raise InputError("table", str(path), "is empty")
        if magic.startswith(b"BZh"):
            with tempfile.TemporaryFile() as unpacked:
                with bz2.open(file) as packed:
                    shutil.copyfileobj(packed, unpacked)
                unpacked.flush()
                with mmap(unpacked.fileno(), 0, access=ACCESS_READ) as data:
                    yield data, 0
        elif magic == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                members = [item for item in archive.infolist() if item.filename.endswith("data.pkl")]
                if not members:
                    raise InputError("table", str(path), "is a zip file without 'data.pkl', not one of torch's")
                if members[0].compress_type != zipfile.ZIP_STORED:
                    yield archive.read(members[0]), 0
                    return
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                begin = members[0].header_offset
                # The local header: 30 bytes, then a name and an extra field whose lengths stand at 26 and 28.
                yield (
                    data,
                    begin + 30 + sum(int.from_bytes(data[begin + i : begin + i + 2], "little") for i in (26, 28)),
                )
        else:
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                yield data, 0


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.iterdir()):
        if file.name.endswith(".pickle.pbz2"):
            yield file.name, file.read_bytes()


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and name.endswith(".pickle.pbz2"):
                content = archive.extractfile(member)
                if content is not None:
                    yield name, content.read()


def _read_parts(path: Path, parts: Iterator[tuple[str, bytes]], results: dict[int, Recipes]) -> list[str]:
    names: list[str] | None = None
    for name, packed in parts:
        where = f"{path}, {name}"
        content = PlainReader(bz2.decompress(packed), where, BENCHMARKS, _simplify).read()
        match = _NAME.fullmatch(name)
        if name == "meta.pickle.pbz2":
            names = _names(path, content if isinstance(content, dict) else {})
        elif match:
            results[int(match.group(1))] = _recipes(path, int(match.group(1)), content)
    if names is None:
        raise InputError("table", str(path), "has no 'meta.pickle.pbz2' with the names of the architectures")
    return names


def _names(path: Path, content: dict[Any, Any]) -> list[str]:
    names = content.get("meta_archs")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("table", str(path), "'meta_archs' must be a list of architectures as text")
    return names


def _recipes(path: Path, index: Any, infos: Any) -> Recipes:
    found: Recipes = {}
    for name, result in _entries(path, f"architecture {index}", infos).items():
        if name in _RECIPES:
            where = f"architecture {index}, {name}"
            trials = _entries(path, where, _entries(path, where, result).get("all_results"))
            try:
                found[_RECIPES[name]] = {(str(d), int(seed)): trial["trial"] for (d, seed), trial in trials.items()}
            except (TypeError, ValueError, KeyError) as error:
                raise InputError("table", str(path), f"{where} holds something that is no trial") from error
    return found


def _entries(path: Path, where: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError("table", str(path), f"{where} must be a dictionary, not {type(value).__name__}")
    return value


def _simplify(entries: dict[Any, Any]) -> None:
    """Reduces the record of a trial to its last epoch, in place, and empties what is not used.

    A dictionary may belong to several records, so those that are used keep what another record would need of them.
    """
    if not {"train_acc1es", "eval_acc1es", "epochs"} <= entries.keys():
        return
    last = entries["epochs"] - 1
    train, evaluated, times = (entries.get(key) or {} for key in ("train_acc1es", "eval_acc1es", "train_times"))
    _keep(train, {last: train[last]} if last in train else {})
    _keep(evaluated, {key: value for key, value in evaluated.items() if str(key).endswith(f"@{last}")})
    if times:
        _keep(times, {_TOTAL: times.get(_TOTAL, math.fsum(v for k, v in times.items() if k != _TOTAL))})
    for name in _DROPPED:
        if isinstance(entries.get(name), dict):
            entries[name].clear()
    figures = {str(key).rpartition("@")[0]: float(value) for key, value in evaluated.items()}
    figures |= {"params": float(entries["params"]), "flops": float(entries["flop"])}
    for name, values in (("train", train), ("seconds", times)):
        figures.update((name, float(value)) for value in values.values())
    latency = entries.get("latency")
    seconds = [float(value) for value in latency] if isinstance(latency, list | tuple) else []
    mean = math.fsum(seconds) / len(seconds) if seconds else -1.0
    entries.clear()
    entries["trial"] = _Trial(figures, 1000 * mean if mean > 0 else math.nan)


def _keep(entries: dict[Any, Any], kept: dict[Any, Any]) -> None:
    entries.clear()
    entries |= kept


# From trials to a table.


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
