"""A recipe of training: settings that differ from those of the search, under a name that says how."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from naopt.configuration import parse_settings
from naopt.evaluators.seeds import training_seed
from naopt.evaluators.workloads import Workload
from naopt.spaces import Architecture
from naopt.values import plain

FULL, SEARCH = "full", "search"
"""Names of the training that picks end in, and of the search's recipe as it is."""
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Recipe:
    """How architectures are trained.

    Attributes:
        name: ``full``, ``search``, or what differs from the search's recipe: ``epochs=2,filters=8``.
        changes: the same as values; those of ``full`` are single settings beside its preset.
        work: the task with all settings.
    """

    name: str
    changes: Mapping[str, Any]
    work: Workload

    @property
    def folder(self) -> str:
        """A name for its trainings' folder, which no other recipe of the search's has."""
        plainly = re.sub(r"[^\w.,=+-]", "-", self.name)
        if plainly == self.name and len(plainly) <= _LONGEST:
            return plainly
        return f"{plainly[:_LONGEST]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    def seed(self, seed: int, repeat: int, architecture: Architecture) -> int:
        """Of one training. No two recipes share any, for their errors are to be independent."""
        own = int.from_bytes(hashlib.sha256(f"{seed} {self.name}".encode()).digest()[:8], "big")
        return training_seed(own, repeat, architecture)


def variant(base: Workload, changes: Mapping[str, Any]) -> Recipe:
    """The search's recipe with other values of single settings; what is no change is left out.

    Raises:
        InputError: unknown settings, or values that they cannot have.
    """
    settings = type(base.settings).parse({**base.settings.model_dump(), **changes}, "recipe's setting")
    given, own = plain(settings.model_dump()), plain(base.settings.model_dump())
    different = {key: given[key] for key in sorted(changes) if given[key] != own[key]}
    return Recipe(_name(different) or SEARCH, different, type(base)(base.task, settings))


def parse_recipe(text: str) -> Mapping[str, Any]:
    """Changes from ``epochs=2,filters=8``, or none from ``search``. Raises ``InputError`` for other text."""
    return {} if text.strip() == SEARCH else parse_settings(text)


def _name(changes: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in changes.items())
