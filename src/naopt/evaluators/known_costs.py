"""What is known of networks before they are trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
        """See ``Costs``. A source is asked when one of its metrics is looked up."""
        return _Asked(self._parts, architectures)


class _Asked(Mapping[str, "NDArray[np.float64]"]):
    def __init__(self, parts: Sequence[Costs], architectures: Sequence[Architecture]) -> None:
        self._part_of = {name: part for part in parts for name in part.metrics}
        self._architectures = tuple(architectures)
        self._values: dict[str, NDArray[np.float64]] = {}

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self._values:
            self._values.update(self._part_of[name].of(self._architectures))
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._part_of)

    def __len__(self) -> int:
        return len(self._part_of)


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
