"""Rank correlation, top-k figures, Hamming distance, statistics, fronts of several objectives. Imports no torch."""

from naopt.metrics.boxes import boxes
from naopt.metrics.components import VarianceComponents, covariances, variance_components
from naopt.metrics.dominance import crowding, non_dominated, non_dominated_ranks
from naopt.metrics.fronts import attainment, igd_plus, knee
from naopt.metrics.hypervolume import hypervolume
from naopt.metrics.information import Dependence, dependence, entropy, mutual_information, permutation_p
from naopt.metrics.intervals import (
    Estimate,
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
    spearman_interval,
    spearman_test,
    tau_of_pairs,
)
from naopt.metrics.selection import expected_finals, expected_maximum, expected_picks
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
    "Dependence",
    "Estimate",
    "NoiseCeiling",
    "PairedSummary",
    "Summary",
    "VarianceComponents",
    "attainment",
    "best_rank_at_k",
    "bootstrap_interval",
    "bootstrap_intervals",
    "boxes",
    "censored_median",
    "covariances",
    "crowding",
    "dependence",
    "entropy",
    "expected_finals",
    "expected_maximum",
    "expected_picks",
    "hamming_distance",
    "hypervolume",
    "igd_plus",
    "interval_method",
    "kendall_tau",
    "kendall_tau_interval",
    "knee",
    "mean_intervals",
    "mutual_information",
    "noise_ceiling",
    "non_dominated",
    "non_dominated_ranks",
    "paired_columns",
    "paired_summary",
    "pairwise_accuracy",
    "permutation_p",
    "precision_at_k",
    "share_beaten",
    "sign_test",
    "signed_rank_test",
    "spearman",
    "spearman_interval",
    "spearman_test",
    "summarise",
    "summarise_columns",
    "tau_of_pairs",
    "variance_components",
    "wilson_interval",
]
