"""Skeletons: where cells stand and how wide they are (NAO, appendix; official programs). Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from naopt.errors import InputError
from naopt.networks.settings import NetworkSettings


def require_cifar(settings: NetworkSettings, whose: str) -> None:
    """Raises ``InputError`` if another skeleton than that of CIFAR is asked for, where there is no other."""
    if settings.skeleton != "cifar":
        raise InputError("skeleton", settings.skeleton, f"must be cifar for {whose}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cell stands.

    Attributes:
        older: channels of the output of cell k-2.
        newer: channels of the output of cell k-1.
        channels: of each node.
        reduction: halves the map.
        after_reduction: the map was halved just before, so the older input is twice as large.
        calibrates_older: brings the older input to its size and channels, beginning with a ReLU.
        calibrates_newer: brings the newer input to its channels, beginning with a ReLU.
        recalibrates_newer: convolves the newer input once more after that.
        drop_identities: drop-path drops branches that are plain identities too.
        rectified_older: the older input is the ReLU of the output of cell k-2.
        rectified_newer: the newer input is the ReLU of the output of cell k-1.
        rectify: the cell's output is rectified; so it is where all readers begin with a ReLU.
    """

    older: int
    newer: int
    channels: int
    reduction: bool
    after_reduction: bool
    calibrates_older: bool
    calibrates_newer: bool
    recalibrates_newer: bool
    drop_identities: bool
    rectified_older: bool = False
    rectified_newer: bool = False
    rectify: bool = False


def plan(settings: NetworkSettings, normal_ends: int, reduction_ends: int) -> tuple[Place, ...]:
    """Where the 3 N + 2 cells of a network stand.

    Cells N and 2 N + 1 (0-based) are reductions, which double the channels. Both inputs of the first cell are the stem
    on CIFAR; on ImageNet they are its two maps, the older one twice as large.

    Args:
        settings: the skeleton.
        normal_ends: how many states the output of a normal cell joins.
        reduction_ends: likewise for a reduction cell.
    """
    places: list[Place] = []
    large = settings.skeleton == "imagenet"
    older = newer = settings.filters if large else 3 * settings.filters
    channels, after_reduction = settings.filters, large
    for index in range(3 * settings.cells_per_stage + 2):
        reduces = index in (settings.cells_per_stage, 2 * settings.cells_per_stage + 1)
        channels *= 2 if reduces else 1
        places.append(
            Place(
                older,
                newer,
                channels,
                reduction=reduces,
                after_reduction=after_reduction,
                calibrates_older=after_reduction or older != channels,
                calibrates_newer=settings.calibrate_newer != "needed" or newer != channels,
                recalibrates_newer=settings.calibrate_newer == "twice" and newer != channels,
                drop_identities=settings.drop_identities,
            )
        )
        older, newer, after_reduction = newer, channels * (reduction_ends if reduces else normal_ends), reduces
    return _with_rectified(places, settings)


def _with_rectified(places: list[Place], settings: NetworkSettings) -> tuple[Place, ...]:
    """Finds the maps that are rectified where they are made: those whose readers all begin with a ReLU."""
    older, newer = places[0].calibrates_older, places[0].calibrates_newer and places[1].calibrates_older
    # rectified[k]: whether what cell k reads as its older input is. On CIFAR the first two are the same map.
    rectified = [older, newer] if settings.skeleton == "imagenet" else [older and newer] * 2
    for index in range(len(places)):
        readers = [place.calibrates_newer for place in places[index + 1 : index + 2]]
        readers += [place.calibrates_older for place in places[index + 2 : index + 3]]
        rectified.append(all(readers) if readers else settings.head_relu)
    return tuple(
        replace(place, rectified_older=older, rectified_newer=newer, rectify=rectify)
        for place, older, newer, rectify in zip(places, rectified, rectified[1:], rectified[2:], strict=False)
    )
