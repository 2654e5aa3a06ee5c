"""Zero-cost proxies on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run
from naopt.evaluators import create_workload
from naopt.evaluators.proxy_costs import ProxyCosts
from naopt.proxies import ProxySettings, proxies_for
from naopt.run.config import RunConfig
from naopt.spaces import NASBench201Space

CELL = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"
TINY = {"train_limit": 60, "valid_limit": 20, "filters": 2, "cells_per_stage": 1}
SETTINGS = [f"--set=training.{key}={value}" for key, value in TINY.items()]
SETTINGS.append("--set=proxy.batch_size=6")
SEARCH = ["search", "--task", "digits", "--space", "nasbench201", "--searcher", "random", "--engine", "inline"]


def known(names: list[str], architecture: str, seed: int = 0) -> dict[str, float]:
    space, settings = NASBench201Space(), ProxySettings(batch_size=6)
    costs = ProxyCosts(space, create_workload("digits", TINY), names, seed, settings=settings)
    return dict(costs.values(space.parse(architecture)))


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*arguments, *SETTINGS, "--json"]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "show", CELL, "--task", "digits", "--zero-cost")["zero_cost"]
    names = proxies_for("images")
    assert {name: proxy["value"] for name, proxy in found.items()} == known(names, CELL)
    assert all(proxy["seconds"] > 0 and proxy["source"] and proxy["meaning"] for proxy in found.values())
    assert run(["show", CELL, "--task", "digits", "--zero-cost", *SETTINGS]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name + ':':<12} {found[name]['value']:.6g}" in out for name in names)
    assert "(Mellor et al. 2021, NASWOT)" in out


def test_a_search_that_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *SEARCH, "--zero-cost", "--budget", "3", "--seed", "4", "--run", str(tmp_path / "run"))
    best = found["best"]
    assert (found["metric"], found["goal"]) == ("naswot", "max")
    assert best["metrics"] == known(["naswot"], best["architecture"], 4)
    config = RunConfig.read(tmp_path / "run" / "config.toml")
    assert config.zero_cost
    assert config.proxy == {"inputs": "data", "batch_size": 6, "batches": 2, "repeats": 1}


def test_proxies_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--zero-cost", "--objective", "params,zico", "--max", "macs=1e9"]
    tried = document(capsys, *SEARCH, *wanted, "--dry-run")
    assert tried["metrics"] == known(["macs", "params", "zico"], tried["architecture"])
    wanted = ["--metric", "valid_acc", "--min", "naswot=1", "--max", "synflow=999", "--set", "epochs=1"]
    found = document(capsys, *SEARCH, *wanted, "--budget", "1", "--run", str(tmp_path / "trained"))
    metrics, architecture = found["best"]["metrics"], found["best"]["architecture"]
    expected = known(["naswot", "synflow"], architecture)
    assert {name: metrics[name] for name in expected} == expected
    trained = {"valid_acc", "valid_loss", "valid_acc_se", "valid_loss_se", "params"}
    assert set(metrics) == {*trained, "naswot", "synflow"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", CELL, "--zero-cost"], "--zero-cost"),
        (["show", "normal:conv3x3@0", "--task", "digits", "--zero-cost"], "at position"),
        ([*SEARCH, "--zero-cost", "--metric", "synflw"], "did you mean 'synflow'"),
        ([*SEARCH, "--metric", "naswt"], "did you mean 'naswot'"),
        ([*SEARCH, "--zero-cost", "--metric", "min:naswot"], "naswot is to be maximised"),
        ([*SEARCH, "--zero-cost", "--searcher", "darts"], "has no use with a searcher that trains shared weights"),
        ([*SEARCH, "--zero-cost", "--set", "proxy.batch=3"], "proxy setting 'batch': unknown"),
        ([*SEARCH, "--searcher", "zero-cost"], "needs something that is known before training: give --proxies"),
        ([*SEARCH, "--searcher", "evolution", "--set", "warmup_proxy=all"], "give --proxies"),
        ([*SEARCH, "--searcher", "evolution", "--proxies", "l2"], "has a use only with it: all, or names"),
        (
            [*SEARCH, "--searcher", "zero-cost", "--proxies", "l2", "--set", "searcher.proxy=snip"],
            "prior 'snip': unknown",
        ),
        (["search", "--table", "digits-nao11", "--zero-cost"], "zero-cost 'digits-nao11': give --task"),
        (["search", "--table", "digits-nao11", "--set", "proxy.batch_size=3"], "where networks are built: --task"),
    ],
)
def test_what_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--run", str(tmp_path / "run")] if arguments[0] == "search" else []
    assert run([*arguments, *where]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()
