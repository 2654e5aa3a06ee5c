"""Networks as PyTorch files: written, and read back by a process that knows nothing of naopt."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import singledispatch
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from naopt.errors import InputError, NaoptError
from naopt.export.convolutional import write_convolutional
from naopt.export.deployment import Deployment
from naopt.export.facts import NetworkFacts
from naopt.export.insta import write_insta
from naopt.export.language import write_baseline
from naopt.export.nasbench201 import write_nasbench201
from naopt.export.recurrent import write_recurrent
from naopt.export.source import NetworkSource, write_file
from naopt.spaces import (
    ConvCellSpace,
    EnumeratedSpace,
    InstaSpace,
    NASBench201Space,
    RecurrentBaselineSpace,
    RecurrentCellSpace,
    SearchSpace,
)

_STRANGER = """
import importlib.util, pathlib, sys
sys.modules["naopt"] = sys.modules["safetensors"] = None
spec = importlib.util.spec_from_file_location("exported", sys.argv[1])
exported = importlib.util.module_from_spec(spec)
sys.modules["exported"] = exported
spec.loader.exec_module(exported)
import torch
network, data = exported.load(), exported.read_safetensors(pathlib.Path(sys.argv[2]))
with torch.inference_mode():
    logits = CALL
sys.stdout.buffer.write(bytes(logits.contiguous().view(torch.uint8).flatten().tolist()))
"""
"""Runs a PyTorch file in a process in which naopt and safetensors cannot be imported."""


@singledispatch
def write_source(space: SearchSpace, facts: NetworkFacts) -> NetworkSource:  # noqa: ARG001
    """The classes of a network of that space, as text.

    Further spaces join with ``write_source.register(MySpace)(write)``.

    Raises:
        InputError: there is no writer for this space.
    """
    raise InputError("space", space.name, "its networks have no PyTorch source; export to onnx or torch-export")


write_source.register(ConvCellSpace)(write_convolutional)
write_source.register(InstaSpace)(write_insta)
write_source.register(NASBench201Space)(write_nasbench201)
write_source.register(RecurrentCellSpace)(write_recurrent)
write_source.register(RecurrentBaselineSpace)(write_baseline)


@write_source.register(EnumeratedSpace)
def _(space: EnumeratedSpace, facts: NetworkFacts) -> NetworkSource:
    return write_source(space.whole, facts)


def weights_path(path: Path) -> Path:
    """Where the weights of a PyTorch file are."""
    return path.with_suffix(".safetensors")


def write_pytorch(deployment: Deployment, facts: NetworkFacts, path: Path) -> None:
    """Writes a Python file, and its weights beside it."""
    source = write_source(facts.space, facts)
    weights = {name: tensor.float().contiguous() for name, tensor in source.convert(deployment.network).items()}
    weights_path(path).write_bytes(save(weights, metadata=dict(source.header)))
    path.write_text(write_file(source, facts, weights_path(path).name), encoding="utf-8", errors="replace")


def run_pytorch(deployment: Deployment, path: Path) -> Tensor:
    """Logits that a PyTorch file gives for a deployment's data, computed in a fresh, isolated process.

    Raises:
        NaoptError: the file does not run, or does not fit its weights.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        data = Path(folder) / "data.safetensors"
        data.write_bytes(save({name: tensor.contiguous() for name, tensor in deployment.data.items()}))
        program = _STRANGER.replace("CALL", deployment.call)
        command = [sys.executable, "-I", "-B", "-c", program, str(path.resolve()), str(data)]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"ended with code {done.returncode}"
        raise NaoptError(f"export: the written file does not run: {reason}")
    logits = torch.frombuffer(bytearray(done.stdout), dtype=torch.float32)
    same_size = logits.numel() == deployment.expected.numel()
    return logits.view_as(deployment.expected) if same_size else logits
