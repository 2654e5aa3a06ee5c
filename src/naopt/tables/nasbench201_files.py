"""The official files of NAS-Bench-201 and NATS-Bench topology, read trial by trial.

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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.pickles import BENCHMARKS, PlainReader

_RECIPES = {"full": "", "200": "", "less": "_12", "12": "_12"}
"""Names of the recipes in the files, and what they add to the names of metrics."""
_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle in what torch wrote before it used zip files."""
_NAME = re.compile(r"(\d+)\.pickle\.pbz2")
_DROPPED = ("net_state_dict", "train_acc5es", "train_losses", "eval_losses", "eval_times", "arch_config")
_TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Trial:
    """One training: figures of the last epoch by name, seconds of all epochs."""

    figures: dict[str, float]
    latency: float


Recipes = dict[str, dict[tuple[str, int], Trial]]
"""Of one architecture: the recipe's suffix to trials by data set and seed."""


def read_results(path: Path) -> tuple[list[str], dict[int, Recipes]]:
    """Names of all architectures, and what is known of those that were trained, by their number.

    Raises:
        InputError: what cannot be read, or is not one of the layouts.
    """
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
    return names, results


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
    entries["trial"] = Trial(figures, 1000 * mean if mean > 0 else math.nan)


def _keep(entries: dict[Any, Any], kept: dict[Any, Any]) -> None:
    entries.clear()
    entries |= kept
