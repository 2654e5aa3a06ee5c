"""Networks as graphs: torch.export and ONNX, written and read back."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.export.deployment import Compute, Deployment

METADATA_FILE = "naopt.json"
"""Name of the metadata inside a torch.export archive."""

_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_BATCH = "batch"
_ORIGINS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""Where a traced node comes from: paths of the machine, which nobody else needs."""


def check_onnx() -> None:
    """Raises ``InputError`` if a package that ONNX needs is missing."""
    missing = [name for name in _ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError("--to", "onnx", f"needs {', '.join(missing)}; install with: pip install 'naopt[onnx]'")


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, warnings and log lines are not shown: the exporters' are about themselves."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def trace(module: nn.Module, examples: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    """A module as a graph for batches of any size, without traces of this machine.

    Args:
        module: in evaluation mode; from tensors to a tensor, or a tuple of tensors.
        examples: ``(n, ...)`` with ``n >= 2``; a batch of one would be taken for a fixed size.
    """
    shapes = tuple({0: torch.export.Dim(_BATCH)} for _ in examples)
    with quiet(), torch.no_grad():
        program = torch.export.export(module, examples, dynamic_shapes=shapes)
    for node in program.graph.nodes:
        for key in _ORIGINS:
            node.meta.pop(key, None)
    return program


def write_torch_export(deployment: Deployment, metadata: Mapping[str, str], path: Path) -> None:
    """Writes a ``.pt2`` archive; the metadata is in it as ``METADATA_FILE``."""
    text = json.dumps(dict(metadata), ensure_ascii=False, indent=1)
    program = trace(deployment.module, deployment.examples)
    archive = io.BytesIO()  # PyTorch ends the process where it cannot write a file
    with quiet():
        torch.export.save(program, archive, extra_files={METADATA_FILE: text})
    path.write_bytes(archive.getbuffer())


def read_torch_export(path: Path) -> Compute:
    """What a ``.pt2`` archive computes."""
    with quiet(), path.open("rb") as file:
        module = torch.export.load(file).module()

    def compute(*inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            found = module(*inputs)
        return (found,) if isinstance(found, Tensor) else tuple(found)

    return compute


def write_onnx(deployment: Deployment, metadata: Mapping[str, str], path: Path) -> None:
    """Writes an ONNX model with the deployment's names of inputs and outputs, metadata in its ``metadata_props``."""
    program = trace(deployment.module, deployment.examples)
    with quiet():
        import onnx

        exported = torch.onnx.export(
            program,
            (),
            dynamo=True,
            verbose=False,
            input_names=deployment.input_names,
            output_names=deployment.output_names,
        )
        assert exported is not None
        model = exported.model_proto
        graph = model.graph
        symbols = {value.type.tensor_type.shape.dim[0].dim_param for value in graph.input}
        for value in (*graph.input, *graph.output, *graph.value_info):
            for size in value.type.tensor_type.shape.dim:
                if size.dim_param in symbols:
                    size.dim_param = _BATCH
        for part in (graph, *graph.node):
            del part.metadata_props[:]
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())


def read_onnx(path: Path) -> Compute:
    """What an ONNX model computes in onnxruntime, on the CPU."""
    with quiet():
        import onnxruntime

        session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def compute(*inputs: Tensor) -> tuple[Tensor, ...]:
        arrays = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        return tuple(torch.from_numpy(array) for array in session.run(None, arrays))

    return compute
