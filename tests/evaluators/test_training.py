import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from naopt.errors import InputError
from naopt.evaluators import TrainingEvaluator, TrainingSettings, create_workload, evaluators
from naopt.evaluators.endings import failure_status
from naopt.evaluators.training import select_device
from naopt.searchers.nao import NAOSettings
from naopt.spaces import ConvCellSpace, EnumeratedSpace, GenericSpace, NASBench201Space, Position, SearchSpace
from naopt.tasks import Dataset, ImageTask, Limits, create_task
from naopt.training.trainer import DivergedError

TINY = {"epochs": 1, "train_limit": 40, "valid_limit": 40, "batch_size": 20, "filters": 2}


def evaluator(space: SearchSpace | None = None, **changes: object) -> TrainingEvaluator:
    return TrainingEvaluator(space or ConvCellSpace(2), "digits", {**TINY, **changes})


def test_it_measures_validation_only() -> None:
    space = ConvCellSpace(2)
    trained = evaluator(space)
    result = trained.evaluate(space.sample(np.random.default_rng(0)), 0)
    assert result.ok
    measured = {"valid_acc", "valid_loss", "params"}
    assert set(result.metrics) == set(trained.metrics) == measured | {"valid_acc_se", "valid_loss_se"}
    share = result.metrics["valid_acc"] / 100
    assert 0 <= share <= 1
    guessed = (40 * share + 0.5) / 41
    assert result.error("valid_acc") == pytest.approx(100 * (guessed * (1 - guessed) / 40) ** 0.5)
    assert result.metrics["valid_loss"] > 0
    assert result.metrics["params"] > 100
    assert result.seconds > 0
    assert trained.default_metric == "valid_acc"
    assert evaluators.get("training") is TrainingEvaluator


def test_test_images_are_loaded_only_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    space = ConvCellSpace(2)
    architecture = space.sample(np.random.default_rng(0))
    measured = TrainingEvaluator(space, "digits", TINY, measure_test=True).evaluate(architecture, 0)
    assert 0 <= measured.metrics["test_acc"] <= 100
    plain = evaluator(space)
    loaded: list[Dataset] = []
    task = plain.workload.task
    assert isinstance(task, ImageTask)
    load = task.load

    def watch(limits: Limits) -> Dataset:
        loaded.append(load(limits))
        return loaded[-1]

    monkeypatch.setattr(task, "load", watch)
    assert plain.evaluate(architecture, 0).metrics["valid_acc"] == measured.metrics["valid_acc"]
    assert [len(data.test) for data in loaded] == [0]


@pytest.mark.parametrize("space", [ConvCellSpace(2), NASBench201Space()], ids=lambda space: space.name)
def test_equal_seeds_give_equal_bits_whatever_ran_before(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    architecture, other = space.sample(rng), space.sample(rng)
    settings = {"drop_path_keep": 0.8, "dropout": 0.1, "crop_padding": 1, "cutout": 2, "auxiliary_weight": 0.1}
    first = evaluator(space, **settings)
    results = [first.evaluate(architecture, 5)]
    torch.manual_seed(99)
    first.evaluate(other, 6)
    results += [first.evaluate(architecture, 5), evaluator(space, **settings).evaluate(architecture, 5)]
    assert results[0].ok
    assert results[0].metrics == results[1].metrics == results[2].metrics
    assert first.evaluate(architecture, 6).metrics["valid_loss"] != results[0].metrics["valid_loss"]


def test_another_process_gives_the_same_bits() -> None:
    space = ConvCellSpace(2)
    architecture = space.sample(np.random.default_rng(3))
    here = evaluator(space).evaluate(architecture, 11)
    code = (
        "from naopt.evaluators import TrainingEvaluator\nfrom naopt.spaces import ConvCellSpace\n"
        f"space = ConvCellSpace(2)\narchitecture = space.architecture({architecture.tokens})\n"
        f"print(TrainingEvaluator(space, 'digits', {TINY}).evaluate(architecture, 11).metrics['valid_loss'])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(there.stdout) == here.metrics["valid_loss"]


def test_listed_rows_train_as_in_the_whole_space() -> None:
    whole = ConvCellSpace(2)
    architecture = whole.sample(np.random.default_rng(0))
    listed = EnumeratedSpace(whole, [architecture.tokens])
    results = [evaluator(space).evaluate(architecture, 0).metrics for space in (whole, listed)]
    assert results[0] == results[1]


def test_a_pickle_holds_no_data() -> None:
    trained = evaluator()
    trained.prepare()
    text = pickle.dumps(trained)
    assert len(text) < 5000
    architecture = trained.space.sample(np.random.default_rng(0))
    assert pickle.loads(text).evaluate(architecture, 1).metrics == trained.evaluate(architecture, 1).metrics


def test_batches_with_one_image_left_over_do_no_harm() -> None:
    result = evaluator(train_limit=41, batch_size=20).evaluate(ConvCellSpace(2).sample(np.random.default_rng(0)), 0)
    assert result.ok


def test_a_child_that_diverges_is_a_measurement() -> None:
    space = ConvCellSpace(2)
    result = evaluator(space, learning_rate=1e30, clip_norm=0.0, epochs=3).evaluate(
        space.sample(np.random.default_rng(0)), 0
    )
    assert result.status == "diverged"
    assert "loss" in result.reason
    assert set(result.metrics) == {"params"}


def test_a_space_without_networks_fails_as_a_measurement() -> None:
    space = GenericSpace([Position("depth", ("1", "2"))])
    result = evaluator(space).evaluate(space.architecture([0]), 0)
    assert result.status == "failed"
    assert "no network" in result.reason


def raise_memory(*_: object) -> None:
    raise MemoryError("no room")


def raise_allocation(*_: object) -> None:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory:\n you tried to allocate 1 byte")


@pytest.mark.parametrize("fail", [raise_memory, raise_allocation])
def test_a_child_that_runs_out_of_memory_is_a_measurement(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[..., None]
) -> None:
    monkeypatch.setattr("naopt.training.trainer.Trainer.run", fail)
    space = ConvCellSpace(2)
    result = evaluator(space).evaluate(space.sample(np.random.default_rng(0)), 0)
    assert result.status == "oom"
    assert "\n" not in result.reason


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("MPS backend out of memory"), "oom"),
        (DivergedError("loss nan"), "diverged"),
        (RuntimeError("shape mismatch"), "failed"),
    ],
)
def test_statuses_of_failures(error: Exception, status: str) -> None:
    assert failure_status(error) == status


