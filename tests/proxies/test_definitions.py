"""Each proxy against a slow computation of its definition, in double precision, on a network of a few weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from naopt.networks.base import ChildNetwork
from naopt.networks.operations import BatchNorm
from naopt.proxies import proxies
from naopt.proxies.probe import Batch, First, ImageProbe
from naopt.proxies.zen import zen

Array = NDArray[np.float64]
STEP = 1e-5


class Toy(ChildNetwork):
    """Two convolutions read one ReLU, in one of the ways in which ReLUs are written each time."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.one, self.two = nn.Conv2d(2, 2, 1, bias=False), nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.norm, self.classifier = BatchNorm(2), nn.Linear(2, 3)
        self.rectify = nn.ReLU6()
        nn.init.zeros_(self.classifier.bias)

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What is rectified, before it is."""
        first = self.stem(images)
        shared = first.relu()
        return first, self.norm(self.one(shared) + self.two(shared))

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.classifier(self.rectify(self.maps(images)[1]).mean((2, 3))), None


class Blind(Toy):
    """Nothing of the image reaches the classifier."""

    def maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        first, last = super().maps(images)
        return first, self.norm(torch.zeros_like(last))


class Shifted(Toy):
    """The same with biases of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one.bias, self.two.bias = nn.Parameter(torch.full((2,), -0.3)), nn.Parameter(torch.full((2,), 0.4))


def build(kind: type[Toy] = Toy) -> Callable[[], Toy]:
    def fresh() -> Toy:
        torch.manual_seed(1)
        return kind().double()

    return fresh


def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(2)
    images = torch.randn((2, 5, 1, 4, 4), generator=generator, dtype=torch.float64)
    return list(zip(images, torch.randint(3, (2, 5), generator=generator), strict=True))


def probe(kind: type[Toy] = Toy) -> ImageProbe:
    records = {record for name in proxies.names() for record in proxies.get(name).records}
    return ImageProbe(build(kind), batches(), records, {"params": 40.0, "macs": 700.0}, seed=3)


def value(name: str, kind: type[Toy] = Toy) -> float:
    return proxies.get(name).compute(probe(kind))


def slopes(values: Tensor, figure: Callable[[], Tensor]) -> Array:
    """Central differences of a figure by each of some values, which are changed in place."""
    flat = values.detach().view(-1)
    found = np.zeros(len(flat))
    with torch.no_grad():
        for index in range(len(flat)):
            before = float(flat[index])
            ends = []
            for sign in (1, -1):
                flat[index] = before + sign * STEP
                ends.append(float(figure()))
            flat[index] = before
            found[index] = (ends[0] - ends[1]) / (2 * STEP)
    return found


def weight_slopes(network: Toy, batch: Batch) -> dict[str, Array]:
    images, labels = batch
    weights = {name: p for name, p in network.named_parameters() if name.endswith("weight") and p.dim() > 1}
    return {name: slopes(w, lambda: F.cross_entropy(network(images), labels)) for name, w in weights.items()}


def test_gradients_of_the_weights() -> None:
    network = build()().train()
    found = weight_slopes(network, batches()[0])
    weights = {name: p.detach().numpy().reshape(-1) for name, p in network.named_parameters() if p.dim() > 1}
    assert set(found) == set(weights) == {"stem.weight", "one.weight", "two.weight", "classifier.weight"}
    assert value("snip") == pytest.approx(sum(np.abs(g * weights[name]).sum() for name, g in found.items()), rel=1e-5)
    assert value("grad_norm") == pytest.approx(sum(math.sqrt((g**2).sum()) for g in found.values()), rel=1e-5)
    assert value("l2") == pytest.approx(sum(math.sqrt((w**2).sum()) for w in weights.values()), rel=1e-12)
    assert value("params") == 40
    assert value("macs") == 700


def test_zico() -> None:
    network = build()().train()
    first, second = (weight_slopes(network, batch) for batch in batches())
    total = 0.0
    for name in first:
        ratios = []
        for a, b in zip(first[name], second[name], strict=True):
            mean = (a + b) / 2
            ratios.append((abs(a) + abs(b)) / 2 / math.sqrt(((a - mean) ** 2 + (b - mean) ** 2) / 2))
        total += math.log(sum(ratios))
    assert value("zico") == pytest.approx(total, rel=1e-4)


