"""One door for Python: search any function, go on, look at what was found. ``naopt`` hands its names on, lazily."""

from naopt.api.baselines import baseline
from naopt.api.comparing import ComparisonResult, compare
from naopt.api.observing import StopSearch
from naopt.api.recipes import proxy
from naopt.api.result import Result
from naopt.api.searching import SearchStoppedError, load_run, resume, search
from naopt.api.trials import ResultTrial

__all__ = [
    "ComparisonResult",
    "Result",
    "ResultTrial",
    "SearchStoppedError",
    "StopSearch",
    "baseline",
    "compare",
    "load_run",
    "proxy",
    "resume",
    "search",
]
