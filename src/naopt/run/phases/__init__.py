"""The parts of a search, one after the other."""

from naopt.run.phases.elsewhere import Elsewhere
from naopt.run.phases.finalists import Finalists
from naopt.run.phases.instances import MeasuringInstances
from naopt.run.phases.measuring import Measuring
from naopt.run.phases.supernet import SupernetTraining

__all__ = ["Elsewhere", "Finalists", "Measuring", "MeasuringInstances", "SupernetTraining"]
