"""What a network that decides for each image was found to do, as it lies in ``instances.json``. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from naopt.errors import InputError
from naopt.run.names import INSTANCES
from naopt.run.operating_points import OperatingPoint


@dataclass(frozen=True)
class Instances:
    """What the network does.

    Attributes:
        points: what it reaches, by thrift.
    """

    points: tuple[OperatingPoint, ...]


def read_instances(directory: Path) -> Instances | None:
    """What lies in a run's directory; ``None`` if nothing does. Raises ``InputError`` if it is damaged."""
    path = directory / INSTANCES
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Instances(tuple(OperatingPoint(**point) for point in document["points"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("run", str(directory), f"{INSTANCES} is damaged: {error}") from None
