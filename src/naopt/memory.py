"""Memory of a process that trains on the CPU."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt(3)``, from ``malloc.h``."""
_LARGE = 2**30


def keep_freed_memory() -> bool:
    """Lets the process keep the memory that it frees, so that the next training step finds it mapped.

    Otherwise the C library gives large blocks back to the system as soon as they are free, and every step pays for
    having its activations' pages mapped and zeroed anew. The process then stays as large as it ever was, up to its
    end. Results are the same.

    Returns:
        Whether it does; only the GNU C library is known to.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_TRIM_THRESHOLD, _LARGE))
