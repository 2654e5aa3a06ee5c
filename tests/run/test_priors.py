"""``--prior-columns`` and ``--proxies``: kept by a run, and refused where they mean nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.cli.rehearsal import proxy_seconds
from naopt.errors import InputError
from naopt.evaluators.proxy_costs import DEFAULT_PROXIES
from naopt.measurement import MetricInfo
from naopt.run import RunConfig, load_run
from naopt.run.priors import prior_weights
from naopt.run.setup import prepare
from naopt.tables import Table, save_table
from tests.tables.test_table import SPACE, WHOLE

ACC = np.arange(6.0)


@pytest.fixture
def file(tmp_path: Path) -> str:
    metrics = {"acc": ACC, "early": np.sqrt(ACC), "gaps": np.where(ACC > 3, np.nan, ACC)}
    save_table(Table("toy", SPACE, WHOLE, metrics, dict.fromkeys(metrics, MetricInfo())), tmp_path / "t.npz")
    return str(tmp_path / "t.npz")


def test_a_run_keeps_its_prior_columns_and_says_what_they_were_worth(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["search", "--table", file, "--metric", "acc", "--searcher", "gp", "--set", "initial=3"]
    assert run([*arguments, "--budget", "6", "--prior-columns", "early,gaps", "--run", str(tmp_path / "a")]) == 0
    record = load_run(tmp_path / "a")
    assert record.config.prior_columns == ("early", "gaps")
    assert RunConfig.from_values(record.config.to_values()) == record.config
    weights = prior_weights(record.rounds)
    assert weights.keys() == {"early", "gaps"}
    assert all(0 < weight < 1 for weight in weights.values())
    assert f"priors:     early {weights['early']:.0%}, gaps" in capsys.readouterr().out
    assert "Known before: early" in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    measured = [set(trial.measurement.metrics) for trial in record.trials if trial.measurement]
    assert len(measured) == 6


def test_without_them_a_configuration_is_as_it_was(file: str) -> None:
    setup = prepare(RunConfig(table=file, searcher="gp"))
    assert setup.problem.priors is None
    assert setup.config.to_values().keys().isdisjoint({"prior_columns", "proxies"})
    assert prior_weights([{}, {"noise": 0.1}]) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior_columns": ("acc",)}, "prior column 'acc': is what the search is about"),
        ({"prior_columns": ("early", "early")}, "prior column 'early': is given twice"),
        ({"prior_columns": ("erly",)}, "did you mean 'early'"),
        ({"prior_columns": ("early",), "searcher": "local-search"}, "takes no prior knowledge; take one of bananas"),
        ({"proxies": ("naswot",)}, "proxies 'naswot': are of networks that the search trains"),
    ],
)
def test_what_means_nothing_is_refused(file: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(RunConfig.from_values({"table": file, "metric": "acc", **options}))


def test_prior_columns_need_a_table_and_proxies_networks() -> None:
    with pytest.raises(InputError, match="have a use only with a table"):
        prepare(RunConfig(task="digits", prior_columns=("params",)))
    for searcher in ("random", "random-ws"):
        with pytest.raises(InputError, match="takes no prior knowledge"):
            prepare(RunConfig(task="digits", proxies=("naswot",), searcher=searcher))


def test_proxies_are_known_by_name_before_anything_is_computed() -> None:
    setup = prepare(RunConfig(task="digits", proxies=("default",)))
    assert setup.config.proxies == DEFAULT_PROXIES["images"]
    assert setup.problem.slow_priors
    assert setup.problem.priors is not None
    assert tuple(setup.problem.priors.metrics) == setup.config.proxies
    assert prepare(RunConfig(task="digits", proxies=("none",))).problem.priors is None
    with pytest.raises(InputError, match="did you mean 'naswot'"):
        prepare(RunConfig(task="digits", proxies=("naswo",)))


def test_a_dry_run_knows_what_proxies_take(file: str) -> None:
    tiny = {"train_limit": 40, "valid_limit": 20, "filters": 2, "cells_per_stage": 1, "batch_size": 20}
    config = RunConfig(task="digits", space="nasbench201", training=tiny, proxies=("naswot",))
    seconds = proxy_seconds(prepare(config))
    assert seconds is not None
    assert 0 < seconds < 60
    assert proxy_seconds(prepare(RunConfig(table=file, metric="acc", prior_columns=("early",)))) is None
