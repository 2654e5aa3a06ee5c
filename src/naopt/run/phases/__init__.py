"""The parts of a search, one after the other."""

from naopt.run.phases.finalists import Finalists
from naopt.run.phases.measuring import Measuring
from naopt.run.phases.supernet import SupernetTraining

__all__ = ["Finalists", "Measuring", "SupernetTraining"]
