"""The baseline that lets images leave early."""

from __future__ import annotations

import pytest
import torch
from benchmarks.early_exit import EarlyExit, ExitSupernet, exit_costs, stage_ends
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from naopt.networks.costs.insta import count_operations
from naopt.networks.operations import BatchNorm
from naopt.networks.settings import NetworkSettings
from naopt.spaces import InstaSpace

SPACE = InstaSpace(5, 3, "mb3e1+mb3e3")
CHILD = SPACE.parse("insta:mb3e1,mb3e3/mb3e1+mb3e3,skip/mb3e1")
SETTINGS = NetworkSettings(filters=4)
IMAGE, CLASSES = (1, 8, 8), 10


@pytest.fixture
def network() -> ExitSupernet:
    torch.manual_seed(0)
    network = ExitSupernet(SPACE, SETTINGS, IMAGE[0], CLASSES)
    network.choose(network.path(CHILD))
    for module in network.modules():
        if isinstance(module, BatchNorm):
            module.momentum = 1.0
    network.every(torch.randn(32, *IMAGE))  # its statistics
    return network.eval()


def _leaves(sure: Tensor, threshold: float) -> list[int]:
    """After which stage each image leaves, from the largest probabilities ``(3, n)``."""
    return [next((stage for stage in range(2) if row[stage] >= threshold), 2) for row in sure.T.tolist()]


def test_images_leave_where_a_classifier_is_sure(network: ExitSupernet) -> None:
    assert stage_ends(SPACE) == network.ends == (1, 3, 4)
    images = torch.randn(20, *IMAGE)
    with torch.inference_mode():
        every = network.every(images)
        assert torch.allclose(every[-1], network(images), atol=1e-5)
        sure = torch.stack([logits.softmax(1).amax(1) for logits in every])
        told = ((t, _leaves(sure, t)) for t in sure.flatten().tolist())
        threshold, leaves = next((t, stages) for t, stages in told if len(set(stages)) == 3)
        deployed = EarlyExit(network, threshold).eval()
        found = deployed(images)
    assert deployed.exited.tolist() == leaves
    assert torch.allclose(found, torch.stack([every[s][row] for row, s in enumerate(leaves)]), atol=1e-5)


def test_costs_are_those_of_what_is_computed(network: ExitSupernet) -> None:
    costs = count_operations(SPACE, SETTINGS, IMAGE, CLASSES, 0.0)
    found = exit_costs(SPACE, CHILD.tokens, costs, SETTINGS, IMAGE, CLASSES)
    image = torch.randn(1, *IMAGE)
    for stage in (0, 2):
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            EarlyExit(network, 2.0 * stage).eval()(image)
        assert found[stage] == pytest.approx(counter.get_total_flops() / 2e6 / costs.whole)
    assert found[0] < found[1] < found[2]


def test_only_the_path_and_the_classifiers_are_trained(network: ExitSupernet) -> None:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    trained = {names[id(parameter)] for parameter in network.path_parameters()}
    assert {name.split(".")[0] for name in trained} == {"stem", "blocks", "norm", "classifier", "exits"}
    assert "blocks.1.operations.mb3e3.0.weight" in trained
    assert not any(name.startswith(("blocks.1.operations.mb3e1.", "blocks.3.")) for name in trained)
