"""The beginning of a final training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.final import FinalResult
from naopt.files import at_home
from naopt.final import FinalTraining
from naopt.final.names import CHECKPOINT, CURVE, RESULT, TRAINING, VOCABULARY, WEIGHTS
from naopt.final.request import TrainingRequest
from naopt.run.run import TrainingRun


def new_training(
    directory: str | Path, request: TrainingRequest, *, checkpoint_seconds: float = 30.0, tensorboard: bool = False
) -> TrainingRun:
    """A final training in a directory, which may hold a search, or the same training, not complete.

    Args:
        directory: of the training.
        request: what to train.
        checkpoint_seconds: how often at most the state is saved; at the end and when a signal stops it, too.
        tensorboard: write curves for TensorBoard as well.

    Raises:
        InputError: the directory holds another training, or a complete one.
    """
    directory = Path(at_home(directory))
    phase = FinalTraining(directory, request)
    phase.checkpoint_seconds, phase.tensorboard = checkpoint_seconds, tensorboard
    known = FinalTraining(directory) if (directory / TRAINING).is_file() else None
    # Weights beside a request, without a result: killed between writing the two, and its checkpoint is still there.
    written = (RESULT,) if known is not None else (RESULT, WEIGHTS, CHECKPOINT, CURVE, VOCABULARY)
    if taken := [name for name in written if (directory / name).exists()]:
        held = WEIGHTS if taken[0] == RESULT else taken[0]
        raise InputError("run", str(directory), f"already holds {held}; name another directory with --run")
    if known is not None:
        phase.refuse_other(known)
    return TrainingRun(directory, phase)


def train(
    directory: str | Path, request: TrainingRequest, *, checkpoint_seconds: float = 30.0, tensorboard: bool = False
) -> tuple[FinalResult, dict[str, Any]]:
    """Carries a training out, or on from its checkpoint, and writes weights and result. Arguments as ``new_training``.

    Returns:
        The result, and the document that was written to ``final.json``.

    Raises:
        InputError: data that cannot be used, or a directory that holds another training or a complete one.
        RunStoppedError: a signal stopped it; calling it again goes on.
        NaoptError: memory ran out, or the loss is no longer finite.
    """
    run = new_training(directory, request, checkpoint_seconds=checkpoint_seconds, tensorboard=tensorboard)
    run.carry_out()
    assert run.training.result is not None
    return run.training.result, run.training.document
