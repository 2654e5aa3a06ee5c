"""Results as people write them: ``NAME=VALUE``, and CSV files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from naopt.errors import InputError
from naopt.measurement import MOST_SECONDS, STATUSES, Measurement, is_error
from naopt.tables.cells import Numerals, explain_no_number, parse_number, read_lines
from naopt.tables.mistakes import Mistakes

RESERVED = ("index", "architecture", "status", "reason", "seconds")
"""Columns of a CSV file that are no metrics."""


class Result(NamedTuple):
    """What the evaluation of an architecture gave.

    Attributes:
        which: the index of a trial, or the text of an architecture.
        measurement: what it gave.
        where: where that is written, for errors.
    """

    which: int | str
    measurement: Measurement
    where: str = ""


def one_result(
    which: str, values: Iterable[str], *, seconds: float = 0.0, failed: str | None = None, where: str = ""
) -> Result:
    """A result from text.

    Args:
        which: an index, or the text of an architecture.
        values: ``NAME=VALUE`` each.
        seconds: how long it took.
        failed: why there is no value; ``None`` if there is.
        where: where it is written.

    Raises:
        InputError: a value that is no finite number, none at all, or a failure without a reason.
    """
    metrics = dict(_metric(text) for text in values)
    if failed is not None and metrics:
        raise InputError("--failed", failed, f"what failed has no {next(iter(metrics))}; give one of them")
    return Result(
        _which(which), _measurement(metrics, seconds, "failed" if failed is not None else "ok", failed), where
    )


def read_results(path: str | Path) -> tuple[list[Result], int]:
    """Results from a CSV file.

    Cells are those of ``naopt.tables.cells``. Columns are ``index`` or ``architecture``, ``status``, ``reason`` and
    ``seconds`` where wanted, and metrics. A row with neither a metric nor a status is of an evaluation that is not
    done, and is left out.

    Returns:
        Results, and how many rows were left out.

    Raises:
        InputError: the file cannot be read, has no such column, or has rows that break a rule: all of them at once.
    """
    lines, numerals = read_lines(path, "--csv")
    names = lines[0][1] if lines else []
    if not {"index", "architecture"} & set(names):
        raise InputError("--csv", str(path), "needs a column index or architecture")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("--csv", str(path), f"has two columns {twice}")
    mistakes = Mistakes("--csv", path)
    results, left_out = [], 0
    for line, cells in lines[1:]:
        if len(cells) != len(names):
            mistakes.add("", f"{len(cells)} cells", f"the header has {len(names)}", line)
            continue
        row = dict(zip(names, cells, strict=True))
        if not _is_done(row):
            left_out += 1
            continue
        try:
            results.append(_of_row(row, f"{path}, line {line}", numerals))
        except InputError as error:
            mistakes.add(error.what, str(error.value), error.rule, line)
    mistakes.check()
    return results, left_out


def _is_done(row: Mapping[str, str]) -> bool:
    return any(value for name, value in row.items() if name == "status" or name not in RESERVED)


def _of_row(row: Mapping[str, str], where: str, numerals: Numerals) -> Result:
    given = {name: value for name, value in row.items() if value}
    which = given.get("index") or given.get("architecture")
    if which is None:
        raise InputError("row", "", "has neither an index nor an architecture")
    metrics = {name: _cell(name, value, numerals) for name, value in given.items() if name not in RESERVED}
    seconds = _cell("seconds", given.get("seconds", "0"), numerals)
    status, reason = given.get("status", "ok"), given.get("reason")
    return Result(_which(which), _measurement(metrics, seconds, status, reason), where)


def _cell(name: str, text: str, numerals: Numerals) -> float:
    try:
        value = parse_number(numerals.plain(text))
    except ValueError as error:
        raise InputError(name, text, str(error)) from error
    if value is None:
        raise InputError(name, text, explain_no_number(text))
    return float(value)


def _which(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _metric(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError("result", text, "must be NAME=VALUE")
    check_metric(name.strip())
    return name.strip(), _number(name.strip(), value)


def check_metric(name: str) -> None:
    """Raises ``InputError`` for a name that no metric of such a search may have."""
    if not name or name in RESERVED or any(letter in "=:," or letter.isspace() for letter in name):
        raise InputError("metric", name, f"must be a word without '=', ':' and ',', and none of {', '.join(RESERVED)}")


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(name, text, "must be a number") from None
    if not math.isfinite(value):
        raise InputError(name, text, "must be a finite number; of an evaluation that failed say why: --failed REASON")
    return value


def _measurement(metrics: Mapping[str, float], seconds: float, status: str, reason: str | None) -> Measurement:
    known = [name for name in STATUSES if name != "interrupted"]
    if status not in known:
        raise InputError("status", status, f"must be one of {', '.join(known)}")
    reason = " ".join((reason or "").split())
    if status == "ok" and not metrics:
        raise InputError("result", "", "give NAME=VALUE, or --failed REASON")
    if status != "ok" and not reason:
        raise InputError("reason", "", "say why it failed")
    if not 0 <= seconds <= MOST_SECONDS:
        raise InputError("seconds", seconds, f"must be finite and not negative, at most {MOST_SECONDS:g}")
    for name, value in metrics.items():
        if value < 0 and is_error(name, metrics):
            raise InputError(name, value, "a standard error is not negative")
    return Measurement(dict(metrics), seconds, status, reason if status != "ok" else "")