def test_settings_come_from_the_recipe_and_overrides() -> None:
    settings = create_workload("digits", {"epochs": "7"}).settings
    assert isinstance(settings, TrainingSettings)
    assert settings.epochs == 7
    assert settings.batch_size == create_task("digits").recipe["batch_size"]
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        create_workload("digits", {"epoch": 7})
    with pytest.raises(InputError, match="training setting batch_size '1'"):
        create_workload("digits", {"batch_size": 1})
    assert TrainingEvaluator(ConvCellSpace(2), "digits", settings).settings is settings
    with pytest.raises(InputError, match="task digits needs TrainingSettings"):
        create_workload("digits", NAOSettings())


def test_a_space_without_networks_is_refused_before_the_search() -> None:
    space = GenericSpace([Position("depth", ("1", "2"))])
    with pytest.raises(InputError, match="has no networks for images; those of conv-cell are for it"):
        evaluator(space).check()


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:1", "cuda:x", "mps:1"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(InputError, match=f"device '{device}'"):
        TrainingEvaluator(ConvCellSpace(2), "digits", device=device)


def test_devices_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert select_device("cpu") == torch.device("cpu")
    assert select_device("cuda") == torch.device("cuda", 0)
    assert select_device("cuda:1") == torch.device("cuda", 1)
    assert select_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match="Apple"):
        select_device("mps")


def test_threads_must_be_positive() -> None:
    with pytest.raises(InputError, match="threads '0'"):
        TrainingEvaluator(ConvCellSpace(2), "digits", threads=0)


def test_nothing_imports_torch_before_it_trains() -> None:
    code = (
        "import sys, naopt.evaluators, naopt.tasks, naopt.evaluators.final\n"
        "naopt.evaluators.create_workload('digits')\n"
        "assert not {'torch', 'sklearn'} & set(sys.modules), 'heavy imports'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_trains_on_a_gpu() -> None:
    space = ConvCellSpace(2)
    result = TrainingEvaluator(space, "digits", TINY, device="cuda").evaluate(space.sample(np.random.default_rng(0)), 0)
    assert result.ok


def test_a_damaged_test_image_is_found_before_the_search(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in "ab":
            (tmp_path / split / label).mkdir(parents=True)
            for index in range(4):
                Image.new("L", (8, 8), 10 * index).save(tmp_path / split / label / f"{index}.png")
    evaluator = TrainingEvaluator(ConvCellSpace(), f"images:{tmp_path}")
    evaluator.check()
    (tmp_path / "test" / "b" / "2.png").write_text("no image")
    with pytest.raises(InputError, match=r"b/2\.png"):
        evaluator.check()
