"""Random generators and threads, set for one piece of work and restored after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(seed: int, device: torch.device, threads: int) -> Iterator[None]:
    """Inside, torch's default generators start from ``seed`` and the CPU uses ``threads``; both are restored after."""
    before = torch.get_num_threads()
    index = [] if device.type == "cpu" else [device.index or 0]
    with torch.random.fork_rng(index, device_type="cuda" if device.type == "cpu" else device.type):
        torch.set_num_threads(threads)
        # To seed accelerators that are not used notes a traceback for each kind, for some milliseconds, and keeps it.
        (torch.default_generator if device.type == "cpu" else torch).manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(before)
