import math

import numpy as np
import pytest

from naopt.measurement import MetricInfo
from naopt.tables.summary import summarise_table
from tests.tables.test_table import WHOLE, table


def test_a_table_in_figures() -> None:
    repeats = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [math.nan, math.nan]])
    made = table(
        tokens=WHOLE[:4],
        metrics={"acc": repeats, "none": np.full(4, math.nan)},
        infos={"acc": MetricInfo("max", "%"), "none": MetricInfo("min")},
    )
    summary = summarise_table(made)
    assert (summary.rows, summary.size, summary.positions, summary.space) == (4, 6, 2, "mlp")
    assert summary.coverage == pytest.approx(4 / 6)
    acc, none = summary.metrics["acc"], summary.metrics["none"]
    assert (acc.measured, acc.minimum, acc.median, acc.maximum, acc.repeats) == (3, 1.5, 1.5, 3.0, 2)
    assert acc.agreement is not None
    assert acc.agreement.kendall_tau == pytest.approx(1 / 3)
    assert (none.goal, none.measured, none.minimum, none.repeats, none.agreement) == ("min", 0, None, 1, None)
