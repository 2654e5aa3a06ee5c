"""Images that are read from their files while a network trains, for data that do not fit in memory.

What is random about a sample depends on the seed, the epoch and the image's index alone: not on the number of worker
processes, nor on where a training was interrupted.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from naopt.errors import InputError
from naopt.processes import interrupts_blocked, without_main
from naopt.tasks import ImageFiles
from naopt.training.augmentation import cut_out
from naopt.training.image_transforms import Jitter, evaluation_image, training_image
from naopt.training.images import Normalisation, Statistics
from naopt.training.settings import TrainingSettings

STATISTICS_SAMPLE = 2000
"""Of how many training images the mean and deviation are computed."""
_MOST_WORKERS = 16
_IMAGES_PER_WORKER = 500
"""A process takes seconds to start; fewer images are read sooner without it."""


Key = tuple[int, int, int]
"""Names one sample: seed, epoch (-1 for an image as it is measured) and the image's index."""

Sample = tuple[Tensor, int]
"""Pixels ``(3, size, size)`` uint8, and the class index."""

Batch = tuple[Tensor, Tensor]
"""Pixels ``(m, 3, size, size)`` uint8, and class indices ``(m,)`` int64."""


@dataclass(frozen=True)
class Samples(Dataset[Sample | InputError]):
    """Samples by ``Key``, as a map-style dataset. An image that cannot be read is the error itself.

    Attributes:
        files: the images.
        size: side of a sample, in pixels.
        flip: mirror half of the training samples.
        jitter: change of the colours of training samples.
    """

    files: ImageFiles
    size: int
    flip: bool = True
    jitter: Jitter = (0.0, 0.0, 0.0, 0.0)

    def __getitem__(self, key: Key) -> Sample | InputError:
        seed, epoch, index = key
        try:
            with self.files.open(index) as image:
                if epoch < 0:
                    sample = evaluation_image(image, self.size)
                else:
                    rng = np.random.default_rng([seed, epoch, index])
                    sample = training_image(image, self.size, flip=self.flip, jitter=self.jitter, rng=rng)
        except InputError as error:
            return error  # raised by a worker, it would lose its type and gain a traceback
        pixels = torch.from_numpy(np.array(sample)).permute(2, 0, 1).contiguous()
        return pixels, int(self.files.labels[index])


def collate(samples: Sequence[Sample | InputError]) -> Batch | InputError:
    """A batch of samples, or the first error among them."""
    good = []
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
        good.append(sample)
    return torch.stack([pixels for pixels, _ in good]), torch.tensor([label for _, label in good])


