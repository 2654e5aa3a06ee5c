"""Closed forms against the networks that are built: parameters, PyTorch's own counter, and every output counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from naopt import zoo
from naopt.errors import InputError
from naopt.networks.base import count_parameters
from naopt.networks.build import build_network
from naopt.networks.costs import NetworkCosts, Plan, describe, describes, totals
from naopt.networks.costs.recurrent import language_totals
from naopt.networks.language_model import build_language_model
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.settings import NetworkSettings
from naopt.spaces import Architecture, RecurrentBaselineSpace, SearchSpace, create_space

_COUNTED = {
    "convolution", "_native_batch_norm_legit_no_training", "native_batch_norm", "cudnn_batch_norm", "batch_norm",
    "relu", "relu_", "hardtanh", "hardtanh_", "max_pool2d_with_indices", "avg_pool2d", "add", "add_", "cat", "clone",
    "constant_pad_nd", "mean", "addmm", "zeros_like",
}  # fmt: skip
_PASSED = {"zeros", "slice", "t", "view", "empty", "detach", "alias", "select"}


class Outputs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the elements of the first output of every operation, and operations as ``FlopCounterMode`` does."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements = self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        assert name in _COUNTED | _PASSED, name
        if name in _COUNTED:
            self.elements += (out[0] if isinstance(out, tuple | list) else out).numel()
        if func.overloadpacket in flop_registry:
            self.flops += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def cases() -> Iterator[tuple[SearchSpace, Architecture, NetworkSettings, int]]:
    rng = np.random.default_rng(0)
    small = NetworkSettings(filters=2, cells_per_stage=1)
    for name in zoo.names():
        space, architecture = zoo.get(name).architecture()
        if not zoo.get(name).space.startswith("recurrent"):
            yield space, architecture, small, 8
            given = {"filters": 3, "cells_per_stage": 1, "skeleton": "imagenet", "calibrate_newer": "always"}
            yield space, architecture, NetworkSettings.parse({**given, "head_relu": False}), 37
    baselines = create_space("image-baseline")
    for architecture in baselines.neighbours(baselines.architecture((2,))):
        yield baselines, architecture, NetworkSettings(filters=5), 8
    for spec in ("conv-cell", "conv-cell:nodes=3,operations=darts-7,output=nodes", "nasbench201", "insta:blocks=4"):
        space = create_space(spec)
        for index in range(100 if spec in ("conv-cell", "nasbench201") else 20):
            twice = small.model_copy(update={"calibrate_newer": "twice"})
            yield space, space.sample(rng), twice if index % 3 else small, 8 + index % 2


@pytest.mark.parametrize("some", ["every eighth", "the others"])
def test_closed_forms_are_those_of_the_networks(some: str) -> None:
    """Activations in every eighth, on tensors without values, where every operation of the network is one."""
    for index, (space, architecture, settings, side) in enumerate(cases()):
        if (index % 8 == 0) != (some == "every eighth"):
            continue
        text = space.format(architecture)
        found = totals(describe(space, architecture, settings, (3, side, side), 10))
        network, counted = run(space, architecture, settings, side, "cpu")
        assert found.params == count_parameters(network), text
        assert 2 * found.macs == counted.flops, text
        if index % 8 == 0:
            assert found.activations == run(space, architecture, settings, side, "meta")[1].elements, text


def run(
    space: SearchSpace, architecture: Architecture, settings: NetworkSettings, side: int, device: str
) -> tuple[torch.nn.Module, Outputs]:
    with torch.device(device):
        network = build_network(space, architecture, settings, 3, 10).eval()
        image = torch.zeros(1, 3, side, side)
        with Outputs() as outputs, torch.no_grad():
            network(image)
    return network, outputs


def test_language_models() -> None:
    for spec in ("recurrent-cell:nodes=3", "recurrent-baseline"):
        space, rng = create_space(spec), np.random.default_rng(0)
        for index in range(4):
            settings = LanguageNetworkSettings(
                hidden_size=8 + index,
                equation="highway" if index % 2 else "paper",
                output="all" if index < 2 else "loose-ends",
                parameters=1500 if index == 3 else None,
            )
            architecture = space.sample(rng)
            what = space.cell(architecture) if isinstance(space, RecurrentBaselineSpace) else architecture
            model = build_language_model(space, what, settings, 50)
            with FlopCounterMode(display=False) as flops, torch.no_grad():
                model(torch.zeros(1, 1, dtype=torch.long), model.begin(1))
            found = language_totals(space, architecture, settings, 50)
            assert found.params == count_parameters(model)
            assert 2 * found.macs == flops.get_total_flops()


def test_memory_is_the_most_that_is_alive() -> None:
    """A map of 4 x 2 x 2, and the one of 4 x 3 x 3 that is cropped; weights and statistics besides."""
    plan = Plan((1, 2, 2))
    x = plan.same(plan.conv(0, 4, (1, 1)), "norm")
    total = plan.add(plan.same(x, "relu"), plan.pool(x, "max", (3, 3), (1, 1), (1, 1)))
    plan.head(plan.resized(plan.pool(total, "max", (2, 2), (1, 1), (1, 1)), "crop", (2, 2), 1), 2)
    weights, statistics = 4 + 8 + 10, 8
    assert totals(plan.layers).peak_memory == 4 * (weights + statistics + 4 * (2 * 2 + 3 * 3))


def test_costs_of_a_search() -> None:
    space, asked = create_space("nasbench201"), []

    def shapes() -> tuple[tuple[int, int, int], int]:
        asked.append(1)
        return (3, 32, 32), 10

    costs = NetworkCosts(space, NetworkSettings(filters=16, cells_per_stage=5), shapes)
    cells = [space.architecture([token] * 6) for token in (1, 3)]
    assert not asked
    found = costs.of(cells)
    assert asked == [1]
    assert set(found) == set(costs.metrics)
    assert found["params"].tolist() == [space.quantities(cell)["parameters"] for cell in cells]
    assert found["macs"][1] > found["macs"][0]
    assert found["peak_memory_mb"].shape == (2,)
    assert costs.of([])["macs"].shape == (0,)


def test_spaces_without_networks() -> None:
    space = create_space("nasbench101")
    assert not describes(space)
    assert describes(create_space("conv-cell"))
    with pytest.raises(InputError, match="not known in closed form"):
        describe(space, space.sample(np.random.default_rng(0)), NetworkSettings(), (3, 8, 8), 10)
