"""What benchmarks say and leave behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.files import write_text


def note(text: str) -> None:
    """One line for people, beside the results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def failed(error: Exception, *, code: int = 1) -> SystemExit:
    """Says an error in one line; the end of the program to be raised: 2 for bad input, else ``code``."""
    note(str(error))
    return SystemExit(2 if isinstance(error, InputError) else code)


def publish(
    document: dict[str, Any], text: str, out: Path | None, name: str, *, as_json: bool, allow_nan: bool = True
) -> None:
    """Writes ``name.md`` and ``name.json`` into the folder, if there is one, and prints one of them.

    Raises:
        ValueError: a number that is none, where ``allow_nan`` is false.
    """
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / f"{name}.md", text)
        write_text(out / f"{name}.json", json.dumps(document, indent=1, allow_nan=allow_nan) + "\n")
    sys.stdout.write(json.dumps(document) + "\n" if as_json else text)
