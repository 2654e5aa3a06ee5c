"""What networks cost, by arithmetic alone: nothing is built, and torch is not imported."""

from naopt.networks.costs.describe import describe, describes
from naopt.networks.costs.layers import Layer, Map, Plan, Totals, totals
from naopt.networks.costs.network_costs import COST_METRICS, NetworkCosts, Shape, Shapes
from naopt.networks.costs.sizing import sized

__all__ = [
    "COST_METRICS", "Layer", "Map", "NetworkCosts", "Plan", "Shape", "Shapes", "Totals", "describe", "describes",
    "sized", "totals",
]  # fmt: skip
