"""Many searches, many seeds, statistics: compares searchers and performance models on tables."""

from naopt.bench.comparison import Comparison, SearchTrial, compare, run_trial
from naopt.bench.journal import Journal, QualityJournal
from naopt.bench.quality import QualityStudy, QualityTrial, measure_quality
from naopt.bench.quality_summary import summarise_quality
from naopt.bench.settings import searcher_settings
from naopt.bench.summary import checkpoint_columns, summarise_trials
from naopt.bench.workers import JobError, run_jobs

__all__ = [
    "Comparison",
    "JobError",
    "Journal",
    "QualityJournal",
    "QualityStudy",
    "QualityTrial",
    "SearchTrial",
    "checkpoint_columns",
    "compare",
    "measure_quality",
    "run_jobs",
    "run_trial",
    "searcher_settings",
    "summarise_quality",
    "summarise_trials",
]
