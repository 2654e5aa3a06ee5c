"""From an architecture to the layers of its network, by space."""

from __future__ import annotations

from functools import partial, singledispatch

from naopt.errors import InputError
from naopt.networks.costs.layers import Layer, Map, Plan
from naopt.networks.costs.operations import conv_norm, factorized_reduce, layer_lists, pool
from naopt.networks.known import knows
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import Place, require_cifar
from naopt.networks.skeleton import plan as plan_cells
from naopt.spaces import (
    Architecture,
    CellSpec,
    ConvCellSpace,
    EnumeratedSpace,
    ImageBaselineSpace,
    InstaSpace,
    NASBench201Space,
    SearchSpace,
)
from naopt.spaces.insta import BlockShape, InvertedResidual
from naopt.spaces.nasbench201 import EDGES, OPERATIONS

Layers = tuple[Layer, ...]


@singledispatch
def describe(
    space: SearchSpace,
    architecture: Architecture,  # noqa: ARG001
    settings: NetworkSettings,  # noqa: ARG001
    image: Map,  # noqa: ARG001
    classes: int,  # noqa: ARG001
) -> Layers:
    """The layers of the network that ``naopt.networks.build.build_network`` makes of the same arguments.

    Further spaces join with ``describe.register(MySpace)(write)``.

    Args:
        space: the architecture's space.
        architecture: what is described.
        settings: skeleton and head.
        image: ``(channels, height, width)``.
        classes: number of classes.

    Raises:
        InputError: the layers of this space's networks are not known.
    """
    raise InputError("space", space.name, "the costs of its networks are not known in closed form")


def describes(space: SearchSpace) -> bool:
    """Whether ``describe`` knows the space, and all of its operations."""
    if not knows(describe, space):
        return False
    whole = space.whole if isinstance(space, EnumeratedSpace) else space
    return not isinstance(whole, ConvCellSpace) or set(whole.operations.operations) <= set(layer_lists.names())


@describe.register(EnumeratedSpace)
def _(
    space: EnumeratedSpace, architecture: Architecture, settings: NetworkSettings, image: Map, classes: int
) -> Layers:
    return describe(space.whole, architecture, settings, image, classes)


@describe.register(ConvCellSpace)
def _(space: ConvCellSpace, architecture: Architecture, settings: NetworkSettings, image: Map, classes: int) -> Layers:
    cells = space.cells(architecture)
    normal, reduction = cells["normal"], cells["reduction"]
    places = plan_cells(settings, len(normal.output_ends()), len(reduction.output_ends()))
    plan = Plan(image)
    older, newer = _stems(plan, settings, places[0])
    for place in places:
        older, newer = newer, _cell(plan, reduction if place.reduction else normal, place, older, newer)
    plan.head(newer, classes)
    return tuple(plan.layers)


