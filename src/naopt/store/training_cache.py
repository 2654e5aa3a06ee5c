"""Trainings that ended, in a folder: what was trained once is not trained again.

``about.json`` says what all trainings of the folder have in common, ``trainings.jsonl`` has a line for each. A line is
written when its training ends, so that a process may be killed at any moment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.files import append_line, make_folder, write_text
from naopt.locking import locked
from naopt.measurement import Measurement
from naopt.values import plain

ABOUT, LINES, LOCK = "about.json", "trainings.jsonl", ".lock"

Key = tuple[str, int]
"""Text of an architecture, and the seed of its training."""


class TrainingCache:
    """The trainings in a folder. Failed ones are among them: they would fail again.

    Args:
        folder: is made if it is not there.
        about: everything but architecture and seed that a training depends on, in JSON values.

    Raises:
        InputError: the folder cannot be used, or its trainings depend on something else.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._folder, self._found = folder, dict[Key, Measurement]()
        wanted = json.loads(json.dumps(plain(about)))
        try:
            make_folder(folder)
            if not (folder / ABOUT).exists():
                write_text(folder / ABOUT, json.dumps(wanted, indent=1) + "\n")
            known = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            different = [key for key in {**wanted, **known} if wanted.get(key) != known.get(key)]
        except OSError as error:
            raise InputError("folder of trainings", str(folder), error.strerror or "cannot be used") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError("folder of trainings", str(folder), f"{ABOUT} cannot be read: {error}") from error
        if different:
            rule = f"its trainings are of another {different[0]}; choose another folder"
            raise InputError("folder of trainings", str(folder), rule)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keeps other processes out, and reads what is there.

        Raises:
            InputError: another process is in it, or a line is no training.
        """
        with locked(self._folder / LOCK, "written"):
            self._found = dict(self._read())
            yield

    def get(self, key: Key) -> Measurement | None:
        """What a training found; ``None`` if it has not ended yet."""
        return self._found.get(key)

    def add(self, key: Key, measurement: Measurement) -> None:
        """Stores what a training found, while the folder is open. Raises ``NotWrittenError``."""
        line = {"architecture": key[0], "seed": key[1], **asdict(measurement)}
        append_line(self._folder / LINES, json.dumps(line, allow_nan=False))
        self._found[key] = measurement

    def _read(self) -> Iterator[tuple[Key, Measurement]]:
        path = self._folder / LINES
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            # What follows the last line break was being written when the process was killed.
            os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                values = json.loads(line)
                key = values.pop("architecture"), values.pop("seed")
                yield key, Measurement(**values)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError("folder of trainings", f"{path}, line {number}", "is not a training") from error
