"""The registry of spaces, and how a space is named on the command line."""

from __future__ import annotations

import inspect
import operator
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError, UnknownNameError
from naopt.registry import Registry

if TYPE_CHECKING:
    from naopt.spaces.base import Architecture, SearchSpace

spaces: Registry[type[SearchSpace]] = Registry("space", "naopt.spaces")


def create_space(spec: str, options: dict[str, Any] | None = None) -> SearchSpace:
    """A space from ``NAME``, ``NAME:option=value,...`` or ``NAME:SOURCE``, with further options.

    ``SOURCE`` is the first parameter of the space, where that is a file (``generic:mlp.toml``).

    Raises:
        InputError: unknown name (with the nearest one), unknown option, or a value of the wrong type.
    """
    name, _, rest = spec.partition(":")
    given: dict[str, Any] = {}
    cls = spaces.get(name)
    parameters = inspect.signature(cls).parameters
    if rest and "source" in parameters:
        given["source"] = rest
    elif rest:
        for item in rest.split(","):
            key, equals, value = item.partition("=")
            if not equals:
                raise InputError("space", spec, f"expected option=value after '{name}:', got '{item}'")
            if key.strip() in given:
                raise InputError("space", spec, f"option '{key.strip()}' stands twice")
            given[key.strip()] = value.strip()
    given |= options or {}
    for key, value in given.items():
        if key not in parameters:
            if not parameters:
                raise InputError(f"option of space {name}", key, "the space has no options")
            raise UnknownNameError(f"option of space {name}", key, parameters)
        given[key] = _converted(key, value, parameters[key].annotation)
    missing = [key for key, p in parameters.items() if p.default is inspect.Parameter.empty and key not in given]
    if missing:
        raise InputError("space", spec, f"needs '{missing[0]}'; write {name}:{missing[0].upper()}")
    return cls(**given)


def _converted(key: str, value: Any, annotation: object) -> Any:
    """The value of an option, which may come as text from the command line or typed from code."""
    if annotation in (int, "int", "int | None"):
        try:
            return int(value) if isinstance(value, str) else operator.index(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"space option {key}", value, "must be a whole number") from error
    if annotation in (str, "str") and not isinstance(value, str):
        raise InputError(f"space option {key}", value, "must be text")
    return value


def parse_architecture(text: str) -> tuple[SearchSpace, Architecture]:
    """An architecture's space, told from its text, and the architecture.

    Raises:
        InputError: no space recognises the text, or its space finds an error in it.
    """
    for name in spaces.names():
        claims = getattr(spaces.get(name), "claims", None)
        space: SearchSpace | None = claims(text.strip()) if claims else None
        if space is not None:
            return space, space.parse(text)
    raise InputError("architecture", text, "at position 0: not the text form of any space; give --space if it has one")
