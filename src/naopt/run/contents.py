"""Which table a run looks its architectures up in, and whether that is still there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from naopt.errors import InputError

CONTENTS = "contents"
"""Key of the run's meta data: name and checksum of its table; empty where a run has none."""


def check_contents(directory: Path, meta: Mapping[str, Any], now: Mapping[str, str]) -> None:
    """Compares a table with the one that a run began with; runs of an older naopt do not know theirs.

    Args:
        directory: of the run.
        meta: of the run.
        now: the evaluator's ``table_contents``.

    Raises:
        InputError: it is another table, or has other figures.
    """
    was = meta.get(CONTENTS, now)
    if dict(was) != dict(now):
        rule = f"began with {_named(was)}; now there is {_named(now)}: put that back, or begin another run"
        raise InputError("run", str(directory), rule)


def _named(contents: Mapping[str, str]) -> str:
    return f"table {contents['name']} (checksum {contents['checksum']})" if contents else "no table"
