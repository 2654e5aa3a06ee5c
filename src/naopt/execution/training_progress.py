"""What one sees of a training while it runs: a bar, a learning curve, TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from naopt.errors import InputError
from naopt.execution.time_left import TimeLeft, TimeLeftColumn
from naopt.files import writing

if TYPE_CHECKING:
    from naopt.training.trainer import Trainer


class TrainingProgress:
    """Epochs done, steps, the last figures and the time left, on standard error where that is a terminal."""

    def __init__(self, trainer: Trainer, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("epoch"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeLeftColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._left = TimeLeft(trainer.epochs, trainer.epoch)
        self._task = self._progress.add_task(
            "train", total=trainer.epochs, completed=trainer.epoch, figures="", left=self._left
        )

    def stepped(self, trainer: Trainer) -> None:
        """Shows how far the training is."""
        self._left.reached(trainer.epoch)
        last = trainer.history[-1] if trainer.history else {}
        known = ", ".join(f"{name} {value:.4g}" for name, value in last.items() if name != "seconds")
        self._progress.update(self._task, completed=trainer.epoch, figures=f"step {trainer.step} {known}")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def learning_curve(history: Sequence[Mapping[str, float]]) -> str:
    """The figures of each epoch as CSV, one line an epoch."""
    names = list(dict.fromkeys(name for figures in history for name in figures))
    rows = [[str(epoch), *(f"{figures[name]:.8g}" if name in figures else "" for name in names)]
            for epoch, figures in enumerate(history, 1)]  # fmt: skip
    return "\n".join(",".join(row) for row in [["epoch", *names], *rows]) + "\n"


def read_curve(path: Path) -> list[dict[str, float]]:
    """The figures of each epoch; inverse of ``learning_curve``. Raises ``InputError`` for a damaged file."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [{name: float(text) for name, text in row.items() if text and name != "epoch"} for row in rows]
    except (OSError, ValueError, TypeError) as error:
        raise InputError("learning curve", str(path), f"cannot be read: {error}") from error


@contextmanager
def tensorboard_writer(directory: Path) -> Iterator[Callable[[Mapping[str, float], int], None]]:
    """Writes an epoch's figures for TensorBoard. Raises ``InputError`` if its package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("option", "--tensorboard", "needs the package; pip install 'naopt[tensorboard]'") from error
    writer = SummaryWriter(str(directory))

    def write(figures: Mapping[str, float], epoch: int) -> None:
        with writing(directory):
            for name, value in figures.items():
                writer.add_scalar(name, value, epoch)
            writer.flush()

    try:
        yield write
    finally:
        with writing(directory):
            writer.close()
