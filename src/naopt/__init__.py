"""naopt: Neural Architecture Optimization, whole, and the systems around it. Importing it imports no torch.

What people type most is here, and imported when it is first asked for: ``naopt.search``, and what belongs to it.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from naopt._version import __version__

if TYPE_CHECKING:
    from naopt import searchers, spaces, tables
    from naopt.api import (
        ComparisonResult,
        Result,
        ResultTrial,
        SearchStoppedError,
        StopSearch,
        baseline,
        compare,
        load_run,
        proxy,
        resume,
        search,
    )
    from naopt.errors import InputError, NaoptError, RunStoppedError
    from naopt.measurement import Measurement
    from naopt.problem import Limit, Objective, Problem
    from naopt.spaces import Architecture, Space, choice, integer, ordinal
    from naopt.tables import load_table

__all__ = [
    "Architecture",
    "ComparisonResult",
    "InputError",
    "Limit",
    "Measurement",
    "NaoptError",
    "Objective",
    "Problem",
    "Result",
    "ResultTrial",
    "RunStoppedError",
    "SearchStoppedError",
    "Space",
    "StopSearch",
    "__version__",
    "baseline",
    "choice",
    "compare",
    "integer",
    "load_run",
    "load_table",
    "ordinal",
    "proxy",
    "resume",
    "search",
    "searchers",
    "spaces",
    "tables",
]

_ROOMS = ("searchers", "spaces", "tables")
_HOMES = {
    "naopt.api": (
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
    ),
    "naopt.errors": ("InputError", "NaoptError", "RunStoppedError"),
    "naopt.measurement": ("Measurement",),
    "naopt.problem": ("Limit", "Objective", "Problem"),
    "naopt.spaces": ("Architecture", "Space", "choice", "integer", "ordinal"),
    "naopt.tables": ("load_table",),
}

logging.getLogger("naopt").addHandler(logging.NullHandler())

if not TYPE_CHECKING:  # type checkers would take any name for one of naopt's

    def __getattr__(name):
        if name in _ROOMS:
            return import_module(f"naopt.{name}")
        for home, names in _HOMES.items():
            if name in names:
                value = globals()[name] = getattr(import_module(home), name)
                return value
        raise AttributeError(f"module 'naopt' has no attribute '{name}'")

    def __dir__():
        return sorted({*globals(), *__all__})
