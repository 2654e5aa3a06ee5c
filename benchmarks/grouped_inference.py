"""What grouping a batch by what its images need is worth: ``python -m benchmarks.grouped_inference``.

An untrained meta-graph under random policies of so many distinct children, timed beside static networks: that of all
operations, and the dearest child in use. Ideal is what the sums of the table of costs promise, the controller
included; the ratio says how much of it arrives. The table is measured at the same batch (``costs = measured``), and
every batch draws who gets which child anew, so that groups have ever other sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from benchmarks.output import failed, publish
from benchmarks.timing import shortest
from naopt.errors import InputError, NaoptError
from naopt.memory import keep_freed_memory
from naopt.networks.base import ChildNetwork
from naopt.networks.build import build_network
from naopt.networks.build_supernet import build_supernet
from naopt.networks.costs.insta import OperationCosts, needed_operations
from naopt.networks.instance import ImageController, InstanceNetwork, repaired
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet_insta import InstaSupernet
from naopt.one_shot.instance_costs import measured_costs
from naopt.one_shot.instance_policy import relative_costs
from naopt.spaces import InstaSpace, create_space

_CLASSES = 10
_TABLES = 5
"""How often the table of costs is measured; of each entry the least counts, as of all times here."""
_DRAWS = 8
"""Batches with different assignments of children to images, which take turns."""


class Assigned(InstanceNetwork):
    """Decides as ever, at the same cost, but does what was assigned."""

    assigned: Tensor

    def decide(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``InstanceNetwork``."""
        return self.assigned, super().decide(images)[1]


