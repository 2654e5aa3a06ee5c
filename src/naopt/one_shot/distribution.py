"""A distribution over architectures as a value and as a file: what one search learns, and another may begin with."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.files import write_text
from naopt.texts import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.controller import IndependentController
    from naopt.spaces import Architecture, SearchSpace, Tokens

DISTRIBUTION = "distribution.json"
"""Name of the file in the directory of a run."""

_MOST_ENUMERATED = 100_000
_CHUNK = 4096


class ChoiceTable(Settings):
    """The distribution of one position, whatever stands at the others."""

    name: str
    choices: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    """In nats, one for each choice."""

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        if len(self.log_probabilities) != len(self.choices) or not self.choices:
            raise ValueError(f"position {self.name} needs one log-probability for each choice")
        if not all(map(math.isfinite, self.log_probabilities)):
            raise ValueError(f"position {self.name} needs finite log-probabilities")
        return self


class ArchitectureDistribution(Settings):
    """Independent categorical distributions, one for each position of a space (Casale et al. 2019).

    At each position the choices that are not valid after what stands before it are left out, and the rest scaled up.
    """

    format: Literal["naopt-distribution"] = "naopt-distribution"
    version: Literal[1] = 1
    space: str
    """Name of the space."""
    positions: tuple[ChoiceTable, ...] = Field(min_length=1)

    @classmethod
    def of(cls, space: SearchSpace, logits: Sequence[NDArray[np.floating]]) -> ArchitectureDistribution:
        """The distribution with these logits, ``(choices,)`` for each position."""
        tables = []
        for position, row in zip(space.positions, logits, strict=True):
            values = np.asarray(row, dtype=np.float64)
            normal = values - np.logaddexp.reduce(values)
            tables.append(
                ChoiceTable(name=position.name, choices=position.choices, log_probabilities=tuple(normal.tolist()))
            )
        return cls(space=space.name, positions=tuple(tables))

    @classmethod
    def load(cls, path: str | Path, space: SearchSpace) -> ArchitectureDistribution:
        """Reads a file, or ``distribution.json`` in a directory.

        Raises:
            InputError: it cannot be read, is no distribution, or one over another space.
        """
        path = Path(path) / DISTRIBUTION if Path(path).is_dir() else Path(path)
        values = read_json(path, "distribution")
        if not isinstance(values, dict):
            raise InputError("distribution", str(path), "must be a JSON object")
        found = cls.parse(values, f"distribution '{path}'")
        found.check(space)
        return found

    def check(self, space: SearchSpace) -> None:
        """Raises ``InputError`` if the distribution is over another space."""
        if self.space != space.name:
            raise InputError("distribution", self.space, f"is over another space than {space.name}")
        if len(self.positions) != len(space.positions):
            rule = f"has {len(self.positions)} positions, the space has {len(space.positions)}"
            raise InputError("distribution", self.space, rule)
        for table, position in zip(self.positions, space.positions, strict=True):
            if (table.name, table.choices) != (position.name, position.choices):
                known = f"{position.name} ({', '.join(position.choices)})"
                raise InputError(
                    "distribution", f"{table.name} ({', '.join(table.choices)})", f"the space has {known} there"
                )

    def save(self, path: str | Path) -> None:
        """Writes it as a JSON file, whole or not at all."""
        write_text(Path(path), json.dumps(self.model_dump(), indent=1) + "\n")

    def tempered(self, temperature: float) -> ArchitectureDistribution:
        """Every table to the power of 1/``temperature`` (> 0): nearer to uniform above 1, to its mode below."""
        tables = []
        for table in self.positions:
            values = np.array(table.log_probabilities) / temperature
            normal = values - np.logaddexp.reduce(values)
            tables.append(table.model_copy(update={"log_probabilities": tuple(normal.tolist())}))
        return self.model_copy(update={"positions": tuple(tables)})

    def mode(self, space: SearchSpace) -> Tokens:
        """The most probable choice at each position in turn, among those that are valid."""
        tokens: tuple[int, ...] = ()
        for table in self.positions:
            tokens = (*tokens, max(space.choices(tokens), key=table.log_probabilities.__getitem__))
        return tokens

    def expected(self, space: SearchSpace, value: Callable[[Architecture], float]) -> float:
        """Exact expectation of ``value`` (of a table's column, say), by going through the whole space.

        Raises:
            InputError: a space of more than 100,000 sequences, or not the one that the distribution is over.
        """
        self.check(space)
        if space.size > _MOST_ENUMERATED:
            rule = f"has {space.size:,} sequences; only {_MOST_ENUMERATED:,} can be gone through"
            raise InputError("space", space.name, rule)
        import torch

        controller = self.controller(space).double()
        every, total = list(space.enumerate()), 0.0
        for start in range(0, len(every), _CHUNK):
            chunk = every[start : start + _CHUNK]
            with torch.no_grad():
                log_probability, _ = controller(np.array([a.tokens for a in chunk], dtype=np.int64))
            total += float(log_probability.exp().numpy() @ np.array([value(a) for a in chunk], dtype=np.float64))
        return total

    def controller(self, space: SearchSpace) -> IndependentController:
        """A controller with this distribution, in torch's default type."""
        import torch

        from naopt.latent.controller import IndependentController

        with torch.random.fork_rng(devices=[]):
            controller = IndependentController(space)
        with torch.no_grad():
            for row, table in zip(controller.weights, self.positions, strict=True):
                row[: len(table.choices)] = torch.tensor(table.log_probabilities, dtype=torch.float64)
        return controller
