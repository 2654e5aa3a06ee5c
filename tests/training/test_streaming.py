"""Images that are read while a network trains, against reading them one by one."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.networks.build import build_network
from naopt.spaces import ConvCellSpace
from naopt.tasks import ImageFiles, ImagesTask, create_image_task
from naopt.tasks.decoding import Picture
from naopt.training.image_data import load_images
from naopt.training.image_trainer import ImageTrainer
from naopt.training.image_transforms import evaluation_image, training_image
from naopt.training.images import Normalisation
from naopt.training.reproducible import reproducible
from naopt.training.settings import TrainingSettings
from naopt.training.state import TrainingState
from naopt.training.streaming import (
    Key,
    Samples,
    Stream,
    StreamedImages,
    default_workers,
    sample_statistics,
)
from tests.tasks.examples import write_images

SIZE = 8
JITTER = (0.4, 0.4, 0.4, 0.2)
CPU = torch.device("cpu")
PLAIN = Normalisation(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
SETTINGS = TrainingSettings(stream=True, image_size=SIZE, colour_jitter=JITTER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for part in ("train", "valid", "test"):
        for number, name in enumerate("ab"):
            write_images(folder / part / name, 9, size=(20, 14 + number), seed=len(part))
    return folder


@pytest.fixture(scope="module")
def files(folder: Path) -> ImageFiles:
    return ImagesTask(str(folder)).files().train


@pytest.fixture(scope="module")
def two_workers(files: ImageFiles, tmp_path_factory: pytest.TempPathFactory) -> Stream:
    """Shared by the tests: starting processes takes seconds. They would end if they ran the main module."""
    main = tmp_path_factory.mktemp("main") / "script.py"
    main.write_text("raise SystemExit('runs again')")
    stream = Stream(Samples(files, SIZE, jitter=JITTER), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["__main__"], "__file__", str(main), raising=False)
        patch.setattr(sys.modules["__main__"], "__spec__", None)
        next(stream.read(batches_of(0)))
    return stream


def batches_of(epoch: int, seed: int = 5) -> list[list[Key]]:
    order = np.random.default_rng(epoch + 1).permutation(18).tolist()
    return [[(seed, epoch, index) for index in order[start : start + 5]] for start in range(0, 18, 5)]


def brute_force(files: ImageFiles, batches: list[list[Key]]) -> list[tuple[Tensor, Tensor]]:
    found = []
    for batch in batches:
        pixels = []
        for seed, epoch, index in batch:
            image = Picture(files.read(index))
            if epoch < 0:
                sample = evaluation_image(image, SIZE)
            else:
                rng = np.random.default_rng([seed, epoch, index])
                sample = training_image(image, SIZE, flip=True, jitter=JITTER, rng=rng)
            pixels.append(np.asarray(sample).transpose(2, 0, 1))
        labels = [int(files.labels[index]) for _, _, index in batch]
        found.append((torch.tensor(np.stack(pixels)), torch.tensor(labels)))
    return found


def equal(one: list[tuple[Tensor, Tensor]], other: list[tuple[Tensor, Tensor]]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


def test_batches_are_those_of_reading_one_by_one_with_or_without_workers(
    files: ImageFiles, two_workers: Stream
) -> None:
    alone = Stream(Samples(files, SIZE, jitter=JITTER), 0)
    for stream in (alone, two_workers):
        for epoch in (0, 1, -1):
            found = list(stream.read(batches_of(epoch)))
            assert found[0][0].dtype == torch.uint8
            assert found[0][1].dtype == torch.int64
            assert equal(found, brute_force(files, batches_of(epoch)))


def test_an_interrupted_epoch_goes_on_as_if_it_had_not_been(files: ImageFiles, two_workers: Stream) -> None:
    whole = list(two_workers.read(batches_of(3)))
    stopped = two_workers.read(batches_of(3))
    assert equal([next(stopped)], whole[:1])
    del stopped
    assert equal(list(two_workers.read(batches_of(3)[1:])), whole[1:])


def test_epochs_seeds_and_images_differ(files: ImageFiles) -> None:
    stream = Stream(Samples(files, SIZE), 0)
    samples = [stream.read([[key]]) for key in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)]]
    pixels = [next(sample)[0].numpy().tobytes() for sample in samples]
    assert len(set(pixels)) == 4


def test_batches_are_taken_lazily(files: ImageFiles) -> None:
    taken = []

    def batches() -> Iterator[list[Key]]:
        for batch in batches_of(0):
            taken.append(batch)
            yield batch

    stream = Stream(Samples(files, SIZE), 0).read(batches())
    next(stream)
    assert len(taken) == 1


def test_reading_leaves_the_default_generator_alone(files: ImageFiles, two_workers: Stream) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    for stream in (Stream(Samples(files, SIZE), 0), two_workers):
        assert len(list(stream.read(batches_of(0)))) == 4
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named_in_one_line(tmp_path: Path, workers: int) -> None:
    for name in "ab":
        write_images(tmp_path / name, 5)
    files = ImagesTask(str(tmp_path)).files().train
    path = Path(files.files.name(2))
    path.write_bytes(path.read_bytes()[:-40])
    stream = Stream(Samples(files, SIZE), workers)
    with pytest.raises(InputError, match=rf"{path}': cannot be read: .*truncated") as error:
        list(stream.read([[(0, 0, 0), (0, 0, 1)], [(0, 0, 2), (0, 0, 3)]]))
    assert "\n" not in str(error.value)


def test_a_source_for_trainers(files: ImageFiles) -> None:
    statistics = sample_statistics(files, SIZE)
    pictures = [Picture(files.read(index)) for index in range(18)]
    pixels = np.stack([np.asarray(evaluation_image(picture, SIZE), dtype=float) for picture in pictures])
    assert statistics[0].reshape(-1) == pytest.approx(pixels.mean(axis=(0, 1, 2)))
    assert statistics[1].reshape(-1) == pytest.approx(1 / pixels.std(axis=(0, 1, 2)))

    normalize = Normalisation(torch.tensor(statistics[0]), torch.tensor(statistics[1]))
    source = StreamedImages(files, SETTINGS, normalize, CPU)
    assert len(source) == 18
    measured = list(source.batches(7))
    assert [len(labels) for _, labels in measured] == [7, 7, 4]
    inputs = torch.cat([inputs for inputs, _ in measured])
    assert inputs.mean((0, 2, 3)).abs().max() < 1e-5
    assert inputs.std((0, 2, 3), correction=0).sub(1).abs().max() < 1e-5
    assert torch.cat([labels for _, labels in measured]).tolist() == files.labels.tolist()

    torch.manual_seed(5)
    order = torch.tensor(np.random.default_rng(3).permutation(18))
    found = list(source.training_batches(order.tensor_split([5, 10, 15]), SETTINGS, 2))
    expected = [(normalize(pixels), labels) for pixels, labels in brute_force(files, batches_of(2))]
    assert equal(found, expected)


def test_squares_are_cut_out_after_normalisation(files: ImageFiles) -> None:
    torch.manual_seed(5)
    settings = SETTINGS.model_copy(update={"cutout": 4})
    source = StreamedImages(files, settings, PLAIN, CPU)
    ((inputs, _),) = source.training_batches([torch.arange(18)], settings, 0)
    whole = brute_force(files, [[(5, 0, index) for index in range(18)]])[0][0].float()
    changed = (inputs != whole).any(1).flatten(1).sum(1)
    assert (changed <= 16).all()
    assert changed.float().mean() > 4
    assert (inputs[inputs != whole] == 0).all()


def test_a_source_needs_a_size(files: ImageFiles) -> None:
    with pytest.raises(InputError, match=r"image_size .*must be set"):
        StreamedImages(files, TrainingSettings(), PLAIN, CPU)


def test_statistics_of_a_channel_that_is_constant(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(5):
            Image.new("RGB", (9, 9), (7, 0, 20 * index)).save(tmp_path / name / f"{index}.png")
    mean, scale = sample_statistics(ImagesTask(str(tmp_path)).files().train, 4)
    assert mean.reshape(-1)[:2].tolist() == [7, 0]
    assert scale.reshape(-1)[:2].tolist() == [1, 1]


def test_as_many_workers_as_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert [default_workers(images) for images in (10, 499, 1600, 10**6)] == [0, 0, 3, 8]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert default_workers(10**6) == 2
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    assert default_workers(10**6) == 0


class StopError(Exception):
    """The process was killed here."""


def test_a_resumed_training_on_streamed_images_equals_an_uninterrupted_one(folder: Path) -> None:
    settings = SETTINGS.model_copy(
        update={"epochs": 2, "batch_size": 6, "filters": 2, "cells_per_stage": 1, "cutout": 2, "crop_padding": 0}
    )
    space = ConvCellSpace(1)
    architecture = space.sample(np.random.default_rng(0))

    def trainer() -> ImageTrainer:
        parts, facts, _ = load_images(ImagesTask(str(folder)), settings, CPU, test=True, final=False)
        assert set(parts) == {"train", "valid", "test"}
        assert facts["input_shape"] == [3, SIZE, SIZE]
        assert facts["classes"] == ["a", "b"]
        return ImageTrainer(build_network(space, architecture, settings, 3, 2), parts, settings, CPU)

    with reproducible(5, CPU, 1):
        whole = trainer()
        whole.run()
    with reproducible(5, CPU, 1):
        first = trainer()
        stopped = []

        def step() -> None:
            if first.step == 4:
                state = first.state()
                stopped.append(TrainingState({k: v.clone() for k, v in state.tensors.items()}, dict(state.facts)))
                raise StopError

        with pytest.raises(StopError):
            first.run(step)
    with reproducible(99, CPU, 1):
        second = trainer()
        second.restore(stopped[0])
        second.run()
    assert whole.measure("test") == second.measure("test")
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name


def test_final_training_joins_training_and_validation_images(folder: Path) -> None:
    parts, _, _ = load_images(ImagesTask(str(folder)), SETTINGS, CPU, test=True, final=True)
    assert {part: len(images) for part, images in parts.items()} == {"train": 36, "test": 18}


def test_tasks_that_cannot_be_streamed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="task 'DigitsTask': has no image files that could be streamed"):
        load_images(create_image_task("digits"), SETTINGS, CPU, test=False, final=False)
    for part in ("train", "test"):
        (tmp_path / f"{part}.bin").write_bytes(bytes(3074))
    with pytest.raises(InputError, match="has no class folders"):
        load_images(create_image_task(f"cifar100:{tmp_path}"), SETTINGS, CPU, test=False, final=False)


def test_a_search_looks_at_the_folders_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = create_workload(f"images:{folder}", SETTINGS)

    def refuse(*_: object) -> None:
        raise AssertionError("an image was decoded")

    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.open", refuse)
        work.check()
    with pytest.raises(InputError, match="no class folders"):
        create_workload(f"images:{folder / 'train' / 'a'}", SETTINGS).check()
