"""A final training in a directory: what it is about, and the phase that carries it out and survives being killed."""

from naopt.final.phase import FinalTraining
from naopt.final.request import TrainingRequest, read_request, training_request

__all__ = ["FinalTraining", "TrainingRequest", "read_request", "training_request"]
