"""What a path of a supernet has to compute: what the child with the same weights computes."""

from collections import defaultdict

import torch
from torch import Tensor, nn

from naopt.networks.base import ChildNetwork
from naopt.networks.build import build_network
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import Supernet
from naopt.spaces import Architecture

CLASSES = 10


def unsettle(network: nn.Module) -> None:
    """Normalisations that one can tell apart: no statistics, scales and offsets as they are at the beginning."""
    with torch.no_grad():
        for value in (*network.buffers(), *network.parameters()):
            if value.ndim == 1 and value.is_floating_point():
                value.add_(torch.rand_like(value))


def child_of(network: Supernet, architecture: Architecture, settings: NetworkSettings) -> ChildNetwork:
    """The architecture's own network, with the shared weights."""
    path = network.path(architecture)
    child = build_network(network.space, path.architecture, settings, 3, CLASSES).double()
    child.load_state_dict(network.child_state(path))
    child.progress = network.progress
    return child


def assert_computes_the_child(
    network: Supernet, architecture: Architecture, settings: NetworkSettings, images: Tensor
) -> ChildNetwork:
    """Same logits, in training with the same random numbers and in evaluation. Gradients of both are left."""
    child = child_of(network, architecture, settings)
    network.choose(network.path(architecture))
    found = []
    for module in (child.train(), network.train()):
        module.zero_grad()
        torch.manual_seed(1)
        logits, auxiliary = module.outputs(images)
        loss = (logits * torch.arange(CLASSES)).sum() + (0 if auxiliary is None else auxiliary.square().sum())
        loss.backward()  # type: ignore[no-untyped-call]
        found.append((logits, auxiliary))
    for expected, actual in zip(*found, strict=True):
        assert (expected is None) == (actual is None)
        if expected is not None and actual is not None:
            assert torch.allclose(actual, expected, rtol=1e-9, atol=1e-9)
    assert (found[0][1] is not None) == bool(settings.auxiliary_weight)
    again = child_of(network, architecture, settings).eval()
    assert torch.allclose(network.eval()(images), again(images), rtol=1e-9, atol=1e-9)
    return child


def assert_gradients_of(child: ChildNetwork, network: Supernet, architecture: Architecture) -> int:
    """Compares gradients, those of the child's parameters that share a weight added up; how many were compared."""
    of_place: dict[int, list[Tensor]] = defaultdict(list)
    state = network.child_state(network.path(architecture))
    for name, parameter in child.named_parameters():
        if parameter.grad is not None:
            of_place[state[name].data_ptr()].append(parameter.grad)
    compared = 0
    for parameter in network.parameters():
        if expected := of_place.get(parameter.data_ptr()):
            assert parameter.grad is not None
            scale = 1 + float(parameter.grad.abs().max())
            assert torch.allclose(parameter.grad, sum(expected, torch.zeros(())), rtol=0, atol=1e-7 * scale)
            compared += 1
    return compared


def with_gradient(network: Supernet) -> set[str]:
    """Names of the parameters that have a gradient."""
    return {name for name, parameter in network.named_parameters() if parameter.grad is not None}


def on_path(network: Supernet) -> set[str]:
    """Names of the path's parameters, of which each must be listed once."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    listed = [names[id(parameter)] for parameter in network.path_parameters()]
    assert len(listed) == len(set(listed))
    return set(listed)
