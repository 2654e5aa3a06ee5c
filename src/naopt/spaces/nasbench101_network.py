"""The network that NAS-Bench-101 trains for a cell: channels of its vertices and number of parameters.

Ying et al. 2019, sections 2.1 and 2.2 and supplement S1; numbers as in the benchmark's published metrics.
"""

from __future__ import annotations

from functools import lru_cache

from naopt.spaces.nasbench101_cells import OPERATIONS, Cell

STEM, CLASSES = 128, 10
"""Channels after the first convolution, and classes of CIFAR-10."""
CELLS = ((128, 128, 3), (128, 256, 1), (256, 256, 2), (256, 512, 1), (512, 512, 2))
"""Input channels, output channels and number of the cells: three stacks of three, doubled twice."""
_IMAGE = 3
_TAPS = (0, 9, 1, 0)
"""Weights per pair of channels by operation; 0 is none."""
_CACHED = 2**16


def vertex_channels(cell: Cell, channels: int) -> tuple[int, ...]:
    """Channels of the inner vertices ``(v,)`` of a cell with so many output channels, numbered inputs first.

    The output's channels are shared out among the inner vertices that feed it, the first ones getting what the
    division leaves; any other vertex has as many as the widest that it feeds.
    """
    count = len(cell.inputs)
    feeding = [vertex for vertex in range(1, count + 1) if cell.output >> vertex & 1]
    found = [0] * (count + 1)
    if feeding:
        share, rest = divmod(channels, len(feeding))
        for place, vertex in enumerate(feeding):
            found[vertex] = share + (place < rest)
    for vertex in range(count, 0, -1):
        if not found[vertex]:
            found[vertex] = max(found[u] for u in range(vertex + 1, count + 1) if cell.inputs[u - 1] >> vertex & 1)
    return tuple(found[1:])


@lru_cache(maxsize=_CACHED)
def quantities(cell: Cell) -> dict[str, float]:
    """What is known of the benchmark's network by name; all at least 0.

    ``parameters``: the trainable ones, equal to those that its files report. Every convolution has a batch
    normalisation with scale and offset, and no bias; what comes from the cell's input is projected by a 1x1 convolution
    to the channels of the vertex that takes it, the output included.

    Of a cell of the last stack: ``OPERATION channels``, of all vertices with it, ``OPERATION widest``, of the widest,
    ``OPERATION weights`` of convolutions, and ``projection weights``, without normalisations.
    """
    widths = {channels: vertex_channels(cell, channels) for channels in {outputs for _, outputs, _ in CELLS}}
    total = _convolution(9, _IMAGE, STEM) + CELLS[-1][1] * CLASSES + CLASSES
    for inputs, outputs, times in CELLS:
        once = _convolution(1, inputs, outputs) if cell.output & 1 else 0
        for mask, kind, width in zip(cell.inputs, cell.kinds, widths[outputs], strict=True):
            if mask & 1:
                once += _convolution(1, inputs, width)
            if _TAPS[kind]:
                once += _convolution(_TAPS[kind], width, width)
        total += times * once
    found: dict[str, float] = {"parameters": total}
    last = CELLS[-1][1]
    for kind, (name, taps) in enumerate(zip(OPERATIONS, _TAPS[1:], strict=True), 1):
        having = [width for other, width in zip(cell.kinds, widths[last], strict=True) if other == kind]
        found[f"{name} channels"] = sum(having)
        found[f"{name} widest"] = max(having, default=0)
        if taps:
            found[f"{name} weights"] = taps * sum([width * width for width in having])
    projected = sum([width for mask, width in zip(cell.inputs, widths[last], strict=True) if mask & 1])
    found["projection weights"] = last * (projected + (last if cell.output & 1 else 0))
    return found


def _convolution(taps: int, inputs: int, outputs: int) -> int:
    return taps * inputs * outputs + 2 * outputs
