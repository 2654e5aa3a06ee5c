"""Measures an architecture without training it. Imports torch only when it measures."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.base import Evaluator, evaluators
from naopt.evaluators.endings import failure_status
from naopt.evaluators.known_costs import known_costs
from naopt.evaluators.proxy_meter import ProxyMeter, check_proxies, proxy_info
from naopt.evaluators.training import select_device
from naopt.evaluators.workloads import create_workload
from naopt.measurement import Measurement
from naopt.proxies import ProxySettings, proxies_for
from naopt.traces import trace

if TYPE_CHECKING:
    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace

DEFAULT_PROXY = {"images": "naswot", "text": "grad_norm"}
"""By kind of task: what is searched by where nobody says what."""


@evaluators.register("zero-cost")
class ZeroCostEvaluator(Evaluator):
    """Measures zero-cost proxies of networks at their initialisation, on training data or noise; trains nothing.

    Args:
        space: of the architectures.
        task: its name and source, ``digits`` or ``cifar10:PATH``.
        training: overrides of the task's recipe, or complete settings: of the networks, and of what is done to images.
        names: of the proxies that are computed; by default all that networks for the task have.
        settings: what networks are shown.
        device: where.
        threads: CPU threads; part of what fixes the bits of a result.
        device_file: a calibration of ``naopt device calibrate``, by which ``latency_ms`` is known too.

    Raises:
        InputError: an unknown task, setting, proxy or device, a device file that is not for such networks, or a space
            that has no networks for the task.
    """

    thread_safe = False  # the random state of torch is the process's

    def __init__(
        self,
        space: SearchSpace,
        task: str,
        training: Settings | Mapping[str, Any] | None = None,
        *,
        names: Sequence[str] = (),
        settings: ProxySettings | None = None,
        device: str = "cpu",
        threads: int = 1,
        device_file: str = "",
    ) -> None:
        if threads < 1:
            raise InputError("threads", threads, "must be at least 1")
        select_device(device)
        self.space, self.workload = space, create_workload(task, training)
        kind = self.workload.task.kind
        self.names = tuple(names) or tuple(proxies_for(kind))
        check_proxies(self.workload, self.names)
        self.meter = ProxyMeter(space, self.workload, settings or ProxySettings(), device=device, threads=threads)
        self.metrics = {name: proxy_info(name) for name in proxies_for(kind)}
        self.default_metric = DEFAULT_PROXY[kind] if DEFAULT_PROXY[kind] in self.names else self.names[0]
        self._costs = known_costs(self.workload, space, device_file)

    @property
    def settings(self) -> Settings:
        """What networks are built with."""
        return self.workload.settings

    def costs(self) -> Costs | None:
        """Closed forms, and what a device file predicts."""
        return self._costs

    def check(self) -> None:
        """See ``Evaluator.check``."""
        self.workload.check_space(self.space)
        self.remarks = self.workload.check()

    def prepare(self) -> None:
        """Loads the data."""
        self.meter.prepare()

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """All proxies that are known; ``diverged`` if the default one is not."""
        self.prepare()
        start = time.perf_counter()
        try:
            found = self.meter.measure(architecture, self.names, seed)
        except (RuntimeError, MemoryError, ArithmeticError, ValueError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return Measurement({}, time.perf_counter() - start, failure_status(error), reason, trace(error))
        seconds = time.perf_counter() - start
        known = {name: value for name, value in found.items() if not math.isnan(value)}
        if self.default_metric not in known:
            return Measurement(known, seconds, "diverged", f"{self.default_metric} is not finite")
        return Measurement(known, seconds)
