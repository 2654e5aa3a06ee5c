"""Reads the text of an architecture from left to right."""

from __future__ import annotations

from naopt.errors import ArchitectureSyntaxError


class Reader:
    """A place in a text, which moves on.

    Args:
        text: space around it is ignored.

    Attributes:
        text: without the space.
        at: the next character.
    """

    def __init__(self, text: str) -> None:
        self.text, self.at = text.strip(), 0

    def expect(self, word: str) -> None:
        """Moves behind the word. Raises ``ArchitectureSyntaxError`` if another one stands there."""
        if not self.text.startswith(word, self.at):
            raise self.wrong(f"expected '{word}'")
        self.at += len(word)

    def end(self, rule: str) -> None:
        """Raises ``ArchitectureSyntaxError`` with the rule if there is more."""
        if self.at != len(self.text):
            raise self.wrong(rule)

    def wrong(self, rule: str) -> ArchitectureSyntaxError:
        """What is to be raised: here the text breaks the rule."""
        return ArchitectureSyntaxError(self.text, self.at, rule)
