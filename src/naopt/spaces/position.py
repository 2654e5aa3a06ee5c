"""One design choice of a space."""

from __future__ import annotations

from dataclasses import dataclass, field

from naopt.errors import InputError
from naopt.spaces.choices import Value, described, label, labels, parse_value, shown


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a cell a position stands: which node it belongs to, and whether it points at an earlier one.

    Attributes:
        part: the cell.
        node: number of the node within its cell. Those below a cell's first are given (its inputs), not searched.
        refers: whether choice i stands for node i of the same cell, i = 0 ... node - 1. Such a position is free: each
            choice is valid whatever stands before, so that it may be decided before others of its node.
    """

    part: str
    node: int
    refers: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """One design choice: its name, the names of its choices, its kind, and what the choices stand for.

    Positions of one kind share choice embeddings in a latent model wherever a choice has the same name (all the
    ``input`` positions of a cell, say). Kind defaults to the name: no sharing.

    Attributes:
        choices: the label of each choice. May be given as values that are not text; their labels then are made of them.
        values: what each label stands for (``naopt.spaces.choices``); by default the label.
        ordered: whether the order of the choices means something.
        place: of a cell's position; ``None`` for what has no place in a cell, or does not say. Not part of what makes
            two positions equal.
    """

    name: str
    choices: tuple[str, ...]
    kind: str = ""
    values: tuple[Value, ...] = ()
    ordered: bool = False
    place: Place | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InputError("position", self.name, "its name must be text")
        choices: object = self.choices
        if not isinstance(choices, list | tuple):
            raise InputError("position", self.name, f"needs a list of choices, got {described(choices)}")
        given = tuple(choices)
        if not given:
            raise InputError("position", self.name, "needs at least one choice")
        values = tuple(self.values) or given
        if not all(isinstance(value, str) for value in values):
            values = tuple(parse_value(f"position {self.name}", value) for value in values)
        named = labels(values)
        if self.values and named != given:
            raise InputError("position", self.name, f"choices must be named {shown(named)}, got {shown(given)}")
        if len(set(named)) != len(named):
            raise InputError("position", self.name, f"choices must differ, got {', '.join(named)}")
        place = self.place
        if place is not None and place.refers and len(named) != place.node:
            rule = f"refers to nodes 0..{place.node - 1}, so it needs {place.node} choices, got {len(named)}"
            raise InputError("position", self.name, rule)
        object.__setattr__(self, "choices", named)
        object.__setattr__(self, "values", values)
        if not self.kind:
            object.__setattr__(self, "kind", self.name)

    def token(self, value: object) -> int:
        """The choice that stands for a value; its type counts. Raises ``InputError`` if there is none."""
        what = f"value of {self.name}"
        parsed = parse_value(what, value)
        name = parsed if isinstance(parsed, str) and self.values == self.choices else label(parsed)
        token = self.choices.index(name) if name in self.choices else None
        if token is not None and type(self.values[token]) is type(parsed):
            return token
        raise InputError(what, described(parsed), f"must be one of {shown(list(map(described, self.values)))}")
