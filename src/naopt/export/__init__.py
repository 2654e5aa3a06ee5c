"""Networks as files that need no naopt: readable PyTorch, torch.export, ONNX; each is checked against the network."""

from naopt.export.exporter import TOLERANCE, ExportResult, check_target, export
from naopt.export.facts import KINDS, ImageFacts, Kind, LanguageFacts, NetworkFacts
from naopt.export.subjects import Subject, read_trained
from naopt.export.untrained import build_untrained

__all__ = [
    "KINDS",
    "TOLERANCE",
    "ExportResult",
    "ImageFacts",
    "Kind",
    "LanguageFacts",
    "NetworkFacts",
    "Subject",
    "build_untrained",
    "check_target",
    "export",
    "read_trained",
]
