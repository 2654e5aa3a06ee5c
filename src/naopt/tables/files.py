"""The ``naopt-table`` file: an npz without pickles, so that opening one never runs code.

Members: ``meta`` (0-d text, JSON), ``tokens`` (rows, positions); per metric ``metric/NAME`` (rows,) or (rows, repeats).
"""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.files import at_home, is_there, whole_file
from naopt.measurement import Goal, MetricInfo
from naopt.spaces import GenericSpace, Position, SearchSpace, create_space
from naopt.tables.surrogate import Surrogate
from naopt.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT, VERSION = "naopt-table", 1
_METRIC = "metric/"
_DAMAGE = (
    ValueError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    MemoryError,
)
"""What numpy and zipfile raise for archives and array headers that are not as they should be."""


class _Choices(BaseModel, extra="forbid"):
    name: str
    choices: list[str]
    ordered: bool = False


class _Metric(BaseModel, extra="forbid"):
    goal: Goal
    unit: str = ""


class _Meta(Settings):
    format: Literal["naopt-table"]
    version: Literal[1]
    name: str
    space: str | None
    positions: list[_Choices]
    metrics: dict[str, _Metric]
    source: str = ""
    surrogate: dict[str, Surrogate] = Field(default_factory=dict)


def builtin_tables() -> list[str]:
    """Names of the tables that come with the package."""
    folder = files("naopt") / "data"
    if not folder.is_dir():
        return []
    return sorted(item.name.removesuffix(".npz") for item in folder.iterdir() if item.name.endswith(".npz"))


def load_table(source: str | Path) -> Table:
    """A table from a file, or a built-in one by its name.

    Raises:
        InputError: no such file or built-in table, or the file breaks a rule of the format; says which.
    """
    path = Path(at_home(source))
    if not is_there(path):
        builtin = builtin_tables()
        if str(source) in builtin:
            with as_file(files("naopt") / "data" / f"{source}.npz") as file:
                return _load(file)
        raise InputError("table", str(source), f"no such file; built-in tables: {', '.join(builtin) or 'none'}")
    return _load(path)


def save_table(table: Table, path: str | Path) -> None:
    """Writes a table; ``load_table`` gives it back, a generic space under the table's name.

    Raises:
        InputError: the file cannot be written.
    """
    generic = isinstance(table.space, GenericSpace)
    meta = _Meta(
        format="naopt-table",
        version=1,
        name=table.name,
        space=None if generic else table.space.name,
        positions=[
            _Choices(name=p.name, choices=list(p.choices), ordered=generic and p.ordered) for p in table.space.positions
        ],
        metrics={name: _Metric(goal=info.goal, unit=info.unit) for name, info in table.infos.items()},
        source=table.source,
        surrogate=dict(table.surrogates),
    )
    widest = max(len(position.choices) for position in table.space.positions) - 1
    arrays: dict[str, Any] = {
        "meta": np.array(json.dumps(_document(meta))),
        "tokens": table.tokens.astype(np.min_scalar_type(widest)),
        **{_METRIC + name: values for name, values in table.metrics.items()},
    }
    try:
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise InputError("table", str(path), error.strerror or "cannot be written") from error


def _document(meta: _Meta) -> dict[str, Any]:
    """The values of ``meta``; what older programs do not know is left out where it says nothing."""
    values = meta.model_dump()
    if not meta.surrogate:
        del values["surrogate"]
    for position in values["positions"]:
        if not position["ordered"]:
            del position["ordered"]
    return values


def _load(path: Path) -> Table:
    arrays = read_arrays(path)
    for member in ("meta", "tokens"):
        if member not in arrays:
            raise InputError("table", str(path), f"has no '{member}'; is it a {FORMAT} file?")
    meta = _parse_meta(path, arrays.pop("meta"))
    tokens = arrays.pop("tokens")
    for member in arrays:
        if not member.startswith(_METRIC):
            raise InputError("table", str(path), f"unknown member '{member}'; known: meta, tokens, metric/NAME")
    return Table(
        name=meta.name,
        space=_space(path, meta),
        tokens=tokens,
        metrics={member.removeprefix(_METRIC): values for member, values in arrays.items()},
        infos={name: MetricInfo(metric.goal, metric.unit) for name, metric in meta.metrics.items()},
        source=meta.source,
        surrogates=meta.surrogate,
    )


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The members of an npz file, none of them pickled. Raises ``InputError`` if it is anything else."""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                hint = "; import it first: naopt table import csv" if path.suffix.lower() == ".csv" else ", or cut off"
                raise InputError("table", str(path), f"is not an npz file{hint}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
    except OSError as error:
        raise InputError("table", str(path), error.strerror or "cannot be read") from error
    except InputError:
        raise
    except _DAMAGE as error:
        if "pickle" in str(error):
            raise InputError("table", str(path), "holds pickled objects, which are never loaded") from error
        raise InputError("table", str(path), f"is damaged: {error}") from error
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray):
            raise InputError("table", str(path), f"member '{name}' is not an array")
    return arrays


def _parse_meta(path: Path, member: NDArray[Any]) -> _Meta:
    where = f"table {path}: meta"
    if member.ndim != 0 or member.dtype.kind != "U":
        raise InputError(where, f"{member.dtype} {member.shape}", "must be one text")
    try:
        values = json.loads(member.item())
    except json.JSONDecodeError as error:
        raise InputError(where, member.item()[:40], f"is not JSON: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else values
        raise InputError(f"{where} format", found, f"must be '{FORMAT}'")
    if values.get("version") != VERSION:
        raise InputError(f"{where} version", values.get("version"), f"this program reads version {VERSION}")
    return _Meta.parse(values, where)


def _space(path: Path, meta: _Meta) -> SearchSpace:
    positions = tuple(
        Position(position.name, tuple(position.choices), ordered=position.ordered) for position in meta.positions
    )
    if meta.space is None:
        return GenericSpace(positions, meta.name)
    space = create_space(meta.space)
    if len(positions) != len(space.positions):
        raise InputError(
            f"table {path}: positions", len(positions), f"space {meta.space} has {len(space.positions)} of them"
        )
    for mine, theirs in zip(positions, space.positions, strict=True):
        if (mine.name, mine.choices) != (theirs.name, theirs.choices):
            raise InputError(
                f"table {path}: position {mine.name}",
                ", ".join(mine.choices),
                f"space {meta.space} has {theirs.name}: {', '.join(theirs.choices)}",
            )
    return space
