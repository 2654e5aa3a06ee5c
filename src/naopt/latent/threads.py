"""One thread for small matrices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra of numpy and scipy in one thread: the last bits, and so a search, do not depend on their number.

    It is also faster for matrices of some hundred rows, most of all beside trainings that use the same cores. As a
    decorator it holds for every call; to enter it takes some 25 us.
    """
    with _controller().limit(limits=1):
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch on one thread, which is quickest for networks of some thousand weights and always gives the same bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _controller() -> Any:
    import scipy.linalg  # noqa: F401 - what is loaded later would not be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
