"""The ablation of TNAO on a table of 36 rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import tnao_ablation
from benchmarks.tnao_ablation import PARTS, combinations, effect, finals, main, markdown, settings_of

from naopt.bench import SearchTrial
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.metrics import summarise
from naopt.tables import save_table
from naopt.tables.delimited import import_csv

TINY = [
    *("hidden_size=8", "embedding_size=4", "layers=1", "heads=2", "feed_forward_size=8", "ensemble=1", "initial=4"),
    *("new_per_round=4", "pretraining_steps=2", "unlabelled=10", "max_steps=2", "min_steps=1", "particles=4"),
    *("generations=2", "steps=2"),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["a,b,score,test", *(f"x{i},y{j},{i * j + 1},{10 * i + j}" for i in range(6) for j in range(6))]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    metrics = {"score": MetricInfo(), "test": MetricInfo()}
    save_table(import_csv(tmp_path / "table.csv", metrics), tmp_path / "table.npz")
    return tmp_path / "table.npz"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen times two processes would each import torch."""

    def compare(comparison, workers, done, on_trial):  # type: ignore[no-untyped-def]
        from naopt.bench import run_trial

        found = {trial.trial: trial for trial in done}
        for number in range(comparison.trials):
            if number not in found:
                found[number] = run_trial(comparison, "tnao", number)
                on_trial(found[number])
        return [found[number] for number in sorted(found)]

    monkeypatch.setattr(tnao_ablation, "compare", compare)


def command(table: Path, *more: str) -> list[str]:
    settings = [part for text in TINY for part in ("--set", text)]
    common = ["--metric", "score", "--report-metric", "test", "--budget", "8", "--trials", "2"]
    return ["--table", str(table), *common, *settings, *more]


def test_there_are_sixteen_rows_and_it_goes_on_where_it_stopped(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    main(command(table, "--json", "--out", str(out)))
    document = json.loads(capsys.readouterr().out)
    rows = document["rows"]
    assert len({tuple(row[part] for part in PARTS) for row in rows}) == len(rows) == 16
    assert set(document["effects"]) == set(PARTS)
    assert (document["budget"], document["trials"]) == (8, 2)
    for row in rows:
        assert sum(origin["queries"] for origin in row["origins"].values()) == 16
        assert ("ascent" in row["origins"]) <= (row["optimizer"] == "gradient")
    settings = document["settings"]["transformer-logistic-swarm-remapped"]
    assert (settings["encoder"], settings["loss"], settings["initial"]) == ("transformer", "logistic", 4)
    lines = (out / "ablation.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith(("| lstm", "| transformer")) for line in lines) == 16

    # The last trial of one combination is lost, as if it had been stopped there; nothing else runs again.
    (journal,) = out.glob("lstm-mse-gradient-raw/trials.jsonl")
    kept = journal.read_text(encoding="utf-8").splitlines()[:1]
    journal.write_text(kept[0] + "\n", encoding="utf-8")
    asked: list[int] = []
    original = vars(tnao_ablation)["compare"]

    def counted(comparison, workers, done, on_trial):  # type: ignore[no-untyped-def]
        asked.append(comparison.trials - len(done))
        return original(comparison, workers, done, on_trial)

    monkeypatch.setattr(tnao_ablation, "compare", counted)
    main(command(table, "--out", str(out)))
    assert asked == [1] + [0] * 15
    text = capsys.readouterr().out
    again = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    assert [row["mean"] for row in again["rows"]] == [row["mean"] for row in rows]
    assert text == (out / "ablation.md").read_text(encoding="utf-8")


def trial(number: int, reported: float, queries: int | None) -> SearchTrial:
    return SearchTrial("tnao", number, [1.0], [reported], 8, queries, 1.0, 0.5, {}, [])


def test_an_effect_is_the_paired_difference_over_all_else() -> None:
    rng = np.random.default_rng(0)
    values = {choices: rng.normal(size=3) for choices in combinations("hinge")}
    found = {c: [trial(k, float(v), None) for k, v in enumerate(row)] for c, row in values.items()}
    for part, name in enumerate(PARTS):
        result = effect(found, part)
        differences = []
        for k in range(3):
            new = [row[k] for c, row in values.items() if c[part] == result["to"]]
            old = [row[k] for c, row in values.items() if c[part] == result["from"]]
            assert len(new) == len(old) == 8
            differences.append(sum(new) / 8 - sum(old) / 8)
        assert (result["from"], result["to"]) == (PARTS[name] if name != "loss" else ("mse", "hinge"))
        assert result["mean_difference"] == pytest.approx(summarise(differences).mean)
        assert result["ci95"] == pytest.approx(list(summarise(differences).ci95))


def test_the_median_counts_trials_without_the_optimum_as_beyond_the_budget() -> None:
    row = dict.fromkeys(PARTS, "x") | {"mean": 1.0, "ci95": [0.5, 1.5], "optimum_found": 0, "seconds_per_trial": 2.0}
    document = {"table": "t", "metric": "m", "report_metric": "r", "goal": "min", "unit": "%", "budget": 50}
    document |= {"trials": 3, "effects": {}}
    for queries, shown in (([30, None, 20], "30"), ([None, 10, None], "> 50"), ([10, 20, 30, 40], "25")):
        text = markdown(document | {"rows": [row | {"queries_to_optimum": queries}]})
        assert f"| {shown} |" in text
    assert "smaller is better" in text
    assert "r (%)" in text


def test_choices_win_over_common_settings() -> None:
    settings = settings_of(("lstm", "mse", "gradient", "raw"), ["encoder=transformer", "particles=7"])["tnao"]
    assert settings.model_dump()["encoder"] == "lstm"
    assert settings.model_dump()["particles"] == 7


def test_bad_input_is_one_line(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(command(table, "--set", "particle=3"))
    assert "particle" in capsys.readouterr().err
    with pytest.raises(InputError, match="no row with the metric"):
        finals([SearchTrial("tnao", 0, [None], [None], 8, None, 1.0, 0.5, {}, [])])
