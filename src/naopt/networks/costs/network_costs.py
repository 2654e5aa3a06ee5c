"""Costs of networks that searches know without training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.networks.costs.describe import describe
from naopt.networks.costs.layers import Map, Totals, totals
from naopt.networks.costs.recurrent import language_totals
from naopt.networks.costs.sizing import sized
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.settings import NetworkSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.spaces import Architecture, SearchSpace

COST_METRICS = ("params", "macs", "activations", "peak_memory_mb")
"""See ``naopt.networks.costs.layers.Totals``; memory is in MB, 10^6 bytes."""

Shape = tuple[Map, int] | int
"""``((channels, height, width), classes)`` of images, or the number of words of text."""
Shapes = Callable[[], Shape]
"""Gives the shapes of a task; called when they are first needed, for it may have to read the data."""

_MEGA = 1e6


class NetworkCosts:
    """Parameters, multiply-adds, activations and memory of networks (``naopt.problem.Costs``), in closed form.

    Args:
        space: of the architectures.
        settings: that networks are built with.
        shapes: of the task's data.
    """

    metrics: Collection[str] = COST_METRICS

    def __init__(self, space: SearchSpace, settings: NetworkSettings | LanguageNetworkSettings, shapes: Shapes) -> None:
        self._space, self._settings, self._shapes = space, settings, shapes
        self._shape: Shape | None = None

    def totals(self, architecture: Architecture) -> Totals:
        """All costs of one architecture. Raises ``InputError`` for a space whose networks are not known."""
        if self._shape is None:
            self._shape = self._shapes()
        if isinstance(self._settings, LanguageNetworkSettings):
            assert isinstance(self._shape, int)
            return language_totals(self._space, architecture, self._settings, self._shape)
        assert isinstance(self._shape, tuple)
        image, classes = self._shape
        settings = sized(self._space, architecture, self._settings, image[0], classes)
        return totals(describe(self._space, architecture, settings, image, classes))

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """See ``naopt.problem.Costs``."""
        found = [self.totals(architecture) for architecture in architectures]
        rows = [(t.params, t.macs, t.activations, t.peak_memory / _MEGA) for t in found]
        values = np.array(rows, dtype=np.float64).reshape(-1, len(COST_METRICS))
        return dict(zip(COST_METRICS, values.T, strict=True))
