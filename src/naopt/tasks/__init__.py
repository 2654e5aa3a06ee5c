"""Data sets and recipes. Imports no torch."""

from naopt.tasks.base import (
    Corpus,
    Dataset,
    ImageTask,
    Limits,
    Split,
    Task,
    TextTask,
    create_image_task,
    create_task,
    create_text_task,
    find_task,
    located,
    tasks,
)
from naopt.tasks.cifar import Cifar10Task, Cifar100Task
from naopt.tasks.digits import DigitsTask
from naopt.tasks.image_files import FileSplits, ImageFiles
from naopt.tasks.images import FolderTask, ImagesTask
from naopt.tasks.options import ImageOptions
from naopt.tasks.python_docs import PythonDocsTask
from naopt.tasks.text import AnyTextTask, PennTreebankTask, WikiText2Task

__all__ = [
    "AnyTextTask",
    "Cifar10Task",
    "Cifar100Task",
    "Corpus",
    "Dataset",
    "DigitsTask",
    "FileSplits",
    "FolderTask",
    "ImageFiles",
    "ImageOptions",
    "ImageTask",
    "ImagesTask",
    "Limits",
    "PennTreebankTask",
    "PythonDocsTask",
    "Split",
    "Task",
    "TextTask",
    "WikiText2Task",
    "create_image_task",
    "create_task",
    "create_text_task",
    "find_task",
    "located",
    "tasks",
]
