"""Weight-sharing runs: killed, stopped and diverged ones, changed ones, and what is left in the directory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from naopt.errors import InputError, NaoptError, RunStoppedError
from naopt.measurement import Measurement
from naopt.one_shot import ENASSearcher, OneShotSearcher, SharedWeightsEvaluator, one_shot
from naopt.one_shot.kinds import decides_for_each
from naopt.one_shot.trainer import SharedTrainer
from naopt.run import RunConfig, RunRecord, load_run, resume_run, start_run
from naopt.run.phases import SupernetTraining
from naopt.run.phases import supernet as supernet_phase
from naopt.run.supernet import open_supernet
from naopt.spaces import Architecture
from tests.ranking.toys import TINY

SEARCHERS: dict[str, dict[str, Any]] = {
    "random-ws": {"epochs": 3},
    "nao-ws": {"epochs": 4, "pool": 6, "new": 3, "seeds": 3, "every": 1, "warmup": 0.25},
    "enas": {"epochs": 3, "hidden_size": 8, "controller_steps": 2, "controller_samples": 2},
    "parsec": {"epochs": 3, "samples": 2, "weight_samples": 2},
    "darts": {"epochs": 2},
}


class Killed(BaseException):
    """As sudden as SIGKILL, as far as the run's files are concerned: nobody catches it."""


def config(name: str, options: dict[str, Any] | None = None, **changes: Any) -> RunConfig:
    values = {
        "space": "nasbench201",
        "task": "digits",
        "searcher": {"name": name, **SEARCHERS[name], **(options or {})},
        "training": {**TINY, "batch_size": 20},
        "budget": 6,
    }
    return RunConfig.from_values({**values, **changes})


