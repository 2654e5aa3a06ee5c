"""Tables of NAS-Bench-101 (Ying et al. 2019): the official TFRecord, and arrays of cells.

A record of ``nasbench_full.tfrecord`` or ``nasbench_only108.tfrecord`` is one training: a JSON list of the cell's hash,
the number of epochs, adjacency, operations, and figures (a ``ModelMetrics`` message in base64) before training, half
way, and at the end. Only the end is kept, and the parameters.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zipfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import NASBench101Space
from naopt.spaces.nasbench101_matrix import MODULES
from naopt.tables.files import read_arrays
from naopt.tables.importers import refuse_metrics, table_importers
from naopt.tables.table import Table
from naopt.tables.tfrecord import read_fields, read_records

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "nasbench101"
_VERTICES = 7
_LABELS = {"input": -1, **{name: index for index, name in enumerate(MODULES)}, "output": -2}
_ABSENT = -3
_EVALUATION, _PARAMETERS = 1, 2
_EPOCH = 1
_FIGURES = {"train_time": 2, "train_acc": 3, "valid_acc": 4, "test_acc": 5}
"""Metric to the number of its field in ``EvaluationData`` (the benchmark's ``model_metrics.proto``)."""
_OFFERED = {"adjacency", "ops"}, {"n_vertices", "edge_bits", "op_code"}


@table_importers.register(KIND)
def import_nasbench101(source: Path, metrics: Mapping[str, MetricInfo]) -> Table:
    """NAS-Bench-101, from the official TFRecord or from an npz of arrays.

    * TFRecord: ``valid_acc/E``, ``test_acc/E``, ``train_acc/E`` in per cent and ``train_time/E`` in seconds for every
      number of epochs E in the file, ``(rows, repeats)``, and ``params``. Cells come in the order of the file.
    * npz: ``adjacency`` and ``ops`` as for ``nasbench101_rows``, ``valid_acc`` ``(n, e)`` of fractions and ``epochs``
      ``(e,)`` become ``valid_acc/E``; ``train_time`` and ``params`` ``(n,)`` keep their names. Either may be missing.

    Rows are in canonical form. A TFRecord is streamed; what is kept takes about 100 bytes a training.

    Args:
        source: path.
        metrics: must be empty; the file says itself what it holds.

    Raises:
        InputError: metrics were named, or the file cannot be read, is damaged or holds something else.
    """
    refuse_metrics(KIND, metrics)
    path = Path(source)
    if path.is_file() and zipfile.is_zipfile(path):
        return _from_arrays(path)
    return _from_records(path)


def nasbench101_rows(path: str | Path) -> NDArray[np.int64]:
    """Tokens ``(n, 27)`` of the cells in an npz, in canonical form; under two seconds for all 423,624.

    The file holds pruned cells, input first and output last, in either form:

    * ``adjacency`` ``(n, 7, 7)``, upper triangular, and ``ops`` ``(n, 7)``: -1 input, 0 conv3x3, 1 conv1x1,
      2 maxpool3x3, -2 output, -3 for vertices that are absent;
    * ``n_vertices`` ``(n,)``; ``edge_bits`` ``(n,)``, bit ``v (v - 1) / 2 + u`` for the edge from u to v; ``op_code``
      ``(n,)``, the inner vertices' operations as digits to base 3, the first one leading.

    Raises:
        InputError: the file cannot be read, has neither form, or a row is no cell of the space; says which.
    """
    path = Path(path)
    return _rows(path, read_arrays(path))


def _rows(path: Path, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    form = next((names for names in _OFFERED if names <= arrays.keys()), None)
    if form is None:
        wanted = " or ".join("'" + "', '".join(sorted(names)) + "'" for names in _OFFERED)
        raise InputError("cells", str(path), f"needs the members {wanted}")
    shapes = {"adjacency": (_VERTICES, _VERTICES), "ops": (_VERTICES,)}
    count = len(arrays[min(form)]) if arrays[min(form)].ndim else 0
    for name in sorted(form):
        shape, kind = arrays[name].shape, arrays[name].dtype.kind
        if shape != (count, *shapes.get(name, ())) or kind not in "iu" or not count:
            expected = ", ".join(map(str, ("n", *shapes.get(name, ()))))
            raise InputError(f"cells {path}: {name}", f"{arrays[name].dtype} {shape}", f"must be integers ({expected})")
    if form == _OFFERED[0]:
        adjacency, labels = arrays["adjacency"], arrays["ops"]
    else:
        adjacency, labels = _unpacked(
            *(arrays[name].astype(np.int64) for name in ("n_vertices", "edge_bits", "op_code"))
        )
    return _tokens(f"cells {path}", adjacency, labels)


def _unpacked(
    vertices: NDArray[np.int64], edges: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Adjacency ``(n, 7, 7)`` and labels ``(n, 7)`` of packed cells."""
    adjacency = np.zeros((len(vertices), _VERTICES, _VERTICES), dtype=np.int8)
    labels = np.full((len(vertices), _VERTICES), _ABSENT, dtype=np.int8)
    labels[:, 0] = -1
    for target in range(1, _VERTICES):
        for source in range(target):
            adjacency[:, source, target] = edges >> (target * (target - 1) // 2 + source) & 1
        power = 3 ** np.clip(vertices - 2 - target, 0, _VERTICES)
        labels[:, target] = np.where(target < vertices - 1, codes // power % 3, _ABSENT)
        labels[target == vertices - 1, target] = -2
    return adjacency, labels


def _tokens(where: str, adjacency: NDArray[np.integer], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Canonical tokens of many cells; what is not a pruned cell of the space is refused."""
    space = NASBench101Space()
    at = {position.name: index for index, position in enumerate(space.positions)}
    last = np.argmax(labels == -2, axis=1)
    vertex = np.arange(_VERTICES)
    inner = (vertex > 0) & (vertex < last[:, None])
    fits = (labels[:, 0] == -1) & (last > 0) & ((adjacency == 0) | (adjacency == 1)).all(axis=(1, 2))
    fits &= (inner == ((labels >= 0) & (labels < len(MODULES)))).all(axis=1)
    fits &= ((vertex > last[:, None]) == (labels == _ABSENT)).all(axis=1)
    fits &= ~np.tril(adjacency).any(axis=(1, 2)) & ~(adjacency * (vertex > last[:, None])[:, None]).any(axis=(1, 2))
    tokens = np.zeros((len(labels), len(space.positions)), dtype=np.int8)
    everyone = np.arange(len(labels))
    for target in range(1, _VERTICES):
        for source in range(target):
            if target < _VERTICES - 1:
                tokens[:, at[f"{source}->{target}"]] = (adjacency[:, source, target] != 0) & inner[:, target]
    for source in range(_VERTICES - 1):
        tokens[:, at[f"{source}->output"]] = adjacency[everyone, source, last] != 0
    for target in range(1, _VERTICES - 1):
        tokens[:, at[f"operation {target}"]] = np.where(inner[:, target], labels[:, target] + 1, 0)
    fits &= space.valid_rows(np.where(fits[:, None], tokens, 0))
    if not fits.all():
        row = int(np.argmin(fits))
        size = max(2, int((labels[row] != _ABSENT).sum()))
        cell = f"{adjacency[row, :size, :size].tolist()} {labels[row, :size].tolist()}"
        raise InputError(f"{where}: row {row}", cell, "is not a pruned cell of NAS-Bench-101")
    return space.identities(tokens)


def _from_arrays(path: Path) -> Table:
    arrays = read_arrays(path)
    tokens = _rows(path, arrays)
    columns: dict[str, NDArray[np.float64]] = {}
    infos: dict[str, MetricInfo] = {}
    if "valid_acc" in arrays:
        values, epochs = arrays["valid_acc"], arrays.get("epochs", np.zeros(0))
        if values.ndim != 2 or values.dtype.kind != "f" or epochs.shape != values.shape[1:]:
            shapes = f"{values.shape}, epochs {epochs.shape}"
            raise InputError(f"cells {path}: valid_acc", shapes, "must be fractions (n, e), and epochs (e,)")
        if not ((values >= 0) & (values <= 1) | np.isnan(values)).all():
            raise InputError(f"cells {path}: valid_acc", f"up to {np.nanmax(values)}", "must be fractions from 0 to 1")
        for epoch, column in zip(epochs.tolist(), values.T, strict=True):
            columns[f"valid_acc/{epoch}"] = _percent(column)
            infos[f"valid_acc/{epoch}"] = MetricInfo("max", "%")
    for name, unit in (("params", ""), ("train_time", "s")):
        if name in arrays:
            columns[name], infos[name] = arrays[name], MetricInfo("min", unit)
    return Table(KIND, NASBench101Space(), tokens, columns, infos, f"imported from {path.name}")


def _percent(fractions: NDArray[Any]) -> NDArray[np.float64]:
    """Fractions, of which the benchmark counts 10,000 images, in per cent without the noise of float32."""
    return np.round(fractions.astype(np.float64) * 100, 6)


@dataclass(slots=True)
class _Trainings:
    """Trainings of one number of epochs: the cell's row, and the figures of each."""

    rows: array[int] = field(default_factory=lambda: array("l"))
    figures: array[float] = field(default_factory=lambda: array("d"))

    def columns(self, count: int) -> dict[str, NDArray[np.float64]]:
        """Metric to ``(count, repeats)``, or ``(count,)`` if no cell was trained twice; NaN where there is none."""
        rows = np.array(self.rows)
        figures = np.array(self.figures).reshape(len(rows), len(_FIGURES))
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], rows[order])
        repeat = np.arange(len(rows)) - starts
        columns = {}
        for index, name in enumerate(_FIGURES):
            values = np.full((count, int(repeat.max()) + 1), np.nan)
            values[rows[order], repeat] = figures[order, index]
            values = _percent(values) if name.endswith("_acc") else values
            columns[name] = values[:, 0] if values.shape[1] == 1 else values
        return columns


def _from_records(path: Path) -> Table:
    rows: dict[str, int] = {}
    adjacency, labels, parameters = bytearray(), array("b"), array("q")
    trainings: dict[int, _Trainings] = {}
    for number, record in enumerate(read_records(path)):
        try:
            name, epochs, bits, operations, message = json.loads(record)
            figures, count = _metrics(base64.b64decode(message, validate=True), epochs)
            row = rows.setdefault(name, len(rows))
            if row == len(parameters):
                _add_cell(bits, operations, adjacency, labels)
                parameters.append(count)
        except (ValueError, TypeError, KeyError, UnicodeDecodeError, binascii.Error, AttributeError) as error:
            raise InputError(f"record {number} of", str(path), f"is none of NAS-Bench-101: {error}") from error
        run = trainings.setdefault(epochs, _Trainings())
        run.rows.append(row)
        run.figures.extend(figures)
    if not rows:
        raise InputError("records", str(path), "holds none")
    cells = np.frombuffer(adjacency, dtype=np.uint8).reshape(-1, _VERTICES, _VERTICES)
    kinds = np.array(labels, dtype=np.int8).reshape(-1, _VERTICES)
    tokens = _tokens(f"records {path}", cells, kinds)
    columns: dict[str, NDArray[np.float64]] = {}
    for epochs in sorted(trainings, reverse=True):
        found = trainings.pop(epochs).columns(len(rows))
        columns |= {f"{name}/{epochs}": found[name] for name in ("valid_acc", "test_acc", "train_acc", "train_time")}
    columns["params"] = np.array(parameters, dtype=np.float64)
    infos = {
        name: MetricInfo("max", "%") if "_acc" in name else MetricInfo("min", "s" if "time" in name else "")
        for name in columns
    }
    return Table(KIND, NASBench101Space(), tokens, columns, infos, f"imported from {path.name}")


def _metrics(message: bytes, epochs: int) -> tuple[list[float], int]:
    """The figures at the end of a training, in the order of ``_FIGURES``, and the parameters."""
    if type(epochs) is not int:
        raise ValueError(f"epochs '{epochs}' must be a whole number")
    evaluation: bytes | None = None
    parameters: int | None = None
    for number, value in read_fields(message):
        if number == _EVALUATION and isinstance(value, bytes):
            evaluation = value
        elif number == _PARAMETERS and isinstance(value, int):
            parameters = value
    if evaluation is None or parameters is None:
        raise ValueError("the message has no evaluation or no parameters")
    found = dict(read_fields(evaluation))
    figures = [found.get(number) for number in (_EPOCH, *_FIGURES.values())]
    numbers = [value for value in figures if isinstance(value, float) and math.isfinite(value)]
    if len(numbers) < len(figures):
        raise ValueError("the last evaluation lacks a figure")
    if abs(numbers[0] - epochs) > 1:
        raise ValueError(f"the last evaluation is of epoch {numbers[0]:g}, not {epochs}")
    return numbers[1:], parameters


def _add_cell(bits: str, operations: str, adjacency: bytearray, labels: array[int]) -> None:
    """Appends a cell's adjacency, padded to seven vertices, and its labels."""
    names = operations.split(",")
    size = len(names)
    if size > _VERTICES or len(bits) != size * size or set(bits) - {"0", "1"}:
        raise ValueError(f"adjacency '{bits}' does not fit {size} operations")
    padded = [[0] * _VERTICES for _ in range(_VERTICES)]
    for index, bit in enumerate(bits):
        padded[index // size][index % size] = int(bit)
    kinds = [_LABELS[name] for name in names] + [_ABSENT] * (_VERTICES - size)
    adjacency += bytes(bit for line in padded for bit in line)
    labels.extend(kinds)
