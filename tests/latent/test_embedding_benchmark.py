"""The command that measures the default latent model runs and prints a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.embedding import main


def test_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path))
    main(["nasbench201", "recurrent-baseline"], unseen=50, unlabelled=200, steps=5)
    head, _, first, second = capsys.readouterr().out.splitlines()
    assert "exact of 50" in head
    assert first.startswith("| `nasbench201` |")
    assert "| 100% |" in first
    assert "| 100.00% | 100% |" in second
