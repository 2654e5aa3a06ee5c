"""The code that a trial depends on beside naopt's own, which has a version."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

_VERSIONED = {"naopt", "pydantic", *sys.stdlib_module_names}


def source_checksum(*items: object) -> str:
    """16 hex digits of the files that classes (their bases too) and functions are written in.

    What these files import is not looked at. Code without a file, typed in a notebook say, does not count.

    Returns:
        An empty text where all of it is naopt's own.
    """
    parts = [part for item in items for part in (item.__mro__ if isinstance(item, type) else (item,))]
    names = {str(getattr(part, "__module__", "naopt")) for part in parts}
    files = [
        getattr(sys.modules.get(name), "__file__", None)
        for name in sorted(names)
        if name.partition(".")[0] not in _VERSIONED
    ]
    contents = [Path(file).read_bytes() for file in files if file is not None]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16] if contents else ""
