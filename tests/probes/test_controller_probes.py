"""The benchmark of the probes of ENAS' controller, on sixty digits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.controller_probes import main, operation_shares

from naopt.spaces import ConvCellSpace

TINY = ["training.batch_size=20", "filters=2", "cells_per_stage=1", "train_limit=60", "valid_limit=40", "warmup=0"]


def test_each_search_and_each_untrained_controller_is_probed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--task", "digits", "--space", "nasbench201", "--seeds", "1", "--buffers", "0", "4", "--budget", "22"]
    command += ["--architectures", "24", "--permutations", "9", "--out", str(tmp_path), "--json"]
    command += ["--set", *TINY, "searcher.epochs=1", "controller_steps=2", "hidden_size=8"]
    main(command)
    document = json.loads(capsys.readouterr().out)
    fresh, without, with_buffer = document["runs"]
    assert [run["buffer"] for run in document["runs"]] == [None, 0, 4]
    assert fresh["score"] is None
    assert fresh["after"] == without["after"] == [2, 3, 4]
    for run in document["runs"]:
        assert sum(run["shares"].values()) == pytest.approx(1)
        assert all(0.1 <= p <= 1 for _, p in [run["alike"], run["mantel"], *run["continued"]])
    assert with_buffer["entropy_end"] > 9
    assert (tmp_path / "anchors-4-0" / "supernet.safetensors").is_file()
    table = (tmp_path / "controller_probes.md").read_text(encoding="utf-8")
    assert table.count("| anchors | untrained | 0 |") == 2
    main([argument for argument in command if argument != "--json"])
    assert capsys.readouterr().out == table, "searches that are there are not made again"


def test_shares_are_those_of_operations() -> None:
    space = ConvCellSpace(1, "sep_conv3x3+identity")
    shares = operation_shares(space, [(0, 0, 1, 0, 0, 0, 1, 1), (1, 1, 1, 1, 1, 1, 1, 1)])
    assert shares == {"identity": 5 / 8, "sep_conv3x3": 3 / 8}


def test_bad_settings_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--task", "digits", "--space", "nasbench201", "--set", "epocs=1", "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert "epocs" in capsys.readouterr().err
