"""What a calibration is for: device, networks and shapes. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.networks.settings import NetworkSettings

LATENCY, SPREAD = "latency_ms", "latency_spread"
"""Metrics: milliseconds of a batch, and half the distance of their quartiles as a share."""
STRUCTURE = ("skeleton", "cells_per_stage", "filters", "calibrate_newer", "head_relu")
"""Settings of networks that change what is computed after training."""


class Setting(Settings):
    """What latencies depend on besides the architecture.

    Attributes:
        space: its name, with options.
        network: settings of networks that change what they compute.
        image: ``(channels, height, width)``.
        classes: number of classes.
        device: as torch calls it.
        threads: of the CPU.
        batch: images at a time; latencies are those of a batch.
        runner: what was timed: the networks as they are trained, ``modules``, or, by a script, functions that carry
            out their ``layers`` one by one. Where layers are small, calling modules takes a part of the time.
        dtype: of weights and images.
        repeats: how often each is timed.
        warm_up: how often each runs before.
        spread: what is spread wider than this share of its median is measured again, then marked.
    """

    space: str
    network: NetworkSettings
    image: tuple[int, int, int]
    classes: int = Field(ge=1)
    device: str = "cpu"
    threads: int = Field(default=1, ge=1)
    batch: int = Field(default=1, ge=1)
    runner: Literal["modules", "layers"] = "modules"
    dtype: str = Field(default="float32", pattern="^float32$")
    repeats: int = Field(default=30, ge=3)
    warm_up: int = Field(default=5, ge=0)
    spread: float = Field(default=0.1, gt=0)


def structure(settings: NetworkSettings) -> NetworkSettings:
    """Settings of which all that training alone knows has its default.

    Raises:
        InputError: ``parameters`` instead of ``filters``: layers are calibrated for networks of one width.
    """
    if settings.parameters is not None:
        raise InputError("parameters", settings.parameters, "has no use with a device file; give filters")
    return NetworkSettings.parse({name: getattr(settings, name) for name in STRUCTURE})
