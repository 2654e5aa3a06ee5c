"""Fitted beliefs as files, which other searches of the space can begin with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from naopt._version import __version__
from naopt.errors import InputError
from naopt.files import utf8_path, whole_file
from naopt.latent.beliefs import Belief
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.pretraining import embedding_of
from naopt.spaces import SearchSpace, positions_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]

_KIND, _VERSION = "naopt-beliefs", "1"
_PARTS = ("tokens", "targets", "parameters")


def save_beliefs(beliefs: Sequence[Belief], path: str | Path) -> None:
    """Writes beliefs of one space, at least 1, in safetensors.

    Of the ``i``-th one ``i/tokens`` ``(n, positions)`` int64, ``i/targets`` ``(n,)`` and ``i/parameters`` float64. The
    metadata have kind and version of the format, the space with its positions, of each belief its name, metric and
    task, and a checksum of all that.

    Raises:
        NotWrittenError: the file cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for at, belief in enumerate(beliefs):
        tokens = np.array([architecture.tokens for architecture in belief.rows], dtype=np.int64)
        arrays |= {f"{at}/tokens": tokens, f"{at}/targets": belief.targets, f"{at}/parameters": belief.parameters}
    space = beliefs[0].space
    metadata = {
        "kind": _KIND,
        "version": _VERSION,
        "naopt": __version__,
        "space": space.name,
        "positions": json.dumps(positions_document(space)),
        "blocks": json.dumps(list(beliefs[0].embedding.blocks)),
        "beliefs": json.dumps([{"name": b.name, "metric": b.metric, "task": b.task} for b in beliefs]),
    }
    metadata["checksum"] = _checksum(arrays, metadata)
    with whole_file(path) as draft, utf8_path(draft) as writable:
        save_file(arrays, writable, metadata)


def read_beliefs(path: str | Path, space: SearchSpace) -> list[Belief]:
    """Inverse of ``save_beliefs``.

    Args:
        path: of the file.
        space: that they have to be of.

    Raises:
        InputError: no file of beliefs, one that is damaged, of another version, or of another space.
    """
    arrays, metadata = _read(path)
    if metadata.get("kind") != _KIND:
        raise InputError("history", str(path), "holds no beliefs; they are made by: naopt prior save")
    again = "make it anew: naopt prior save"
    if metadata.get("version") != _VERSION:
        raise InputError("history", str(path), f"is of version {metadata.get('version')}, not {_VERSION}; {again}")
    if metadata.get("checksum") != _checksum(arrays, metadata):
        raise InputError("history", str(path), "is damaged: its checksum is another")
    if json.loads(metadata["positions"]) != json.loads(json.dumps(positions_document(space))):
        raise InputError("history", str(path), f"is of space {metadata['space']}, not {space.name}")
    was, now = json.loads(metadata["blocks"]), list(embedding_of(space, EmbeddingSettings()).blocks)
    if was != now:
        rule = f"is of an embedding with {', '.join(was)}, which now has {', '.join(now)}; {again}"
        raise InputError("history", str(path), rule)
    found = []
    for at, about in enumerate(json.loads(metadata["beliefs"])):
        tokens, targets, parameters = (arrays[f"{at}/{part}"] for part in _PARTS)
        rows = [space.architecture(row) for row in tokens.tolist()]
        values, known = np.asarray(targets, dtype=np.float64), np.asarray(parameters, dtype=np.float64)
        found.append(Belief(about["name"], space, rows, values, known, metric=about["metric"], task=about["task"]))
    return found


def _read(path: str | Path) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    try:
        with utf8_path(Path(path)) as readable, safe_open(readable, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError("history", str(path), f"cannot be read: {error}") from error


def _checksum(arrays: Arrays, metadata: Mapping[str, str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    for name, text in sorted(metadata.items()):
        if name != "checksum":
            digest.update(f"{name}={text}\n".encode())
    return digest.hexdigest()
