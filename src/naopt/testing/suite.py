"""What the conformance suites have in common."""

from __future__ import annotations


class Suite:
    """A set of checks, each a method ``test_...(subject)`` that raises ``AssertionError`` with a clear message.

    A subclass is at once a pytest mixin: derive a class ``Test...`` from it and give it a fixture with the name of the
    checks' parameter.
    """

    seed: int = 0
    """Where the checks' own randomness comes from."""

    @classmethod
    def check(cls, subject: object, seed: int = 0) -> None:
        """Runs all checks on one subject, in order. Raises ``AssertionError`` from the first that fails."""
        suite = cls()
        suite.seed = seed
        for name in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
            if name.startswith("test_"):
                getattr(suite, name)(subject)
