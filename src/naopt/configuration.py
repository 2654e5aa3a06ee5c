"""Settings: parsed once at the edge into frozen values, with errors that name key, value and rule."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from naopt.errors import InputError, UnknownNameError


class Settings(BaseModel):
    """Base of every component's settings: immutable, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

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
            raise InputError(f"{where} {name}".strip(), first["input"], message) from None