def test_naswot_counts_a_unit_for_each_convolution_that_reads_it() -> None:
    first, last = build()().train().maps(batches()[0][0])
    codes = [(image.flatten() > 0).tolist() for image in (torch.cat([first, first, last], 1))]
    agree = np.array([[sum(a == b for a, b in zip(one, other, strict=True)) for other in codes] for one in codes])
    assert value("naswot") == pytest.approx(math.log(np.linalg.det(agree + np.eye(5))), rel=1e-12)


def test_jacob_cov() -> None:
    network, (images, _) = build()().train(), batches()[0]
    images = images.clone()
    rows = slopes(images, lambda: network(images).sum()).reshape(5, -1)
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(rows)) + 1e-5
    expected = -float((np.log(eigenvalues) + 1 / eigenvalues).sum())
    assert value("jacob_cov") == pytest.approx(expected, rel=1e-4)


def test_jacob_cov_sees_half_as_many_images_as_one_has_numbers() -> None:
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.normal(size=(9, 8)))

    class Given(ImageProbe):
        first = First(jacobian=rows)

    values = np.linalg.eigvalsh(np.corrcoef(rows[:4].numpy())) + 1e-5
    found = proxies.get("jacob_cov").compute(Given(build(), batches(), (), {}))
    assert found == pytest.approx(-float((np.log(values) + 1 / values).sum()))


def test_synflow_is_what_the_output_loses_without_a_weight() -> None:
    network = build()().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
        network.norm.eps = 0.0
        network.rectify = nn.ReLU()  # type: ignore[assignment]
        ones = torch.ones((1, 1, 4, 4), dtype=torch.float64)
        whole, lost = float(network(ones).sum()), 0.0
        for name, parameter in network.named_parameters():
            flat = parameter.view(-1)
            for index in range(len(flat) if parameter.dim() > 1 else 0):
                before = float(flat[index])
                flat[index] = 0.0
                lost += whole - float(network(ones).sum())
                flat[index] = before
            assert parameter.dim() > 1 or "norm" in name or "bias" in name
    assert value("synflow") == pytest.approx(math.log1p(lost), rel=1e-5)


def test_biases_are_no_synaptic_flow() -> None:
    assert value("synflow", Shifted) == pytest.approx(value("synflow"), rel=1e-9)


def test_zen() -> None:
    generator = torch.Generator().manual_seed(3)
    network = build()().train()
    for name in ("stem", "one", "two", "classifier"):
        weight = getattr(network, name).weight
        weight.data = torch.randn(weight.shape, generator=generator).double()
    network.requires_grad_(False)
    noise, change = torch.randn((2, 5, 1, 4, 4), generator=generator).double()
    shared = network.stem(noise).relu()
    sigma = math.sqrt(float((network.one(shared) + network.two(shared)).var((0, 2, 3)).mean()) + network.norm.eps)
    maps = [network.maps(images)[1].clamp(0, 6).detach().numpy() for images in (noise, noise + 0.01 * change)]
    apart = [math.sqrt(((a - b) ** 2).sum()) for a, b in zip(*maps, strict=True)]
    found = ImageProbe(build(), [(noise, torch.zeros(5).long())], (), {}, seed=3)
    assert zen(found) == pytest.approx(math.log(np.mean(apart)) + math.log(sigma), rel=1e-6)


@pytest.mark.parametrize("name", proxies.names())
def test_what_sees_nothing_is_worst_and_finite(name: str) -> None:
    blind, other = value(name, Blind), value(name)
    assert math.isfinite(blind)
    assert blind < other or name in ("params", "macs", "l2")


def test_what_pools_nothing_globally_has_no_zen_score() -> None:
    class Flat(Toy):
        def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
            return self.classifier(self.maps(images)[1].flatten(2)[:, :, 0]), None

    assert math.isnan(value("zen", Flat))
