"""A run's configuration from a file, flags and ``--set``."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from naopt.configuration import parse_setting
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.workloads import WORKLOADS
from naopt.one_shot.kinds import searcher_settings
from naopt.run.config import SECTIONS, TOP, RunConfig, section_options
from naopt.spaces import spaces
from naopt.tasks import find_task


def merge_values(file: Mapping[str, Any], flags: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Keys from a configuration file, from flags and from ``KEY=VALUE`` settings; the later wins.

    A setting's key is a top key (``budget``), a section's option with the section before it (``searcher.seeds``), or
    an option alone if only one section knows it. Values are TOML; a bare word is text.

    Raises:
        InputError: a setting without ``=``, a key that nobody knows (with the nearest one), or more than one section.
    """
    values: dict[str, Any] = {key: value for key, value in file.items() if key not in SECTIONS}
    for name in SECTIONS:
        if name in file:
            values[name] = section_options(name, file[name])
    for key, value in flags.items():
        _put(values, key, value)
    pairs = [parse_setting(setting) for setting in settings]
    loose = []
    for key, value in pairs:
        if key in TOP or key in SECTIONS or key.partition(".")[0] in SECTIONS:
            _put(values, key, value)
        else:
            loose.append((key, value))
    for key, value in loose:
        _put(values, f"{_owner(values, key)}.{key}", value)
    return values


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets ``key``, in place; another space or searcher drops the options of the one before."""
    section, *path = key.split(".")
    if section not in SECTIONS:
        values[key] = value
        return
    options = values.setdefault(section, {})
    if path:
        for step in path[:-1]:
            options[step] = dict(options.get(step, {}))
            options = options[step]
        options[path[-1]] = value
        return
    given = section_options(section, value)
    if given.get("name", options.get("name")) != options.get("name"):
        options.clear()
    options.update(given)


def _owner(values: Mapping[str, Any], key: str) -> str:
    """The one section that knows an option."""
    known = _known_options(values)
    owners = [section for section, options in known.items() if key.partition(".")[0] in options]
    if len(owners) > 1:
        raise InputError("setting", key, f"could be {' or '.join(f'{owner}.{key}' for owner in owners)}; write which")
    if not owners:
        raise UnknownNameError("setting", key, {*TOP, *SECTIONS, *(o for options in known.values() for o in options)})
    return owners[0]


def _known_options(values: Mapping[str, Any]) -> dict[str, list[str]]:
    searcher = values.get("searcher", {}).get("name", RunConfig.model_fields["searcher"].default)
    known = {"searcher": list(searcher_settings(searcher).model_fields)}
    if values.get("task"):
        kind = WORKLOADS[find_task(str(values["task"]))[0].kind]
        space = str(values.get("space", {}).get("name", kind.default_space))
        known["space"] = list(inspect.signature(spaces.get(space.partition(":")[0])).parameters)
        known["training"] = list(kind.settings_type.model_fields)
    return known
