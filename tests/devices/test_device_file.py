from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.devices import DeviceModel, Setting, draw_sample, read_device
from naopt.devices.calibration import fit, work_of
from naopt.devices.layers import layers_of
from naopt.errors import InputError
from naopt.networks.costs import Layer
from naopt.networks.settings import NetworkSettings
from naopt.spaces import Architecture, create_space

NETWORK = NetworkSettings(filters=4, cells_per_stage=1)
SPACE = create_space("nasbench201")
SETTING = Setting(space="nasbench201", network=NETWORK, image=(1, 8, 8), classes=10)


def alone(layer: Layer) -> float:
    return 0.01 + layer.macs * 1e-6 + layer.activations * 1e-5


def calibrated() -> DeviceModel:
    """On a device on which a network takes 0.7 times its operations, and 0.05 ms."""
    sample = draw_sample(SPACE, SETTING, 30, 0)
    work: dict[str, Any] = work_of(SPACE, sample, SETTING)
    networks = {SPACE.format(each): {"median_ms": true_time(each), "spread": 0.0, "marked": False} for each in sample}
    singles = [alone(Layer(*row)) for row, _ in work["operations"]]
    return fit(SETTING, work, {"operations": singles, "networks": networks, "torch": "2"})


def true_time(architecture: Architecture) -> float:
    return 0.05 + 0.7 * sum(alone(layer) for layer in layers_of(SPACE, architecture, SETTING)[1:])


def test_an_exact_device_is_learned_and_kept(tmp_path: Path) -> None:
    model = calibrated()
    assert model.calibration.error < 1e-6 < model.calibration.sum_error
    model.write(tmp_path / "device.json")
    back = read_device(tmp_path / "device.json")
    assert back.calibration == model.calibration
    rng = np.random.default_rng(9)
    unseen = [SPACE.sample(rng) for _ in range(20)]
    costs = back.costs(SPACE, NETWORK, lambda: ((1, 8, 8), 10))
    assert costs.of(unseen)["latency_ms"] == pytest.approx([true_time(each) for each in unseen])


def test_refusals(tmp_path: Path) -> None:
    path, model = tmp_path / "device.json", calibrated()
    with pytest.raises(InputError, match="is for space nasbench201, not conv-cell"):
        model.costs(create_space("conv-cell"), NETWORK)
    with pytest.raises(InputError, match="with filters 4, not 8"):
        model.costs(SPACE, NETWORK.model_copy(update={"filters": 8}))
    with pytest.raises(InputError, match="is for images"):
        model.costs(SPACE, NETWORK, lambda: ((3, 32, 32), 10)).of([SPACE.sample(np.random.default_rng(0))])
    with pytest.raises(InputError, match="at least 20"):
        draw_sample(SPACE, SETTING, 19, 0)
    model.write(path)
    for change, message in (
        ({"version": 9}, "has version 9"),
        ({"format": "x"}, "is none"),
        ({"weights": []}, "damaged"),
    ):
        path.write_text(json.dumps({**model.calibration.model_dump(mode="json"), **change}))
        with pytest.raises(InputError, match=message):
            read_device(path)
