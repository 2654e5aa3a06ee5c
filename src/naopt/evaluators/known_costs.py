"""What is known of networks before they are trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from naopt.errors import InputError
from naopt.evaluators.workloads.images import ImageWorkload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from naopt.evaluators.workloads import Workload
    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace


class SeveralCosts:
    """Costs from several sources, as one.

    Args:
        parts: that have no metric in common.
    """

    def __init__(self, parts: Sequence[Costs]) -> None:
        self._parts = parts

    @property
    def metrics(self) -> Collection[str]:
        """See ``Costs``."""
        return [name for part in self._parts for name in part.metrics]

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """See ``Costs``."""
        return {name: values for part in self._parts for name, values in part.of(architectures).items()}


def known_costs(
    workload: Workload, space: SearchSpace, device_file: str = "", proxies: Costs | None = None
) -> Costs | None:
    """Closed forms, latencies that a device file predicts, and proxies; ``None`` if nothing is known.

    Raises:
        InputError: a device file that cannot be read, or is not for such networks, or for what are no images.
    """
    found = [costs for costs in (workload.costs(space), proxies) if costs is not None]
    if device_file:
        from naopt.devices import read_device

        if not isinstance(workload, ImageWorkload):
            raise InputError("device file", device_file, f"is for networks on images, not on {workload.task.kind}")
        found.append(read_device(device_file).costs(space, workload.settings, workload.shapes))
    return SeveralCosts(found) if len(found) > 1 else next(iter(found), None)
