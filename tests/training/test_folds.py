"""Cross-validation of a search's children: every image is measured once, by a network that did not learn from it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from naopt.baselines.training import held_out_sizes
from naopt.errors import InputError
from naopt.evaluators import TrainingEvaluator, create_workload
from naopt.evaluators.final import final_workload, train_final
from naopt.evaluators.seeds import fold_seed
from naopt.one_shot.build import check_sharing
from naopt.run import RunConfig, start_run
from naopt.spaces import ConvCellSpace
from naopt.tasks.parts import Part
from naopt.training.folds import averaged, exchanged, fold_of, pooled
from naopt.training.images import Images, ImageSource, Normalisation

SPACE = ConvCellSpace(2)
CELL = SPACE.sample(np.random.default_rng(0))
TINY = {"epochs": 1, "train_limit": 50, "valid_limit": 40, "batch_size": 20, "filters": 2, "cells_per_stage": 1}


def images(labels: list[int], first: int) -> Images:
    """Images whose pixels say which they are."""
    numbers = torch.arange(first, first + len(labels)).float()
    nothing = Normalisation(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    return Images(numbers.view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous(), torch.tensor(labels), nothing)


def test_each_image_is_held_out_once_and_classes_are_in_equal_shares() -> None:
    labels = [0] * 11 + [1] * 7 + [2] * 5 + [3] * 4
    parts: dict[Part, ImageSource] = {
        "train": images(labels[:20], 0), "valid": images(labels[20:], 20), "test": images([0, 1], 90)
    }  # fmt: skip
    held: list[int] = []
    sizes = []
    for index in range(4):
        found = fold_of(parts, index, 4)
        train, valid, test = found["train"], found["valid"], found["test"]
        assert isinstance(train, Images)
        assert isinstance(valid, Images)
        assert isinstance(test, Images)
        numbers = train.pixels[:, 0, 0, 0]
        assert sorted(torch.cat([numbers, valid.pixels[:, 0, 0, 0]]).int().tolist()) == list(range(27))
        assert [labels[int(number)] for number in valid.pixels[:, 0, 0, 0]] == valid.labels.tolist()
        for label, count in ((0, 11), (1, 7), (2, 5), (3, 4)):
            assert int((valid.labels == label).sum()) in (count // 4, math.ceil(count / 4))
        held += valid.pixels[:, 0, 0, 0].int().tolist()
        sizes.append(len(valid))
        assert float(test.normalize.mean) == pytest.approx(float(numbers.mean()))
        assert float(train.normalize(train.pixels).std(correction=0)) == pytest.approx(1)
    assert sorted(held) == list(range(27))
    assert sorted(sizes) == [6, 7, 7, 7]
    with pytest.raises(InputError, match="folds '5': is more than the 4 training and validation images of a class"):
        fold_of(parts, 0, 5)


def test_pooled_figures_are_those_of_all_images_together() -> None:
    rng = np.random.default_rng(0)
    losses = [rng.normal(size=size) for size in (5, 9, 7)]
    each = [{"loss": float(x.mean()), "loss_se": float(x.std() / np.sqrt(len(x)))} for x in losses]
    found = pooled(each, [5, 9, 7])
    together = np.concatenate(losses)
    assert found["loss"] == pytest.approx(together.mean())
    within = sum(len(x) * x.var() for x in losses) / len(together)
    assert found["loss_se"] == pytest.approx(np.sqrt(within / len(together)))
    assert averaged([{"acc": 50.0, "acc_se": 3.0}, {"acc": 70.0, "acc_se": 5.0}]) == {"acc": 60.0, "acc_se": 4.0}


def test_a_search_measures_children_on_all_images(tmp_path: Path) -> None:
    evaluator = TrainingEvaluator(SPACE, "digits", {**TINY, "folds": 3}, measure_test=True)
    found = evaluator.evaluate(CELL, 5)
    assert found.ok, found.reason
    hits = found.metrics["valid_acc"] * 90 / 100
    assert hits == pytest.approx(round(hits))
    plain = TrainingEvaluator(SPACE, "digits", TINY).evaluate(CELL, 5)
    assert found.metrics["valid_acc_se"] < plain.metrics["valid_acc_se"]
    assert set(found.metrics) == set(evaluator.metrics)
    assert len({fold_seed(5, fold) for fold in range(100)} | {fold_seed(6, fold) for fold in range(100)}) == 200
    levels = evaluator.with_levels(["epochs=1+folds=1"], (1, 3), folder=tmp_path / "children")
    assert levels.at(0).evaluate(CELL, 5).metrics["valid_acc@epochs=1+folds=1"] == plain.metrics["valid_acc"]
    config = RunConfig(
        task="digits", space="conv-cell", space_options={"nodes": 2}, searcher="random", budget=1, engine="inline",
        training={**TINY, "folds": 2},
    )  # fmt: skip
    record = start_run(tmp_path / "run", config)
    assert record.best() is not None


def test_folds_are_refused_where_they_mean_nothing() -> None:
    work = create_workload("digits", {**TINY, "folds": 2})
    with pytest.raises(InputError, match="has no use with shared weights"):
        check_sharing(SPACE, work)
    with pytest.raises(InputError, match="has no use in final training"):
        train_final(SPACE, CELL, final_workload("digits", overrides={"folds": 2}))
    with pytest.raises(InputError, match="folds needs images in memory"):
        create_workload("digits", {"folds": 2, "stream": True, "image_size": 8})
    with pytest.raises(InputError, match="is more than the"):
        TrainingEvaluator(SPACE, "digits", {**TINY, "folds": 60}).check()
    assert held_out_sizes(work)["valid"] == 90
    assert held_out_sizes(create_workload("digits", TINY))["valid"] == 40


def test_a_repeat_is_measured_on_other_images() -> None:
    labels = [0] * 20 + [1] * 12 + [0] * 5 + [1] * 3
    parts: dict[Part, ImageSource] = {"train": images(labels[:32], 0), "valid": images(labels[32:], 32)}
    seen: list[int] = []
    for repeat in range(1, 5):
        found = exchanged(parts, repeat)
        train, valid = found["train"], found["valid"]
        assert isinstance(train, Images)
        assert isinstance(valid, Images)
        numbers = valid.pixels[:, 0, 0, 0].int().tolist()
        assert sorted([*numbers, *train.pixels[:, 0, 0, 0].int().tolist()]) == list(range(40))
        assert [labels[number] for number in numbers] == valid.labels.tolist()
        assert valid.labels.bincount().tolist() == [5, 3]
        seen += numbers
    assert sorted(seen) == list(range(32))
    again = exchanged(parts, 5)["valid"]
    assert isinstance(again, Images)
    assert again.pixels[:, 0, 0, 0].int().tolist() == seen[:8]
    parts = {"train": images([0, 1] * 8, 0), "valid": images([0, 1] * 5, 16)}
    fewer = exchanged(parts, 1)["valid"]
    assert isinstance(fewer, Images)
    assert fewer.labels.bincount().tolist() == [5, 5]  # not all 16: as many are trained on as ever
    evaluator = TrainingEvaluator(SPACE, "digits", TINY)
    first, other = evaluator.evaluate(CELL, 1), evaluator.again(1).evaluate(CELL, 1)
    assert first.metrics != other.metrics
    assert evaluator.again(1).evaluate(CELL, 1).metrics == other.metrics
    assert evaluator.evaluate(CELL, 1).metrics == first.metrics
