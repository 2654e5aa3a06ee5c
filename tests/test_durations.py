from __future__ import annotations

import pytest

from naopt.durations import in_words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.04 s"),
        (12.3, "12 s"),
        (99, "99 s"),
        (840, "14 min"),
        (6600, "1 h 50 min"),
        (7200, "2 h"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert in_words(seconds) == text
