"""``--noise repeat``: a searcher sees one repeat, selection goes by it, the report by the mean."""

import json
from pathlib import Path

import numpy as np
import pytest

from naopt.bench import Comparison, Journal, run_trial
from naopt.cli.app import run
from naopt.errors import InputError, UnknownNameError
from naopt.execution.jobs import evaluation_seed
from naopt.tables import Table, save_table
from tests.bench.stubs import SPACE, LineSettings, cube

NOISE = np.random.default_rng(0).normal(scale=20, size=(125, 3))


def noisy_cube(goal: str = "max") -> Table:
    whole = cube(goal)
    score = whole.metrics["score"][:, None] + NOISE
    return Table("cube", SPACE, whole.tokens, {"score": score, "test": whole.metrics["test"]}, whole.infos)


def comparison(table: Table, noise: str = "repeat") -> Comparison:
    settings = {"line": LineSettings()}
    return Comparison(table, "score", "test", settings, 125, 2, seed=3, noise=noise, pick="measured")  # type: ignore[arg-type]


@pytest.mark.usefixtures("stub_searchers")
@pytest.mark.parametrize("goal", ["max", "min"])
def test_a_trial_selects_by_what_it_saw(goal: str) -> None:
    table = noisy_cube(goal)
    what = comparison(table)
    found = run_trial(what, "line", 1)
    repeats, mean = table.metrics["score"], table.values("score")
    seen = []
    for row in range(125):
        share = np.random.SeedSequence(evaluation_seed(what.trial_seed(1), table.architecture(row))).generate_state(1)
        seen.append(repeats[row, int(share[0] / 2**32 * 3)])
    sign = 1 if goal == "max" else -1
    best = [int(np.argmax(sign * np.array(seen[:count]))) for count in what.checkpoints]
    assert found.search_metric == [mean[row] for row in best]
    assert found.report_metric == [table.values("test")[row] for row in best]
    assert found.queries_to_optimum == 1 + int(np.argmax(sign * mean))
    assert found.search_metric[-1] != mean[np.argmax(sign * mean)]
    assert run_trial(what, "line", 1).search_metric == found.search_metric
    assert run_trial(what, "line", 0).search_metric != found.search_metric


@pytest.mark.usefixtures("stub_searchers")
def test_noise_without_repeats_is_refused() -> None:
    with pytest.raises(InputError, match="noise 'repeat': metric score of table cube has one value a row"):
        comparison(cube())


@pytest.mark.usefixtures("stub_searchers")
def test_a_journal_belongs_to_one_kind_of_noise(tmp_path: Path) -> None:
    Journal(tmp_path / "new", comparison(noisy_cube()))
    with pytest.raises(InputError, match="noise repeat, not mean"):
        Journal(tmp_path / "new", comparison(noisy_cube(), "mean"))
    Journal(tmp_path / "old", comparison(noisy_cube(), "mean"))
    settings = tmp_path / "old" / "settings.json"
    known = json.loads(settings.read_text())
    del known["noise"]
    settings.write_text(json.dumps(known))
    assert Journal(tmp_path / "old", comparison(noisy_cube(), "mean")).trials == []
    settings.write_text(json.dumps(known))
    with pytest.raises(InputError, match="noise mean, not repeat"):
        Journal(tmp_path / "old", comparison(noisy_cube()))


@pytest.mark.usefixtures("in_this_process")
def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(noisy_cube(), tmp_path / "t.npz")
    arguments = ["bench", "--table", str(tmp_path / "t.npz"), "--metric", "score", "--searchers", "random"]
    arguments += ["--budget", "20", "--trials", "1"]
    assert run([*arguments, "--noise", "repeat"]) == 0
    assert "one repeat seen a query" in capsys.readouterr().out
    assert run([*arguments, "--noise", "repeat", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["noise"] == "repeat"
    assert run([*arguments, "--noise", "means"]) == 2
    assert str(UnknownNameError("noise", "means", ["mean", "repeat"])) in capsys.readouterr().err
