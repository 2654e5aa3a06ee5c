"""Which spaces a function that builds by space knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from naopt.spaces import EnumeratedSpace, SearchSpace


class BuildsBySpace(Protocol):
    """A ``functools.singledispatch`` function of a space."""

    def dispatch(self, cls: type) -> Callable[..., Any]:
        """What is called for a type."""


def knows(build: BuildsBySpace, space: SearchSpace) -> bool:
    """Whether something was registered for the space, or for the one that it is a part of."""
    whole = space.whole if isinstance(space, EnumeratedSpace) else space
    return build.dispatch(type(whole)) is not build.dispatch(object)
