"""Runs networks that are lists of layers, and times them. Needs nothing but PyTorch, and no other file of naopt."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

Row = Sequence[Any]
"""A layer: kind, sources, shape, reads, kernel, stride, padding, dilation, groups, shift, ceil."""


def make_step(row: Row) -> Callable[..., torch.Tensor]:
    """What a layer computes of its inputs ``(n, c, h, w)``, with random weights."""
    kind, _, shape, reads, kernel, stride, padding, dilation, groups, shift, ceil = row
    channels, height, width = shape
    if kind == "conv":
        weight = torch.randn(channels, reads // groups, *kernel) * (kernel[0] * kernel[1] * reads / groups) ** -0.5
        return lambda x: F.conv2d(x, weight, None, tuple(stride), tuple(padding), dilation, groups)
    if kind == "norm":
        mean, deviation = torch.zeros(channels), torch.ones(channels)
        return lambda x: F.batch_norm(x, mean, deviation, deviation, mean, False, 0.1, 1e-5)
    if kind == "linear":
        weight, bias = torch.randn(channels, reads) * reads**-0.5, torch.zeros(channels)
        return lambda x: F.linear(x.flatten(1), weight, bias)
    window = tuple(kernel), tuple(stride), tuple(padding)
    steps: dict[str, Callable[..., torch.Tensor]] = {
        "relu": lambda x: x.relu(),
        "relu6": F.relu6,
        "max": lambda x: F.max_pool2d(x, *window, ceil_mode=ceil),
        "avg": lambda x: F.avg_pool2d(x, *window, ceil, False),
        "add": lambda x, y: x + y,
        "concat": lambda *parts: torch.cat(parts, 1),
        "subsample": lambda x: x[:, :, shift::2, shift::2].clone(),
        "pad": lambda x: F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2])),
        "crop": lambda x: x[:, :, shift:, shift:],
        "zeros": torch.zeros_like,
        "mean": lambda x: x.mean((2, 3), keepdim=True),
    }
    return steps[kind]


def make_network(rows: Sequence[Row]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network as a function of images ``(n, c, h, w)``."""
    last = list(range(len(rows)))
    for index, row in enumerate(rows):
        for source in row[1]:
            last[source] = index
    steps = [(make_step(row), list(row[1]), [s for s in row[1] if last[s] == i]) for i, row in enumerate(rows[1:], 1)]

    def run(images: torch.Tensor) -> torch.Tensor:
        maps: list[torch.Tensor | None] = [images]
        for step, sources, read in steps:
            maps.append(step(*[maps[source] for source in sources]))
            for source in read:
                if source:
                    maps[source] = None
        result = maps[-1]
        assert result is not None
        return result

    return run


def inputs(row: Row, rows: Sequence[Sequence[int]], batch: int, device: str) -> list[torch.Tensor]:
    """Random inputs of a layer, whose sources have the shapes ``rows``; on a CPU with channels last, as networks."""
    made = [torch.randn(batch, *shape) for shape in rows]
    made = [x.flatten(1)[:, :, None, None] if row[0] == "linear" else x for x in made]
    last = device.partition(":")[0] == "cpu"
    return [x.contiguous(memory_format=torch.channels_last) if last else x.to(device) for x in made]


def timed_together(
    calls: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warm_up: int,
    spread: float,
    device: str = "cpu",
) -> dict[str, dict[str, Any]]:
    """Times each call, turn by turn, so that what else the machine does meets all alike.

    A call whose spread exceeds the share is measured again with the others like it, and marked if it still does.

    Args:
        calls: by name.
        repeats: how often each is timed.
        warm_up: how often each runs before.
        spread: most that half the distance between the quartiles may be, as a share of the median.
        device: waited for.

    Returns:
        By name ``median_ms``, ``spread`` and ``marked``.
    """
    wait = torch.cuda.synchronize if device.partition(":")[0] == "cuda" else None

    def rounds(names: Sequence[str]) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {name: [] for name in names}
        for name in names:
            for _ in range(warm_up):
                calls[name]()
        for _ in range(repeats):
            for name in names:
                calls[name]()  # what ran before took the caches
                if wait is not None:
                    wait()
                start = time.perf_counter()
                calls[name]()
                if wait is not None:
                    wait()
                times[name].append(1e3 * (time.perf_counter() - start))
        return times

    with torch.inference_mode():
        found = {name: _summary(times, spread) for name, times in rounds(list(calls)).items()}
        again = [name for name, summary in found.items() if summary["marked"]]
        if again:
            for name, times in rounds(again).items():
                summary = _summary(times, spread)
                if summary["spread"] < found[name]["spread"]:
                    found[name] = summary
    return found


def _summary(times: Sequence[float], spread: float) -> dict[str, Any]:
    middle = statistics.median(times)
    low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else (middle, middle, middle)
    share = (high - low) / 2 / middle
    return {"median_ms": middle, "spread": share, "marked": share > spread}


def time_sample(work: Mapping[str, Any]) -> dict[str, Any]:
    """Times the single operations and the networks of a calibration's sample.

    Args:
        work: ``operations``, pairs of a layer and the shapes of its sources; ``networks``, lists of layers by text;
            ``image``, ``batch``, ``threads``, ``device``, ``repeats``, ``warm_up``, ``spread``.

    Returns:
        ``operations``, a time in ms each; ``networks``, by text as ``timed_together``; the release of ``torch``.
    """
    threads, device = torch.get_num_threads(), work["device"]
    torch.set_num_threads(work["threads"])
    options = {name: work[name] for name in ("repeats", "warm_up", "spread")}
    try:
        with torch.device(device):
            singles = {}
            for index, (row, shapes) in enumerate(work["operations"]):
                step, given = make_step(row), inputs(row, shapes, work["batch"], device)
                singles[str(index)] = lambda step=step, given=given: step(*given)
            image = inputs(["input"], [work["image"]], work["batch"], device)[0]
            networks = {}
            for text, rows in work["networks"].items():
                network = make_network(rows)
                networks[text] = lambda network=network: network(image)
        operations = timed_together(singles, device=device, **options)
        whole = timed_together(networks, device=device, **options)
    finally:
        torch.set_num_threads(threads)
    return {
        "operations": [operations[str(index)]["median_ms"] for index in range(len(singles))],
        "networks": whole,
        "torch": torch.__version__,
    }
