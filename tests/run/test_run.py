from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

import naopt
from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.table import TableEvaluator
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.progress import ProgressBar
from naopt.measurement import Measurement
from naopt.run import RunConfig, RunRecord, Trial, load_run, resume_run, start_run
from naopt.searchers import Objective
from naopt.spaces import Architecture, GenericSpace, NASBench201Space
from naopt.tables import load_table, save_table
from tests.run.toys import SPACE, toy, write_table
from tests.store.databases import rewrite


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(table=str(write_table(tmp_path / "toy.npz")), searcher="random", budget=20, seed=3)


@pytest.fixture
def record(tmp_path: Path, config: RunConfig) -> RunRecord:
    return start_run(tmp_path / "new" / "run", config)


def test_a_search_is_a_directory(record: RunRecord) -> None:
    assert {"config.toml", "run.db"} <= {path.name for path in record.directory.iterdir()}
    assert (len(record.trials), len(record.evaluated), record.finished) == (20, 20, True)
    assert record.seconds > 0
    assert set(record.meta["versions"]) == {"naopt", "python", "torch", "numpy"}
    assert record.space.positions == SPACE.positions
    assert record.rounds == [{}]


def test_what_a_record_says(record: RunRecord) -> None:
    scored = [t.measurement.metrics["score"] for t in record.trials if t.measurement and t.measurement.ok]
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    assert best.measurement.metrics["score"] == max(scored)
    assert len(record.ranked()) == len(scored) == 20 - len(record.failed)
    path = record.trajectory()
    assert len(path) == 20
    assert path[-1] == max(scored)
    known = [value for value in path if value is not None]
    assert known == sorted(known)
    assert sum(record.failures().values()) == len(record.failed) > 0
    assert {status for status, _ in record.failures()} == {"failed"}


def test_smaller_may_be_better(tmp_path: Path, config: RunConfig) -> None:
    record = start_run(tmp_path / "run", config.model_copy(update={"metric": "cost"}))
    best, costs = record.best(), [t.measurement.metrics["cost"] for t in record.trials if t.measurement]
    assert record.objective == Objective("cost", "min")
    assert best is not None
    assert best.measurement is not None
    assert best.measurement.metrics["cost"] == min(costs) == record.trajectory()[-1]
    assert record.trajectory() == [min(costs[: i + 1]) for i in range(20)]


def test_a_run_without_success(tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: TableEvaluator, architecture: Architecture, seed: int) -> Measurement:
        raise RuntimeError("no")

    monkeypatch.setattr(TableEvaluator, "evaluate", fail)
    record = start_run(tmp_path / "run", config)
    assert record.best() is None
    assert record.trajectory() == [None] * 20
    assert record.failures() == {("failed", "RuntimeError: no"): 20}
    assert record.finished


def test_a_finished_run_is_left_as_it_is(record: RunRecord) -> None:
    before = (record.directory / "run.db").read_bytes()
    assert resume_run(record.directory).trials == record.trials
    assert (record.directory / "run.db").read_bytes() == before


@pytest.mark.parametrize("finished_run", [True, False])
def test_a_changed_configuration_is_refused(record: RunRecord, finished_run: bool) -> None:
    if not finished_run:
        rewrite(record.directory, "DELETE FROM results WHERE trial > 3")
    path = record.directory / "config.toml"
    before = path.read_text()
    path.write_text(re.sub(r"seed = \d+", "seed = 99", before))
    with pytest.raises(InputError, match=r"'seed' of config\.toml was changed"):
        resume_run(record.directory)
    path.write_text(re.sub(r"workers = \d+", "workers = 7", before))
    assert resume_run(record.directory).trials == record.trials


@pytest.mark.parametrize("lost", ["trial >= 0", "trial > 12", "trial % 3 = 0", "trial = 19"])
def test_an_unfinished_run_goes_on_to_the_same_archive(record: RunRecord, lost: str) -> None:
    rewrite(record.directory, f"DELETE FROM results WHERE {lost}")
    assert not load_run(record.directory).finished
    assert resume_run(record.directory, workers=3).trials == record.trials


def test_a_run_cut_off_before_its_first_round(record: RunRecord) -> None:
    for table in ("results", "proposals", "rounds"):
        rewrite(record.directory, f"DELETE FROM {table}")
    assert load_run(record.directory).best() is None
    assert resume_run(record.directory).trials == record.trials


def test_a_space_may_be_smaller_than_the_budget(tmp_path: Path, config: RunConfig) -> None:
    directory = tmp_path / "run"
    record = start_run(directory, config.model_copy(update={"budget": 200}))
    assert (len(record.evaluated), record.finished) == (90, True)
    assert resume_run(directory).trials == record.trials