def contents(directory: Path) -> tuple[Any, ...]:
    """All that a run leaves, without what is time."""
    record = load_run(directory)
    trials = [
        (t.index, t.round, t.architecture.tokens, t.origin, t.predicted, t.measurement and dict(t.measurement.metrics))
        for t in record.trials
    ]
    rows = [line.split(",") for line in (directory / "supernet.csv").read_text().splitlines()]
    at = rows[0].index("seconds")
    curve = [row[:at] + row[at + 1 :] for row in rows]
    tensors = load_file(directory / "supernet.safetensors")
    return trials, curve, {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, record.finished


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a run of a searcher that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")

    def made(searcher: str) -> Path:
        if not (folder / searcher).exists():
            start_run(folder / searcher, config(searcher))
        return folder / searcher

    return made


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is saved after each epoch."""
    monkeypatch.setattr(supernet_phase, "CHECKPOINT_SECONDS", 0.0)


def break_step(monkeypatch: pytest.MonkeyPatch, at: int, error: Callable[[], None]) -> None:
    """Calls ``error`` once, after so many steps in all."""
    steps, apply = 0, SharedTrainer.apply

    def counted(self: SharedTrainer, parameters: Any) -> None:
        nonlocal steps
        apply(self, parameters)
        steps += 1
        if steps == at:
            error()

    monkeypatch.setattr(SharedTrainer, "apply", counted)


def break_measuring(monkeypatch: pytest.MonkeyPatch, at: int, error: type[BaseException]) -> None:
    evaluate, count = SharedWeightsEvaluator.evaluate, 0

    def counted(self: SharedWeightsEvaluator, architecture: Architecture, seed: int) -> Measurement:
        nonlocal count
        count += 1
        if count == at:
            raise error
        return evaluate(self, architecture, seed)

    monkeypatch.setattr(SharedWeightsEvaluator, "evaluate", counted)


def killed() -> None:
    raise Killed


def pressed() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("searcher", [name for name in one_shot.names() if not decides_for_each(name)])
def test_a_run_leaves_what_it_says(searcher: str, whole: Callable[[str], Path]) -> None:
    directory = whole(searcher)
    record = load_run(directory)
    assert record.finished
    assert record.stopped is None
    assert len(record.evaluated) == (1 if searcher == "darts" else 6)
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    assert best.measurement.metrics["shared_loss"] == min(
        t.measurement.metrics["shared_loss"] for t in record.evaluated if t.measurement
    )
    lines = (directory / "supernet.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,train_loss,learning_rate,")
    assert len(lines) == 1 + SEARCHERS[searcher]["epochs"]
    files = {path.name for path in directory.iterdir()} - {"distribution.json"}
    assert files == {"config.toml", "run.count", "run.db", "run.lock", "supernet.csv", "supernet.safetensors"}


@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize(("searcher", "step"), [("nao-ws", 8), ("enas", 2), ("enas", 5), ("enas", 9)])
def test_killed_in_training(
    searcher: str, step: int, whole: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps are an epoch; in the first there is nothing saved yet."""
    with monkeypatch.context() as patch:
        break_step(patch, step, killed)
        with pytest.raises(Killed):
            start_run(tmp_path / "run", config(searcher))
    assert (tmp_path / "run" / "supernet.safetensors").exists() == (step > 3)
    assert not load_run(tmp_path / "run").finished
    assert resume_run(tmp_path / "run").finished
    assert contents(tmp_path / "run") == contents(whole(searcher))


@pytest.mark.parametrize(("searcher", "error"), [("nao-ws", Killed), ("enas", KeyboardInterrupt)])
def test_stopped_while_candidates_are_measured(
    searcher: str,
    error: type[BaseException],
    whole: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        break_measuring(patch, 4, error)
        with pytest.raises((Killed, RunStoppedError)) as raised:
            start_run(tmp_path / "run", config(searcher))
    if error is KeyboardInterrupt:
        again = re.escape(f"naopt resume {tmp_path / 'run'}")
        assert re.fullmatch(f"stopped after 3 of 6 evaluations; go on with: {again}", str(raised.value))
    assert len(load_run(tmp_path / "run").evaluated) == 3
    assert resume_run(tmp_path / "run").finished
    assert contents(tmp_path / "run") == contents(whole(searcher))


@pytest.mark.parametrize(("place", "named"), [("supernet.CandidateSearcher", 0), ("Measuring.carry_out", 6)])
def test_killed_between_training_and_measuring(
    place: str, named: int, whole: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(f"naopt.run.phases.{place}", lambda *_, **__: killed())
        with pytest.raises(Killed):
            start_run(tmp_path / "run", config("nao-ws"))
    record = load_run(tmp_path / "run")
    assert (len(record.trials), record.evaluated) == (named, [])
    resume_run(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(whole("nao-ws"))


@pytest.mark.parametrize("step", [1, 6])
def test_ctrl_c_in_training_loses_no_whole_epoch(
    step: int, whole: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is saved where the epoch began, however short ago it was saved; step 6 ends an epoch."""
    with monkeypatch.context() as patch:
        break_step(patch, step, pressed)
        with pytest.raises(RunStoppedError, match="stopped in the training of shared weights; go on with: naopt resum"):
            start_run(tmp_path / "run", config("enas"))
    record = load_run(tmp_path / "run")
    assert record.seconds > 0
    assert record.stopped is None
    lines = (tmp_path / "run" / "supernet.csv").read_text().splitlines()
    assert len(lines) == 1 + (step - 1) // 3
    resume_run(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(whole("enas"))


def test_ctrl_c_at_the_end_of_the_training_is_not_lost(
    whole: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_epoch = ENASSearcher.end_epoch

    def pressing(self: ENASSearcher, trainer: SharedTrainer) -> dict[str, float]:
        if trainer.epoch == 2:
            pressed()
        return end_epoch(self, trainer)

    with monkeypatch.context() as patch:
        patch.setattr(ENASSearcher, "end_epoch", pressing)
        with pytest.raises(RunStoppedError, match="training of shared weights"):
            start_run(tmp_path / "run", config("enas"))
    assert len((tmp_path / "run" / "supernet.csv").read_text().splitlines()) == 4, "it is trained"
    with monkeypatch.context() as patch:
        patch.setattr(ENASSearcher, "candidates", lambda *_: pressed())
        with pytest.raises(RunStoppedError):
            resume_run(tmp_path / "run")
    resume_run(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(whole("enas"))


def test_killed_for_real(whole: Callable[[str], Path], tmp_path: Path) -> None:
    """SIGKILL while the second epoch's state is being written."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from naopt.run import start_run\n"
        "from naopt.run.phases import supernet\n"
        "from naopt.training import checkpoint\n"
        "from tests.run.test_one_shot_run import config\n"
        "supernet.CHECKPOINT_SECONDS = 0.0\n"
        "save, saved = checkpoint.save_file, []\n"
        "def half(tensors, path, metadata):\n"
        "    saved.append(path)\n"
        "    if len(saved) == 2:\n"
        "        Path(path).write_bytes(b'half')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    save(tensors, path, metadata)\n"
        "checkpoint.save_file = half\n"
        "start_run(sys.argv[1], config('random-ws'))\n"
    )
    directory = tmp_path / "run"
    untraced = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    command = [sys.executable, "-c", code, str(directory)]
    done = subprocess.run(command, check=False, stderr=subprocess.DEVNULL, env=untraced)
    assert done.returncode == -signal.SIGKILL
    assert (directory / "supernet.safetensors.part").read_bytes() == b"half"
    resume_run(directory)
    assert contents(directory) == contents(whole("random-ws"))


def test_a_finished_run_is_left_as_it_is(whole: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    directory = whole("enas")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    monkeypatch.setattr(SupernetTraining, "assembled", killed)
    assert resume_run(directory).finished
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


# Divergence.


def diverging(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """So many a step of all has no finite loss."""
    step, count = OneShotSearcher.step, 0

    def broken(self: OneShotSearcher, trainer: SharedTrainer) -> float:
        nonlocal count
        count += 1
        loss = step(self, trainer)
        return float("nan") if count in steps else loss

    monkeypatch.setattr(OneShotSearcher, "step", broken)


def test_a_run_that_diverges_for_good_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "run"
    with monkeypatch.context() as patch:
        diverging(patch, set(range(5, 100)))
        with pytest.raises(NaoptError) as raised:
            start_run(directory, config("random-ws", {"rollbacks": 1}))
    reason = (
        "shared weights diverged: loss nan of shared weights in epoch 2 of 3, after 1 returns to the last good epoch; "
        "begin another run with a lower learning_rate"
    )
    assert not isinstance(raised.value, InputError | RunStoppedError)
    assert str(raised.value) == f"run '{directory}': {reason}"
    record = load_run(directory)
    assert (record.stopped, record.finished, record.trials) == (reason, False, [])
    assert record.seconds > 0
    assert len((directory / "supernet.csv").read_text().splitlines()) == 2, "the epoch that was good"
    with pytest.raises(InputError, match="its supernet is not trained; go on with: naopt resume"):
        open_supernet(directory)
    resumed = resume_run(directory)
    assert resumed.finished
    assert resumed.stopped is None
    start_run(tmp_path / "whole", config("random-ws", {"rollbacks": 1}))
    assert contents(directory) == contents(tmp_path / "whole")


def test_a_run_that_recovers_says_how_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diverging(monkeypatch, {3, 5})
    assert start_run(tmp_path / "run", config("random-ws")).finished
    rows = [line.split(",") for line in (tmp_path / "run" / "supernet.csv").read_text().splitlines()]
    assert [row[rows[0].index("rollbacks")] for row in rows[1:]] == ["2", "2", "2"]


def test_a_rate_beyond_reason(tmp_path: Path) -> None:
    with pytest.raises(NaoptError, match=r"diverged: loss nan .* in epoch 1 of 3, after 3 returns"):
        start_run(tmp_path / "run", config("enas", {"learning_rate": 1e30}))
    assert load_file(tmp_path / "run" / "supernet.safetensors").keys() > {"generator.cpu"}
    assert all(t.isfinite().all() for t in load_file(tmp_path / "run" / "supernet.safetensors").values())


def interrupted(directory: Path, searcher: str, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    with monkeypatch.context() as patch:
        break_step(patch, 4, pressed)
        with pytest.raises(RunStoppedError):
            start_run(directory, config(searcher, **changes))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("epochs = 3", "epochs = 4", "searcher"),
        ("filters = 2", "filters = 4", "training"),
        ("budget = 6", "budget = 7", "budget"),
    ],
)
def test_a_changed_configuration_is_refused(
    old: str, new: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path / "run", "random-ws", monkeypatch)
    path = tmp_path / "run" / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=f"'{key}' of config.toml was changed since the run began"):
        resume_run(tmp_path / "run")


def test_changed_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from naopt.tasks.digits import DigitsTask

    interrupted(tmp_path / "run", "random-ws", monkeypatch)
    load = DigitsTask.load

    def darker(self: DigitsTask, *limits: Any) -> Any:
        found = load(self, *limits)
        darkened = (found.train.images.astype("int64") // 2).astype("uint8")
        return replace(found, train=replace(found.train, images=darkened))

    monkeypatch.setattr(DigitsTask, "load", darker)
    before = (tmp_path / "run" / "supernet.safetensors").read_bytes()
    with pytest.raises(InputError, match="is of another"):
        resume_run(tmp_path / "run")
    assert (tmp_path / "run" / "supernet.safetensors").read_bytes() == before


def test_a_supernet_of_another_run_is_refused(
    whole: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path / "run", "enas", monkeypatch)
    (tmp_path / "run" / "supernet.safetensors").write_bytes((whole("random-ws") / "supernet.safetensors").read_bytes())
    with pytest.raises(InputError, match="is of another searcher"):
        resume_run(tmp_path / "run")


def test_a_space_that_is_smaller_than_the_budget(tmp_path: Path) -> None:
    values: dict[str, Any] = {"space": "conv-cell:nodes=1,operations=identity", "budget": 1000}
    record = start_run(tmp_path / "run", config("random-ws", **values))
    assert record.finished
    assert len(record.evaluated) < 1000
    assert resume_run(tmp_path / "run").trials == record.trials


def test_a_supernet_is_searched_by_other_searchers(whole: Callable[[str], Path], tmp_path: Path) -> None:
    supernet = whole("enas")
    values = {"supernet": str(supernet), "searcher": "random", "budget": 5}
    record: RunRecord = start_run(tmp_path / "run", RunConfig.from_values(values))
    data = open_supernet(supernet)
    for trial in record.evaluated:
        assert trial.measurement is not None
        assert trial.measurement.metrics["shared_loss"] == data.measure(data.shared.path(trial.architecture))["loss"]
    assert record.config.supernet == str(supernet)
