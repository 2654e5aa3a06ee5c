"""Batches that proxies see: always of the training data, or of noise."""

from __future__ import annotations

import torch
from torch import Tensor

from naopt.networks.language_settings import LanguageSettings
from naopt.proxies.probe import Batch
from naopt.proxies.settings import ProxySettings
from naopt.tasks import Corpus
from naopt.training.images import ImageSource
from naopt.training.language import side_by_side
from naopt.training.settings import TrainingSettings


def image_batches(
    train: ImageSource, classes: int, training: TrainingSettings, settings: ProxySettings, device: torch.device
) -> list[Batch]:
    """Random training images, augmented as in training, or noise of their shape with random labels.

    No image is in two batches, unless there are too few. What is drawn comes from torch's default generator.
    """
    size = min(settings.batch_size, len(train))
    order = torch.cat([torch.randperm(len(train)) for _ in range(1 + settings.batches * size // len(train))])
    chosen = list(order[: size * settings.batches].to(device).view(settings.batches, size))
    found = list(train.training_batches(chosen, training, 0))
    if settings.inputs == "data":
        return found
    return [(_noise(images), torch.randint(classes, labels.shape).to(device)) for images, labels in found]


def _noise(images: Tensor) -> Tensor:
    return torch.randn(images.shape).to(images.device)


def text_batches(
    corpus: Corpus, training: LanguageSettings, settings: ProxySettings, device: torch.device
) -> list[Batch]:
    """Chunks from random places of the training text, or random words; drawn from torch's default generator.

    Raises:
        InputError: the text is too short.
    """
    words = corpus.train[: training.train_limit]
    text = side_by_side(words, "train", min(settings.batch_size, max(1, len(words) // 2)), device)
    length = min(training.chunk_length, len(text) - 1)
    starts = torch.randint(len(text) - length, (settings.batches,)).tolist()
    if settings.inputs == "noise":
        text = torch.randint(len(corpus.words), text.shape).to(device)
    return [(text[at : at + length], text[at + 1 : at + length + 1]) for at in starts]
