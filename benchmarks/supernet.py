"""Training steps of a supernet: along a path, with the child rebuilt at each step, with everything masked; and memory.

``python -m benchmarks.supernet [--space conv-cell:operations=enas-5] [--batch 64] [--filters 8] [--stage 1] [--size 16]
[--seconds 10] [--threads 1] [--memory-only] [--json]``

A step samples a path, computes the loss on synthetic images, its gradient, clips it and makes a step of SGD with
momentum. All see the same paths, in turns; the fastest of a path's steps counts, so other work on the machine hits all
alike. Compared are

- ``path``: this package's supernet and trainer;
- ``rebuilt``: the sampled child's modules are made anew at each step, the plain ones of
  ``benchmarks.reference_convolution`` where they have the space; shared weights are loaded into them and carried back
  (those for joined ends are not carried back, and momentum begins anew, which spares it work);
- ``rebuilt, our modules``: the same with this package's own child, to tell apart what rebuilding costs;
- ``masked``: all operations of all edges are computed and multiplied by 0 or 1; otherwise this package's own code.

Memory: by how much a process's resident memory rises above its level after imports, in a process of its own for the
supernet (all its weights included) and for the same child alone. What libraries take when they are first used is part
of both.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.reference_convolution import ReferenceNetwork
from benchmarks.timing import shortest
from naopt.memory import keep_freed_memory
from naopt.networks.build import build_network
from naopt.networks.build_supernet import build_supernet
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import Mixable, Supernet
from naopt.one_shot.images import SharedImages
from naopt.one_shot.random_ws import RandomSharing
from naopt.one_shot.settings import OneShotSettings
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import Architecture, ConvCellSpace, SearchSpace, create_space
from naopt.training.images import Images, Normalisation
from naopt.training.settings import TrainingSettings

Step = Callable[[Architecture], None]

CLASSES, BATCHES, PATHS = 10, 4, 12
RATE, MOMENTUM, DECAY, CLIP = 0.02, 0.9, 5e-4, 5.0
BARS = {"rebuilt": 1.5, "masked": 1.5, "memory": 1.3}


@dataclass(frozen=True)
class Case:
    """What is trained."""

    space: str
    stage: int
    filters: int
    size: int
    batch: int

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.space} N={self.stage} F={self.filters}, {self.size}x{self.size}, batch {self.batch}"

    @property
    def settings(self) -> NetworkSettings:
        """Of the networks."""
        return NetworkSettings(cells_per_stage=self.stage, filters=self.filters)


def shared_images(case: Case, network: Supernet) -> SharedImages:
    """Synthetic images, without augmentation."""
    generator = torch.Generator().manual_seed(0)
    count = BATCHES * case.batch
    pixels = torch.randn(count, 3, case.size, case.size, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    images = Images(pixels, labels, Normalisation(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)))
    training = TrainingSettings(batch_size=case.batch, crop_padding=0, flip=False, label_smoothing=0)
    return SharedImages(network, {"train": images, "valid": images}, training, OneShotSettings())


def supernet(case: Case, space: SearchSpace) -> Supernet:
    """With weights that depend on the case alone."""
    torch.manual_seed(0)
    return build_supernet(space, case.settings, 3, CLASSES).train()


def path_step(case: Case, space: SearchSpace) -> Step:
    """A step of ``SharedTrainer`` on a path."""
    data = shared_images(case, supernet(case, space))
    trainer = SharedTrainer(
        data,
        RandomSharing(space, data.settings, seed=0),
        learning_rate=RATE,
        momentum=MOMENTUM,
        weight_decay=DECAY,
        clip_norm=CLIP,
        device=torch.device("cpu"),
    )

    def step(architecture: Architecture) -> None:
        trainer.train_path(trainer.path(architecture))

    return step


def _optimizer(network: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), RATE, MOMENTUM, weight_decay=DECAY, fused=True)


def _train(network: nn.Module, optimizer: torch.optim.SGD, batch: tuple[Tensor, Tensor]) -> None:
    inputs, labels = batch
    F.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP, foreach=True)
    optimizer.step()
    optimizer.zero_grad()


def rebuilt_step(case: Case, space: SearchSpace, *, plain: bool) -> Step:
    """A step of a child that is built for it, of ``plain`` modules or ours."""
    store = supernet(case, space)
    data = shared_images(case, store)

    def step(sampled: Architecture) -> None:
        child: nn.Module
        path = store.path(sampled)
        architecture = path.architecture
        if plain and isinstance(space, ConvCellSpace):
            cells = space.cells(architecture)
            child = ReferenceNetwork(cells["normal"], cells["reduction"], case.stage, case.filters, 3, CLASSES)
        else:
            child = build_network(space, architecture, case.settings, 3, CLASSES)
        state = store.child_state(path)
        child.load_state_dict(state)
        _train(child.train(), _optimizer(child), data.next_train())
        with torch.no_grad():
            for name, tensor in child.state_dict().items():
                state[name].copy_(tensor)

    return step


def masks(space: SearchSpace, architecture: Architecture, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """How often each operation is on the path, as tables of ``Mixable.mixing_shapes``."""
    tables = [torch.zeros(shape) for shape in shapes]
    if not isinstance(space, ConvCellSpace):
        tables[0][torch.arange(len(architecture.tokens)), torch.tensor(architecture.tokens)] = 1
        return tables
    for table, cell in zip(tables, space.cells(architecture).values(), strict=True):
        start = 0
        for node, branches in enumerate(cell.nodes):
            for source, name in branches:
                table[start + source, space.operations.operations.index(name)] += 1
            start += node + 2
    return tables


def masked_step(case: Case, space: SearchSpace) -> Step:
    """A step in which everything is computed."""
    network = supernet(case, space)
    assert isinstance(network, Mixable)
    mixable: Mixable = network
    data, optimizer = shared_images(case, network), _optimizer(network)

    def step(architecture: Architecture) -> None:
        mixable.mix(masks(space, architecture, mixable.mixing_shapes()))
        _train(network, optimizer, data.next_train())

    return step


def contenders(case: Case, space: SearchSpace) -> dict[str, Step]:
    """All that is compared."""
    steps = {"path": path_step(case, space), "rebuilt": rebuilt_step(case, space, plain=True)}
    if isinstance(space, ConvCellSpace):
        steps["rebuilt, our modules"] = rebuilt_step(case, space, plain=False)
    return {**steps, "masked": masked_step(case, space)}


def race(space: SearchSpace, steps: dict[str, Step], seconds: float, paths: int) -> dict[str, float]:
    """Steps a second of each, on the same sampled paths, for about so long and at least twice."""

    def sampled(step: Step, generator: np.random.Generator) -> None:
        step(space.sample(generator))

    def turns() -> Iterator[tuple[tuple[str, int], Callable[[], None]]]:
        generators = {name: np.random.default_rng(0) for name in steps}
        for index in range(paths):
            for name, step in steps.items():
                yield (name, index), partial(sampled, step, generators[name])

    best = shortest(turns, seconds, least=2)
    return {name: paths / sum(best[name, index] for index in range(paths)) for name in steps}


# Memory.


def resident_mb(which: str) -> float:
    """Resident memory of this process in MiB: ``VmRSS``, now, or ``VmHWM``, at most.

    Not ``getrusage``, whose maximum a process takes over from the one that started it.
    """
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.partition(f"{which}:")[2].split()[0]) / 2**10


def peak_mb(case: Case, kind: str, steps: int = 3) -> float:
    """By how much this process's resident memory rises at most while it trains; for a fresh process.

    Args:
        case: what is trained.
        kind: ``path`` or ``child``.
        steps: how many, all on one architecture.
    """
    keep_freed_memory()
    space = create_space(case.space)
    architecture = space.sample(np.random.default_rng(0))
    level = resident_mb("VmRSS")
    step = path_step(case, space) if kind == "path" else child_step(case, space, architecture)
    for _ in range(steps):
        step(architecture)
    return resident_mb("VmHWM") - level


def child_step(case: Case, space: SearchSpace, architecture: Architecture) -> Step:
    """A step of the architecture's own network, on images as those of the supernet."""
    torch.manual_seed(0)
    child = build_network(space, architecture, case.settings, 3, CLASSES).train()
    optimizer = _optimizer(child)
    inputs = torch.randn(BATCHES * case.batch, 3, case.size, case.size)
    labels = torch.randint(CLASSES, (len(inputs),))

    def step(_: Architecture) -> None:
        _train(child, optimizer, (inputs[: case.batch], labels[: case.batch]))

    return step


