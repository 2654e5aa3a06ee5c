"""Finished trials of a comparison on disk, so that one that was cut off goes on where it stopped.

A folder holds ``settings.json``, what the trials depend on, and ``trials.jsonl``, one line per finished trial.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from naopt._version import __version__
from naopt.bench.comparison import Comparison, SearchTrial
from naopt.errors import InputError
from naopt.tables import Table

_TRIAL = TypeAdapter(SearchTrial)


class Journal:
    """The trials in a folder.

    A folder may be used again with more trials or further searchers; everything else that a result depends on (table,
    metrics, budget, seed, settings of the searchers in it, version of naopt) has to be as it was.

    Args:
        folder: is made if it is not there.
        comparison: what its trials belong to.

    Raises:
        InputError: the folder cannot be used, belongs to another comparison, or has a line that is no trial.
    """

    def __init__(self, folder: str | Path, comparison: Comparison) -> None:
        self._folder = Path(folder)
        self._lines = self._folder / "trials.jsonl"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._agree(_dependencies(comparison))
            self.trials = self._read()
        except OSError as error:
            raise InputError("--out", str(folder), error.strerror or "cannot be used") from error

    def append(self, trial: SearchTrial) -> None:
        """Adds a finished trial."""
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial), allow_nan=False) + "\n")
        self.trials.append(trial)

    def _agree(self, wanted: dict[str, Any]) -> None:
        path = self._folder / "settings.json"
        searchers = wanted.pop("searchers")
        known: dict[str, Any] = {}
        if path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                known = found.pop("searchers")
                found.setdefault("noise", "mean")  # before there was a choice
            except (json.JSONDecodeError, TypeError, AttributeError, KeyError) as error:
                raise InputError("--out", str(path), "is not the settings file of a comparison") from error
            for key, value in wanted.items():
                if found.get(key) != value:
                    rule = f"its trials were made with {key} {found.get(key)}, not {value}; choose another folder"
                    raise InputError("--out", str(self._folder), rule)
            for name in known.keys() & searchers.keys():
                if known[name] != searchers[name]:
                    rule = f"its trials of {name} were made with other settings; choose another folder"
                    raise InputError("--out", str(self._folder), rule)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({**wanted, "searchers": known | searchers}, indent=1), encoding="utf-8")
        fresh.replace(path)

    def _read(self) -> list[SearchTrial]:
        if not self._lines.exists():
            return []
        text = self._lines.read_text(encoding="utf-8")
        whole, newline, _ = text.rpartition("\n")
        # What follows the last line break is a trial that was being written when the program was killed.
        self._lines.write_text(whole + newline, encoding="utf-8")
        trials = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                trials.append(_TRIAL.validate_json(line))
            except ValidationError as error:
                raise InputError("--out", f"{self._lines}, line {number}", "is not a trial") from error
        return trials


def _dependencies(comparison: Comparison) -> dict[str, Any]:
    return {
        "naopt": __version__,
        "table": comparison.table.name,
        "contents": _fingerprint(comparison.table),
        "metric": comparison.metric,
        "report_metric": comparison.report_metric,
        "budget": comparison.budget,
        "seed": comparison.seed,
        "noise": comparison.noise,
        "searchers": {name: settings.model_dump(mode="json") for name, settings in comparison.settings.items()},
    }


def _fingerprint(table: Table) -> str:
    digest = hashlib.sha256(table.tokens.tobytes())
    for name in sorted(table.metrics):
        digest.update(name.encode())
        digest.update(table.metrics[name].tobytes())
    return digest.hexdigest()[:16]
