"""Data sets and recipes. Imports no torch."""

from naopt.tasks.base import Dataset, Limits, Split, Task, create_task, tasks
from naopt.tasks.cifar10 import Cifar10Task
from naopt.tasks.digits import DigitsTask
from naopt.tasks.images import ImagesTask

__all__ = [
    "Cifar10Task",
    "Dataset",
    "DigitsTask",
    "ImagesTask",
    "Limits",
    "Split",
    "Task",
    "create_task",
    "tasks",
]
