"""How trainings end that do not end well. Imports torch only to look at an exception."""

from __future__ import annotations

from naopt.measurement import Status


def failure_status(error: BaseException) -> Status:
    """Whether an exception means that memory ran out (``oom``), that training diverged, or that it just failed."""
    import torch

    from naopt.training.trainer import DivergedError

    if isinstance(error, DivergedError):
        return "diverged"
    message = str(error).lower()
    short_of_memory = "can't allocate memory" in message or "not enough memory" in message or "out of memory" in message
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or short_of_memory:
        return "oom"
    return "failed"
