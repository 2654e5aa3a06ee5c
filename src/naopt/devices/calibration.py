"""Calibrates a device: draws a sample, has it timed, fits the predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from naopt._version import __version__
from naopt.devices.device_file import Calibration, DeviceModel, NetworkTime, OperationTime, layer_row
from naopt.devices.layers import layers_of
from naopt.devices.predictor import Key, Predictor, operations
from naopt.devices.setting import Setting
from naopt.errors import InputError
from naopt.metrics.rank import spearman
from naopt.spaces import Architecture, SearchSpace, create_space

LEAST = 20
"""Networks of a calibration."""


def draw_sample(space: SearchSpace, setting: Setting, count: int, seed: int) -> list[Architecture]:
    """Networks from light to heavy: of five times as many random ones, those evenly spaced by multiply-adds.

    Raises:
        InputError: fewer than 20, or the space has not so many.
    """
    if count < LEAST:
        raise InputError("--samples", count, f"must be at least {LEAST}: the predictor has up to 12 weights")
    rng = np.random.default_rng(seed)
    drawn = list(dict.fromkeys(space.sample(rng) for _ in range(5 * count)))
    if len(drawn) < count:
        raise InputError("--samples", count, f"of {space.name} only {len(drawn)} different networks were drawn")
    work = [sum(layer.macs for layer in layers_of(space, each, setting)) for each in drawn]
    order = np.argsort(work, kind="stable")[np.linspace(0, len(drawn) - 1, count).round().astype(int)]
    return [drawn[index] for index in rng.permutation(order)]


def work_of(space: SearchSpace, sample: Sequence[Architecture], setting: Setting) -> dict[str, Any]:
    """What ``naopt.devices.timing.time_sample`` is to time: plain values."""
    networks = {space.format(each): layers_of(space, each, setting) for each in sample}
    keys: dict[Key, None] = dict.fromkeys(key for layers in networks.values() for key in operations(layers))
    return {
        **setting.model_dump(include={"image", "batch", "threads", "device", "repeats", "warm_up", "spread"}),
        "operations": [[layer_row(layer), shapes] for layer, shapes in keys],
        "networks": {text: [layer_row(layer) for layer in layers] for text, layers in networks.items()},
    }


def fit(setting: Setting, work: Mapping[str, Any], timed: Mapping[str, Any], source: str = "device") -> DeviceModel:
    """The calibration that follows from what was timed.

    Raises:
        InputError: too few networks, or an incomplete file.
    """
    try:
        singles = tuple(
            OperationTime(layer=row, reads=shapes, ms=ms)
            for (row, shapes), ms in zip(work["operations"], timed["operations"], strict=True)
        )
        networks = tuple(
            NetworkTime(architecture=text, ms=found["median_ms"], spread=found["spread"], marked=found["marked"])
            for text, found in timed["networks"].items()
        )
        release = str(timed["torch"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("timings", source, "are damaged, or not complete") from error
    if len(networks) < LEAST:
        raise InputError("timings", source, f"have {len(networks)} networks; a calibration needs at least {LEAST}")
    space = create_space(setting.space)
    layers = [layers_of(space, space.parse(each.architecture), setting) for each in networks]
    measured = np.array([each.ms for each in networks])
    plain = Predictor({single.key: single.ms for single in singles})
    predictor, guess = plain.fitted(layers, measured)
    calibration = Calibration(
        naopt=__version__,
        torch=release,
        setting=setting,
        operations=singles,
        networks=networks,
        model=predictor.model,
        weights=tuple(predictor.weights.tolist()),
        error=error_of(guess, measured),
        spearman=spearman(guess, measured),
        sum_error=error_of(plain.predict(layers), measured),
    )
    return DeviceModel(calibration, source)


def error_of(guess: Sequence[float] | np.ndarray, measured: Sequence[float] | np.ndarray) -> float:
    """Median relative error."""
    return float(np.median(np.abs(np.asarray(guess) / np.asarray(measured) - 1)))


def calibrate(space: SearchSpace, setting: Setting, samples: int, seed: int = 0) -> DeviceModel:
    """Times a sample on this machine and fits the predictor. Raises ``InputError`` as ``draw_sample``."""
    from naopt.devices.networks import time_networks
    from naopt.devices.timing import time_sample

    sample = draw_sample(space, setting, samples, seed)
    work = work_of(space, sample, setting)
    timed = time_sample({**work, "networks": {}})
    return fit(setting, work, {**timed, "networks": time_networks(space, sample, setting)})
