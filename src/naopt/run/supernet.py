"""The trained supernet of a run, for whoever measures with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
    if "numbering" not in config.searcher_settings:
        # What was trained under numbers as written would be measured under canonical ones.
        raise InputError(
            "run", str(directory), "its supernet is of a naopt that numbered paths otherwise; train it again"
        )
    settings = kind.settings_type.parse(config.searcher_settings)
    return SharedWeightsEvaluator(
        create_space(config.space, config.space_options),
        create_workload(config.task, config.training),
        settings,
        directory / SUPERNET,
        device=device,
        threads=config.threads,
    )
