"""Times networks that a calibration has not seen, and compares them with what it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from naopt.devices.calibration import draw_sample, error_of
from naopt.devices.device_file import DeviceModel
from naopt.devices.layers import layers_of
from naopt.devices.networks import time_networks
from naopt.devices.predictor import Predictor
from naopt.metrics.rank import spearman

HOLDS = 0.1
"""Median relative error up to which a file holds."""


@dataclass(frozen=True, slots=True)
class Check:
    """Of a calibration on this device.

    Attributes:
        networks: how many were timed.
        marked: of these, how many had a wide spread twice.
        error: median relative error of the prediction.
        sum_error: of the plain sum of single operations.
        spearman: rank correlation of predicted and timed.
    """

    networks: int
    marked: int
    error: float
    sum_error: float
    spearman: float

    @property
    def holds(self) -> bool:
        """Whether the median error is at most 10 %."""
        return self.error <= HOLDS


def check(model: DeviceModel, count: int, seed: int) -> Check:
    """Times networks in evaluation mode. Raises ``InputError`` if so many different ones cannot be drawn."""
    setting, space = model.calibration.setting, model.space
    seen = {each.architecture for each in model.calibration.networks}
    drawn = draw_sample(space, setting, max(2 * count, 20), seed)
    unseen = [each for each in drawn if space.format(each) not in seen][:count]
    timed = time_networks(space, unseen, setting)
    measured = np.array([timed[space.format(each)]["median_ms"] for each in unseen])
    predicted = model.predict(unseen, space)
    plain = Predictor(model.predictor.times).predict([layers_of(space, each, setting) for each in unseen])
    marked = sum(bool(each["marked"]) for each in timed.values())
    return Check(
        len(unseen), marked, error_of(predicted, measured), error_of(plain, measured), spearman(predicted, measured)
    )
