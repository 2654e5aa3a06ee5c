"""Finished trials on disk, so that a comparison or a study that was cut off goes on where it stopped.

A folder holds ``settings.json``, what the trials depend on, and ``trials.jsonl``, one line per finished trial.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from naopt._version import __version__
from naopt.bench.comparison import Comparison
from naopt.bench.quality import QualityStudy, QualityTrial
from naopt.bench.trials import SearchTrial
from naopt.errors import InputError
from naopt.files import append_line, make_folder, write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")


class TrialFolder(Generic[T]):
    """The trials in a folder.

    A folder may be used again with more trials or further competitors (searchers, models); everything else that a
    result depends on has to be as it was.

    Args:
        folder: is made if it is not there.
        trial_type: adapter of the dataclass that a line holds.
        fixed: what all trials depend on.
        competitors: their names, and what the trials of each depend on.

    Raises:
        InputError: the folder cannot be used, belongs to something else, or has a line that is no trial.
    """

    kind: ClassVar[str]
    """What the competitors are, in the plural."""
    whole: ClassVar[str]
    """What a settings file belongs to."""

    def __init__(
        self, folder: str | Path, trial_type: TypeAdapter[T], fixed: dict[str, Any], competitors: dict[str, Any]
    ) -> None:
        self._folder = Path(folder)
        self._lines = self._folder / "trials.jsonl"
        try:
            make_folder(self._folder)
            self._agree(fixed, competitors)
            self.trials = self._read(trial_type)
        except OSError as error:
            raise InputError("--out", str(folder), error.strerror or "cannot be used") from error

    def append(self, trial: T) -> None:
        """Adds a finished trial. Raises ``NotWrittenError``."""
        append_line(self._lines, json.dumps(asdict(trial), allow_nan=False))
        self.trials.append(trial)

    def _agree(self, fixed: dict[str, Any], competitors: dict[str, Any]) -> None:
        path = self._folder / "settings.json"
        known: dict[str, Any] = {}
        if path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                known = found.pop(self.kind)
                if "budget" in found:
                    found.setdefault("noise", "mean")  # before there was a choice
            except (json.JSONDecodeError, TypeError, AttributeError, KeyError) as error:
                raise InputError("--out", str(path), f"is not the settings file of a {self.whole}") from error
            for key, value in fixed.items():
                if found.get(key) != value:
                    rule = f"its trials were made with {key} {found.get(key)}, not {value}; choose another folder"
                    raise InputError("--out", str(self._folder), rule)
            for name in sorted(known.keys() & competitors.keys()):
                if known[name] != competitors[name]:
                    rule = f"its trials of {name} were made with other settings; choose another folder"
                    raise InputError("--out", str(self._folder), rule)
        write_text(path, json.dumps({**fixed, self.kind: known | competitors}, indent=1))

    def _read(self, trial_type: TypeAdapter[T]) -> list[T]:
        if not self._lines.exists():
            return []
        text = self._lines.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            # What follows the last line break is a trial that was being written when the program was killed.
            os.truncate(self._lines, len(whole))
        trials = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                trials.append(self.accept(trial_type.validate_json(line)))
            except (ValidationError, IndexError) as error:
                raise InputError("--out", f"{self._lines}, line {number}", "is not a trial") from error
        return trials

    def accept(self, trial: T) -> T:
        """A trial that was read, as it is to be used."""
        return trial


class Journal(TrialFolder[SearchTrial]):
    """The trials of a comparison in a folder; their checkpoints are those of the comparison.

    They depend on the table, both metrics, the budget, the seed, the noise, simulated durations, the settings of their
    searcher and the version of naopt; numbers of workers and schedules may be added.

    Args:
        folder: is made if it is not there.
        comparison: what its trials belong to.

    Raises:
        InputError: the folder cannot be used, belongs to another comparison, or has a line that is no trial.
    """

    kind = "searchers"
    whole = "comparison"

    def __init__(self, folder: str | Path, comparison: Comparison) -> None:
        self._comparison = comparison
        fixed = {
            "naopt": __version__,
            "table": comparison.table.name,
            "contents": comparison.table.checksum,
            "metric": comparison.metric,
            "report_metric": comparison.report_metric,
            "budget": comparison.budget,
            "seed": comparison.seed,
            "noise": comparison.noise,
            "durations": comparison.simulation and comparison.simulation.durations.text,
        }
        searchers = {name: settings.model_dump(mode="json") for name, settings in comparison.settings.items()}
        super().__init__(folder, TypeAdapter(SearchTrial), fixed, searchers)

    def accept(self, trial: SearchTrial) -> SearchTrial:
        """The trial at the checkpoints of the comparison."""
        return self._comparison.at_checkpoints(trial)


class QualityJournal(TrialFolder[QualityTrial]):
    """The trials of a quality study in a folder.

    They depend on the table, the metric, the number of test rows, the seed and the version of naopt; training sizes may
    be added.

    Args:
        folder: is made if it is not there.
        study: what its trials belong to.

    Raises:
        InputError: the folder cannot be used, belongs to another study, or has a line that is no trial.
    """

    kind = "models"
    whole = "quality study"

    def __init__(self, folder: str | Path, study: QualityStudy) -> None:
        fixed = {
            "naopt": __version__,
            "table": study.table.name,
            "contents": study.table.checksum,
            "metric": study.metric,
            "held_out": study.held_out,
            "seed": study.seed,
        }
        super().__init__(folder, TypeAdapter(QualityTrial), fixed, dict.fromkeys(study.models))
