"""What the states of a controller or an encoder know about the architectures that they stand for."""

from naopt.probes.adapters import controller_subject, embedding_subject, latent_subject, replayed, subject_of
from naopt.probes.run import probe_run
from naopt.probes.study import draw_architectures, probe
from naopt.probes.subject import Adapter, Subject, adapters

__all__ = [
    "Adapter",
    "Subject",
    "adapters",
    "controller_subject",
    "draw_architectures",
    "embedding_subject",
    "latent_subject",
    "probe",
    "probe_run",
    "replayed",
    "subject_of",
]