def test_directories_that_are_taken(tmp_path: Path, record: RunRecord, config: RunConfig) -> None:
    with pytest.raises(InputError, match="go on with: naopt resume"):
        start_run(record.directory, config)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(InputError, match=r"not an empty directory$"):
        start_run(tmp_path / "other", config)
    with pytest.raises(InputError, match=r"not an empty directory$"):
        start_run(tmp_path / "toy.npz", config)
    with pytest.raises(InputError, match=r"Not a directory|File exists"):
        start_run(tmp_path / "toy.npz" / "run", config)


def test_an_empty_directory_is_filled_where_it_is(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    assert start_run(tmp_path / "link", config).finished
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target" / "run.db").is_file()
    (tmp_path / "here" / "lost+found").mkdir(parents=True)  # as new volumes have it
    before = (tmp_path / "here").stat().st_ino
    monkeypatch.chdir(tmp_path / "here")
    assert start_run(".", config).finished
    assert (tmp_path / "here").stat().st_ino == before == Path().stat().st_ino
    for name in ("run.db.part", "config.toml.part", "run.db.part-wal", "run.lock"):  # of a killed one
        (tmp_path / "killed").mkdir(exist_ok=True)
        (tmp_path / "killed" / name).write_text("half")
    assert start_run(tmp_path / "killed", config).finished


def test_links_that_lead_nowhere(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "link").symlink_to("volume/run")
    with pytest.raises(InputError, match=r"run '.*link': is a link to volume/run, which is not there"):
        start_run(tmp_path / "link", config)
    assert not (tmp_path / "volume").exists()


def test_two_processes_do_not_begin_in_one_directory(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "run").mkdir()
    with (
        FileLock(tmp_path / "run" / "run.lock"),
        pytest.raises(InputError, match="is being begun by another process"),
    ):
        start_run(tmp_path / "run", config)


def test_nothing_is_written_for_what_cannot_be_searched(tmp_path: Path, config: RunConfig) -> None:
    trained = RunConfig(task=f"images:{tmp_path}/missing", searcher="random")
    for bad in (config.model_copy(update={"metric": "x"}), trained):
        with pytest.raises(InputError):
            start_run(tmp_path / "run", bad)
    assert [path.name for path in tmp_path.iterdir()] == ["toy.npz"]


@pytest.mark.parametrize("name", ["run.db", "config.toml"])
def test_nothing_is_left_when_the_directory_cannot_be_made(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(self: Path, target: Path) -> None:
        if target.name == name:
            raise OSError(28, "No space left on device")
        place(self, target)

    place = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    (tmp_path / "empty").mkdir()
    for directory in ("run", "empty"):
        with pytest.raises(InputError, match="No space left on device"):
            start_run(tmp_path / directory, config)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "toy.npz"]
    assert not list((tmp_path / "empty").iterdir())


def test_directories_that_are_no_runs(tmp_path: Path, record: RunRecord) -> None:
    with pytest.raises(InputError, match=r"has no config\.toml; it is not a run's directory"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="there is no such directory"):
        load_run(tmp_path / "missing")
    shutil.copytree(record.directory, tmp_path / "half")
    (tmp_path / "half" / "run.db").unlink()
    with pytest.raises(InputError, match=r"has no run\.db"):
        load_run(tmp_path / "half")


@pytest.mark.parametrize("key", ["positions", "space", "objective"])
def test_damaged_meta_data(record: RunRecord, key: str) -> None:
    rewrite(record.directory, f"DELETE FROM meta WHERE key = '{key}'")
    with pytest.raises(InputError, match=r"run\.db is damaged"):
        load_run(record.directory)


def test_one_process_at_a_time(record: RunRecord) -> None:
    rewrite(record.directory, "DELETE FROM results WHERE trial > 3")
    with (
        FileLock(record.directory / "run.lock"),
        pytest.raises(InputError, match="is being executed by another process"),
    ):
        resume_run(record.directory)


def test_a_run_is_read_without_its_table_but_not_continued(tmp_path: Path, record: RunRecord) -> None:
    rewrite(record.directory, "DELETE FROM results WHERE trial > 3")
    (tmp_path / "toy.npz").unlink()
    assert len(load_run(record.directory).evaluated) == 4
    with pytest.raises(InputError, match="table"):
        resume_run(record.directory)


@pytest.mark.parametrize("by", ["command", "function"])
def test_another_table_is_noticed(tmp_path: Path, config: RunConfig, by: str) -> None:
    path, directory = tmp_path / "toy.npz", tmp_path / "run"
    good = load_table(path)

    def go_on() -> RunRecord:
        if by == "command":
            return resume_run(directory)
        return naopt.search(None, path, objective="score", budget=20, searcher="random", run=directory).record

    if by == "command":
        start_run(directory, config)
    else:
        go_on()
    rewrite(directory, "DELETE FROM results WHERE trial > 3")
    renamed = GenericSpace(good.space.positions, "t")
    figures = {name: values + 1 for name, values in good.metrics.items()}
    others = [replace(good, metrics=figures), replace(good, name="t", space=renamed)]
    for other in others if by == "command" else others[:1]:
        save_table(other, path)
        was, now = (f"table {t.name} (checksum {t.checksum})" for t in (good, other))
        rule = f"run '{directory}': began with {was}; now there is {now}: put that back, or begin another run"
        with pytest.raises(InputError, match=re.escape(rule)):
            go_on()
        assert len(load_run(directory).evaluated) == 4
    save_table(good, path)
    assert len(go_on().evaluated) == 20


def test_a_run_of_an_older_naopt_does_not_know_its_table(tmp_path: Path, record: RunRecord) -> None:
    rewrite(record.directory, "DELETE FROM results WHERE trial > 3")
    rewrite(record.directory, "DELETE FROM meta WHERE key = 'contents'")
    assert resume_run(record.directory).trajectory() == record.trajectory()
    rewrite(record.directory, "DELETE FROM results WHERE trial > 3")
    good = load_table(tmp_path / "toy.npz")
    save_table(replace(good, name="t", space=GenericSpace(good.space.positions, "t")), tmp_path / "toy.npz")
    with pytest.raises(InputError, match=r"space 'toy': unknown; .*; table t is of space t"):
        resume_run(record.directory)


def test_a_run_of_a_space_that_has_changed_is_read_but_not_continued(record: RunRecord) -> None:
    positions = json.dumps([{"name": p.name, "choices": [*p.choices, "new"], "kind": p.kind} for p in SPACE.positions])
    rewrite(record.directory, f"UPDATE meta SET value = '{positions}' WHERE key = 'positions'")
    rewrite(record.directory, "DELETE FROM results WHERE trial > 3")
    assert load_run(record.directory).space.positions[0].choices[-1] == "new"
    with pytest.raises(InputError, match="space toy is not as it was when the run began"):
        resume_run(record.directory)


def test_an_installed_space_is_used_for_reading_if_it_is_the_same(record: RunRecord) -> None:
    space = NASBench201Space()
    for table in ("results", "proposals"):
        rewrite(record.directory, f"DELETE FROM {table}")
    for extra, kind in ((), NASBench201Space), (("new",), GenericSpace):
        rows = [{"name": p.name, "choices": [*p.choices, *extra], "kind": p.kind} for p in space.positions]
        rewrite(record.directory, f"UPDATE meta SET value = '{json.dumps(rows)}' WHERE key = 'positions'")
        rewrite(record.directory, "UPDATE meta SET value = '\"nasbench201\"' WHERE key = 'space'")
        assert type(load_run(record.directory).space) is kind


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    whole = start_run(tmp_path / "whole", config)
    look_up, count = TableEvaluator.evaluate, 0

    def interrupted(self: TableEvaluator, architecture: Architecture, seed: int) -> Measurement:
        nonlocal count
        count += 1
        if count == 8:
            os.kill(os.getpid(), number)
        return look_up(self, architecture, seed)

    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        patch.setattr(TableEvaluator, "evaluate", interrupted)
        with pytest.raises(RunStoppedError, match=r"stopped after 7 of 20 evaluations; go on with: naopt resume .*run"):
            start_run(tmp_path / "run", config)
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert resume_run(tmp_path / "run").trials == whole.trials


def test_the_second_signal_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    with stop_on_signal():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):  # as the process has not ended
            signal.raise_signal(signal.SIGTERM)
    assert codes == [143]


def test_other_threads_get_no_signals() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def inside() -> None:
        with stop_on_signal():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]


def _trial(index: int, measurement: Measurement | None) -> Trial:
    return Trial(index, 0, toy("fine", index), "", "random", measurement=measurement)


def test_progress_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, color_system=None)
    done = [_trial(0, Measurement({"cost": 5.0})), _trial(1, None)]
    with ProgressBar(4, done[:1], Objective("cost", "min"), console) as bar:
        bar.asking(0)
        bar.proposed(done, {})
        bar.measured(_trial(1, Measurement({"cost": 3.5})))
        bar.measured(_trial(2, Measurement(status="failed", reason="x")))
        bar.measured(_trial(3, None))
    last = out.getvalue().splitlines()[-2]
    assert "4/4" in last
    assert "best 3.5" in last
    assert "failed 1" in last
    assert "round 0: evaluating" in last


def test_progress_elsewhere_is_silent() -> None:
    out = io.StringIO()
    with ProgressBar(4, [], Objective("score"), Console(file=out)) as bar:
        bar.asking(0)
        bar.measured(_trial(1, Measurement({"score": 3.5})))
    assert out.getvalue() == ""
