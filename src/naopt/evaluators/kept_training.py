"""Trainings that were stopped early, in a folder, so that going on costs the rest alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError

if TYPE_CHECKING:
    from naopt.training.trainer import Trainer


@dataclass(frozen=True)
class KeptTraining:
    """The checkpoint of one training. It saves time and decides nothing.

    A training that goes on has the bits of one that was not stopped, so whatever is not there, or not what it should
    be, is trained again from the beginning.

    Attributes:
        folder: of all such files; is made if it is not there.
        about: everything that the training depends on, in JSON values.
    """

    folder: Path
    about: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Of the file."""
        text = json.dumps(self.about, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"

    def go_on(self, trainer: Trainer, until: int) -> None:
        """Brings a fresh trainer to where its training was stopped, if that was not after ``until`` epochs."""
        from naopt.training.checkpoint import load_checkpoint

        if not self.path.is_file():
            return
        with suppress(InputError):
            state = load_checkpoint(self.path, self.about)
            if int(state.facts["epoch"]) <= until:
                trainer.restore(state)

    def run(self, trainer: Trainer, until: int) -> None:
        """Trains until so many epochs are complete, from where the training was stopped, and keeps what it reached."""
        self.go_on(trainer, until)
        trainer.run(until=until)
        self.keep(trainer)

    def keep(self, trainer: Trainer) -> None:
        """Writes where a training stands, if there is room; nothing is left of one that is complete."""
        from naopt.files import make_folder
        from naopt.training.checkpoint import save_checkpoint

        with suppress(OSError):
            if trainer.epoch >= trainer.epochs:
                self.path.unlink(missing_ok=True)
                return
            make_folder(self.folder)
            save_checkpoint(self.path, trainer.state(), self.about)
