"""Second derivatives of real supernets, against differences of first ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.networks.build_supernet import build_supernet
from naopt.networks.cell_norms import CellNorms
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import Mixable
from naopt.one_shot.mixture_gradient import PUBLISHED_LENGTH, difference_gradient, exact_gradient, gradients, repeatable
from naopt.spaces import create_space

RATE = 0.05
SPACES = ["nasbench201", "conv-cell:nodes=1,operations=sep_conv3x3+dil_conv3x3+max_pool3x3+avg_pool3x3+identity"]


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("space", SPACES)
def test_the_exact_gradient_is_the_slope_of_the_unrolled_loss(space: str) -> None:
    """Along random directions of the logits, by central differences of the loss after the virtual step."""
    options, norms = NetworkSettings(cells_per_stage=1, filters=2), CellNorms(affine=False, pools=True)
    network = build_supernet(create_space(space), options, 1, 3, norms=norms)
    assert isinstance(network, Mixable)
    logits = [torch.randn(shape).requires_grad_() for shape in network.mixing_shapes()]
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    batches = [(torch.randn(6, 1, 6, 6), torch.randint(3, (6,))) for _ in range(2)]

    def loss(index: int) -> Tensor:
        images, labels = batches[index]
        network.mix([table.softmax(-1) for table in logits])
        return F.cross_entropy(network(images), labels)

    def unrolled() -> float:
        slopes, kept = gradients(loss(0), weights), [weight.detach().clone() for weight in weights]
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight.sub_(RATE * slope)
            found = float(loss(1))
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)
        return found

    noise = repeatable(torch.device("cpu"))
    exact = exact_gradient(lambda: loss(0), lambda: loss(1), logits, weights, RATE, noise)
    rough, fine = (
        difference_gradient(lambda: loss(0), lambda: loss(1), logits, weights, RATE, noise, length=length)
        for length in (PUBLISHED_LENGTH, 1e-6)
    )
    first = gradients(loss(1), logits)
    for _ in range(2):
        direction, step, ends = [torch.randn_like(table) for table in logits], 1e-5, []
        for signed in (step, -step):
            with torch.no_grad():
                for table, part in zip(logits, direction, strict=True):
                    table += signed * part
            ends.append(unrolled())
            with torch.no_grad():
                for table, part in zip(logits, direction, strict=True):
                    table -= signed * part
        slope = (ends[0] - ends[1]) / (2 * step)
        along = {
            name: float(sum((g * part).sum() for g, part in zip(found, direction, strict=True)))
            for name, found in (("exact", exact), ("first", first))
        }
        assert along["exact"] == pytest.approx(slope, rel=1e-5, abs=1e-8)
        assert abs(along["first"] - slope) > 1e-3 * abs(slope)
    whole, *others = (torch.cat([table.flatten() for table in found]) for found in (exact, rough, fine))
    errors = [float((whole - other).norm() / whole.norm()) for other in others]
    assert errors[0] > 1e-3
    assert errors[1] < 1e-5
