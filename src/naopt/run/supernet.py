"""The trained supernet of a run, for whoever measures with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.one_shot import OneShotSearcher
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.kinds import searcher_kind
from naopt.run.config import RunConfig
from naopt.run.names import CONFIG, SUPERNET
from naopt.run.record import load_run
from naopt.spaces import create_space

if TYPE_CHECKING:
    from naopt.one_shot.data import SharedData
    from naopt.spaces import SearchSpace


_BEFORE_NUMBERING = {"affine": True, "normalise_pools": False, "normalise_states": False}
"""How supernets normalised before this was a setting, which is when ``numbering`` became one."""

_SPELLINGS = 20


def open_supernet(directory: str | Path, *, device: str = "cpu") -> SharedData:
    """The validation data of a finished weight-sharing search, bound to its trained supernet.

    Raises:
        InputError: not a run, one whose searcher shares no weights, one that is not finished, or of an older naopt.
    """
    return shared_evaluator(directory, device=device).data


def shared_evaluator(directory: str | Path, *, device: str = "cpu") -> SharedWeightsEvaluator:
    """What measures architectures with the shared weights of a weight-sharing search. Raises as ``open_supernet``."""
    directory = Path(directory)
    config = RunConfig.read(directory / CONFIG)
    kind = searcher_kind(config.searcher)
    if not issubclass(kind, OneShotSearcher):
        raise InputError("run", str(directory), f"searcher {config.searcher} shares no weights")
    if not (directory / SUPERNET).is_file() or not load_run(directory, config).evaluated:
        raise InputError("run", str(directory), f"its supernet is not trained; go on with: naopt resume {directory}")
    space = create_space(config.space, config.space_options)
    check_numbering(directory, config, space)
    before = {} if "numbering" in config.searcher_settings else _BEFORE_NUMBERING
    return SharedWeightsEvaluator(
        space,
        create_workload(config.task, config.training),
        kind.settings_type.parse(before | config.searcher_settings),
        directory / SUPERNET,
        device=device,
        threads=config.threads,
    )


def check_numbering(directory: Path, config: RunConfig, space: SearchSpace) -> None:
    """Refuses shared weights that were trained on other paths than they would be used for.

    Before ``numbering`` was a setting, paths were trained as written and measured in canonical form. In a space that
    has one spelling of each architecture (NAS-Bench-201) these are the same.

    Raises:
        InputError: they are not the same, and the run has no ``numbering``.
    """
    if "numbering" in config.searcher_settings:
        return
    rng = np.random.default_rng(0)
    if any(a.tokens != a.identity for a in (space.sample(rng) for _ in range(_SPELLINGS))):
        rule = "its supernet is of a naopt that numbered paths otherwise; train it again"
        raise InputError("run", str(directory), rule)
