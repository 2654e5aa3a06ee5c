"""Points of several objectives, with ties and copies."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def clouds(draw: st.DrawFn, objectives: int | None = None, most: int = 12) -> np.ndarray:
    """``(n, k)``: on a grid of sixths as often as not, so that values are shared between points."""
    size = (draw(st.integers(0, most)), objectives or draw(st.integers(1, 4)))
    points = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(size)
    return np.round(points * 6) / 6 if draw(st.booleans()) else points
