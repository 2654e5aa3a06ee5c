import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from naopt._version import __version__
from naopt.bench import (
    Comparison,
    Journal,
    QualityJournal,
    QualityStudy,
    QualityTrial,
    run_trial,
    searcher_settings,
)
from naopt.bench.sources import source_checksum
from naopt.errors import InputError
from naopt.searchers import RandomSearcher, searchers
from tests.bench.stubs import cube

pytestmark = pytest.mark.usefixtures("stub_searchers")


def comparison(names: tuple[str, ...] = ("line",), sets: tuple[str, ...] = (), **changes: Any) -> Comparison:
    values: dict[str, Any] = {"table": cube(), "metric": "score", "report_metric": "test", "budget": 15, "trials": 2}
    return Comparison(settings=searcher_settings(names, sets), **(values | changes))


def test_trials_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a" / "b", comparison())
    assert journal.trials == []
    trials = [run_trial(comparison(), "line", k) for k in range(2)]
    for trial in trials:
        journal.append(trial)
    assert journal.trials == trials
    assert Journal(tmp_path / "a" / "b", comparison()).trials == trials


def test_a_line_that_was_being_written_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path, comparison())
    trial = run_trial(comparison(), "line", 0)
    journal.append(trial)
    lines = tmp_path / "trials.jsonl"
    with lines.open("a") as file:
        file.write('{"searcher": "li')
    again = Journal(tmp_path, comparison())
    assert again.trials == [trial]
    again.append(run_trial(comparison(), "line", 1))
    assert len(Journal(tmp_path, comparison()).trials) == 2


def test_more_trials_and_searchers_may_join(tmp_path: Path) -> None:
    Journal(tmp_path, comparison()).append(run_trial(comparison(), "line", 0))
    assert len(Journal(tmp_path, comparison(("random",), trials=9)).trials) == 1
    with pytest.raises(InputError, match="its trials of line were made with other settings"):
        Journal(tmp_path, comparison(sets=("step=2",)))


def test_other_code_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A searcher in a module of its own, whose settings and base class are elsewhere."""
    where = tmp_path / "modules"
    where.mkdir()
    monkeypatch.syspath_prepend(where)
    texts = {
        "own_base": "from naopt.searchers import RandomSearcher\nclass Base(RandomSearcher):\n    pass\n",
        "own_settings": "from naopt.configuration import Settings\nclass Own(Settings):\n    step: int = 1\n",
        "own_line": "from own_base import Base\nfrom own_settings import Own\n\n"
        "class Line(Base):\n    settings_type = Own\n",
    }
    for name, text in texts.items():
        (where / f"{name}.py").write_text(text)
    line = importlib.import_module("own_line").Line
    monkeypatch.setitem(searchers._objects, "own", line)
    names = ("own", "random")
    journal = Journal(tmp_path / "out", comparison(names))
    for name in names:
        journal.append(run_trial(comparison(names), name, 0))
    assert len(Journal(tmp_path / "out", comparison(names)).trials) == 2
    for name, text in texts.items():
        (where / f"{name}.py").write_text(text + "# changed\n")
        with pytest.raises(InputError, match="its trials of own were made with other code; choose another folder, or"):
            Journal(tmp_path / "out", comparison(names))
        assert len(Journal(tmp_path / "out", comparison(("random",))).trials) == 2
        (where / f"{name}.py").write_text(text)
    (where / "own_line.py").write_text(texts["own_line"] + "# changed\n")
    again = Journal(tmp_path / "out", comparison(names), force=True)
    assert ([trial.searcher for trial in again.trials], again.dropped) == (["random"], 1)
    assert [trial.searcher for trial in Journal(tmp_path / "out", comparison(names)).trials] == ["random"]
    whole = Journal(tmp_path / "out", comparison(names, seed=1), force=True)
    assert (whole.trials, whole.dropped) == ([], 1)
    assert Journal(tmp_path / "out", comparison(names, seed=1)).trials == []


def test_the_code_of_naopt_has_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(tmp_path, comparison(("random",)))
    known = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    assert (known["naopt"], known["sources"]) == (__version__, {"random": ""})
    monkeypatch.setattr("naopt.bench.journal.__version__", "0")
    with pytest.raises(InputError, match=f"made with naopt {__version__}, not 0; choose another folder, or make them"):
        Journal(tmp_path, comparison(("random",)))


def test_code_that_was_typed_has_no_checksum() -> None:
    typed = type("Typed", (RandomSearcher,), {"__module__": "nowhere"})
    assert source_checksum(typed) == source_checksum(RandomSearcher) == ""


def test_checkpoints_are_those_of_the_comparison(tmp_path: Path) -> None:
    coarse, fine = comparison(), comparison(every=5)
    Journal(tmp_path, coarse).append(run_trial(coarse, "line", 0))
    (found,) = Journal(tmp_path, fine).trials
    here = run_trial(fine, "line", 0)
    assert found.search_metric == here.search_metric == [4, 9, 14]
    assert found.report_metric == here.report_metric
    assert found.selected == here.selected


def test_trials_of_a_study_come_back_with_further_sizes_and_models(tmp_path: Path) -> None:
    def study(**changes: Any) -> QualityStudy:
        values: dict[str, Any] = {
            "table": cube(), "metric": "score", "models": ["boosted-trees"], "train_sizes": [20], "trials": 1,
        }  # fmt: skip
        return QualityStudy(**(values | changes))

    journal = QualityJournal(tmp_path, study())
    trial = QualityTrial("boosted-trees", 20, 0, {"kendall_tau": 0.5, "spearman": None})
    journal.append(trial)
    assert QualityJournal(tmp_path, study(train_sizes=[20, 60], trials=3, models=["nao"])).trials == [trial]
    for changes, rule in (({"held_out": 9}, "held_out None, not 9"), ({"metric": "test"}, "metric score, not test")):
        with pytest.raises(InputError, match=rule):
            QualityJournal(tmp_path, study(**changes))
    with pytest.raises(InputError, match="is not the settings file of a comparison"):
        Journal(tmp_path, comparison())


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"budget": 20}, "made with budget 15, not 20"),
        ({"seed": 1}, "made with seed 0, not 1"),
        ({"report_metric": "score"}, "made with report_metric test, not score"),
        ({"table": cube("min")}, "made with contents"),
    ],
)
def test_other_comparisons_are_refused(changes: dict[str, Any], rule: str, tmp_path: Path) -> None:
    Journal(tmp_path, comparison())
    with pytest.raises(InputError, match=rule):
        Journal(tmp_path, comparison(**changes))


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    for name in ("report.html", "trials.csv", "trials.jsonl"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(InputError, match=f"{name}': exists, and is of no comparison; choose another folder, or"):
            Journal(folder, comparison())
        assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "mine")]
        assert Journal(folder, comparison(), force=True).trials == []


def test_damage_is_named(tmp_path: Path) -> None:
    Journal(tmp_path, comparison())
    beyond = dataclasses.replace(run_trial(comparison(), "line", 0), selected=[(1, 125)])
    for line in ("{}", json.dumps(dataclasses.asdict(beyond))):
        (tmp_path / "trials.jsonl").write_text(line + "\n")
        with pytest.raises(InputError, match=r"trials.jsonl, line 1': is not a trial"):
            Journal(tmp_path, comparison())
    for text in ("{", "[]", "{}"):
        (tmp_path / "settings.json").write_text(text)
        with pytest.raises(InputError, match="is not the settings file of a comparison"):
            Journal(tmp_path, comparison())
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out"):
        Journal(tmp_path / "file", comparison())
