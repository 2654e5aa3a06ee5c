"""Exports a network and checks what was written against it."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from naopt.errors import InputError, NaoptError, UnknownNameError
from naopt.export.deployment import Deployment, deploy_classifier, deploy_language_model
from naopt.export.facts import KINDS, ImageFacts, InstanceFacts, Kind, LanguageFacts, NetworkFacts
from naopt.export.graphs import check_onnx, read_onnx, read_torch_export, write_onnx, write_torch_export
from naopt.export.pytorch import run_pytorch, weights_path, write_pytorch
from naopt.files import move_into_place
from naopt.networks.base import ChildNetwork
from naopt.networks.language_model import LanguageModel

TOLERANCE = 1e-4
"""Largest difference of a logit, by default."""

SUFFIXES: dict[Kind, str] = {"pytorch": ".py", "onnx": ".onnx", "torch-export": ".pt2"}


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        path: the file.
        files: all files: with ``pytorch`` the weights too.
        max_difference: largest absolute difference of a logit between network and file.
        count: on how many images, or words.
    """

    path: Path
    files: tuple[Path, ...]
    max_difference: float
    count: int


def check_target(kind: str, out: Path, *, force: bool = False) -> Kind:
    """The kind, if a file of that kind can be written to ``out``.

    Raises:
        InputError: an unknown kind, another suffix than the kind's, a file that exists and is not to be replaced, a
            folder that does not exist, or packages that are missing.
    """
    if kind not in KINDS:
        raise UnknownNameError("--to", kind, KINDS)
    known = KINDS[KINDS.index(kind)]
    if out.suffix != SUFFIXES[known]:
        raise InputError("--out", str(out), f"must end in {SUFFIXES[known]} with --to {kind}")
    if not out.parent.is_dir():
        raise InputError("--out", str(out), f"folder {out.parent} does not exist")
    for path in _files(known, out):
        if path.is_dir():
            raise InputError("--out", str(path), "is a folder")
        if path.exists() and not force:
            raise InputError("--out", str(path), "exists; replace it with --force")
        if path.exists() and not out.exists():
            raise InputError("--out", str(path), f"exists, but is not of an exported {out.name}; choose another name")
    if known == "onnx":
        check_onnx()
    return known


def export(
    network: nn.Module,
    kind: str,
    out: str | Path,
    facts: NetworkFacts,
    data: Tensor,
    *,
    force: bool = False,
    tolerance: float = TOLERANCE,
) -> ExportResult:
    """Writes a network as a file of that kind, reads the file back and compares the two on data.

    Files appear under their names only when they have passed. Batches may have any size. Inputs of a classifier are
    float32 images with pixels as the task gives them: normalisation is part of what is written. A language model
    takes words ``(n, t)`` and the state, and gives logits and the next state; graphs take one word at a time.

    Args:
        network: what ``facts`` says it is, on the CPU, in evaluation mode; it is not changed.
        kind: ``pytorch`` (a Python file and its weights), ``onnx`` or ``torch-export``.
        out: the file, which ends in ``.py``, ``.onnx`` or ``.pt2``.
        facts: what it is.
        data: images ``(n, c, h, w)`` of any numeric type, pixels as the task gives them; or word indices ``(n, t)``.
        force: replace files that exist.
        tolerance: largest absolute difference of a logit.

    Raises:
        InputError: see ``check_target``; or data that the network cannot take; or no writer for this space.
        NaoptError: the difference is larger than the tolerance; nothing was written.
    """
    out = Path(out)
    known = check_target(kind, out, force=force)
    if known != "pytorch" and isinstance(facts, InstanceFacts):
        rule = (
            "has no branches for each image of a batch: a graph would compute everything for all; use --to pytorch, "
            "or train a child, the same for all images (naopt train DIR --pick index=N), and export that"
        )
        raise InputError("--to", kind, rule)
    deployment = _deploy(network, facts, data)
    files = _files(known, out)
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
            draft = Path(folder) / out.name
            difference = _write_and_compare(known, deployment, facts, draft)
            if difference > tolerance:
                rule = f"differs from the network by {difference:.3g}, more than {tolerance:g}"
                raise NaoptError(f"export: what was to be written to {out} {rule}")
            for path in reversed(files):
                move_into_place(draft.parent / path.name, path)
    except OSError as error:
        raise InputError("--out", str(out), error.strerror or "cannot be written") from error
    return ExportResult(out, files, difference, data.shape[0] if data.ndim == 4 else data.numel())


def _deploy(network: nn.Module, facts: NetworkFacts, data: Tensor) -> Deployment:
    if isinstance(facts, ImageFacts) and isinstance(network, ChildNetwork):
        return deploy_classifier(network, facts, data)
    if isinstance(facts, LanguageFacts) and isinstance(network, LanguageModel):
        return deploy_language_model(network, facts, data)
    raise InputError("facts", type(facts).__name__, f"are not those of a {type(network).__name__}")


def _write_and_compare(kind: Kind, deployment: Deployment, facts: NetworkFacts, path: Path) -> float:
    """Writes a file; the largest difference of a logit between it, as it is read back, and the network."""
    expected = deployment.expected
    if kind == "pytorch":
        write_pytorch(deployment, facts, path)
        return _difference(run_pytorch(deployment, path), expected)
    write, read = (write_onnx, read_onnx) if kind == "onnx" else (write_torch_export, read_torch_export)
    write(deployment, facts.metadata(), path)
    compute = read(path)
    # Batches of one too: a graph may have taken the size of its example for granted.
    counts = (len(expected), 1)
    return max(_difference(deployment.logits(compute, count), expected[:count]) for count in counts)


def _files(kind: Kind, out: Path) -> tuple[Path, ...]:
    return (out, weights_path(out)) if kind == "pytorch" else (out,)


def _difference(actual: Tensor, expected: Tensor) -> float:
    """Largest absolute difference; infinite for other shapes and numbers that are not finite."""
    if actual.shape != expected.shape:
        return math.inf
    difference = float((actual.double() - expected.double()).abs().max())
    return difference if math.isfinite(difference) else math.inf
