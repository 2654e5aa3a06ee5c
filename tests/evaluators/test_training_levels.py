"""Cheaper versions of a training: what is stopped goes on bit for bit, and what is measured has a name of its own."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.evaluators import TrainingEvaluator
from naopt.evaluators.training_levels import training_levels
from naopt.evaluators.workloads import create_workload
from naopt.fidelity import Fidelity
from naopt.measurement import Measurement
from naopt.spaces import ConvCellSpace, create_space

SPACE = ConvCellSpace(2)
CELL = SPACE.sample(np.random.default_rng(0))
TINY = {"epochs": 4, "train_limit": 40, "valid_limit": 40, "batch_size": 20, "filters": 2, "cells_per_stage": 1}
PLAIN = TrainingEvaluator(SPACE, "digits", TINY)


def told(measurement: Measurement) -> dict[str, float]:
    assert measurement.ok, measurement.reason
    return dict(measurement.metrics)


@pytest.mark.parametrize("kind", ["images", "text"])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(kind: str, tmp_path: Path) -> None:
    evaluator, architecture, files = PLAIN, CELL, tmp_path / "children"
    if kind == "text":
        space = create_space("recurrent-cell:nodes=2")
        small = {"epochs": 3, "hidden_size": 4, "train_limit": 400, "valid_limit": 200, "batch_size": 4}
        evaluator, architecture = TrainingEvaluator(space, "python-docs", small), space.sample(np.random.default_rng(1))
    whole = told(evaluator.evaluate(architecture, 7))
    metric = evaluator.default_metric
    levels = evaluator.with_levels(["epochs=1", "epochs=2"], folder=files)
    alone = told(evaluator.with_levels(["epochs=2"]).at(0).evaluate(architecture, 7))
    first = told(levels.at(0).evaluate(architecture, 7))
    assert f"{metric}@epochs=1" in first
    assert metric not in first
    assert set(first) <= set(levels.at(0).metrics) <= set(levels.metrics)
    (kept,) = files.iterdir()
    written = kept.read_bytes()
    assert told(levels.at(1).evaluate(architecture, 7)) == alone
    assert kept.read_bytes() != written
    assert told(pickle.loads(pickle.dumps(levels)).evaluate(architecture, 7)) == whole
    assert not any(files.iterdir())
    kept.write_bytes(written[: len(written) // 2])
    assert told(levels.evaluate(architecture, 7)) == whole
    levels.at(0).evaluate(architecture, 8)
    (other,) = files.iterdir()
    other.rename(kept)
    assert told(levels.evaluate(architecture, 7)) == whole


def test_only_the_rest_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from naopt.training.image_trainer import ImageTrainer

    epochs: list[int] = []
    train = ImageTrainer.train_epoch

    def counting(self: ImageTrainer, *arguments: object) -> dict[str, float]:
        epochs.append(self.epoch)
        return train(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageTrainer, "train_epoch", counting)
    levels = PLAIN.with_levels(["epochs=1", "epochs=3"], folder=tmp_path)
    for level in (0, 1, None):
        levels.at(level).evaluate(CELL, 1)
    assert epochs == [0, 1, 2, 3]
    levels.at(1).evaluate(CELL, 2)
    levels.at(0).evaluate(CELL, 2)  # further than was asked for: not taken
    assert epochs[4:] == [0, 1, 2, 0]


def test_other_settings_are_trainings_of_their_own(tmp_path: Path) -> None:
    names = ["image_size=4+epochs=2", "cosine_epochs=2+epochs=2", "filters=3"]
    levels = PLAIN.with_levels(names, (1, 2, 3, 4), folder=tmp_path)
    settings = [levels.at(level).settings.model_dump() for level in range(3)]
    assert [s["image_size"] for s in settings] == [4, None, None]
    assert [s["epochs"] for s in settings] == [2, 2, 4]
    found = told(levels.at(1).evaluate(CELL, 0))
    assert set(found) == {f"valid_{name}@{names[1]}{end}" for name in ("acc", "loss") for end in ("", "_se")}
    shorter = TrainingEvaluator(SPACE, "digits", {**TINY, "epochs": 2})
    assert found[f"valid_acc@{names[1]}"] == told(shorter.evaluate(CELL, 0))["valid_acc"]
    small = told(levels.at(0).evaluate(CELL, 0))
    same = TrainingEvaluator(SPACE, "digits", {**TINY, "epochs": 2, "image_size": 4})
    assert small[f"valid_loss@{names[0]}"] == told(same.evaluate(CELL, 0))["valid_loss"]
    assert not any(tmp_path.iterdir())
    assert levels.fidelity == Fidelity((*(f"valid_acc@{name}" for name in names), "valid_acc"), (1, 2, 3, 4), 3)


def test_costs_are_epochs_times_multiply_adds() -> None:
    fidelity = PLAIN.with_levels(["epochs=1", "epochs=3"]).fidelity
    assert fidelity is not None
    assert fidelity == Fidelity(("valid_acc@epochs=1", "valid_acc@epochs=3", "valid_acc"), (1, 3, 4))


def test_costs_of_other_settings_follow_from_multiply_adds() -> None:
    fidelity = PLAIN.with_levels(["image_size=4+epochs=2", "epochs=3"], metric="valid_loss").fidelity
    assert fidelity is not None
    rng = np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(16)]
    small = create_workload("digits", {**TINY, "image_size": 4}).costs(SPACE)
    large = create_workload("digits", TINY).costs(SPACE)
    assert small is not None
    assert large is not None
    share = small.of(drawn)["macs"].mean() / large.of(drawn)["macs"].mean()
    assert fidelity.costs == pytest.approx((share / 2, 0.75, 1))
    assert fidelity.apart == 1
    assert fidelity.metrics[-1] == "valid_loss"


def test_what_nothing_goes_on_from_is_paid_in_full() -> None:
    fidelity = Fidelity(("a", "b", "c", "d"), (1, 2, 4, 10), apart=2)
    assert fidelity.step(1, 0) == 0.2
    assert fidelity.step(2, 1) == 0.4
    assert fidelity.step(3, 0) == 1
    assert fidelity.step(3, 2) == pytest.approx(0.6)
    assert fidelity.step(1, 1) == 0
    assert fidelity.least == 0.1


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (["epochs"], "must be KEY=VALUE"),
        (["epoch=1"], "epochs"),
        (["epochs=0"], "greater than or equal to 1"),
        (["epochs=4"], "changes nothing"),
        (["epochs=9"], "must be less than the 4 epochs of the full training"),
        (["epochs=1", "filters=3"], "trainings of their own first"),
        (["epochs=1+epochs=2"], "names a setting twice"),
        (["cosine_epochs=2"], r"'{'cells_per_stage': 1, 'filters': 2, [^}]*}': cosine_epochs 2 must not be less"),
        (["epochs=3", "epochs=1"], "rise from level to level"),
        (["train_limit=20"], "give --fidelity-costs, the full one last"),
        (["filters=64"], "rise from level to level"),
    ],
)
def test_what_is_no_cheaper_version_is_refused(names: list[str], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        PLAIN.with_levels(names)


def test_a_level_with_more_folds_than_images_of_a_class_is_refused_before_the_search() -> None:
    levels = PLAIN.with_levels(["folds=30+epochs=1"], [1, 2])
    with pytest.raises(InputError, match="folds '30': is more than the"):
        levels.check()


def test_a_metric_that_training_does_not_give_is_refused() -> None:
    with pytest.raises(InputError, match="'params': is not what training gives; search by valid_acc or valid_loss"):
        PLAIN.with_levels(["epochs=1"], metric="params")
    assert [level.until for level in training_levels(PLAIN.workload, [" epochs=2 "])] == [2]
