"""Finished trials on disk, so that a comparison or a study that was cut off goes on where it stopped.

A folder holds ``settings.json``, what the trials depend on, and ``trials.jsonl``, one line per finished trial.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from naopt._version import __version__
from naopt.bench.comparison import Comparison
from naopt.bench.quality import QualityStudy, QualityTrial
from naopt.bench.settings import searcher_name
from naopt.bench.sources import source_checksum
from naopt.bench.trials import SearchTrial
from naopt.errors import InputError
from naopt.files import NotWrittenError, append_line, is_full, make_folder, write_bytes, write_text
from naopt.searchers import searchers as registry

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")


_WRITTEN = ("trials.jsonl", "report.html", "bench.json", "trials.csv", "simulated.csv", "regret.svg", "quality.json")
"""What comparisons and studies write, the pages included."""


class TrialFolder(ABC, Generic[T]):
    """The trials in a folder.

    A folder may be used again with more trials or further competitors (searchers, models); everything else that a
    result depends on has to be as it was, or the trials that depend on it are made again.

    Args:
        folder: is made if it is not there.
        trial_type: adapter of the dataclass that a line holds.
        fixed: what all trials depend on.
        competitors: their names, and what the trials of each depend on.
        sources: their names, and the checksum of each one's code; empty for naopt's own.
        force: drop trials that were made otherwise, instead of refusing the folder.

    Attributes:
        trials: that are there.
        dropped: how many were made otherwise.

    Raises:
        InputError: the folder cannot be used, belongs to something else, or has a line that is no trial.
        NotWrittenError: the disk is full.
    """

    kind: ClassVar[str]
    """What the competitors are, in the plural."""
    whole: ClassVar[str]
    """What a settings file belongs to."""

    def __init__(
        self,
        folder: str | Path,
        trial_type: TypeAdapter[T],
        fixed: dict[str, Any],
        competitors: dict[str, Any],
        sources: dict[str, str],
        *,
        force: bool = False,
    ) -> None:
        self._folder, self._force = Path(folder), force
        self._lines = self._folder / "trials.jsonl"
        self.dropped = 0
        try:
            make_folder(self._folder)
            path = self._folder / "settings.json"
            known, made_otherwise = self._agree(path, fixed, competitors, sources)
            self.trials = self._read(trial_type, made_otherwise)
            written = {**fixed, self.kind: known[0] | competitors, "sources": known[1] | sources}
            write_text(path, json.dumps(written, indent=1))
        except OSError as error:
            if isinstance(error, NotWrittenError) and is_full(error):
                raise
            raise InputError("--out", str(folder), error.strerror or "cannot be used") from error

    def append(self, trial: T) -> None:
        """Adds a finished trial. Raises ``NotWrittenError``."""
        append_line(self._lines, json.dumps(asdict(trial), allow_nan=False))
        self.trials.append(trial)

    def _agree(
        self, path: Path, fixed: dict[str, Any], competitors: dict[str, Any], sources: dict[str, str]
    ) -> tuple[tuple[dict[str, Any], dict[str, str]], set[str]]:
        """Competitors that are known, their settings and their code, and those whose trials were made otherwise."""
        if not path.exists():
            taken = next((name for name in _WRITTEN if (self._folder / name).exists()), None)
            if taken is not None and not self._force:
                rule = f"exists, and is of no {self.whole}; choose another folder, or replace it with --force"
                raise InputError("--out", str(self._folder / taken), rule)
            self._lines.unlink(missing_ok=True)
            return ({}, {}), set()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            known = dict(found.pop(self.kind))
            codes = dict(found.pop("sources", dict.fromkeys(known, "")))  # before it was looked at
            if "budget" in found:
                found.setdefault("noise", "mean")  # before there was a choice
        except (json.JSONDecodeError, TypeError, AttributeError, KeyError, ValueError) as error:
            raise InputError("--out", str(path), f"is not the settings file of a {self.whole}") from error
        for key, value in fixed.items():
            if found.get(key) != value:
                self._refuse(f"its trials were made with {key} {found.get(key)}, not {value}")
                return ({}, {}), set(known)
        otherwise = set()
        for name in sorted(known.keys() & competitors.keys()):
            if known[name] != competitors[name]:
                self._refuse(f"its trials of {name} were made with other settings")
                otherwise.add(name)
            elif codes.get(name, "") != sources.get(name, ""):
                self._refuse(f"its trials of {name} were made with other code")
                otherwise.add(name)
        return (known, codes), otherwise

    def _refuse(self, what: str) -> None:
        if not self._force:
            rule = f"{what}; choose another folder, or make them again with --force"
            raise InputError("--out", str(self._folder), rule)

    def _read(self, trial_type: TypeAdapter[T], otherwise: set[str]) -> list[T]:
        if not self._lines.exists():
            return []
        text = self._lines.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            # What follows the last line break is a trial that was being written when the program was killed.
            os.truncate(self._lines, len(whole))
        trials, kept = [], []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                trial = trial_type.validate_json(line)
                if self.competitor(trial) not in otherwise:
                    trials.append(self.accept(trial))
                    kept.append(line + b"\n")
            except (ValidationError, IndexError) as error:
                raise InputError("--out", f"{self._lines}, line {number}", "is not a trial") from error
        if otherwise:
            self.dropped = len(whole.splitlines()) - len(kept)
            write_bytes(self._lines, b"".join(kept))
        return trials

    @abstractmethod
    def competitor(self, trial: T) -> str:
        """Whose trial it is."""

    def accept(self, trial: T) -> T:
        """A trial that was read, as it is to be used."""
        return trial


class Journal(TrialFolder[SearchTrial]):
    """The trials of a comparison in a folder; their checkpoints are those of the comparison.

    They depend on the table, both metrics, the limits, what is known without a query, the budget, the seed, the noise,
    how is picked, simulated durations, the settings of their searcher, its code and the version of naopt; numbers of
    workers and schedules may be added.

    Args:
        folder: is made if it is not there.
        comparison: what its trials belong to.
        force: drop trials that were made otherwise, instead of refusing the folder.

    Raises:
        InputError: the folder cannot be used, belongs to another comparison, or has a line that is no trial.
    """

    kind = "searchers"
    whole = "comparison"

    def __init__(self, folder: str | Path, comparison: Comparison, *, force: bool = False) -> None:
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
            "limits": sorted(f"{limit.bound} {limit.metric}={limit.value!r}" for limit in comparison.limits) or None,
            "scalarise": comparison.scalarisation and str(comparison.scalarisation),
            "known": sorted(comparison.known) or None,
            "priors": sorted(comparison.prior_columns) or None,
            "history": sorted(comparison.history) or None,
            "pick": None if comparison.pick == "expected" else comparison.pick,
            "fidelities": list(comparison.fidelities) or None,
            "fidelity_costs": list(comparison.fidelity_costs) or None,
            "remeasure": comparison.remeasure if comparison.remeasure > 1 else None,
        }
        searchers = {name: settings.model_dump(mode="json") for name, settings in comparison.settings.items()}
        kinds = {name: registry.get(searcher_name(name)) for name in searchers}
        sources = {name: source_checksum(kind, kind.settings_type) for name, kind in kinds.items()}
        super().__init__(folder, TypeAdapter(SearchTrial), fixed, searchers, sources, force=force)

    def competitor(self, trial: SearchTrial) -> str:
        """Its searcher."""
        return trial.searcher

    def accept(self, trial: SearchTrial) -> SearchTrial:
        """The trial at the checkpoints of the comparison."""
        return self._comparison.at_checkpoints(trial)


class QualityJournal(TrialFolder[QualityTrial]):
    """The trials of a quality study in a folder.

    They depend on the table, the metric, the number of test rows, the seed, the code of their model and the version of
    naopt; training sizes may be added.

    Args:
        folder: is made if it is not there.
        study: what its trials belong to.
        force: drop trials that were made otherwise, instead of refusing the folder.

    Raises:
        InputError: the folder cannot be used, belongs to another study, or has a line that is no trial.
    """

    kind = "models"
    whole = "quality study"

    def __init__(self, folder: str | Path, study: QualityStudy, *, force: bool = False) -> None:
        from naopt.latent import models

        fixed = {
            "naopt": __version__,
            "table": study.table.name,
            "contents": study.table.checksum,
            "metric": study.metric,
            "held_out": study.held_out,
            "seed": study.seed,
        }
        sources = {name: source_checksum(models.get(name.partition(":")[0])) for name in study.models}
        competitors = dict.fromkeys(study.models)
        super().__init__(folder, TypeAdapter(QualityTrial), fixed, competitors, sources, force=force)

    def competitor(self, trial: QualityTrial) -> str:
        """Its model."""
        return trial.model
