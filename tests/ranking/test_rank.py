"""Honest ranking: what is drawn, trained, kept and concluded."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.seeds import training_seed
from naopt.files import NotWrittenError
from naopt.locking import locked
from naopt.measurement import Measurement, MetricInfo
from naopt.ranking.rank import Ranking, rank
from naopt.ranking.result import RANKING, ranking_figures, read_ranking
from naopt.run import RunConfig, load_run, start_run
from naopt.run.supernet import open_supernet
from naopt.spaces import Architecture, create_space
from naopt.store.training_cache import ABOUT, LINES, LOCK, TrainingCache
from naopt.tables import Table, save_table
from tests.ranking.toys import MadeUpTraining, SlowTraining, made_up, make_up_trainings, sharing_run
from tests.run.toys import write_table
from tests.store.databases import rewrite

SPACE = create_space("nasbench201")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two finished weight-sharing runs of different seeds."""
    folder = tmp_path_factory.mktemp("finished")
    for seed in (0, 1):
        sharing_run(folder / str(seed), seed)
    return [folder / "0", folder / "1"]


@pytest.fixture
def runs(finished: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of these."""
    return [shutil.copytree(path, tmp_path / f"run-{path.name}") for path in finished]


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> type[MadeUpTraining]:
    return make_up_trainings(monkeypatch)


def timeless(ranking: Ranking) -> Ranking:
    return replace(ranking, run="", seconds=0.0, cpu_seconds=0.0, shared_seconds=0.0)


# Children.


def test_children_are_measured_both_ways(runs: list[Path], training: type[MadeUpTraining]) -> None:
    found = rank(runs[0], children=9, top=3, seed=5)
    record, data = load_run(runs[0]), open_supernet(runs[0])
    assert [c.architecture for c in found.top] == [trial.text for trial in record.ranked()[:3]]
    assert len({c.architecture for c in found.random}) == 9
    for c in (*found.random, *found.top):
        architecture = SPACE.parse(c.architecture)
        assert c.shared == data.measure(data.shared.path(architecture))["loss"]
        assert c.standalone == made_up(architecture, training_seed(5, 0, architecture))
    assert [c.shared for c in found.top] == [-(record.score(trial) or 0) for trial in record.ranked()[:3]]
    assert (found.metric, found.goal, found.unit, found.shared_metric) == ("valid_acc", "max", "%", "shared_loss")
    assert found.figures == ranking_figures(found.random, found.top, "min", "max")
    assert found.trainings == len(training.asked) == len({c.architecture for c in (*found.random, *found.top)})
    assert (found.failed, found.seconds) == (0, 0.5 * found.trainings)
    assert found.cpu_seconds > 0
    assert read_ranking(runs[0]) == found


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize(("by", "metric", "goal"), [("loss", "shared_loss", "min"), ("accuracy", "shared_acc", "max")])
def test_children_are_ranked_by_what_the_run_went_by(by: str, metric: str, goal: Any, tmp_path: Path) -> None:
    record = sharing_run(tmp_path / "ws", searcher={"name": "random-ws", "epochs": 1, "score_by": by})
    found = rank(tmp_path / "ws", children=6, top=3)
    assert found.shared_metric == metric
    scores = [c.shared if goal == "max" else -c.shared for c in found.top if c.shared is not None]
    assert scores == [record.score(trial) for trial in record.ranked()[:3]]
    assert found.figures == ranking_figures(found.random, found.top, goal, "max")


@pytest.mark.usefixtures("training")
def test_random_children_depend_on_space_and_seed_alone(runs: list[Path]) -> None:
    def drawn(run: Path, children: int, seed: int) -> list[str]:
        return [c.architecture for c in rank(run, children=children, top=1, seed=seed).random]

    assert drawn(runs[0], 8, 0) == drawn(runs[1], 8, 0)
    assert drawn(runs[0], 5, 0) == drawn(runs[0], 8, 0)[:5]
    assert not set(drawn(runs[0], 8, 0)) & set(drawn(runs[0], 8, 1))


def test_trainings_are_shared(runs: list[Path], training: type[MadeUpTraining], tmp_path: Path) -> None:
    cache = tmp_path / "trainings"
    first = rank(runs[0], children=6, top=2, cache=cache)
    asked = len(training.asked)
    second = rank(runs[1], children=6, top=2, cache=cache)
    assert [c.standalone for c in second.random] == [c.standalone for c in first.random]
    fresh = {a for a, _ in training.asked[asked:]}
    assert fresh == {SPACE.parse(c.architecture) for c in second.top} - {a for a, _ in training.asked[:asked]}
    assert not (runs[1] / "ranking").exists()
    asked = len(training.asked)
    assert timeless(rank(runs[1], children=6, top=2, cache=cache)) == timeless(second)
    assert len(training.asked) == asked
    assert second.trainings == 8  # those from before included
    (cache / ABOUT).write_text(json.dumps(json.loads((cache / ABOUT).read_text()) | {"training": {}}))
    with pytest.raises(InputError, match="its trainings are of another training; choose another folder"):
        rank(runs[1], children=6, top=2, cache=cache)


def test_repeats_have_seeds_of_their_own(runs: list[Path], training: type[MadeUpTraining]) -> None:
    found = rank(runs[0], children=3, top=1, repeats=3)
    assert found.trainings == len(training.asked) == 12
    for c in found.random:
        architecture = SPACE.parse(c.architecture)
        seeds = {training_seed(0, repeat, architecture) for repeat in range(3)}
        assert len(seeds) == 3
        assert c.standalone == pytest.approx(np.mean([made_up(architecture, seed) for seed in seeds]))


def test_failed_trainings_stay_failed(runs: list[Path], training: type[MadeUpTraining]) -> None:
    whole = rank(runs[0], children=6, top=2)
    shutil.rmtree(runs[0] / "ranking")
    training.failing.update(SPACE.parse(c.architecture) for c in (whole.random[1], whole.top[0]))
    found = rank(runs[0], children=6, top=2)
    assert (found.random[1].standalone, found.random[1].reason) == (None, "diverged: loss is nan")
    assert (found.failed, found.figures.compared, found.figures.pick) == (2, 5, None)
    assert found.random[0] == whole.random[0]
    training.failing.clear()
    asked = len(training.asked)
    assert timeless(rank(runs[0], children=6, top=2)) == timeless(found)
    assert len(training.asked) == asked


@pytest.mark.usefixtures("training")
def test_paths_that_diverge_have_no_shared_figure(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from naopt.one_shot.evaluator import SharedWeightsEvaluator

    honest, bad = SharedWeightsEvaluator.evaluate, rank(runs[0], children=4, top=1).random[2].architecture

    def evaluate(self: SharedWeightsEvaluator, architecture: Architecture, seed: int) -> Measurement:
        if SPACE.format(architecture) == bad:
            return Measurement({}, 0.1, "diverged", "not finite")
        return honest(self, architecture, seed)

    monkeypatch.setattr(SharedWeightsEvaluator, "evaluate", evaluate)
    found = rank(runs[0], children=4, top=1)
    assert (found.random[2].shared, found.random[2].reason) == (None, "shared weights: not finite")
    assert found.random[2].standalone is not None
    assert (found.figures.compared, found.failed) == (3, 0)


# Kill and resume.


def test_a_stopped_ranking_goes_on(runs: list[Path], training: type[MadeUpTraining]) -> None:
    whole = rank(runs[0], children=6, top=2)
    shutil.rmtree(runs[0] / "ranking")
    (runs[0] / RANKING).unlink()
    training.asked.clear()
    training.stop_after = 4
    with pytest.raises(RunStoppedError, match="the same command goes on"):
        rank(runs[0], children=6, top=2)
    assert not (runs[0] / RANKING).exists()
    training.stop_after = None
    assert timeless(rank(runs[0], children=6, top=2)) == timeless(whole)
    assert len(training.asked) == len(set(training.asked)) == whole.trainings


def test_an_interrupted_training_is_not_kept(
    runs: list[Path], training: type[MadeUpTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(training, "evaluate", lambda *_: Measurement(status="interrupted", reason="shutdown"))
        with pytest.raises(RunStoppedError, match="a training was interrupted: shutdown"):
            rank(runs[0], children=2, top=1)
    assert rank(runs[0], children=2, top=1).failed == 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_ranking_goes_on(runs: list[Path], training: type[MadeUpTraining]) -> None:
    whole = rank(runs[1], children=12, top=2)
    best = rank(runs[0], children=12, top=2)
    shutil.rmtree(runs[0] / "ranking")
    lines = runs[0] / "ranking" / LINES

    def count() -> int:
        return lines.read_bytes().count(b"\n") if lines.exists() else 0

    process = subprocess.Popen([sys.executable, "-m", "tests.ranking.toys", str(runs[0]), "1"])
    while process.poll() is None and count() < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = count()
    assert 3 <= done < whole.trainings
    with lines.open("a") as file:
        file.write('{"architecture": "|none~0|+')
    training.asked.clear()
    found = rank(runs[0], children=12, top=2)
    assert len(training.asked) == found.trainings - done
    assert found.random == best.random
    assert found.figures == best.figures
    assert [c.standalone for c in found.random] == [c.standalone for c in whole.random]


def test_workers_change_nothing(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naopt.ranking.standalone.TrainingEvaluator", SlowTraining)
    copy = shutil.copytree(runs[0], runs[0].parent / "copy")
    one, two = rank(runs[0], children=4, top=1), rank(copy, children=4, top=1, workers=2)
    assert timeless(one) == timeless(two)
    assert (one.trainings, one.failed) == (5, 0)


# Tables.


def write_benchmark(path: Path, rows: int, **metrics: Callable[[Architecture], float]) -> Path:
    rng = np.random.default_rng(0)
    tokens = np.array(list(dict.fromkeys(SPACE.sample(rng).identity for _ in range(2 * rows)))[:rows])
    values = {name: np.array([f(SPACE.architecture(row)) for row in tokens]) for name, f in metrics.items()}
    infos = {name: MetricInfo("min" if name == "error" else "max", "%") for name in metrics}
    save_table(Table("bench", SPACE, tokens, values, infos), path)
    return path


def known(architecture: Architecture) -> float:
    return float(sum(architecture.tokens))


def test_children_are_looked_up(runs: list[Path], tmp_path: Path) -> None:
    def error(architecture: Architecture) -> float:
        return np.nan if architecture.tokens[0] == 0 else 100 - known(architecture)

    table = write_benchmark(tmp_path / "t.npz", 40, acc=known, error=error)
    by_acc, by_error = rank(runs[0], children=30, table=table), rank(runs[0], children=30, table=table, metric="error")
    assert (by_acc.metric, by_acc.goal, by_acc.table, by_acc.trainings, by_acc.seconds) == ("acc", "max", "bench", 0, 0)
    assert [c.standalone for c in by_acc.random] == [known(SPACE.parse(c.architecture)) for c in by_acc.random]
    assert all(c.standalone is not None or "not in table bench" in c.reason for c in by_acc.top)
    assert (by_error.metric, by_error.goal) == ("error", "min")
    missing = [c.architecture for c in by_error.random if c.standalone is None]
    assert missing == [c.architecture for c in by_acc.random if SPACE.parse(c.architecture).tokens[0] == 0]
    assert missing
    assert not (runs[0] / "ranking").exists()


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"children": 1}, "children '1': must be at least 2"),
        ({"top": 0}, "top '0': must be at least 1"),
        ({"repeats": 0}, "repeats '0': must be at least 1"),
        ({"seed": -1}, "seed '-1': must be at least 0"),
        ({"workers": 0}, "workers '0': must be at least 1"),
        ({"metric": "acc"}, "metric 'acc': has a use only with a table"),
        ({"table": "t.npz", "repeats": 2}, "repeats '2': has no use with a table"),
        ({"table": "t.npz", "cache": "c"}, "cache 'c': has no use with a table"),
        ({"table": "t.npz", "metric": "acd"}, "metric of table bench 'acd': unknown; did you mean 'acc'?"),
        ({"table": "t.npz", "children": 9}, "children '9': space nasbench201 has only 8"),
        ({"table": "toy.npz"}, "table 'toy.npz': is of space toy; the run searched nasbench201"),
        ({"table": "none.npz"}, "none.npz"),
    ],
)
def test_bad_options(
    options: dict[str, Any], rule: str, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_benchmark(Path("t.npz"), 8, acc=known)
    write_table(Path("toy.npz"))
    with pytest.raises(InputError) as caught:
        rank(runs[0], **options)
    assert rule in str(caught.value)
    assert not (runs[0] / RANKING).exists()


def test_bad_runs(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run's directory"):
        rank(tmp_path)
    table = write_table(tmp_path / "toy.npz")
    values = {"table": str(table), "searcher": "random", "budget": 2}
    start_run(tmp_path / "other", RunConfig.from_values(values))
    with pytest.raises(InputError, match="searcher random shares no weights"):
        rank(tmp_path / "other")

    rewrite(runs[0], "UPDATE results SET status = 'diverged', reason = 'no'")
    with pytest.raises(InputError, match="has no pick"):
        rank(runs[0])
    rewrite(runs[0], "DELETE FROM results WHERE trial > 2")
    with pytest.raises(InputError, match="is not finished; go on with: naopt resume"):
        rank(runs[0])


# Files.


def test_damaged_files_are_told(runs: list[Path], training: type[MadeUpTraining]) -> None:
    assert read_ranking(runs[0]) is None
    rank(runs[0], children=2, top=1)
    assert training.asked
    (runs[0] / RANKING).write_text("{}")
    with pytest.raises(InputError, match="cannot be read; naopt ranking makes it again"):
        read_ranking(runs[0])
    (runs[0] / "ranking" / LINES).write_text("{}\n")
    with pytest.raises(InputError, match="line 1': is not a training"):
        rank(runs[0], children=2, top=1)
    (runs[0] / "ranking" / ABOUT).write_text("[")
    with pytest.raises(InputError, match=r"about\.json cannot be read"):
        rank(runs[0], children=2, top=1)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder of trainings"):
        TrainingCache(tmp_path / "file", {})
    cache = TrainingCache(tmp_path / "used", {"task": "digits"})
    with (
        locked(tmp_path / "used" / LOCK, "written"),
        pytest.raises(InputError, match="is being written by another process"),
        cache.open(),
    ):
        pytest.fail("two processes in one folder")


@pytest.mark.usefixtures("training")
def test_a_result_that_cannot_be_written(runs: list[Path]) -> None:
    found = rank(runs[0], children=2, top=1)
    with pytest.raises(NotWrittenError, match=r"ranking\.json"):
        found.write(runs[0] / "config.toml")
