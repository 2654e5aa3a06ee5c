"""Errors: one line, suggestions, pickling."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import ArchitectureSyntaxError, InputError, NaoptError, RunStoppedError, UnknownNameError


def test_input_error_says_what_value_and_rule() -> None:
    error = InputError("budget", 0, "must be at least 1")
    assert str(error) == "budget '0': must be at least 1"
    assert (error.what, error.value, error.rule) == ("budget", 0, "must be at least 1")
    assert isinstance(error, NaoptError)
    assert isinstance(error, ValueError)


@given(st.text(), st.text(), st.text())
def test_messages_are_one_line(what: str, value: str, rule: str) -> None:
    assert len(str(InputError(what, value, rule)).splitlines()) <= 1


def test_unknown_names_get_the_nearest_one() -> None:
    error = UnknownNameError("searcher", "randm", ["nao", "random"])
    assert str(error) == "searcher 'randm': unknown; did you mean 'random'? known: nao, random"
    assert str(UnknownNameError("searcher", "zzz", ["nao"])) == "searcher 'zzz': unknown; known: nao"
    assert str(UnknownNameError("metric", "ACC", ["Acc", "loss"])).startswith(
        "metric 'ACC': unknown; did you mean 'Acc'?"
    )


def test_syntax_errors_say_where() -> None:
    error = ArchitectureSyntaxError("abc", 1, "expected 'x'")
    assert str(error) == "architecture 'abc': at position 1: expected 'x'"
    assert (error.text, error.position, error.detail) == ("abc", 1, "expected 'x'")


@pytest.mark.parametrize(
    "error",
    [
        InputError("budget", 0, "must be at least 1"),
        UnknownNameError("searcher", "randm", ["random", "nao"]),
        ArchitectureSyntaxError("abc", 1, "expected 'x'"),
        RunStoppedError("stopped after 3 of 10"),
    ],
)
def test_errors_cross_processes(error: NaoptError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
