"""Training steps of convolutional networks a second: ours and the straightforward version, in one run.

``python -m benchmarks.convolution [--json] [--threads 2] [--seconds 20] [--device cpu] [--cpu-time] [--give-back]``

Both have the same weights and see the same images; a step is forward pass, backward pass and SGD. They take turns, and
the fastest step of each counts, so other work on the machine hits both alike; on a busy one ``--cpu-time`` counts the
time that one thread computes, not the time that it waits. What the machine attains is the faster of
a large matrix product and a large 3x3 convolution, both float32 on the same threads; the FLOPs of a step are those of
its convolutions and matrix products, forward and backward.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "5")

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference_convolution import ReferenceNetwork
from benchmarks.timing import Clock, shortest
from naopt import zoo
from naopt.memory import keep_freed_memory
from naopt.networks.build import build_network
from naopt.networks.settings import NetworkSettings
from naopt.spaces import ConvCellSpace, create_space

Step = Callable[[], None]

_KINDS = {
    "convolution": ("convolution", "conv2d", "_conv_"),
    "norm": ("batch_norm", "BatchNorm"),
    "pooling": ("pool",),
    "activation": ("relu", "clamp_min", "threshold", "Relu"),
    "optimizer": ("Optimizer", "sgd"),
}
"""Kinds of operations by parts of their names; a call counts with the outermost one that has a kind."""


@dataclass(frozen=True)
class Case:
    """What is trained."""

    stage: int
    filters: int
    size: int
    batch: int

    @property
    def name(self) -> str:
        """In words."""
        return f"NAONet-A N={self.stage} F={self.filters}, {self.size}x{self.size}, batch {self.batch}"


CASES = (Case(3, 32, 32, 64), Case(1, 8, 32, 64), Case(1, 4, 8, 30))


def networks(case: Case, device: torch.device) -> dict[str, nn.Module]:
    """Ours and the reference with the same weights, on a device, in training mode."""
    entry = zoo.get("naonet-a")
    space = create_space(entry.space)
    assert isinstance(space, ConvCellSpace)
    architecture = space.parse(entry.text)
    settings = NetworkSettings(cells_per_stage=case.stage, filters=case.filters)
    ours = build_network(space, architecture, settings, 3, 10)
    cells = space.cells(architecture)
    reference = ReferenceNetwork(cells["normal"], cells["reduction"], case.stage, case.filters, 3, 10)
    reference.load_state_dict(ours.state_dict())
    return {"ours": ours.to(device).train(), "reference": reference.to(device).train()}


def training_step(network: nn.Module, images: Tensor, labels: Tensor, *, fused: bool) -> Step:
    """A step of SGD with momentum and weight decay."""
    optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=5e-4, fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if images.device.type == "cuda":
            torch.cuda.synchronize(images.device)

    return step


def race(steps: dict[str, Step], seconds: float, clock: Clock, least: int = 3) -> dict[str, float]:
    """The shortest time in seconds of each, run in turns for about so long."""
    for step in steps.values():
        step()
    return shortest(steps.items, seconds, least=least, clock=clock)


def attainable(device: torch.device, seconds: float, clock: Clock) -> dict[str, float]:
    """GFLOP/s of a matrix product of 4096, and of a 3x3 convolution of 256 channels in either memory format."""
    matrix = torch.randn(4096, 4096, device=device)
    maps, weight = torch.randn(32, 256, 32, 32, device=device), torch.randn(256, 256, 3, 3, device=device)
    last = maps.contiguous(memory_format=torch.channels_last)

    def synchronized(compute: Callable[[], Tensor]) -> Step:
        def step() -> None:
            compute()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return step

    with torch.inference_mode():
        best = race(
            {
                "product": synchronized(lambda: matrix @ matrix),
                "first": synchronized(lambda: F.conv2d(maps, weight, padding=1)),
                "last": synchronized(lambda: F.conv2d(last, weight, padding=1)),
            },
            seconds,
            clock,
        )
    convolution = 2 * weight.numel() * maps[:, 0].numel() / min(best["first"], best["last"])
    return {"matrix_product": 2 * 4096**3 / best["product"] / 1e9, "convolution": convolution / 1e9}


def count_flops(step: Step) -> int:
    """FLOPs of a step in convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def shares_by_kind(step: Step) -> dict[str, float]:
    """Which share of a few steps' time on the CPU is spent in each kind of operation."""
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
        for _ in range(3):
            step()
    times: Counter[str] = Counter()
    for event in profiler.events():
        times[_kind(event)] += event.self_cpu_time_total
    total = sum(times.values())
    return {name: times[name] / total for name in (*_KINDS, "rest")}


