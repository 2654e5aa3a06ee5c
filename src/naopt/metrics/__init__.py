"""Rank correlation, pairwise accuracy, top-k figures, Hamming distance, statistics. Imports no torch."""

from naopt.metrics.rank import (
    NoiseCeiling,
    best_rank_at_k,
    kendall_tau,
    noise_ceiling,
    pairwise_accuracy,
    precision_at_k,
    spearman,
)
from naopt.metrics.sequence import hamming_distance
from naopt.metrics.statistics import (
    CensoredMedian,
    PairedSummary,
    Summary,
    bootstrap_interval,
    bootstrap_intervals,
    censored_median,
    paired_columns,
    paired_summary,
    sign_test,
    signed_rank_test,
    summarise,
    summarise_columns,
)

__all__ = [
    "CensoredMedian",
    "NoiseCeiling",
    "PairedSummary",
    "Summary",
    "best_rank_at_k",
    "bootstrap_interval",
    "bootstrap_intervals",
    "censored_median",
    "hamming_distance",
    "kendall_tau",
    "noise_ceiling",
    "paired_columns",
    "paired_summary",
    "pairwise_accuracy",
    "precision_at_k",
    "sign_test",
    "signed_rank_test",
    "spearman",
    "summarise",
    "summarise_columns",
]
