"""Settings of several searchers from one row of ``key=value`` texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from naopt.configuration import Settings, parse_setting, parse_settings
from naopt.errors import InputError, UnknownNameError
from naopt.one_shot.kinds import shares_weights
from naopt.searchers import searchers

_ALL = "searcher"


def searcher_settings(names: Sequence[str], assignments: Iterable[str] = ()) -> dict[str, Settings]:
    """Settings of each named searcher.

    ``NAME:KEY=VALUE,...`` is the searcher ``NAME`` with settings of its own, beside ``NAME`` by itself or with others.

    Args:
        names: searchers, none twice.
        assignments: ``NAME.key=value`` for one searcher (with settings of its own or not), ``searcher.key=value`` or
            ``key=value`` for all that have the key. Values are TOML; what is no TOML is text. Later ones win, and a
            searcher's own above all.

    Raises:
        InputError: no or repeated names, an unknown searcher or key, or a value that the settings refuse.
    """
    if not names or len(set(names)) != len(names):
        raise InputError("searchers", ",".join(names), "name at least one, none twice")
    for name in map(searcher_name, names):
        if shares_weights(name):
            rule = "shares weights between the networks that it trains, which takes a task; a table has none"
            raise InputError("searcher", name, rule)
    types = {name: searchers.get(searcher_name(name)).settings_type for name in names}
    values: dict[str, dict[str, Any]] = {name: {} for name in names}
    for text in assignments:
        path, equals, _ = text.partition("=")
        owner, _, key = path.strip().rpartition(".")
        owner = owner or _ALL
        if not equals or not key:
            raise InputError("--set", text, "must read NAME.KEY=VALUE, searcher.KEY=VALUE or KEY=VALUE")
        if owner == _ALL:
            takers = [name for name in names if key in types[name].model_fields]
        elif not (takers := [name for name in names if owner in (name, searcher_name(name))]):
            raise UnknownNameError("--set, searcher", owner, [*map(searcher_name, names), _ALL])
        if not takers:
            raise UnknownNameError("--set, key", key, {k for t in types.values() for k in t.model_fields})
        for name in takers:
            values[name][key] = parse_setting(text)[1]
    for name in names:
        _, colon, own = name.partition(":")
        if colon:
            values[name] |= parse_settings(own)
    return {name: types[name].parse(values[name], f"setting of {name}") for name in names}


def searcher_name(name: str) -> str:
    """``NAME`` of ``NAME:KEY=VALUE,...``."""
    return name.partition(":")[0]