def default_workers(images: int) -> int:
    """How many processes read: none for few images, else one for each processor, up to 16."""
    if multiprocessing.current_process().daemon:
        return 0  # a search's worker, which may not start processes
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    trainings = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's
    return min(_MOST_WORKERS, max(1, processors // trainings), images // _IMAGES_PER_WORKER)


class Stream:
    """Reads batches of samples ahead, in worker processes that live as long as it does.

    Args:
        samples: what to read.
        workers: number of processes; 0 reads in this one.
        pin_memory: whether batches lie in page-locked memory, from which a GPU copies faster.
    """

    def __init__(self, samples: Samples, workers: int, *, pin_memory: bool = False) -> None:
        self._batches = _Batches()
        self._loader: DataLoader[Sample | InputError] = DataLoader(
            samples,
            batch_sampler=self._batches,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=pin_memory,
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=_begin_worker,
            persistent_workers=workers > 0,
            # The loader draws a number from it; the default generator is the training's.
            generator=torch.Generator(),
        )

    def read(self, batches: Iterable[list[Key]]) -> Iterator[Batch]:
        """The samples of each batch of keys, in order.

        Raises:
            InputError: an image cannot be read; names the file.
        """
        self._batches.current = batches
        with interrupts_blocked(), without_main():
            found = iter(self._loader)
        for batch in found:
            if isinstance(batch, InputError):
                try:
                    raise batch
                finally:
                    del batch  # a cycle of error and frame would keep the workers until garbage is collected
            yield batch


def _begin_worker(number: int) -> None:  # noqa: ARG001
    # Torch takes seconds to tidy up at the end of a process, and now and then aborts over it.
    atexit.register(os._exit, 0)


class _Batches:
    """The batches of keys that a stream reads next, as a loader's sampler."""

    def __init__(self) -> None:
        self.current: Iterable[list[Key]] = ()

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.current)


class StreamedImages:
    """Images in files as a source for ``ImageTrainer``.

    Training samples are random boxes, at ``settings.image_size``, mirrored and coloured as the settings say
    (``training_image``); ``crop_padding``, ``rotation`` and ``zoom`` have no meaning here. The seed is that of torch's
    default generator (``torch.initial_seed``).

    Args:
        files: which.
        settings: of size and augmentation.
        normalize: from pixels to inputs, on ``device``.
        device: where the inputs go.
        workers: number of processes that read; by default ``default_workers``.
    """

    separate: ClassVar[bool] = True

    def __init__(
        self,
        files: ImageFiles,
        settings: TrainingSettings,
        normalize: Normalisation,
        device: torch.device,
        workers: int | None = None,
    ) -> None:
        if settings.image_size is None:
            raise InputError("image_size", None, "must be set for images that stay in their files")
        self.files, self.settings, self.normalize, self.device = files, settings, normalize, device
        samples = Samples(files, settings.image_size, settings.flip, settings.colour_jitter)
        workers = default_workers(len(files)) if workers is None else workers
        self._stream = Stream(samples, workers, pin_memory=device.type == "cuda")

    def __len__(self) -> int:
        return len(self.files)

    def training_batches(
        self, batches: Sequence[Tensor], settings: TrainingSettings, epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See ``naopt.training.images.ImageSource``. Raises ``InputError`` for an image that cannot be read."""
        seed = torch.initial_seed() % 2**64
        keys = ([(seed, epoch, index) for index in batch.tolist()] for batch in batches)
        for inputs, labels in self._inputs(keys):
            yield cut_out(inputs, settings.cutout) if settings.cutout else inputs, labels

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """See ``naopt.training.images.ImageSource``. Raises ``InputError`` for an image that cannot be read."""
        size = min(size, self.settings.batch_size)  # these images are large
        starts = range(0, len(self), size)
        return self._inputs([(0, -1, index) for index in range(len(self))[start : start + size]] for start in starts)

    def _inputs(self, keys: Iterable[list[Key]]) -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, labels in self._stream.read(keys):
            moved = pixels.to(self.device, non_blocking=True)
            yield self.normalize(moved), labels.to(self.device, non_blocking=True)


def sample_statistics(files: ImageFiles, size: int, workers: int = 0) -> Statistics:
    """Mean and reciprocal deviation ``(1, 3, 1, 1)`` over 2,000 images as they are measured, evenly spread over all.

    Raises:
        InputError: an image cannot be read; names the file.
    """
    chosen = np.unique(np.linspace(0, len(files) - 1, min(len(files), STATISTICS_SAMPLE)).round().astype(int)).tolist()
    batches = [[(0, -1, index) for index in chosen[start : start + 100]] for start in range(0, len(chosen), 100)]
    totals = np.zeros((2, 3))
    for pixels, _ in Stream(Samples(files, size), workers).read(batches):
        values = pixels.double()
        totals += torch.stack([values.sum((0, 2, 3)), (values**2).sum((0, 2, 3))]).numpy()
    mean, squares = totals / (len(chosen) * size**2)
    deviation = np.sqrt(np.maximum(squares - mean**2, 0))
    scale = 1 / np.where(deviation > 0, deviation, 1.0)
    return mean.astype(np.float32).reshape(1, 3, 1, 1), scale.astype(np.float32).reshape(1, 3, 1, 1)
