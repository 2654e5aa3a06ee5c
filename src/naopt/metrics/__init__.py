"""Rank correlation, pairwise accuracy, top-k figures, Hamming distance, statistics. Imports no torch."""

from naopt.metrics.intervals import (
    bootstrap_interval,
    bootstrap_intervals,
    interval_method,
    mean_intervals,
    wilson_interval,
)
from naopt.metrics.rank import (
    NoiseCeiling,
    best_rank_at_k,
    kendall_tau,
    kendall_tau_interval,
    noise_ceiling,
    pairwise_accuracy,
    precision_at_k,
    share_beaten,
    spearman,
)
from naopt.metrics.sequence import hamming_distance
from naopt.metrics.statistics import (
    CensoredMedian,
    PairedSummary,
    Summary,
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
    "interval_method",
    "kendall_tau",
    "kendall_tau_interval",
    "mean_intervals",
    "noise_ceiling",
    "paired_columns",
    "paired_summary",
    "pairwise_accuracy",
    "precision_at_k",
    "share_beaten",
    "sign_test",
    "signed_rank_test",
    "spearman",
    "summarise",
    "summarise_columns",
    "wilson_interval",
]
