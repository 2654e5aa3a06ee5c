"""Cells whose normalisations learn nothing, and normalised pools: against plain layers, along paths and in mixtures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from naopt.errors import InputError
from naopt.networks.build_supernet import build_supernet
from naopt.networks.cell_norms import CellNorms, NormalisedPool
from naopt.networks.operations import BatchNorm, Pool, operations
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import Mixable, Supernet
from naopt.spaces import SearchSpace, create_space
from naopt.spaces.nasbench201 import OPERATIONS
from tests.networks.supernet_oracle import CLASSES, assert_computes_the_child, on_path, with_gradient

TINY = NetworkSettings(cells_per_stage=1, filters=3, auxiliary_weight=0.4)
PUBLISHED = CellNorms(affine=False, pools=True)
SPACES = ["nasbench201", "conv-cell:nodes=2,operations=darts-7", "conv-cell:nodes=2,operations=enas-5,output=nodes"]


pytestmark = pytest.mark.usefixtures("double_precision")


def supernet(space: SearchSpace, norms: CellNorms) -> Supernet:
    return build_supernet(space, TINY, 3, CLASSES, norms=norms)


def pools(space: SearchSpace, tokens: tuple[int, ...]) -> bool:
    return any("pool" in p.choices[token] for p, token in zip(space.positions, tokens, strict=True))


def test_a_pool_and_its_normalisation() -> None:
    pool = operations.get("max_pool3x3")(3, 2)
    assert isinstance(pool, Pool)
    found, x = PUBLISHED.applied(pool, 3), torch.randn(4, 3, 7, 7)
    assert isinstance(found, NormalisedPool)
    y = F.max_pool2d(x, 3, 2, 1)
    plain = (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(found(x), plain)
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert CellNorms().applied(pool, 3) is pool


@pytest.mark.parametrize("name", SPACES)
def test_what_learns_in_cells_that_are_normalised_as_published(name: str) -> None:
    """Every normalisation of a cell is fixed at scale 1 and offset 0; stem, head and all convolutions learn."""
    network = supernet(create_space(name), PUBLISHED)
    for part, module in network.named_modules():
        inside = part.startswith("cells.")
        if isinstance(module, BatchNorm):
            assert module.weight.requires_grad == module.bias.requires_grad == (not inside)
            assert not inside or bool((module.weight == 1).all() and (module.bias == 0).all())
        elif isinstance(module, nn.Conv2d | nn.Linear):
            assert module.weight.requires_grad
    counts = [sum(isinstance(m, kind) for m in network.modules()) for kind in (Pool, NormalisedPool)]
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("name", SPACES)
def test_paths_without_scales_are_children_still(name: str) -> None:
    """With scales that are fixed, but no normalised pools, a path is its child, which begins with scale 1, offset 0."""
    space, rng = create_space(name), np.random.default_rng(0)
    network, images = supernet(space, CellNorms(affine=False)), torch.randn(3, 3, 8, 8)
    for _ in range(2):
        architecture = space.sample(rng)
        assert_computes_the_child(network, architecture, TINY, images)
        learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        assert with_gradient(network) <= on_path(network) & learning


@pytest.mark.parametrize("name", SPACES)
def test_only_architectures_without_pools_inherit(name: str) -> None:
    """What a path with a pool computes is not what its child would: it is refused, not approximated."""
    space, rng = create_space(name), np.random.default_rng(1)
    network, images = supernet(space, PUBLISHED), torch.randn(3, 3, 8, 8)
    sampled = [space.sample(rng) for _ in range(600)]
    without = next(a for a in sampled if not pools(space, a.tokens))
    assert_computes_the_child(network, without, TINY, images)
    dead = OPERATIONS.index("none") if name == "nasbench201" else -1
    pooled = next(a for a in sampled if pools(space, a.tokens) and dead not in a.tokens)
    with pytest.raises(InputError, match=r"has a pool, which this supernet normalises .*normalise_pools=false"):
        network.child_state(network.path(pooled))


def test_a_pool_that_leads_nowhere_is_no_obstacle() -> None:
    """In NAS-Bench-201 the child has it, without weights, and it adds nothing to the output."""
    space = create_space("nasbench201")
    pool, none, convolution = (OPERATIONS.index(name) for name in ("avg_pool_3x3", "none", "nor_conv_3x3"))
    architecture = space.architecture((pool, none, none, convolution, none, none))
    assert_computes_the_child(supernet(space, PUBLISHED), architecture, TINY, torch.randn(2, 3, 8, 8))


@pytest.mark.parametrize("name", SPACES)
def test_a_path_is_what_its_mixture_is_made_of(name: str) -> None:
    """Only that operation weighed: the measured path has the normalisations of what was trained."""
    space = create_space(name)
    network, images = supernet(space, PUBLISHED), torch.randn(3, 3, 8, 8)
    assert isinstance(network, Mixable)
    generator = torch.Generator().manual_seed(3)
    tables = [torch.rand(shape, generator=generator) for shape in network.mixing_shapes()]
    tokens = network.derive(tables)
    network.numbering = "written"
    network.choose(network.path(space.architecture(tokens)))
    expected, path = network(images), on_path(network)
    assert any(".pool" in name or "norm" in name for name in path)
    if name == "nasbench201":
        network.mix([F.one_hot(tables[0].argmax(1), tables[0].shape[1]).to(tables[0])])
        torch.testing.assert_close(network(images), expected)
        assert on_path(network) == {name for name, _ in network.named_parameters()}
