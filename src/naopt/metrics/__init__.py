"""Rank correlation, pairwise accuracy, Hamming distance, statistics. Imports no torch."""

from naopt.metrics.rank import NoiseCeiling, kendall_tau, noise_ceiling, pairwise_accuracy, spearman
from naopt.metrics.sequence import hamming_distance
from naopt.metrics.statistics import PairedSummary, Summary, bootstrap_interval, paired_summary, summarise

__all__ = [
    "NoiseCeiling",
    "PairedSummary",
    "Summary",
    "bootstrap_interval",
    "hamming_distance",
    "kendall_tau",
    "noise_ceiling",
    "paired_summary",
    "pairwise_accuracy",
    "spearman",
    "summarise",
]
