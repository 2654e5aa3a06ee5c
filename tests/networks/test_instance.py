"""Networks that decide for each image, against the children one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from naopt.networks.build import build_network
from naopt.networks.build_supernet import build_supernet
from naopt.networks.insta import InstaBlock, summed_rows
from naopt.networks.instance import ImageController, InstanceNetwork, repaired
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet_insta import InstaSupernet
from naopt.spaces import InstaSpace
from naopt.spaces.insta import BlockShape
from tests.networks.paths import path
from tests.networks.supernet_oracle import CLASSES, unsettle

SPACE = InstaSpace(4, 2, "mb3e1+mb3e2+mb5e3")
SMALL = NetworkSettings(filters=3)
NEEDED = (None, None, 1, None)

pytestmark = pytest.mark.usefixtures("double_precision")


def network_of(thrift: float = 0.5, *, fuses: bool = False) -> InstanceNetwork:
    supernet = build_supernet(SPACE, SMALL, 3, CLASSES)
    assert isinstance(supernet, InstaSupernet)
    unsettle(supernet)
    controller = ImageController(3, SPACE.blocks, len(SPACE.operations), classes=CLASSES, width=4, layers=2, hidden=6)
    unsettle(controller)
    with torch.no_grad():
        # Each decision goes this way for half of the images.
        told, _ = controller.eval()(torch.randn(64, 3, 8, 8), torch.full((64,), thrift))
        controller.logits.bias[:-1].sub_(told.flatten(1).median(0).values)
    return InstanceNetwork(supernet, controller, NEEDED, thrift, fuses=fuses).eval()


def alone(network: InstanceNetwork, image: Tensor, decided: Tensor) -> tuple[nn.Module, Tensor]:
    """The child of one image, built for itself, and what it says."""
    architecture = SPACE.architecture(decided.flatten().int().tolist())
    child = build_network(SPACE, architecture, SMALL, 3, CLASSES).eval()
    child.load_state_dict(network.network.child_state(path(network.network, architecture.tokens)))
    return child, child(image[None])


@pytest.mark.parametrize("fuses", [False, True])
def test_each_image_gets_what_its_child_says(*, fuses: bool) -> None:
    """And where it fuses, what the controller believes of the image alone, as far as it is to be trusted."""
    torch.manual_seed(0)
    network, images = network_of(fuses=fuses), torch.randn(24, 3, 8, 7)
    logits, decided = network(images), network.masks
    assert len(torch.unique(decided.flatten(1), dim=0)) > 8
    used = decided.sum(0)
    assert ((used > 0) & (used < len(images))).any()
    for image, paths, found in zip(images, decided, logits, strict=True):
        expected = alone(network, image, paths)[1][0]
        if fuses:
            expected = expected + network.controller(image[None], torch.tensor([network.thrift]))[1][0]
        assert torch.allclose(expected, found, atol=1e-9)


def test_the_batch_makes_no_difference() -> None:
    torch.manual_seed(1)
    network, images = network_of(fuses=True), torch.randn(12, 3, 8, 8)
    with torch.inference_mode():
        whole = network(images)
        order = torch.randperm(len(images))
        assert torch.allclose(network(images[order]), whole[order], atol=1e-9)
        for size in (1, 5):
            parts = torch.cat([network(images[at : at + size]) for at in range(0, len(images), size)])
            assert torch.allclose(parts, whole, atol=1e-9)


def test_gradients_are_those_of_the_children() -> None:
    torch.manual_seed(2)
    network, images = network_of(), torch.randn(6, 3, 8, 8)
    supernet = network.network
    with torch.no_grad():
        network(images)
    decided, weights = network.masks, torch.randn(len(images), CLASSES)
    expected = {name: torch.zeros_like(parameter) for name, parameter in supernet.named_parameters()}
    for image, paths, weight in zip(images, decided, weights, strict=True):
        child, logits = alone(network, image, paths)
        (logits[0] * weight).sum().backward()
        for name, parameter in child.named_parameters():
            assert parameter.grad is not None
            expected[name] += parameter.grad
    supernet.choose_each(decided)
    (supernet(images) * weights).sum().backward()
    for name, parameter in supernet.named_parameters():
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert torch.allclose(found, expected[name], atol=1e-9), name


def rows_of(*chosen: Sequence[int] | None) -> list[tuple[int, Tensor | None]]:
    return [(index, None if some is None else torch.tensor(some)) for index, some in enumerate(chosen)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [BlockShape(3, 3, 1), BlockShape(3, 6, 2), BlockShape(1, 1, 1)])
@pytest.mark.parametrize("chosen", [([0, 2], None, [1]), ([0, 1], [1, 2, 3], [0, 3]), (None, None, None)])
def test_rows_of_a_block(
    layout: torch.memory_format, shape: BlockShape, chosen: tuple[Sequence[int] | None, ...]
) -> None:
    block = InstaBlock(shape, SPACE.operations).eval()
    x = torch.randn(4, shape.inputs, 5, 3).contiguous(memory_format=layout)
    before = x.clone()
    with torch.no_grad():
        found = block(x, rows=rows_of(*chosen))
        assert torch.equal(x, before)
        for image in range(len(x)):
            active = [index for index, some in enumerate(chosen) if some is None or image in some]
            assert torch.allclose(found[image], block(x[image : image + 1], active)[0], atol=1e-12)


def test_nothing_active_hands_the_input_on() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(summed_rows(x, [], shortcut=True), x)
    with pytest.raises(AssertionError, match="needs an active operation"):
        summed_rows(x, [], shortcut=False)


def test_a_single_image_in_training_is_normalised_as_in_inference() -> None:
    """Two are normalised by their own statistics, and leave a trace; one is not, and leaves none."""
    block, x = InstaBlock(BlockShape(3, 3, 1), SPACE.operations[2:]), torch.randn(3, 3, 1, 1)
    unsettle(block)
    operation = block.held[0]
    before = {name: value.clone() for name, value in operation.state_dict().items()}
    with torch.no_grad():
        block.train()
        found = block(x, rows=rows_of([1]))
        assert all(torch.equal(value, before[name]) for name, value in operation.state_dict().items())
        assert all(module.training for module in operation.modules())
        block.eval()
        assert torch.allclose(found, block(x, rows=rows_of([1])))
        block.train()
        several = block(x, rows=rows_of([0, 1]))
    assert not torch.allclose(several[1], found[1])
    assert any(not torch.equal(value, before[name]) for name, value in operation.state_dict().items())


def test_blocks_that_cannot_be_skipped_get_what_they_need() -> None:
    masks = torch.zeros(2, 4, 3, dtype=torch.bool)
    masks[1, 2, 0] = True
    found = repaired(masks.clone(), NEEDED)
    expected = masks.clone()
    expected[0, 2, 1] = True
    assert torch.equal(found, expected)


def test_gates_of_zero_and_one_are_paths() -> None:
    torch.manual_seed(3)
    network, images = network_of(), torch.randn(9, 3, 8, 8)
    masks = repaired(torch.rand(len(images), *network.controller.shape) < 0.5, NEEDED)
    gates = masks.double().requires_grad_()
    with torch.no_grad():
        expected = network.follow(images, masks, None)[0]
    logits = network.network.gated(images, gates)
    assert torch.allclose(logits, expected, atol=1e-9)
    # The gradient of a gate says what it changes, of its own image only.
    weights = torch.randn(CLASSES)
    (gradient,) = torch.autograd.grad((logits[4] * weights).sum(), gates)
    assert not gradient[torch.arange(len(images)) != 4].any()
    step, moved = 1e-6, gates.detach().clone()
    for at in [(4, 0, 2), (4, 2, 0), (4, 3, 1)]:
        moved[at] += step
        with torch.no_grad():
            change = ((network.network.gated(images, moved) - expected)[4] * weights).sum() / step
        moved[at] -= step
        assert float(change) == pytest.approx(float(gradient[at]), rel=1e-3, abs=1e-6)


def test_a_controller_by_hand() -> None:
    """Features, softmax of its class logits, their entropy, the thrift; the trust; logits that fall along thrift."""
    torch.manual_seed(4)
    controller, images = ImageController(3, 4, 3, classes=CLASSES, width=4, hidden=6).eval(), torch.randn(5, 3, 8, 8)
    controller.slope.data.uniform_(0, 3)
    features, believed = controller.beliefs(images)
    assert believed is not None
    sure = believed.exp() / believed.exp().sum(1, keepdim=True)
    entropy = torch.stack([-sum(p * p.log() for p in row) for row in sure])
    for thrift in (torch.zeros(5), torch.full((5,), 0.5), torch.rand(5)):
        known = torch.cat((features, sure, entropy[:, None], thrift[:, None]), 1)
        out = controller.logits(controller.hidden(known).clamp_min(0))
        logits, trusted = controller(images, thrift)
        expected = out[:, :12] + (1 - 2 * thrift)[:, None] * controller.slope
        assert torch.allclose(logits.flatten(1), expected)
        assert torch.allclose(trusted, believed / (1 + (-out[:, 12:]).exp()))


def test_what_decides_does_not_change_what_classifies() -> None:
    controller, images = ImageController(3, 4, 3, classes=CLASSES, width=4, hidden=6), torch.randn(5, 3, 8, 8)
    logits, trusted = controller(images, torch.rand(5))
    (logits.sum() + trusted.sum()).backward()
    names = {name for name, parameter in controller.named_parameters() if parameter.grad is not None}
    deciding = {"hidden.weight", "hidden.bias", "logits.weight", "logits.bias", "slope"}
    assert names == deciding
    plain = ImageController(3, 4, 3, width=4, hidden=6)
    logits, nothing = plain(images, torch.rand(5))
    logits.sum().backward()
    assert nothing is None
    assert all(parameter.grad is not None for parameter in plain.parameters())


def test_multiply_adds_of_a_controller_by_hand() -> None:
    convolutions = 16 * 9 * 2 + 4 * 9 * 2 * 4
    controller = ImageController(1, 2, 3, width=2, layers=2, hidden=5)
    assert controller.multiply_adds((1, 7, 8)) == convolutions + 5 * 5 + 5 * 6
    controller = ImageController(1, 2, 3, classes=7, width=2, layers=2, hidden=5)
    assert controller.multiply_adds((1, 7, 8)) == convolutions + 4 * 7 + (4 + 7 + 1 + 1) * 5 + 5 * 7
