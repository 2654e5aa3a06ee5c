"""The parts of a run, one after the other."""

from naopt.run.phases.base import Phase
from naopt.run.phases.elsewhere import Elsewhere
from naopt.run.phases.final_training import FinalTraining
from naopt.run.phases.finalists import Finalists
from naopt.run.phases.measuring import Measuring
from naopt.run.phases.supernet import SupernetTraining

__all__ = ["Elsewhere", "FinalTraining", "Finalists", "Measuring", "Phase", "SupernetTraining"]
