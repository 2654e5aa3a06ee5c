"""The phase that trains one architecture in full and tests it once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt._version import __version__
from naopt.errors import InputError, NaoptError
from naopt.evaluators.endings import failure_status
from naopt.evaluators.final import FinalResult, Watch, train_final
from naopt.evaluators.workloads import Workload
from naopt.execution.interrupt import Stop, stop_after_step
from naopt.execution.phase import Phase
from naopt.execution.training_progress import TrainingProgress, learning_curve, read_curve
from naopt.files import make_folder, write_text
from naopt.final.names import CHECKPOINT, CURVE, RESULT, TRAINING, TRAINING_LOCK, VOCABULARY, WEIGHTS
from naopt.final.request import TrainingRequest, read_request
from naopt.locking import locked
from naopt.values import plain

if TYPE_CHECKING:
    from naopt.training.distributed import World
    from naopt.training.trainer import Trainer


class FinalTraining(Phase):
    """Carries a training out, or on from its checkpoint, and writes weights and result.

    Args:
        directory: of the training; may hold other things, a search for example.
        request: what to train; by default what the directory says.

    Attributes:
        checkpoint_seconds: how often at most the state is saved; at the end and when a signal stops it, too.
        tensorboard: write curves for TensorBoard as well.
        result: what was found, once it is carried out.
    """

    def __init__(self, directory: Path, request: TrainingRequest | None = None) -> None:
        self.directory = directory
        self.checkpoint_seconds, self.tensorboard = 30.0, False
        self.result: FinalResult | None = None
        self._epoch: int | None = None
        if request is not None:
            self.request = request

    @cached_property
    def request(self) -> TrainingRequest:
        """What is trained. Raises ``InputError`` if that cannot be read."""
        return read_request(self.directory)

    @cached_property
    def document(self) -> dict[str, Any]:
        """``final.json``; empty if the training is not complete. Raises ``InputError`` if it is damaged."""
        path = self.directory / RESULT
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            if not isinstance(found, dict):
                raise TypeError("no object")
            return found
        except (OSError, ValueError, TypeError) as error:
            raise InputError("file", str(path), f"is damaged: {type(error).__name__} {error}") from error

    @property
    def curve(self) -> list[dict[str, float]]:
        """The figures of each epoch that is complete. Raises ``InputError`` if the file is damaged."""
        path = self.directory / CURVE
        return read_curve(path) if path.is_file() else []

    @property
    def resumable(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.directory / CHECKPOINT).is_file()

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        return (self.directory / RESULT).is_file()

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        epochs = len(self.curve) if self._epoch is None else self._epoch
        return f"after {epochs} of {self.request.settings['epochs']} epochs"

    def refuse_other(self, known: FinalTraining) -> None:
        """Raises ``InputError`` if the directory holds another training that is not complete."""
        was, now = plain(known.request.identity()), plain(self.request.identity())
        for key in was:
            if was[key] != now[key]:
                rule = f"holds a training of another {key}, not complete; go on with: naopt resume {self.directory}"
                raise InputError("run", str(self.directory), rule)

    def carry_out(self) -> None:
        """See ``Phase``.

        Raises:
            InputError: data that cannot be used, or that are not as they were.
            NaoptError: memory ran out, or the loss is no longer finite.
        """
        (space, architecture), work = self.request.subject(), self.request.work()
        with ExitStack() as stack:
            watch = stack.enter_context(_Session(self, work))
            watch.stop = stack.enter_context(stop_after_step())
            try:
                result = train_final(
                    space,
                    architecture,
                    work,
                    device=self.request.device,
                    threads=self.request.threads,
                    seed=self.request.seed,
                    watch=watch,
                )
            except KeyboardInterrupt:
                self._epoch = watch.epoch
                raise
            except Exception as error:
                if failure_status(error) == "failed":
                    raise
                raise NaoptError(f"training ended as {failure_status(error)}: {error}") from error
            document = {"run": str(self.directory), **asdict(self.request), **facts_of(result)}
            document["weights"] = str(self.directory / WEIGHTS)
            if watch.writes:
                _write(self.directory, result, document)
        self.result = result
        self.__dict__["document"] = document


def facts_of(result: FinalResult) -> dict[str, Any]:
    """What ``final.json`` says of a result, beside the request; the words are in ``vocabulary.txt``, one a line."""
    return {
        **result.metrics,
        "parameters": result.parameters,
        "seconds": result.seconds,
        **result.chosen,
        **{name: len(value) if name == "words" else value for name, value in result.facts.items()},
        "remarks": list(result.remarks),
    }


class _Session(Watch):
    """Files, progress and checkpoints of one training; a context manager that holds the directory's lock."""

    def __init__(self, phase: FinalTraining, work: Workload) -> None:
        self._directory, self._request = phase.directory, phase.request
        self._every, self._tensorboard = phase.checkpoint_seconds, phase.tensorboard
        self._trainer: Trainer | None = None
        self._about: dict[str, Any] = {}
        self._stack = ExitStack()
        self._saved = time.monotonic()
        self._work = work
        self._writer: Callable[[Mapping[str, float], int], None] | None = None
        self._bar: TrainingProgress | None = None
        self.writes = True
        self.stop = Stop()

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def epoch(self) -> int:
        """Epochs that are complete."""
        return 0 if self._trainer is None else self._trainer.epoch

    def started(self, trainer: Trainer, facts: Mapping[str, Any], world: World) -> None:
        """Opens the directory, and restores the state that it holds."""
        from naopt.training.checkpoint import load_checkpoint

        self._trainer, self.writes, self.stop.waits = trainer, world.first, True
        self._about = {**plain(self._request.identity()), **self._work.identity(facts)}
        checkpoint = self._directory / CHECKPOINT
        if self.writes:
            self._open()
        if checkpoint.is_file():
            trainer.restore(load_checkpoint(checkpoint, self._about))
        if self.writes:
            self._bar = self._stack.enter_context(TrainingProgress(trainer))

    def _open(self) -> None:
        try:
            make_folder(self._directory)
            self._stack.enter_context(locked(self._directory / TRAINING_LOCK, "trained"))
            self._stack.callback((self._directory / TRAINING_LOCK).unlink, missing_ok=True)
            if not (self._directory / TRAINING).is_file():
                about = {"naopt": __version__, **asdict(self._request)}
                write_text(self._directory / TRAINING, json.dumps(about, indent=1) + "\n")
        except OSError as error:
            raise InputError("run", str(self._directory), error.strerror or "cannot be made") from error
        if self._tensorboard:
            from naopt.execution.training_progress import tensorboard_writer

            self._writer = self._stack.enter_context(tensorboard_writer(self._directory / "tensorboard"))

    def stepped(self, trainer: Trainer) -> None:
        """Saves the state if the last time is long ago."""
        if self._bar is not None:
            self._bar.stepped(trainer)
        stopping = self.stop()
        if stopping or time.monotonic() - self._saved >= self._every:
            self.save()
        if stopping:
            raise KeyboardInterrupt

    def epoch_done(self, trainer: Trainer, figures: Mapping[str, float]) -> None:
        """Writes the learning curve, and saves the state at the end."""
        if not self.writes:
            return
        write_text(self._directory / CURVE, learning_curve(trainer.history))
        if self._writer is not None:
            self._writer(figures, trainer.epoch)
        if trainer.epoch == trainer.epochs:
            self.save()

    def save(self) -> None:
        """Saves the state as it is after the last complete step."""
        from naopt.training.checkpoint import save_checkpoint

        if self._trainer is not None and self.writes:
            save_checkpoint(self._directory / CHECKPOINT, self._trainer.state(), self._about)
            self._saved = time.monotonic()


def _write(directory: Path, result: FinalResult, document: Mapping[str, Any]) -> None:
    """Weights first: a directory with a result is complete, and needs its checkpoint no more."""
    from naopt.training.checkpoint import write_tensors

    if "words" in result.facts:
        write_text(directory / VOCABULARY, "".join(f"{word}\n" for word in result.facts["words"]))
    write_tensors(directory / WEIGHTS, result.state_dict)
    write_text(directory / RESULT, json.dumps(plain(document), indent=1) + "\n")
    (directory / CHECKPOINT).unlink(missing_ok=True)