def _stems(plan: Plan, settings: NetworkSettings, first: Place) -> tuple[int, int]:
    """See ``naopt.networks.convolutional.CellNetwork``."""
    if settings.skeleton == "imagenet":
        half = max(first.newer // 2, 1)
        x = conv_norm(plan, 0, half, (3, 3), (2, 2))
        older = conv_norm(plan, plan.same(x, "relu"), first.newer, (3, 3), (2, 2))
        older = plan.same(older, "relu")
        stem = conv_norm(plan, older, first.newer, (3, 3), (2, 2))
    else:
        stem = conv_norm(plan, 0, first.newer, (3, 3))
    stem = plan.same(stem, "relu") if first.rectified_newer else stem
    return (older if settings.skeleton == "imagenet" else stem), stem


def _cell(plan: Plan, spec: CellSpec, place: Place, older: int, newer: int) -> int:
    """See ``naopt.networks.convolutional.CellPath``."""
    channels, stride = place.channels, 2 if place.reduction else 1
    if place.after_reduction:
        older = factorized_reduce(plan, _relu(plan, older, place.rectified_older), channels)
    elif place.calibrates_older:
        older = conv_norm(plan, _relu(plan, older, place.rectified_older), channels, (1, 1))
    if place.calibrates_newer:
        newer = conv_norm(plan, _relu(plan, newer, place.rectified_newer), channels, (1, 1))
    if place.recalibrates_newer:
        newer = conv_norm(plan, plan.same(newer, "relu"), channels, (1, 1))
    states, relus = [older, newer], dict[int, int]()

    def relu(source: int) -> int:
        if source not in relus:
            relus[source] = plan.same(states[source], "relu")
        return relus[source]

    for node in spec.nodes:
        branches = [
            layer_lists.get(name)(plan, partial(relu, source), states[source], channels, stride if source < 2 else 1)
            for source, name in node
        ]
        states.append(plan.add(branches[0], branches[1]))
    ends = []
    for end in spec.output_ends():
        if end < 2 and place.reduction:
            states[end] = factorized_reduce(plan, states[end], channels)
        ends.append(relu(end) if place.rectify else states[end])
    return plan.concat(ends)


def _relu(plan: Plan, x: int, done: bool) -> int:
    return x if done else plan.same(x, "relu")


@describe.register(NASBench201Space)
def _(
    space: NASBench201Space,  # noqa: ARG001
    architecture: Architecture,
    settings: NetworkSettings,
    image: Map,
    classes: int,
) -> Layers:
    require_cifar(settings, "cells of NAS-Bench-201")
    edges = tuple(OPERATIONS[token] for token in architecture.tokens)
    plan, channels = Plan(image), settings.filters
    x = conv_norm(plan, 0, channels, (3, 3))
    for stage in range(3):
        if stage:
            channels *= 2
            body = conv_norm(plan, plan.same(x, "relu"), channels, (3, 3), (2, 2))
            body = conv_norm(plan, plan.same(body, "relu"), channels, (3, 3))
            x = plan.add(body, plan.conv(plan.pool(x, "avg", (2, 2), (2, 2), ceil=True), channels, (1, 1)))
        for _ in range(settings.cells_per_stage):
            x = _dense_cell(plan, edges, x)
    plan.head(plan.same(plan.same(x, "norm"), "relu"), classes)
    return tuple(plan.layers)


def _dense_cell(plan: Plan, edges: tuple[str, ...], x: int) -> int:
    """See ``naopt.networks.nasbench201.along_edges``."""
    states: list[int | None] = [x, None, None, None]
    relus: dict[int, int] = {}
    for (source, target), name in zip(EDGES, edges, strict=True):
        if name == "none":
            continue
        y = states[source]
        if y is None:
            y = states[source] = plan.same(x, "zeros")
        if name.startswith("nor_conv"):
            if source not in relus:
                relus[source] = plan.same(y, "relu")
            kernel = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name]
            y = conv_norm(plan, relus[source], plan.shape(x)[0], (kernel, kernel))
        elif name == "avg_pool_3x3":
            y = pool(plan, y, "avg", 3, 1)
        total = states[target]
        states[target] = y if total is None else plan.add(total, y)
    last = states[3]
    return plan.same(x, "zeros") if last is None else last


@describe.register(InstaSpace)
def _(space: InstaSpace, architecture: Architecture, settings: NetworkSettings, image: Map, classes: int) -> Layers:
    require_cifar(settings, "blocks of insta")
    plan = Plan(image)
    x = plan.same(conv_norm(plan, 0, settings.filters, (3, 3)), "relu6")
    for shape, active in zip(space.shapes(settings.filters), space.active(architecture.tokens), strict=True):
        total = x if shape.keeps else None
        for index in active:
            y = inverted_residual_layers(plan, x, space.operations[index], shape)
            total = y if total is None else plan.add(total, y)
        assert total is not None
        x = total
    plan.head(plan.same(plan.same(x, "norm"), "relu6"), classes)
    return tuple(plan.layers)


@describe.register(ImageBaselineSpace)
def _(
    space: ImageBaselineSpace, architecture: Architecture, settings: NetworkSettings, image: Map, classes: int
) -> Layers:
    """See ``naopt.networks.image_baselines``."""
    require_cifar(settings, "baselines")
    layout, plan = space.layout(architecture, settings.filters), Plan(image)
    relu = "relu6" if layout.last else "relu"
    x = plan.same(conv_norm(plan, 0, layout.stem, (3, 3)), relu)
    for block in layout.blocks:
        shape, stride = block.shape, (block.shape.stride, block.shape.stride)
        if block.expansion:
            y = inverted_residual_layers(plan, x, InvertedResidual(3, block.expansion), shape)
            x = plan.add(y, x) if shape.keeps else y
            continue
        y = plan.same(conv_norm(plan, x, shape.outputs, (3, 3), stride), "relu")
        y = conv_norm(plan, y, shape.outputs, (3, 3))
        x = x if shape.keeps else conv_norm(plan, x, shape.outputs, (1, 1), stride)
        x = plan.same(plan.add(y, x), "relu")
    if layout.last:
        x = plan.same(conv_norm(plan, x, layout.last, (1, 1)), relu)
    plan.head(x, classes)
    return tuple(plan.layers)


def inverted_residual_layers(plan: Plan, x: int, operation: InvertedResidual, shape: BlockShape) -> int:
    """See ``naopt.networks.insta.InvertedResidualLayers``."""
    wide, side, stride = operation.expansion * shape.inputs, operation.kernel, shape.stride
    if operation.expansion > 1:
        x = plan.same(conv_norm(plan, x, wide, (1, 1)), "relu6")
    x = plan.conv(x, wide, (side, side), (stride, stride), groups=wide)
    return conv_norm(plan, plan.same(plan.same(x, "norm"), "relu6"), shape.outputs, (1, 1))
