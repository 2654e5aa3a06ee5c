"""Many searches, many seeds, statistics: compares searchers and performance models on tables."""

from naopt.bench.comparison import Comparison
from naopt.bench.crews import SCHEDULES, Crew, parse_schedule
from naopt.bench.durations import Durations, parse_durations
from naopt.bench.journal import Journal, QualityJournal
from naopt.bench.quality import QualityStudy, QualityTrial, measure_quality
from naopt.bench.quality_summary import summarise_quality
from naopt.bench.searches import compare, run_trial
from naopt.bench.settings import searcher_settings
from naopt.bench.simulation import Simulation
from naopt.bench.summary import checkpoint_columns, summarise_trials
from naopt.bench.trials import SearchTrial
from naopt.bench.workers import JobError, run_jobs

__all__ = [
    "SCHEDULES",
    "Comparison",
    "Crew",
    "Durations",
    "JobError",
    "Journal",
    "QualityJournal",
    "QualityStudy",
    "QualityTrial",
    "SearchTrial",
    "Simulation",
    "checkpoint_columns",
    "compare",
    "measure_quality",
    "parse_durations",
    "parse_schedule",
    "run_jobs",
    "run_trial",
    "searcher_settings",
    "summarise_quality",
    "summarise_trials",
]
