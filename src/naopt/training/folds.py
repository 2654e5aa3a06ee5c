"""Cross-validation: training and validation images together, each measured once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from naopt.errors import InputError
from naopt.measurement import is_error
from naopt.tasks.parts import Part
from naopt.training.images import Images, ImageSource, Normalisation, channel_statistics


def fold_of(parts: Mapping[Part, ImageSource], index: int, folds: int) -> dict[Part, ImageSource]:
    """One of several ways to split training and validation images: each is validated on in one fold.

    Classes are in equal shares in all folds, by an order that depends on their images' number alone. Normalisation is
    that of the fold's own training images.

    Args:
        parts: of a task, in memory; ``train`` and ``valid`` are needed, others stay as they are.
        index: of the fold, from 0.
        folds: how many there are.

    Raises:
        InputError: a class with fewer images than there are folds.
    """
    train, valid = _both(parts)
    return _divided(parts, _held_out(torch.cat([train.labels, valid.labels]), index, folds))


def exchanged(parts: Mapping[Part, ImageSource], repeat: int) -> dict[Part, ImageSource]:
    """Another part of the training images to validate on, in exchange for the validation images.

    Training images are divided into stratified shares at least as large as the validation images; as many of a share as
    these are held out, so that as many are trained on as ever. Repeats beyond the number of shares begin again with the
    first.

    Args:
        parts: of a task, in memory; ``train`` and ``valid`` are needed, others stay as they are.
        repeat: from 1.
    """
    train, valid = _both(parts)
    shares = max(1, len(train) // len(valid))
    held = _fewer(train.labels, _held_out(train.labels, (repeat - 1) % shares, shares, strict=False), len(valid))
    return _divided(parts, torch.cat([held, torch.zeros_like(valid.labels, dtype=torch.bool)]))


def _both(parts: Mapping[Part, ImageSource]) -> tuple[Images, Images]:
    """Training and validation images, which settings keep in memory where there are folds or repeats."""
    train, valid = parts["train"], parts["valid"]
    assert isinstance(train, Images)
    assert isinstance(valid, Images)
    return train, valid


def _divided(parts: Mapping[Part, ImageSource], held: Tensor) -> dict[Part, ImageSource]:
    """Parts in which those of training and validation images that are ``held`` out are validated on."""
    train, valid = _both(parts)
    pixels, labels = torch.cat([train.pixels, valid.pixels]), torch.cat([train.labels, valid.labels])
    learned = pixels[~held]
    statistics = channel_statistics(learned.cpu().numpy())
    mean, scale = (torch.tensor(values, device=pixels.device) for values in statistics)
    normalize = Normalisation(mean, scale, train.normalize.per_image)
    found: dict[Part, ImageSource] = {
        name: replace(source, normalize=normalize) if isinstance(source, Images) else source
        for name, source in parts.items()
    }
    found["train"] = Images(learned, labels[~held], normalize)
    found["valid"] = Images(pixels[held], labels[held], normalize)
    return found


def _held_out(labels: Tensor, index: int, folds: int, *, strict: bool = True) -> Tensor:
    """Which images ``(n,)`` are validated on in a fold; ``strict`` refuses classes with fewer images than folds."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    first = 0
    for label in sorted(set(labels.tolist())):
        own = (labels == label).nonzero().flatten().cpu()
        if strict and len(own) < folds:
            rule = f"is more than the {len(own)} training and validation images of a class"
            raise InputError("training setting folds", folds, rule)
        order = own[torch.randperm(len(own), generator=torch.Generator().manual_seed(0))]
        # Fold by fold from where the last class ended, so that folds differ by one image at most.
        places = (torch.arange(len(own)) + first) % folds
        held[order[places == index]] = True
        first += len(own)
    return held.to(labels.device)


def _fewer(labels: Tensor, held: Tensor, count: int) -> Tensor:
    """So many of the images that are held out, classes in shares as before; all if there are no more."""
    own, places = held.nonzero().flatten(), torch.zeros(len(labels), dtype=torch.float64)
    for label in set(labels[own].tolist()):
        members = own[labels[own] == label].cpu()
        places[members] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    order = places[own.cpu()].argsort(stable=True)[:count].to(own.device)
    kept = torch.zeros_like(held)
    kept[own[order]] = True
    return kept


def pooled(figures: Sequence[Mapping[str, float]], sizes: Sequence[int]) -> dict[str, float]:
    """Figures of all folds' held-out images together, from those of each, with standard errors.

    Args:
        figures: means over the images of a fold, and their standard errors.
        sizes: how many images each fold held out.
    """
    total = sum(sizes)
    found: dict[str, float] = {}
    for name in figures[0]:
        weighted = [size * each[name] for size, each in zip(sizes, figures, strict=True)]
        found[name] = (math.hypot(*weighted) if is_error(name, figures[0]) else math.fsum(weighted)) / total
    return found


def averaged(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Figures of several networks on the same images: their means, errors too, for the images are the same."""
    return {name: math.fsum(each[name] for each in figures) / len(figures) for name in figures[0]}
