"""A training's state in one file, which is always whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from naopt.errors import InputError
from naopt.files import utf8_path, whole_file
from naopt.training.state import TrainingState

_KEY = "naopt-training"
_VERSION = 1


def save_checkpoint(path: Path, state: TrainingState, about: Mapping[str, Any]) -> None:
    """Writes a state; a process that is killed meanwhile leaves the file that was there before.

    Args:
        path: of the file.
        state: what to save.
        about: what was trained and how, in JSON values; ``load_checkpoint`` compares it.
    """
    # Copies: tied weights share memory, which the format refuses.
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.tensors.items()}
    content = {"version": _VERSION, "about": about, "facts": state.facts}
    facts = json.dumps({**content, "check": _check(content, tensors)}, allow_nan=False)
    write_tensors(path, tensors, {_KEY: facts})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file whole or not at all, also through a loss of power. Raises ``NotWrittenError``."""
    with whole_file(path) as part:
        save_file(dict(tensors), part, dict(metadata or {}))


def load_checkpoint(path: Path, about: Mapping[str, Any] | None = None) -> TrainingState:
    """Reads a state.

    Args:
        path: of the file.
        about: what the caller trains; each of its keys has to be as it was saved.

    Raises:
        InputError: not a checkpoint, a damaged one, or one of another training: says what differs.
    """
    try:
        with utf8_path(path) as readable, safe_open(readable, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise InputError("checkpoint", str(path), f"cannot be read: {error}") from error
    if text is None:
        raise InputError("checkpoint", str(path), "holds no training of naopt")
    try:
        content = json.loads(text)
        version, check = content["version"], content.pop("check", None)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError("checkpoint", str(path), "is damaged: its facts cannot be read") from error
    if version != _VERSION:
        raise InputError("checkpoint", str(path), f"has version {version}; this naopt reads {_VERSION}")
    if check is not None and check != _check(content, tensors):  # those of earlier versions have none
        raise InputError("checkpoint", str(path), "is damaged: it is not what was saved")
    was = content["about"]
    for key, value in json.loads(json.dumps(about or {})).items():
        if was.get(key) != value:
            raise InputError(
                "checkpoint", str(path), f"is of another {key}: {_short(was.get(key))}, not {_short(value)}"
            )
    return TrainingState(tensors, content["facts"])


def _check(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """A digest of everything in a file."""
    found = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
