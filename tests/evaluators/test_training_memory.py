"""Trainings that run out of memory, with smaller batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from naopt.evaluators import TrainingEvaluator
from naopt.execution import FailurePolicy, InlineEngine, Job, RetryingEngine
from naopt.spaces import ConvCellSpace, RecurrentCellSpace
from naopt.training.image_trainer import ImageTrainer

TINY = {"epochs": 1, "train_limit": 40, "valid_limit": 40, "batch_size": 20, "filters": 2}
SPACE = ConvCellSpace(2)
ARCHITECTURE = SPACE.sample(np.random.default_rng(0))


def evaluator(**changes: object) -> TrainingEvaluator:
    return TrainingEvaluator(SPACE, "digits", {**TINY, **changes})


def test_a_smaller_batch_is_another_setting_on_the_same_data() -> None:
    whole = evaluator()
    whole.prepare()
    half = whole.smaller(1)
    assert half is not None
    assert (whole.batch, half.batch) == (20, 10)
    assert half._loaded is whole._loaded is not None
    assert half.settings == evaluator(batch_size=10).settings
    assert half.evaluate(ARCHITECTURE, 1).metrics == evaluator(batch_size=10).evaluate(ARCHITECTURE, 1).metrics
    assert whole.settings == evaluator().settings


def test_batches_have_a_smallest_size(tmp_path: Any) -> None:
    assert evaluator().smaller(3) is not None, "two images are a batch"
    assert evaluator().smaller(4) is None, "one is not"
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("a b c\n")
    text = TrainingEvaluator(RecurrentCellSpace(2), f"text:{tmp_path}", {"batch_size": 4})
    assert text.batch == 4
    single = text.smaller(2)
    assert single is not None
    assert single.batch == 1
    assert text.smaller(3) is None


def test_memory_that_runs_out_makes_batches_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ImageTrainer.__init__

    def short_of_memory(self: ImageTrainer, network: Any, parts: Any, settings: Any, *rest: Any) -> None:
        if settings.batch_size > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        begin(self, network, parts, settings, *rest)

    monkeypatch.setattr(ImageTrainer, "__init__", short_of_memory)
    whole = evaluator()
    failed = whole.evaluate(ARCHITECTURE, 3)
    assert failed.status == "oom"
    assert failed.details.startswith("Traceback")
    assert "in short_of_memory" in failed.details
    with RetryingEngine(InlineEngine(whole), FailurePolicy(smaller_batch=True), whole) as engine:
        ((_, found),) = engine.evaluate([Job(0, ARCHITECTURE, 3)])
    assert found.reason == "batch 5 instead of 20: out of memory"
    assert found.metrics == evaluator(batch_size=5).evaluate(ARCHITECTURE, 3).metrics
