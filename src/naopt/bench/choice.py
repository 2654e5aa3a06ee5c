"""By what a comparison selects where the search metric has standard errors."""

from __future__ import annotations

from typing import Literal, get_args

from naopt.errors import UnknownNameError

Choice = Literal["expected", "measured"]


def parse_choice(text: str) -> Choice:
    """``expected`` or ``measured``. Raises ``InputError`` for anything else, with the nearest of them."""
    choices: dict[str, Choice] = {each: each for each in get_args(Choice)}
    if text not in choices:
        raise UnknownNameError("pick", text, choices)
    return choices[text]
