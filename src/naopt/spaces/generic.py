"""Any list of named positions with choices: hyper-parameters, compiler flags, design choices."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import ArchitectureSyntaxError, InputError
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.choices import as_choices, described, label, labels, shown
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.position import Position
from naopt.spaces.registry import spaces
from naopt.texts import read_toml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PLAIN = re.compile(r"[^\s,=\"']+")
_JSON = json.JSONDecoder()


@spaces.register("generic")
class GenericSpace(SearchSpace):
    """Named positions with choices, from code or from a TOML file; every combination is valid.

    Args:
        source: a dictionary from the name of each position to its choices: ``choice``, ``ordinal``, ``integer``, a list
            (as ``choice``), a range (as ``integer``) or ``bool``::

                Space({"width": [16, 32, 64], "depth": integer(1, 6), "act": ["relu", "gelu", None], "norm": bool})

            or positions, or the path of a TOML file, whose choices all count as text::

                name = "mlp"
                [[positions]]
                name = "width"
                choices = [16, 32, 64]

        name: the space's name; by default ``custom`` for a dictionary, that of the file, or ``generic``.

    Two architectures are equal only if all choices are: nothing is known about symmetries. Two spaces are equal if
    their names and positions are, types of values included.

    Raises:
        InputError: no position, equal names, choices that cannot be used (``naopt.spaces.choices.Choices``), a name in
            a dictionary that its text form could not hold as it stands, or a file that breaks a rule.
    """

    def __init__(self, source: Mapping[str, object] | str | Path | Iterable[Position], name: str | None = None) -> None:
        default = "generic"
        if isinstance(source, str | Path):
            default, positions = _read(Path(source))
        elif isinstance(source, Mapping):
            default, positions = "custom", tuple(_from_code(*item) for item in source.items())
        else:
            positions = _checked(source)
        name = name or default
        if not positions:
            raise InputError("space", name, "needs at least one position")
        names = [position.name for position in positions]
        if len(set(names)) != len(names):
            raise InputError("space", name, f"position names must differ, got {', '.join(names)}")
        self.name = name
        self.positions = positions

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (other.name, other.positions) == (self.name, self.positions)

    def __hash__(self) -> int:
        return hash((self.name, self.positions))

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Every choice."""
        return tuple(range(len(self.positions[len(prefix)].choices)))

    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        """See ``SearchSpace``; every combination is valid, so there is nothing to look for."""
        sizes = [len(position.choices) for position in self.positions]
        if len(tokens) == len(sizes) and all(0 <= token < size for token, size in zip(tokens, sizes, strict=True)):
            return None
        return super().explain_invalid(tokens)

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """All true; see ``SearchSpace.choice_mask``."""
        return self._free_choice_mask(prefixes)

    @property
    def size(self) -> int:
        """Product of the numbers of choices."""
        return math.prod(len(position.choices) for position in self.positions)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random neighbour, without going through all of them."""
        return self._freely_mutated(architecture, rng)

    def graph(self, architecture: Architecture) -> Graph:
        """A row of positions, in order, each with its choice."""
        nodes = tuple(
            Node(f"{position.name} = {position.choices[token]}", "choices")
            for position, token in zip(self.positions, architecture.tokens, strict=True)
        )
        return Graph(nodes, tuple(Edge(index, index + 1) for index in range(len(nodes) - 1)))

    def format(self, architecture: Architecture) -> str:
        """``width=32,depth=2``; names and values with spaces, commas, quotes or ``=`` are written as JSON strings.

        Numbers, booleans and ``None`` are written as in JSON, and so is, next to them, text that reads like one.
        """
        return ",".join(
            f"{_quote(position.name)}={_word(position, token)}"
            for position, token in zip(self.positions, architecture.tokens, strict=True)
        )

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; positions may come in any order, space around the text is ignored."""
        stripped = text.strip()
        at = 0
        tokens: dict[int, int] = {}
        names = [position.name for position in self.positions]

        def word() -> str:
            nonlocal at
            if stripped.startswith('"', at):
                try:
                    value, at = _JSON.raw_decode(stripped, at)
                except json.JSONDecodeError as error:
                    raise ArchitectureSyntaxError(stripped, at, "unfinished quoted text") from error
                return str(value)
            match = _PLAIN.match(stripped, at)
            if match is None:
                raise ArchitectureSyntaxError(stripped, at, "expected a name or a value")
            at = match.end()
            return match.group()

        while True:
            start = at
            name = word()
            if name not in names:
                raise ArchitectureSyntaxError(stripped, start, f"'{name}' is not one of {', '.join(names)}")
            index = names.index(name)
            if index in tokens:
                raise ArchitectureSyntaxError(stripped, start, f"'{name}' stands twice")
            if not stripped.startswith("=", at):
                raise ArchitectureSyntaxError(stripped, at, "expected '='")
            at += 1
            start = at
            value = word()
            choices = self.positions[index].choices
            # Quoted is what is text; but quotes around a number do no harm where that is no choice.
            named = label(value) if stripped.startswith('"', start) and not _is_text(self.positions[index]) else value
            chosen = named if named in choices else value
            if chosen not in choices:
                raise ArchitectureSyntaxError(stripped, start, f"'{value}' is not one of {shown(choices)}")
            tokens[index] = choices.index(chosen)
            if at == len(stripped):
                break
            if not stripped.startswith(",", at):
                raise ArchitectureSyntaxError(stripped, at, "expected ','")
            at += 1
        missing = [name for index, name in enumerate(names) if index not in tokens]
        if missing:
            raise ArchitectureSyntaxError(stripped, at, f"'{missing[0]}' is missing")
        return self.architecture([tokens[index] for index in range(len(names))])


def _checked(source: object) -> tuple[Position, ...]:
    given = tuple(source) if isinstance(source, Iterable) else (source,)
    for position in given:
        if not isinstance(position, Position):
            rule = 'must be a dictionary from names to choices, such as {"width": [16, 32]}, or positions'
            raise InputError("space", described(source), rule)
    return given


def _from_code(name: object, given: object) -> Position:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InputError("position", name, "its name must be text that can be printed, and not empty")
    choices = as_choices(name, given)
    return Position(name, labels(choices.values), values=choices.values, ordered=choices.ordered)


def _is_text(position: Position) -> bool:
    """Whether all choices are text, which then is its own label."""
    return position.values == position.choices


def _word(position: Position, token: int) -> str:
    """A choice in the text form."""
    named = position.choices[token]
    return named if named.startswith('"') and not _is_text(position) else _quote(named)


def _quote(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else json.dumps(word)


def _read(path: Path) -> tuple[str, tuple[Position, ...]]:
    data = read_toml(path, "space file")
    unknown = sorted(set(data) - {"name", "positions"})
    if unknown:
        raise InputError("space file", str(path), f"unknown key '{unknown[0]}'; known: name, positions")
    rows = data.get("positions")
    if not isinstance(rows, list) or not rows:
        raise InputError("space file", str(path), "needs [[positions]] with a name and choices each")
    name = path.stem.encode(errors="replace").decode()
    return str(data.get("name", name)), tuple(_position(path, index, row) for index, row in enumerate(rows))


def _position(path: Path, index: int, row: Any) -> Position:
    if not isinstance(row, dict) or set(row) - {"kind"} != {"name", "choices"} or not isinstance(row["choices"], list):
        raise InputError("space file", str(path), f"position {index} needs a name and a list of choices")
    choices = tuple(str(c).lower() if isinstance(c, bool) else str(c) for c in row["choices"])
    return Position(str(row["name"]), choices, str(row.get("kind", "")))
