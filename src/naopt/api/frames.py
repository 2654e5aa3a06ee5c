"""Results as tables of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from naopt.api.trials import ResultTrial
from naopt.errors import NaoptError
from naopt.spaces import GenericSpace, SearchSpace

if TYPE_CHECKING:
    import pandas as pd

_FACTS = ("index", "round", "origin", "status", "reason", "seconds")
_PLAIN = (bool, int, float, str)


def trials_frame(trials: Sequence[ResultTrial], space: SearchSpace, metric: str) -> pd.DataFrame:
    """See ``Result.to_dataframe``; ``metric`` has a column in any case."""
    columns: dict[str, list[Any]] = {name: [getattr(trial, name) for trial in trials] for name in _FACTS}
    columns["architecture"] = [trial.text for trial in trials]
    if isinstance(space, GenericSpace):
        for position in space.positions:
            name = f"position:{position.name}" if position.name in columns else position.name
            columns[name] = [trial.values[position.name] for trial in trials]
    names = dict.fromkeys(name for trial in trials for name in trial.metrics)
    for measured in dict.fromkeys([metric, *names]):
        name = f"metric:{measured}" if measured in columns else measured
        columns[name] = [trial.metrics.get(measured, float("nan")) for trial in trials]
    return frame(columns)


def frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A table; columns with values of one plain type have that, all others hold the values as they are.

    Raises:
        NaoptError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise NaoptError("to_dataframe needs pandas: pip install 'naopt[pandas]'") from error
    made = {}
    for name, values in columns.items():
        kinds = {type(value) for value in values}
        plain = len(kinds) == 1 and kinds <= set(_PLAIN) and all(_fits(value) for value in values)
        made[name] = pd.Series(list(values), dtype=None if plain else object)
    return pd.DataFrame(made)


def _fits(value: object) -> bool:
    """Whether pandas keeps a whole number as one."""
    return not isinstance(value, int) or abs(value) < 2**63
