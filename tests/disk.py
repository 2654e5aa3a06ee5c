"""Nothing waits for the disk: who kills a process loses nothing by it, and no test cuts the power."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest


class Unsynchronised(sqlite3.Connection):
    """Never synchronises what it writes, whatever it is told."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA journal_mode"):
            super().execute("PRAGMA synchronous = OFF")
        if sql.startswith("PRAGMA synchronous"):
            sql = "PRAGMA synchronous = OFF"
        return super().execute(sql, *parameters)


@contextmanager
def not_waited_for() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Unsynchronised))
        yield
