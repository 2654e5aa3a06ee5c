"""Settings: parsed once at the edge into frozen values, with errors that name key, value and rule."""

from __future__ import annotations

import tomllib
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from naopt.errors import InputError, UnknownNameError


class Settings(BaseModel):
    """Base of every component's settings: immutable, no unknown keys, and every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: dict[str, Any], where: str = "setting") -> Self:
        """Settings from loose values.

        Raises:
            InputError: the first value that breaks a rule; for a misspelt key the nearest known one is suggested.
        """
        for key in values:
            if key not in cls.model_fields:
                raise UnknownNameError(where, key, cls.model_fields)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            given = first["input"] if name else {k: v for k, v in values.items() if v != cls.model_fields[k].default}
            raise InputError(f"{where} {name}".strip(), given, message) from None


class PresetSettings(Settings):
    """Settings with named sets of values.

    A subclass sets ``presets`` and declares a field ``preset``, a ``Literal`` of their names. The preset fills every
    field that is not given.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}}

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("preset", "default"), str):
            return cls.presets.get(values.get("preset", "default"), {}) | values
        return values


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


def split_settings(text: str) -> list[str]:
    """The parts between commas, without the spaces around them; a comma in brackets separates nothing."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def parse_settings(text: str) -> dict[str, Any]:
    """Values of ``KEY=VALUE,...``, see ``parse_setting``; of a key that is given twice the later one."""
    return dict(map(parse_setting, split_settings(text)))
