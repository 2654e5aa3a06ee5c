"""A final training in one directory, which survives being killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt._version import __version__
from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.final import FinalResult, Watch, final_workload, train_final
from naopt.evaluators.workloads import Workload
from naopt.execution.interrupt import stop_after_step
from naopt.locking import locked
from naopt.run.files import write_text
from naopt.run.training_progress import TrainingProgress, learning_curve
from naopt.spaces import Architecture, SearchSpace, create_space
from naopt.values import plain

if TYPE_CHECKING:
    from naopt.training.distributed import World
    from naopt.training.trainer import Trainer

TRAINING, CHECKPOINT, CURVE, LOCK = "training.json", "checkpoint.safetensors", "curve.csv", "training.lock"
WEIGHTS, RESULT, VOCABULARY = "final.safetensors", "final.json", "vocabulary.txt"


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a training directory is about; ``training.json``.

    Attributes:
        space: name of the architecture's space, options included.
        architecture: its text form.
        task: what it is trained on.
        settings: complete settings.
        preset: what they were made from; empty for the task's own.
        seed: of initialisation, order and augmentation.
        device: where to train.
        threads: CPU threads.
    """

    space: str
    architecture: str
    task: str
    settings: Mapping[str, Any]
    preset: str = ""
    seed: int = 0
    device: str = "cpu"
    threads: int = 1

    def identity(self) -> dict[str, Any]:
        """What decides the outcome; where it is trained does not belong to it."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("device", "preset")
        }

    def parts(self) -> tuple[SearchSpace, Architecture, Workload]:
        """Space, architecture and workload. Raises ``InputError`` for what does not exist (any more)."""
        space = create_space(self.space)
        return space, space.parse(self.architecture), final_workload(self.task, "recipe", self.settings)


def training_request(
    space: SearchSpace,
    architecture: Architecture,
    task: str,
    *,
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 1,
) -> TrainingRequest:
    """A request with complete settings and an absolute path to the data.

    Raises:
        InputError: an unknown task, preset or setting, or a space without networks for the task.
    """
    name, colon, source = task.partition(":")
    task = f"{name}:{Path(source).resolve()}" if colon and source else task
    work = final_workload(task, preset, overrides)
    work.check_space(space)
    settings = work.settings.model_dump(mode="json")
    text = space.format(architecture)
    return TrainingRequest(space.name, text, task, settings, preset or "", seed, device, threads)


def train(
    directory: str | Path,
    request: TrainingRequest,
    *,
    checkpoint_seconds: float = 30.0,
    tensorboard: bool = False,
) -> tuple[FinalResult, dict[str, Any]]:
    """Carries a training out, or on from its checkpoint, and writes weights and result.

    Args:
        directory: of the training; may hold other things, a search for example.
        request: what to train. If the directory holds a training already, it has to be the same one.
        checkpoint_seconds: how often at most the state is saved; at the end and when a signal stops it, too.
        tensorboard: write curves for TensorBoard as well.

    Returns:
        The result, and the document that was written to ``final.json``.

    Raises:
        InputError: data that cannot be used, or a directory that holds another training or a complete one.
        RunStoppedError: a signal stopped it; calling it again goes on.
        naopt.training.trainer.DivergedError: the loss is no longer finite.
    """
    directory = Path(directory)
    known = read_request(directory)
    # Weights beside a request, without a result: killed between writing the two, and its checkpoint is still there.
    if (directory / RESULT).exists() or (known is None and (directory / WEIGHTS).exists()):
        raise InputError("run", str(directory), f"already holds {WEIGHTS}; name another directory with --run")
    space, architecture, work = request.parts()
    if known is not None:
        _refuse_other(directory, known, request)
    with ExitStack() as stack:
        watch = stack.enter_context(_Session(directory, request, work, checkpoint_seconds, tensorboard=tensorboard))
        watch.stop = stack.enter_context(stop_after_step())
        try:
            result = train_final(
                space,
                architecture,
                work,
                device=request.device,
                threads=request.threads,
                seed=request.seed,
                watch=watch,
            )
        except KeyboardInterrupt:
            raise RunStoppedError(
                f"stopped after {watch.epoch} of {watch.epochs} epochs; go on with: naopt resume {directory}"
            ) from None
        document = {"run": str(directory), **asdict(request), **facts_of(result)}
        document["weights"] = str(directory / WEIGHTS)
        if watch.writes:
            _write(directory, result, document)
    return result, document


def resume_training(directory: str | Path, *, checkpoint_seconds: float = 30.0) -> tuple[FinalResult, dict[str, Any]]:
    """Goes on with the training in a directory. Raises as ``train``, and ``InputError`` if there is none."""
    request = read_request(Path(directory))
    if request is None:
        raise InputError("run", str(directory), f"has no {TRAINING}")
    return train(directory, request, checkpoint_seconds=checkpoint_seconds)


def read_request(directory: Path) -> TrainingRequest | None:
    """What a directory's training is about; ``None`` if it has none. Raises ``InputError`` if that is damaged."""
    path = directory / TRAINING
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return TrainingRequest(**{field.name: values[field.name] for field in fields(TrainingRequest)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("training", str(path), f"cannot be read: {error}") from error


def facts_of(result: FinalResult) -> dict[str, Any]:
    """What ``final.json`` says of a result, beside the request; the words are in ``vocabulary.txt``, one a line."""
    return {
        **result.metrics,
        "parameters": result.parameters,
        "seconds": result.seconds,
        **result.chosen,
        **{name: len(value) if name == "words" else value for name, value in result.facts.items()},
    }


def _refuse_other(directory: Path, known: TrainingRequest, request: TrainingRequest) -> None:
    was, now = plain(known.identity()), plain(request.identity())
    for key in was:
        if was[key] != now[key]:
            rule = f"holds a training of another {key}, not complete; go on with: naopt resume {directory}"
            raise InputError("run", str(directory), rule)


class _Session(Watch):
    """Files, progress and checkpoints of one training; a context manager that holds the directory's lock."""

    def __init__(
        self, directory: Path, request: TrainingRequest, work: Workload, every: float, *, tensorboard: bool
    ) -> None:
        self._directory, self._request, self._every, self._tensorboard = directory, request, every, tensorboard
        self._trainer: Trainer | None = None
        self._about: dict[str, Any] = {}
        self._stack = ExitStack()
        self._saved = time.monotonic()
        self._work = work
        self._writer: Callable[[Mapping[str, float], int], None] | None = None
        self._bar: TrainingProgress | None = None
        self.writes = True
        self.stop: Callable[[], bool] = bool

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def epoch(self) -> int:
        """Epochs that are complete."""
        return 0 if self._trainer is None else self._trainer.epoch

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return int(self._request.settings["epochs"])

    def started(self, trainer: Trainer, facts: Mapping[str, Any], world: World) -> None:
        """Opens the directory, and restores the state that it holds."""
        from naopt.training.checkpoint import load_checkpoint

        self._trainer, self.writes = trainer, world.first
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
            self._directory.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(locked(self._directory / LOCK, "trained"))
            self._stack.callback((self._directory / LOCK).unlink, missing_ok=True)
            if not (self._directory / TRAINING).is_file():
                about = {"naopt": __version__, **asdict(self._request)}
                write_text(self._directory / TRAINING, json.dumps(about, indent=1) + "\n")
        except OSError as error:
            raise InputError("run", str(self._directory), error.strerror or "cannot be made") from error
        if self._tensorboard:
            from naopt.run.training_progress import tensorboard_writer

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
