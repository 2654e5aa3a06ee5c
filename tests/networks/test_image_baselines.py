"""Networks that people would use instead: their sizes in closed form and as published, and that they learn."""

from __future__ import annotations

import pytest
import torch

from naopt.errors import InputError
from naopt.networks.base import count_parameters
from naopt.networks.build import build_network
from naopt.networks.image_baselines import BlockNetwork
from naopt.networks.settings import NetworkSettings
from naopt.spaces import create_space
from naopt.spaces.image_baseline import NETWORKS

SPACE = create_space("image-baseline")


def built(name: str, filters: int, classes: int = 10, **settings: object) -> BlockNetwork:
    given = NetworkSettings.parse({"filters": filters, **settings})
    network = build_network(SPACE, SPACE.parse(f"image-baseline:{name}"), given, 3, classes)
    assert isinstance(network, BlockNetwork)
    return network


def resnet(depth: int, f: int, classes: int) -> int:
    """By hand: convolutions, normalisations (scale and offset), shortcuts, classifier."""
    n = (depth - 2) // 6
    convolutions = 27 * f + 9 * f * f * (2 * n + (2 + 4 * (2 * n - 1)) + (8 + 16 * (2 * n - 1)))
    norms = 2 * f * (1 + 2 * n * (1 + 2 + 4))
    shortcuts = 2 * f * f + 4 * f + 8 * f * f + 8 * f
    return convolutions + norms + shortcuts + 4 * f * classes + classes


@pytest.mark.parametrize(("depth", "published"), [(8, 0.08), (20, 0.27), (32, 0.46), (56, 0.85)])
def test_resnets_have_the_published_size(depth: int, published: float) -> None:
    """In millions, of He et al., Table 6; the shortcuts with weights are the 2,752 parameters more."""
    with torch.device("meta"):
        found = count_parameters(built(f"resnet-{depth}", 16))
        assert found == resnet(depth, 16, 10)
        assert count_parameters(built(f"resnet-{depth}", 5, 3)) == resnet(depth, 5, 3)
    assert (found - 2752) / 1e6 == pytest.approx(published, abs=0.01)


def test_mobilenet_has_the_published_size() -> None:
    """3.4 million at ImageNet's thousand classes: exactly what other implementations of the paper count."""
    with torch.device("meta"):
        assert count_parameters(built("mobilenet-v2", 32, 1000)) == 3_504_872
        assert count_parameters(built("mobilenet-v2-short", 32)) < count_parameters(built("mobilenet-v2", 32))


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_halved_and_gradients_reach_all_parameters(name: str) -> None:
    torch.manual_seed(0)
    network = built(name, 4, auxiliary_weight=0.4, drop_path_keep=0.9, dropout=0.1)
    network.train()
    logits, auxiliary = network.outputs(torch.randn(4, 3, 8, 8))
    assert auxiliary is not None
    assert logits.shape == auxiliary.shape == (4, 10)
    (logits.square().sum() + auxiliary.square().sum()).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert network.eval()(torch.randn(1, 3, 9, 7)).shape == (1, 10)


def test_there_is_no_skeleton_of_imagenet() -> None:
    with pytest.raises(InputError, match="must be cifar for baselines"):
        built("resnet-8", 4, skeleton="imagenet")
