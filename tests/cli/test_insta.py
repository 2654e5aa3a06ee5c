"""The meta-graph space on the command line: searched, trained and exported like every other one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run

SPACE = "insta:blocks=2,stages=2,operations=mb3e1+mb3e2"
TINY = [f"--set=training.{text}" for text in ("filters=2", "train_limit=60", "valid_limit=60", "epochs=1")]
SEARCH = ["search", "--task", "digits", "--space", SPACE, "--budget", "4", *TINY]


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_from_search_to_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory, file = str(tmp_path / "run"), tmp_path / "net.py"
    nao = [f"--set={text}" for text in ("initial=2", "pretraining_steps=5", "unlabelled=50", "decoder_size=8")]
    found = document(capsys, *SEARCH, "--engine", "inline", *nao, "--run", directory)
    assert (found["space"], found["evaluated"]) == (SPACE, 4)
    trained = document(capsys, "train", directory, "--set=epochs=1", "--set=filters=2", "--set=train_limit=60")
    assert trained["architecture"] == found["best"]["architecture"]
    assert run(["export", directory, "--to", "pytorch", "--out", str(file)]) == 0
    assert "ParallelBlock(" in file.read_text()


def test_shared_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = str(tmp_path / "run")
    found = document(capsys, *SEARCH, "--searcher", "random-ws", "--set=searcher.epochs=1", "--run", directory)
    assert (found["space"], found["evaluated"], found["metric"]) == (SPACE, 4, "shared_loss")


def test_what_its_network_costs_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "show", "insta:skip/mb5e3", "--task", "digits", "--set=filters=2")
    assert found["space"] == "insta:blocks=2,stages=2"
    stem, block, head = 9 * 2 + 4, (2 * 6 + 12) + (25 * 6 + 12) + (6 * 4 + 8), 2 * 4 + 5 * 10
    assert found["costs"]["params"] == stem + block + head


def test_mixtures_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SEARCH, "--searcher", "darts", "--run", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.endswith(
        f"can be mixed: in conv-cell, nasbench201 and recurrent-cell, not in {SPACE}\n"
    )
