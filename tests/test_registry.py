"""The one registry mechanism."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

import naopt.registry
from naopt.errors import InputError, UnknownNameError
from naopt.registry import Registry


def plain() -> None:
    """First line.

    Second line.
    """


@pytest.fixture
def registry() -> Registry[Callable[..., object]]:
    registry: Registry[Callable[..., object]] = Registry("thing", "naopt.things")
    registry.register("plain")(plain)
    return registry


def test_names_and_summaries(registry: Registry[Callable[..., object]]) -> None:
    registry.register("bare")(lambda: None)
    assert registry.get("plain") is plain
    assert registry.names() == ["bare", "plain"]
    assert registry.summaries() == {"bare": "", "plain": "First line."}


def test_a_name_is_given_once(registry: Registry[Callable[..., object]]) -> None:
    assert registry.register("plain")(plain) is plain
    with pytest.raises(ValueError, match="thing 'plain' is registered twice"):
        registry.register("plain")(print)


def test_an_unknown_name_gets_a_suggestion(registry: Registry[Callable[..., object]]) -> None:
    with pytest.raises(UnknownNameError, match="thing 'plane': unknown; did you mean 'plain'"):
        registry.get("plane")


def test_other_packages_join_through_entry_points(
    registry: Registry[Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def entry_points(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("outside", "json:dumps", group), EntryPoint("plain", "json:loads", group)]

    monkeypatch.setattr(naopt.registry, "entry_points", entry_points)
    assert registry.get("plain") is plain
    assert not asked, "a built-in name must not load other packages"
    assert registry.get("outside").__name__ == "dumps"
    assert registry.names() == ["outside", "plain"]
    assert registry.get("plain") is plain, "an entry point must not replace a built-in"
    assert asked == ["naopt.things"]


def test_a_plug_in_that_cannot_be_loaded_is_named(
    registry: Registry[Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("broken", "no_such_module:thing", "naopt.things")
    monkeypatch.setattr(naopt.registry, "entry_points", lambda group: [broken])
    with pytest.raises(InputError, match="plug-in 'no_such_module:thing': cannot be loaded: ModuleNotFoundError"):
        registry.names()
