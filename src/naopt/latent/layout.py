"""One layout of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def row_major(values: ArrayLike) -> NDArray[np.float64]:
    """The numbers as float64 in row order; what is so already is not copied.

    On some processors BLAS takes another kernel for a matrix in column order, or for a part of a larger one, and the
    last bits of a product change. A matrix that was just computed may be in either order, the same one read from a file
    is in row order. So all that enters a product passes here, where it is handed over: to the constructor of a class,
    or to the method that multiplies.
    """
    return np.ascontiguousarray(values, dtype=np.float64)
