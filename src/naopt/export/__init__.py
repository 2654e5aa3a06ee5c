"""Networks as files that need no naopt: readable PyTorch, torch.export, ONNX; each is checked against the network."""

from naopt.export.exporter import TOLERANCE, ExportResult, check_target, export
from naopt.export.facts import KINDS, ImageFacts, InstanceFacts, Kind, LanguageFacts, NetworkFacts
from naopt.export.instance_subject import read_instance
from naopt.export.subjects import Subject, read_trained
from naopt.export.untrained import build_untrained

__all__ = [
    "KINDS",
    "TOLERANCE",
    "ExportResult",
    "ImageFacts",
    "InstanceFacts",
    "Kind",
    "LanguageFacts",
    "NetworkFacts",
    "Subject",
    "build_untrained",
    "check_target",
    "export",
    "read_instance",
    "read_trained",
]
