"""Databases of runs that are changed, cut off or old."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from naopt.store import schema


def rewrite(directory: Path, statement: str) -> None:
    """Changes a run by an SQL statement as if all had been written like that."""
    with closing(sqlite3.connect(directory / "run.db")) as connection, connection:
        connection.execute(statement)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for *row, _ in connection.execute(f"SELECT * FROM {table}").fetchall():
                key = connection.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1").fetchone()[0]
                values = (schema.check(tuple(row)), row[0])
                connection.execute(f"UPDATE {table} SET crc = ? WHERE {key} = ?", values)
    (directory / "run.count").unlink(missing_ok=True)
