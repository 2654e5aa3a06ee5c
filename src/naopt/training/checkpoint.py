"""A training's state in one file, which is always whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    facts = json.dumps({"version": _VERSION, "about": about, "facts": state.facts}, allow_nan=False)
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
    content = json.loads(text)
    if content["version"] != _VERSION:
        raise InputError("checkpoint", str(path), f"has version {content['version']}; this naopt reads {_VERSION}")
    was = content["about"]
    for key, value in json.loads(json.dumps(about or {})).items():
        if was.get(key) != value:
            raise InputError(
                "checkpoint", str(path), f"is of another {key}: {_short(was.get(key))}, not {_short(value)}"
            )
    return TrainingState(tensors, content["facts"])


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
