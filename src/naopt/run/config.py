"""``config.toml``: everything that decides what a search does.

The same keys are accepted from a configuration file, from flags and from ``--set``. ``space``, ``searcher`` and
``training`` are sections with options of their own (``space = "conv-cell"`` is short for ``[space] name =
"conv-cell"``); all other keys stand at the top.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field

from naopt.configuration import Settings
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.table import Noise
from naopt.evaluators.workloads import WORKLOADS
from naopt.run.kinds import searcher_settings
from naopt.spaces import spaces
from naopt.tasks import tasks

SECTIONS = ("space", "searcher", "training")


class RunConfig(Settings):
    """One search.

    Attributes:
        space: name of the space; empty for the table's, or ``conv-cell`` with a task.
        space_options: options of the space.
        task: what networks are trained on (``digits``, ``cifar10:PATH``); either this, or ``table``, or ``supernet``.
        table: a file or a built-in name.
        supernet: directory of a weight-sharing run: architectures are measured with its trained shared weights.
        noise: what a query of a table with repeats returns: their ``mean``, or one ``repeat`` drawn at random.
        metric: what is optimised; empty for the evaluator's default.
        searcher: name of the searcher.
        searcher_settings: its settings; what is left out has its default.
        training: settings of training; what is left out comes from the task's recipe.
        budget: how many architectures are measured in all.
        seed: of all randomness.
        workers: processes that evaluate; changes nothing but the time.
        threads: CPU threads of one training; changes the last bits of a result.
        device: where networks are trained.
        engine: where evaluations happen: ``local`` or ``ray``.
        timeout: seconds that one evaluation may take; 0 for no limit.
    """

    space: str = ""
    space_options: dict[str, Any] = Field(default_factory=dict)
    task: str = ""
    table: str = ""
    supernet: str = ""
    noise: Noise = "mean"
    metric: str = ""
    searcher: str = "nao"
    searcher_settings: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    budget: int = Field(100, ge=1)
    seed: int = Field(0, ge=0)
    workers: int = Field(1, ge=1)
    threads: int = Field(1, ge=1)
    device: str = "cpu"
    engine: Literal["local", "ray"] = "local"
    timeout: float = Field(0.0, ge=0)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> RunConfig:
        """A configuration from the keys of a configuration file.

        Raises:
            InputError: an unknown key (with the nearest one) or a value that breaks a rule.
        """
        sections = {name: section_options(name, values.get(name, {})) for name in SECTIONS}
        top = {key: value for key, value in values.items() if key not in SECTIONS}
        for key in top:
            if key not in _TOP:
                raise UnknownNameError("option", key, [*_TOP, *SECTIONS])
        for name, options in (("space", "space_options"), ("searcher", "searcher_settings")):
            if "name" in sections[name]:
                top[name] = sections[name].pop("name")
            top[options] = sections[name]
        return cls.parse({**top, "training": sections["training"]}, "option")

    def to_values(self) -> dict[str, Any]:
        """The keys of a configuration file; inverse of ``from_values``."""
        top = {key: value for key in _TOP if (value := getattr(self, key)) != ""}
        return {
            **top,
            "space": {"name": self.space, **self.space_options},
            "searcher": {"name": self.searcher, **self.searcher_settings},
            **({"training": self.training} if self.training else {}),
        }

    def write(self, path: Path) -> None:
        """Writes the configuration as TOML."""
        path.write_bytes(tomli_w.dumps(self.to_values()).encode())

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Reads a run's configuration. Raises ``InputError`` if there is none, or it is damaged."""
        if not path.is_file():
            raise InputError("run", str(path.parent), f"has no {path.name}; it is not a run's directory")
        return cls.from_values(read_values(path))


_TOP = tuple(key for key in RunConfig.model_fields if key not in (*SECTIONS, "space_options", "searcher_settings"))


def read_values(path: Path) -> dict[str, Any]:
    """The keys of a configuration file. Raises ``InputError`` if it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("configuration file", str(path), error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("configuration file", str(path), f"is not TOML: {error}") from error


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
        if key in _TOP or key in SECTIONS or key.partition(".")[0] in SECTIONS:
            _put(values, key, value)
        else:
            loose.append((key, value))
    for key, value in loose:
        _put(values, f"{_owner(values, key)}.{key}", value)
    return values


def section_options(name: str, value: Any) -> dict[str, Any]:
    """The options of a configuration file's section. Raises ``InputError`` if it is none."""
    if isinstance(value, str) and name != "training":
        return {"name": value}
    if not isinstance(value, dict):
        raise InputError(f"section {name}", value, "must be a table of options")
    return dict(value)


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


def parse_setting(setting: str) -> tuple[str, Any]:
    """Key and value of ``KEY=VALUE``; the value is TOML, a bare word text. Raises ``InputError`` without ``=``."""
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise InputError("setting", setting, "must be KEY=VALUE")
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return key, text.strip()


def _owner(values: Mapping[str, Any], key: str) -> str:
    """The one section that knows an option."""
    known = _known_options(values)
    owners = [section for section, options in known.items() if key.partition(".")[0] in options]
    if len(owners) > 1:
        raise InputError("setting", key, f"could be {' or '.join(f'{owner}.{key}' for owner in owners)}; write which")
    if not owners:
        raise UnknownNameError("setting", key, {*_TOP, *SECTIONS, *(o for options in known.values() for o in options)})
    return owners[0]


def _known_options(values: Mapping[str, Any]) -> dict[str, list[str]]:
    searcher = values.get("searcher", {}).get("name", RunConfig.model_fields["searcher"].default)
    known = {"searcher": list(searcher_settings(searcher).model_fields)}
    if values.get("task"):
        kind = WORKLOADS[tasks.get(str(values["task"]).partition(":")[0]).kind]
        space = str(values.get("space", {}).get("name", kind.default_space))
        known["space"] = list(inspect.signature(spaces.get(space.partition(":")[0])).parameters)
        known["training"] = list(kind.settings_type.model_fields)
    return known
