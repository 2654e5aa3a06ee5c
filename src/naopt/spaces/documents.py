"""The positions of a space as JSON values, from which a run that is opened again gets its space back."""

from __future__ import annotations

from naopt.errors import InputError
from naopt.spaces.base import SearchSpace
from naopt.spaces.generic import GenericSpace
from naopt.spaces.position import Position
from naopt.spaces.registry import create_space


def positions_document(space: SearchSpace) -> list[dict[str, object]]:
    """One dictionary for each position: ``name``, ``choices`` (their values), ``kind``, and ``ordered`` if it is."""
    return [
        {"name": position.name, "choices": list(position.values), "kind": position.kind}
        | ({"ordered": True} if position.ordered else {})
        for position in space.positions
    ]


def positions_from_document(document: object) -> tuple[Position, ...]:
    """Inverse of ``positions_document``. Raises ``InputError`` for a document that has another shape."""
    if not isinstance(document, list) or not document:
        raise InputError("positions", document, "must be a list with at least one position")
    return tuple(map(_position, document))


def space_from_document(name: str, document: object) -> SearchSpace:
    """The installed space of that name if it has the document's positions, else a generic one that has them.

    Raises:
        InputError: the document has another shape.
    """
    positions = positions_from_document(document)
    try:
        space = create_space(name)
    except InputError:
        # There is none, or it has not such options (any more).
        return GenericSpace(positions, name)
    return space if space.positions == positions else GenericSpace(positions, name)


def _position(row: object) -> Position:
    if not isinstance(row, dict) or not row.keys() >= {"name", "choices"} or not isinstance(row["choices"], list):
        raise InputError("position", row, "needs a name and a list of choices")
    return Position(row["name"], tuple(row["choices"]), row.get("kind", ""), ordered=bool(row.get("ordered", False)))
