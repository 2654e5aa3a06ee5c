from __future__ import annotations

from naopt.traces import trace


def deep(count: int) -> None:
    if count:
        if count % 2:
            deep(count - 1)
        deep(count - 1)  # another line, or Python says how often the same one was repeated
    raise ValueError("x" * 20_000)


def test_tracebacks_are_bounded() -> None:
    try:
        deep(30)
    except ValueError as error:
        text = trace(error)
    assert len(text) <= 16_000
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("xxx")
    assert "\n...\n" in text


def test_causes_are_part_of_it() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        text = trace(error)
    assert "KeyError: 'inner'" in text
    assert text.endswith("RuntimeError: outer")
