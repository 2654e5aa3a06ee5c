"""What a study found, as one JSON file beside its trainings: written whole, read strictly."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from naopt.errors import InputError
from naopt.files import write_text

T = TypeVar("T")


def write_result(path: Path, document: Mapping[str, Any]) -> None:
    """Writes a document, whole or not at all. Raises ``NotWrittenError``."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read_result(
    path: Path, adapter: TypeAdapter[T], what: str, command: str, derived: Collection[str] = ()
) -> T | None:
    """What was written; ``None`` if there is none.

    Args:
        path: of the file.
        adapter: of what the document stands for.
        what: it is, for an error.
        command: that makes it.
        derived: keys that have to be there and follow from the others.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_bytes())
        for key in derived:
            values.pop(key)
        return adapter.validate_json(json.dumps(values), strict=True)
    except (OSError, ValueError, KeyError, AttributeError, ValidationError) as error:
        raise InputError(what, str(path), f"cannot be read; {command} makes it again") from error
