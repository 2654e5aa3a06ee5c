"""Zero-cost proxies as something that is known of architectures without evaluating them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt._version import __version__
from naopt.errors import InputError
from naopt.evaluators.proxy_meter import ProxyMeter, check_proxies
from naopt.evaluators.seeds import evaluation_seed
from naopt.latent.cache import keep, kept
from naopt.proxies import ProxySettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.evaluators.workloads import Workload
    from naopt.spaces import Architecture, SearchSpace

_log = logging.getLogger(__name__)
_FORMAT = 2
"""Raised when what a proxy gives changes."""
DEFAULT_PROXIES: Mapping[str, tuple[str, ...]] = {
    "images": ("jacob_cov", "naswot", "synflow"),
    "text": ("grad_norm", "l2", "snip"),
}
"""By kind of task: what is taken where nobody says which."""


class ProxyCosts:
    """Proxies of networks at their initialisation (``naopt.problem.Costs``); NaN where one is not known.

    What was computed is kept in memory, and in the cache for other processes, by architecture, task, recipe, seed and
    version. A value does not depend on what else is asked for. Nothing is loaded or computed until something is.

    Args:
        space: of the architectures.
        workload: the task, as children are built and trained on it.
        names: of proxies.
        seed: of the initialisations, each a hash of it and of the architecture, as in an evaluation.
        settings: what networks are shown.
        device: where.
        threads: CPU threads; part of what fixes the bits.

    Raises:
        InputError: an unknown proxy, one that is not for the task, or a space that has no networks for it.
    """

    def __init__(
        self,
        space: SearchSpace,
        workload: Workload,
        names: Sequence[str],
        seed: int = 0,
        *,
        settings: ProxySettings | None = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        check_proxies(workload, names)
        self.metrics: Collection[str] = tuple(dict.fromkeys(names))
        self.seed = seed
        self.meter = ProxyMeter(space, workload, settings or ProxySettings(), device=device, threads=threads)
        self._memory: dict[Architecture, dict[str, float]] = {}
        self._recipe = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_memory": {}, "_recipe": ""}

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """See ``Costs``."""
        found = [self.values(architecture) for architecture in architectures]
        return {name: np.array([values[name] for values in found], dtype=np.float64) for name in self.metrics}

    def values(self, architecture: Architecture) -> Mapping[str, float]:
        """The proxies of one architecture."""
        values = self._memory.get(architecture)
        if values is None:
            name = self._file(architecture)
            stored = next((found for path in kept(name) if (found := _read(path)) is not None), {})
            missing = [proxy for proxy in self.metrics if proxy not in stored]
            if missing:
                stored |= self._computed(architecture, missing, name, stored)
            values = self._memory[architecture] = {proxy: stored[proxy] for proxy in self.metrics}
        return values

    def _computed(
        self, architecture: Architecture, names: Sequence[str], file: str, beside: Mapping[str, float]
    ) -> dict[str, float]:
        """Computes proxies, and keeps them with others; those of a network that fails are not known, and not kept.

        Raises:
            InputError: settings that no network can have.
        """
        try:
            found = self.meter.measure(architecture, names, evaluation_seed(self.seed, architecture))
        except InputError:
            raise
        except (RuntimeError, MemoryError, ArithmeticError, ValueError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            _log.warning("no proxies of %s: %s", self.meter.space.format(architecture), reason)
            return dict.fromkeys(names, math.nan)
        _write(file, {**beside, **found})
        return found

    def _file(self, architecture: Architecture) -> str:
        """Name of the file in the cache: a hash of all that values depend on."""
        if not self._recipe:
            import torch

            meter = self.meter
            self._recipe = json.dumps(
                {
                    "format": [_FORMAT, __version__, torch.__version__],
                    "space": [meter.space.name, [[p.name, p.choices] for p in meter.space.positions]],
                    "training": meter.workload.settings.model_dump(mode="json"),
                    "proxies": meter.settings.model_dump(mode="json"),
                    "batches": meter.fingerprint(),
                    "where": [self.seed, meter.device, meter.threads],
                },
                sort_keys=True,
                default=str,
            )
        whole = f"{self._recipe} {list(architecture.identity)}"
        return f"proxies-{hashlib.sha256(whole.encode()).hexdigest()[:32]}.json"


def _read(path: Path) -> dict[str, float] | None:
    """What a file of the cache holds; ``None`` for one that is missing or broken."""
    try:
        values = json.loads(path.read_bytes())
        return {str(name): math.nan if value is None else float(value) for name, value in values.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _write(name: str, values: Mapping[str, float]) -> None:
    text = json.dumps({proxy: None if math.isnan(value) else value for proxy, value in values.items()})

    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    keep(name, write)
