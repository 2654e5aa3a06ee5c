"""What people would use instead of a searched network, trained alike and compared in one table."""

from naopt.baselines.compare import baseline
from naopt.baselines.table import BASELINES, BaselineRow, BaselineTable, Figure, read_baselines

__all__ = ["BASELINES", "BaselineRow", "BaselineTable", "Figure", "baseline", "read_baselines"]
