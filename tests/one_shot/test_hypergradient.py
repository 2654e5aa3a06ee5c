"""The benchmark of DARTS' second order, on a tiny mixture."""

from __future__ import annotations

import json

import pytest
from benchmarks import hypergradient
from benchmarks.hypergradient import main

TINY = ["--filters", "2", "--epochs", "0", "--batch", "12", "--seconds", "0"]


def test_the_exact_gradient_is_exact_up_to_rounding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main([*TINY, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["first", "exact", "difference 0.01", "difference 0.001", "difference 0.0001"]
    assert found["exact"]["error"] < 1e-3 < found["difference 0.01"]["error"]
    assert found["exact"]["term_error"] < 1e-2 < found["difference 0.01"]["term_error"]
    assert all(row["ms"] > 0 for row in found.values())
    monkeypatch.setattr(hypergradient, "compare", lambda *_: found)
    main(TINY)
    assert capsys.readouterr().out.count("\n| ") == 5