def memory(case: Case, threads: int) -> dict[str, float]:
    """Peaks in MiB of both kinds, each in a process of its own, and their ratio."""
    found = {}
    for kind in ("path", "child"):
        options = {name: getattr(case, name) for name in ("space", "stage", "filters", "size", "batch")}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "benchmarks.supernet", "--peak", kind, "--threads", str(threads), *arguments],
            cwd=Path(__file__).parents[1],
            check=True,
            capture_output=True,
            text=True,
        )
        found[f"{kind}_mb"] = float(done.stdout)
    return {**found, "ratio": found["path_mb"] / found["child_mb"]}


# What is printed.


def measure(case: Case, seconds: float, threads: int, *, rates: bool) -> dict[str, Any]:
    """All figures of a case."""
    result: dict[str, Any] = {"case": case.name}
    if rates:
        space = create_space(case.space)
        found = race(space, contenders(case, space), seconds, PATHS)
        result["steps_per_second"] = found
        result["times_as_fast_as"] = {name: found["path"] / rate for name, rate in found.items() if name != "path"}
    return {**result, "memory": memory(case, threads)}


def report(result: dict[str, Any]) -> str:
    """The figures of a case as lines."""
    lines = [result["case"]]
    ratios = result.get("times_as_fast_as", {})
    for name, rate in result.get("steps_per_second", {}).items():
        bar = f" (at least {BARS[name]} wanted)" if name in BARS else ""
        lines.append(f"  {name:21}{rate:9.2f} steps/s" + (f", path {ratios[name]:.2f}x{bar}" if name in ratios else ""))
    found = result["memory"]
    lines.append(
        f"  peak memory: path {found['path_mb']:.0f} MiB, child alone {found['child_mb']:.0f} MiB, "
        f"{found['ratio']:.2f}x (at most {BARS['memory']} wanted)"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints its results."""
    parser = argparse.ArgumentParser(prog="benchmarks.supernet", description=__doc__.partition("\n")[0])
    parser.add_argument("--space", default="conv-cell:operations=enas-5")
    parser.add_argument("--stage", type=int, default=1, help="N, cells per stage")
    parser.add_argument("--filters", type=int, default=8, help="F")
    parser.add_argument("--size", type=int, default=16, help="side of the images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0, help="for the rates")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--memory-only", action="store_true", help="measure no rates")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--peak", choices=("path", "child"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    case = Case(options.space, options.stage, options.filters, options.size, options.batch)
    if options.peak:
        sys.stdout.write(f"{peak_mb(case, options.peak)}\n")
        return
    keep_freed_memory()
    result = measure(case, options.seconds, options.threads, rates=not options.memory_only)
    result |= {"torch": torch.__version__, "device": platform.machine(), "threads": options.threads}
    sys.stdout.write((json.dumps(result) if options.json else report(result)) + "\n")


if __name__ == "__main__":
    main()
