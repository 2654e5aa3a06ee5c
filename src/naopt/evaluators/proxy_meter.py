"""Computes zero-cost proxies of one architecture at a time. Imports torch only to compute."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError
from naopt.evaluators.workloads import ImageWorkload, TextWorkload, Workload
from naopt.measurement import MetricInfo
from naopt.networks.costs import COST_METRICS
from naopt.proxies import ProxySettings, proxies, proxies_for

if TYPE_CHECKING:
    from torch import nn

    from naopt.evaluators.workloads import Loaded
    from naopt.networks.costs import NetworkCosts
    from naopt.proxies.probe import Batch
    from naopt.spaces import Architecture, SearchSpace

_PLAIN: Mapping[str, Any] = {
    "dropout": 0.0,
    "drop_path_keep": 1.0,
    "auxiliary_weight": 0.0,
    "word_dropout": 0.0,
    "embedding_dropout": 0.0,
    "input_dropout": 0.0,
    "state_dropout": 0.0,
    "output_dropout": 0.0,
}
"""What belongs to training rather than to the network."""
_BATCHES = 0x70726F78
"""Seed of the batches, which are the same for all architectures and seeds."""


def check_proxies(workload: Workload, names: Sequence[str]) -> None:
    """Raises ``UnknownNameError`` for a proxy that is not there, or that networks for the task do not have."""
    known = proxies_for(workload.task.kind)
    for name in names:
        proxies.get(name)
        if name not in known:
            raise InputError("proxy", name, f"is not for {workload.task.kind}, which has {', '.join(known)}")


def proxy_info(name: str) -> MetricInfo:
    """Which way a proxy is better as a metric: sizes are costs there as everywhere, so less of them is."""
    return MetricInfo("min" if name in COST_METRICS else proxies.get(name).goal)


class ProxyMeter:
    """Computes proxies of networks at their initialisation, on training data or noise.

    Networks are built without dropouts, drop-path and auxiliary heads, from the canonical form where that is an equal
    architecture, so that equal architectures have equal values. A value depends on the architecture and the seed, and
    not on which other proxies are computed beside it, nor on what was computed before.

    Args:
        space: of the architectures.
        workload: the task, as children are built and trained on it.
        settings: what networks are shown.
        device: where.
        threads: CPU threads; part of what fixes the bits.

    Raises:
        InputError: a space that has no networks for the task.
    """

    def __init__(
        self, space: SearchSpace, workload: Workload, settings: ProxySettings, *, device: str = "cpu", threads: int = 1
    ) -> None:
        workload.check_space(space)
        plain = {name: value for name, value in _PLAIN.items() if name in type(workload.settings).model_fields}
        self.space, self.settings, self.device, self.threads = space, settings, device, threads
        self.workload = type(workload)(workload.task, workload.settings.model_copy(update=plain))
        self._costs: NetworkCosts | None = self.workload.costs(space)
        self._loaded: Loaded | None = None
        self._batches: list[Batch] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None, "_batches": []}

    def prepare(self) -> None:
        """Loads the data and draws the batches. Raises ``InputError`` for data that cannot be used."""
        if self._loaded is not None:
            return
        import torch

        from naopt.proxies.batches import image_batches, text_batches
        from naopt.training.reproducible import reproducible

        device = torch.device(self.device)
        loaded = self.workload.load(device, test=False)
        with reproducible(_BATCHES, device, self.threads):
            if isinstance(self.workload, ImageWorkload):
                classes, train = len(loaded.facts["classes"]), loaded.parts["train"]
                self._batches = image_batches(train, classes, self.workload.settings, self.settings, device)
            elif isinstance(self.workload, TextWorkload):
                self._batches = text_batches(loaded.parts, self.workload.settings, self.settings, device)
            else:
                raise InputError("task", self.workload.task.kind, "has no zero-cost proxies")
        self._loaded = loaded

    def fingerprint(self) -> str:
        """A hash of the batches: another one for other data."""
        self.prepare()
        found = hashlib.sha256()
        for batch in self._batches:
            for part in batch:
                found.update(repr(tuple(part.shape)).encode())
                found.update(part.contiguous().cpu().numpy().tobytes())
        return found.hexdigest()

    def measure(self, architecture: Architecture, names: Sequence[str], seed: int) -> dict[str, float]:
        """Proxies by name; NaN for what is not finite, and so is not known."""
        import torch

        from naopt.proxies.probe import ImageProbe, TextProbe
        from naopt.training.reproducible import reproducible

        self.prepare()
        assert self._loaded is not None
        loaded, device = self._loaded, torch.device(self.device)
        plain = self._representative(architecture)

        def fresh() -> nn.Module:
            torch.manual_seed(seed)
            return self.workload.build(self.space, plain, loaded).to(device)

        kind = ImageProbe if isinstance(self.workload, ImageWorkload) else TextProbe
        chosen = {name: proxies.get(name) for name in names}
        records = {record for proxy in chosen.values() for record in proxy.records}
        with reproducible(seed, device, self.threads):
            probe = kind(fresh, self._batches, records, self._known(plain), seed=seed, repeats=self.settings.repeats)
            found = {name: float(proxy.compute(probe)) for name, proxy in chosen.items()}
        return {name: value if math.isfinite(value) else math.nan for name, value in found.items()}

    def timed(self, architecture: Architecture, names: Sequence[str], seed: int) -> dict[str, tuple[float, float]]:
        """Each proxy by itself, and the seconds that it took, building the network included."""
        self.prepare()
        found = {}
        for name in names:
            start = time.perf_counter()
            value = self.measure(architecture, [name], seed)[name]
            found[name] = value, time.perf_counter() - start
        return found

    def _representative(self, architecture: Architecture) -> Architecture:
        """One of all architectures that are equal; where the canonical form is another query, each is its own."""
        canonical = self.space.architecture(self.space.canonical(architecture.tokens))
        return canonical if canonical == architecture else architecture

    def _known(self, architecture: Architecture) -> dict[str, float]:
        if self._costs is None:
            return {}
        return {name: float(values[0]) for name, values in self._costs.of([architecture]).items()}