@dataclass(frozen=True)
class Row:
    """One policy.

    Attributes:
        batch: images.
        children: distinct ones that may be drawn.
        active: mean share of the operations.
        cost: mean relative cost, controller included.
        ms: of a batch.
        whole_ms: of the network of all operations.
        dearest_ms: of the dearest child in use.
        dearest_cost: its relative cost, without a controller.
    """

    batch: int
    children: int
    active: float
    cost: float
    ms: float
    whole_ms: float
    dearest_ms: float
    dearest_cost: float

    @property
    def speedups(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Measured and ideal, against the network of all operations and against the dearest child."""
        return (self.whole_ms / self.ms, 1 / self.cost), (self.dearest_ms / self.ms, self.dearest_cost / self.cost)

    @property
    def ratios(self) -> tuple[float, float]:
        """Of measured to ideal speed-up."""
        first, second = (measured / ideal for measured, ideal in self.speedups)
        return first, second


class Bench:
    """A meta-graph, its controller and the static networks beside it.

    Args:
        space: of the meta-graph.
        settings: of its networks.
        image: ``(channels, height, width)``.
        batch: images at a time.
        seconds: for each policy.
        clock: what is counted.
    """

    def __init__(
        self,
        space: InstaSpace,
        settings: NetworkSettings,
        image: tuple[int, int, int],
        batch: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.space, self.settings, self.batch = space, settings, batch
        self._seconds, self._clock = seconds, clock
        supernet = build_supernet(space, settings, image[0], _CLASSES)
        assert isinstance(supernet, InstaSupernet)
        controller = ImageController(image[0], space.blocks, len(space.operations))
        tables = [measured_costs(supernet, controller, image, batch, torch.device("cpu")) for _ in range(_TABLES)]
        self.costs = _least(tables)
        self._needed = needed_operations(space, self.costs)
        self._network = Assigned(supernet, controller, self._needed).eval()
        self._images = torch.randn(batch, *image)
        self._whole = self._child([1] * len(space.positions))

    def _child(self, tokens: Sequence[int]) -> ChildNetwork:
        architecture = self.space.architecture(tokens)
        return build_network(self.space, architecture, self.settings, self._images.shape[1], _CLASSES).eval()

    def row(self, children: int, active: float, common: float, generator: torch.Generator) -> Row:
        """Times a random policy.

        Args:
            children: how many.
            active: about so large a share of the operations is.
            common: share of the decisions that are the same for all children.
            generator: of all draws.
        """
        shape = (children, self.space.blocks, len(self.space.operations))
        own, shared = (torch.rand(part, generator=generator) < active for part in (shape, shape[1:]))
        alike = torch.rand(shape[1:], generator=generator) < common
        paths = repaired(torch.where(alike, shared, own), self._needed)
        if children < self.batch:
            draws = [torch.randint(children, (self.batch,), generator=generator) for _ in range(_DRAWS)]
        else:
            draws = [torch.randperm(children, generator=generator)[: self.batch] for _ in range(_DRAWS)]
        masks = [paths[draw] for draw in draws]
        costs = relative_costs(torch.stack(masks), self.costs)
        used = torch.cat(masks)
        dearest = used[costs.flatten().argmax()]
        child = self._child(dearest.flatten().int().tolist())

        def assigned(mask: Tensor) -> None:
            self._network.assigned = mask
            self._network(self._images)

        def turns() -> Iterator[tuple[str, Callable[[], object]]]:
            for index, mask in enumerate(masks):
                yield f"instance {index}", partial(assigned, mask)
            yield "whole", partial(self._whole, self._images)
            yield "dearest", partial(child, self._images)

        with torch.inference_mode():
            found = shortest(turns, self._seconds, least=5, clock=self._clock)
        controller = self.costs.controller / self.costs.whole
        return Row(
            self.batch,
            children,
            float(used.float().mean()),
            float(costs.mean()),
            1e3 * sum(found[f"instance {index}"] for index in range(_DRAWS)) / _DRAWS,
            1e3 * found["whole"],
            1e3 * found["dearest"],
            float(costs.max()) - controller,
        )


def _least(tables: Sequence[OperationCosts]) -> OperationCosts:
    rows = zip(*(table.operations for table in tables), strict=True)
    return replace(
        tables[0],
        fixed=min(table.fixed for table in tables),
        controller=min(table.controller for table in tables),
        operations=tuple(tuple(map(min, zip(*row, strict=True))) for row in rows),
    )


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    head = ["batch", "children", "active", "ms", "whole, ms", "dearest child, ms"]
    head += ["faster than whole", "ideal", "ratio", "than dearest", "ideal", "ratio"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [str(row.batch), str(row.children), f"{row.active:.0%}"]
        cells += [f"{value:.2f}" for value in (row.ms, row.whole_ms, row.dearest_ms)]
        for (measured, ideal), ratio in zip(row.speedups, row.ratios, strict=True):
            cells += [f"{measured:.2f}", f"{ideal:.2f}", f"**{ratio:.2f}**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(
    space: Annotated[str, typer.Option(help="A meta-graph.")] = "insta:blocks=6",
    channels: Annotated[int, typer.Option(min=1, help="Of images.")] = 3,
    size: Annotated[int, typer.Option(min=4, help="Height and width of images.")] = 16,
    filters: Annotated[int, typer.Option(min=1, help="Channels of the first stage.")] = 8,
    batches: Annotated[list[int] | None, typer.Option("--batch", min=1, help="Images at a time: 1 and 64.")] = None,
    children: Annotated[list[int] | None, typer.Option(min=1, help="Distinct children: 1, 8, 64.")] = None,
    active: Annotated[list[float] | None, typer.Option(min=0, max=1, help="Shares of operations: 0.3, 0.5.")] = None,
    common: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the decisions that are the same for all children.")
    ] = 0.0,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    seconds: Annotated[float, typer.Option(min=0, help="For each policy.")] = 3.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Count the process's time, not the clock's.")] = False,
    out: Annotated[Path | None, typer.Option(help="A folder for grouped_inference.md and .json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prints a table as Markdown."""
    try:
        meta = create_space(space)
        if not isinstance(meta, InstaSpace):
            raise InputError("--space", space, "is no meta-graph; insta is")
        settings = NetworkSettings(filters=filters)
        keep_freed_memory()
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        clock = time.process_time if cpu_time else time.perf_counter
        rows = []
        for batch in batches or (64, 1):
            bench = Bench(meta, settings, (channels, size, size), batch, seconds, clock)
            for count in children or (1, 8, 64):
                rows += [bench.row(count, share, common, generator) for share in active or (0.3, 0.5)]
    except NaoptError as error:
        raise failed(error) from None
    document = {
        "space": meta.name,
        "image": [channels, size, size],
        "filters": filters,
        "common": common,
        "threads": threads,
        "rows": [{**asdict(row), "ratios": row.ratios} for row in rows],
    }
    publish(document, table(rows), out, "grouped_inference", as_json=as_json)


if __name__ == "__main__":
    typer.run(main)
