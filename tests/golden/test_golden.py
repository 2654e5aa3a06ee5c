"""Proves that every searcher finds today, trial by trial, what it found when its archives were recorded.

Rounds, origins, architectures, parents and status are compared exactly, numbers but for their last bits. Where a change
is meant, ``python -m tests.golden.record`` records anew.
"""

from __future__ import annotations

import pytest

from naopt.cli.app import run as naopt
from tests.golden.cases import cases
from tests.golden.record import FILES, HERE, PINNED, Archives, read, record_in_a_process

GOLDEN = {name: rows for file in FILES for name, rows in read(HERE / file).items()}
TOLERANCE = {name: tolerance for file, tolerance in zip(FILES, (1e-6, 1e-4), strict=True) for name in read(HERE / file)}
"""Relative: trainings of shared weights, in single precision, amplify last bits."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """Of the same searches, carried out now."""
    return record_in_a_process(tmp_path_factory.mktemp("golden"), PINNED)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_search_is_what_it_was(name: str, archives: Archives) -> None:
    was, now = GOLDEN[name], archives[name]
    assert [row[:4] for row in now] == [row[:4] for row in was]
    assert [row[5] for row in now] == [row[5] for row in was]
    for index, (then, row) in enumerate(zip(was, now, strict=True)):
        assert row[4] == (None if then[4] is None else pytest.approx(then[4], rel=TOLERANCE[name])), (
            f"predicted, {index}"
        )
        assert row[6] == pytest.approx(then[6], rel=TOLERANCE[name]), f"measured, {index}"


def test_every_search_is_recorded() -> None:
    assert set(GOLDEN) == {f"{name} {seed}" for name, (_, seeds) in cases().items() for seed in seeds}


def test_every_searcher_has_three_archives(capsys: pytest.CaptureFixture[str]) -> None:
    assert naopt(["list", "searchers"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert len(names) >= 19
    recorded = [values["searcher"]["name"] for values, seeds in cases().values() if len(seeds) == 3]
    assert set(recorded) >= set(names)
