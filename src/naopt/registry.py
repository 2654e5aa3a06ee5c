"""One registry mechanism for spaces, searchers, evaluators, tasks and operations.

Built-ins register with the decorator; other packages through an entry point whose group is the registry's and
whose object is what the decorator would have been given.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from naopt.errors import InputError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to objects of one kind; names are unique, and hyphenated on the command line."""

    def __init__(self, kind: str, group: str) -> None:
        self.kind, self.group = kind, group
        self._objects: dict[str, T] = {}
        self._loaded_outside = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files an object under ``name``. Raises ``ValueError`` for a name that is taken."""

        def file(item: T) -> T:
            if self._objects.get(name, item) is not item:
                raise ValueError(f"{self.kind} '{name}' is registered twice")
            self._objects[name] = item
            return item

        return file

    def get(self, name: str) -> T:
        """The object of that name. Raises ``UnknownNameError``, with the nearest name, if there is none."""
        if name not in self._objects:
            self._load_outside()
        if name not in self._objects:
            raise UnknownNameError(self.kind, name, self._objects)
        return self._objects[name]

    def names(self) -> list[str]:
        """All names, sorted, those of other packages included."""
        self._load_outside()
        return sorted(self._objects)

    def summaries(self) -> dict[str, str]:
        """Name to the first line of the object's docstring."""
        return {n: (getattr(self.get(n), "__doc__", None) or "").strip().split("\n")[0] for n in self.names()}

    def _load_outside(self) -> None:
        if self._loaded_outside:
            return
        self._loaded_outside = True
        for point in entry_points(group=self.group):
            if point.name not in self._objects:
                try:
                    self._objects[point.name] = point.load()
                except Exception as error:
                    reason = f"{type(error).__name__}: {error}"
                    raise InputError(f"{self.kind} plug-in", point.value, f"cannot be loaded: {reason}") from error