def _kind(event: Any) -> str:
    """The kind of the outermost enclosing operation that has one."""
    found = "rest"
    while event is not None:
        for kind, parts in _KINDS.items():
            if any(part in event.name for part in parts):
                found = kind
                break
        event = event.cpu_parent
    return found


def measure(case: Case, device: torch.device, seconds: float, clock: Clock, attained: float) -> dict[str, Any]:
    """All figures of a case."""
    torch.manual_seed(0)
    images = torch.randn(case.batch, 3, case.size, case.size, device=device)
    labels = torch.randint(10, (case.batch,), device=device)
    steps = {
        name: training_step(network, images, labels, fused=name == "ours")
        for name, network in networks(case, device).items()
    }
    best = race(steps, seconds, clock)
    flops = {name: count_flops(step) for name, step in steps.items()}
    return {
        "case": case.name,
        "images_per_second": {name: case.batch / value for name, value in best.items()},
        "ratio": best["reference"] / best["ours"],
        "gflop_per_step": {name: value / 1e9 for name, value in flops.items()},
        "share_of_attainable": {name: flops[name] / best[name] / 1e9 / attained for name in steps},
        "share_of_time": {name: shares_by_kind(step) for name, step in steps.items()},
    }


def heading(results: dict[str, Any]) -> str:
    """What was measured on, as a line."""
    rates = results["attainable_gflops"]
    return (
        f"torch {results['torch']} on {results['device']}, {results['threads']} threads, {results['clock']} time, "
        f"freed memory {'kept' if results['kept_memory'] else 'given back'}; attainable: matrix product "
        f"{rates['matrix_product']:.0f} GFLOP/s, convolution {rates['convolution']:.0f} GFLOP/s"
    )


def report(case: dict[str, Any]) -> str:
    """The figures of a case as lines."""
    lines = [f"{case['case']}: {case['ratio']:.2f} times the reference"]
    for name, rate in case["images_per_second"].items():
        parts = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in case["share_of_time"][name].items())
        lines.append(
            f"  {name:9} {rate:8.1f} images/s, {case['gflop_per_step'][name]:.2f} GFLOP a step, "
            f"{100 * case['share_of_attainable'][name]:.0f} % of attainable; {parts}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints its results."""
    parser = argparse.ArgumentParser(prog="benchmarks.convolution", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each case")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--give-back", action="store_true", help="leave the C library's handling of memory as it is")
    parser.add_argument("--cpu-time", action="store_true", help="count the CPU time of one thread")
    options = parser.parse_args(arguments)
    if options.cpu_time and (options.threads != 1 or options.device != "cpu"):
        parser.error("--cpu-time needs --threads 1 and --device cpu")
    clock = time.thread_time if options.cpu_time else time.perf_counter
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    kept = not options.give_back and keep_freed_memory()
    rates = attainable(device, options.seconds / 4, clock)
    results: dict[str, Any] = {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "threads": options.threads,
        "clock": "cpu" if options.cpu_time else "wall",
        "kept_memory": kept,
        "attainable_gflops": rates,
        "cases": [],
    }

    def say(text: str) -> None:
        if not options.json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    say(heading(results))
    for case in CASES:
        results["cases"].append(measure(case, device, options.seconds, clock, max(rates.values())))
        say(report(results["cases"][-1]))
    if options.json:
        sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
