"""The training of finalists: how long, with which seeds, and what trains them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError
from naopt.evaluators.final import DATA_SETTINGS, final_workload
from naopt.evaluators.seeds import finalist_seed
from naopt.evaluators.training import TrainingEvaluator
from naopt.execution import Job, create_engine, evaluation_seed
from naopt.one_shot.kinds import shares_weights
from naopt.run.config import RunConfig
from naopt.run.names import CONFIG
from naopt.run.workloads import workload_of

if TYPE_CHECKING:
    from naopt.evaluators.base import Evaluator
    from naopt.evaluators.workloads import Workload
    from naopt.measurement import Measurement
    from naopt.problem import Problem
    from naopt.run.record import RunRecord

LONGER = 4
"""Times the search's epochs, where a search trains its children and no preset is named."""


def finalist_evaluator(config: RunConfig, evaluator: Evaluator) -> TrainingEvaluator:
    """What trains finalists, on the search's training images or text, and measures them on its validation data.

    With a preset as it says. Else as the search trains its children, four times as long; where a search trains none
    alone (shared weights, zero-cost proxies) as its training settings say.

    Raises:
        InputError: the search measures what is no network, has several objectives, or one that no training measures;
            or a preset that is not there, or is for another kind of task.
    """
    work, task = workload_of(evaluator), config.task
    if work is None:
        measured = config.table or config.function or type(evaluator).__name__
        rule = f"has a use only where networks are trained (--task); {measured} is looked up or called"
        raise InputError("finalists", config.finalists, rule)
    device, threads = config.device, config.threads
    if isinstance(evaluator, TrainingEvaluator):
        task, device, threads = evaluator.task_spec, evaluator.device, evaluator.threads
    elif config.supernet:
        task = RunConfig.read(Path(config.supernet) / CONFIG).task
    longer = LONGER if isinstance(evaluator, TrainingEvaluator) else 1
    settings = _settings(work, task, config.finalist_preset, longer)
    return TrainingEvaluator(evaluator.space, task, settings, device=device, threads=threads)


def _settings(work: Workload, task: str, preset: str, longer: int) -> Any:
    values = work.settings.model_dump()
    if preset:
        read = {name: values[name] for name in DATA_SETTINGS if name in values}
        return final_workload(task, preset, suggested=read).settings
    for name in ("epochs", "cosine_epochs"):
        if values.get(name) is not None:
            values[name] *= longer
    return type(work.settings).parse(values)


def check_finalists(config: RunConfig, evaluator: Evaluator, problem: Problem) -> None:
    """Raises ``InputError``, as ``finalist_evaluator``, for finalists that could not be trained or compared."""
    if config.finalist_preset and not config.finalists:
        raise InputError("finalist preset", config.finalist_preset, "has a use only with --finalists")
    if not config.finalists:
        return
    if config.elsewhere:
        raise InputError("finalists", config.finalists, "has no use where others measure")
    if len(problem.objectives) > 1:
        names = ", ".join(objective.metric for objective in problem.objectives)
        raise InputError("finalists", config.finalists, f"are compared by one objective, not by {names}")
    trains = finalist_evaluator(config, evaluator)
    metric = problem.objective.metric
    if isinstance(evaluator, TrainingEvaluator) and metric not in trains.metrics:
        rule = f"are compared by what a longer training measures, which is not {metric}"
        raise InputError("finalists", config.finalists, rule)


def about_finalists(evaluator: Evaluator, record: RunRecord) -> dict[str, Any]:
    """What a run notes before its finalists are trained: which they are, what they are compared by, and how trained.

    Raises:
        InputError: some are trained already, with other settings.
    """
    trains = finalist_evaluator(record.config, evaluator)
    alone = isinstance(evaluator, TrainingEvaluator)
    metric = record.objective.metric if alone else trains.default_metric
    chosen = [trial.index for trial in record.wanted_finalists]
    settings = trains.settings.model_dump(mode="json", exclude_none=True)
    if record.finalists and record.meta.get("finalist_settings", settings) != settings:
        rule = "its finalists were trained with other settings; undo that change, or begin another run"
        raise InputError("run", str(record.directory), rule)
    return {
        "wanted_finalists": {"after": len(record.evaluated), "of": record.config.finalists, "trials": chosen},
        "finalist_objective": {"metric": metric, "goal": trains.metrics[metric].goal},
        "finalist_settings": settings,
    }


def train_finalists(evaluator: Evaluator, record: RunRecord, workers: int) -> Iterator[tuple[int, Measurement]]:
    """Trains the finalists that were not trained yet; gives each trial's index with what it gave, as results come.

    Where the search trained its children, a finalist's seed is another than that of its evaluation.

    Args:
        evaluator: of the search.
        record: of the search, as it stands.
        workers: how many trainings at a time.

    Raises:
        KeyboardInterrupt: a training was interrupted.
    """
    config, trains = record.config, finalist_evaluator(record.config, evaluator)
    alone = isinstance(evaluator, TrainingEvaluator)
    seed_of = finalist_seed if alone else evaluation_seed
    jobs = [
        Job(trial.index, trial.architecture, seed_of(config.seed, trial.architecture))
        for trial in record.wanted_finalists
        if trial.index not in record.finalists
    ]
    engine = create_engine(
        "local" if shares_weights(config.searcher) else config.engine,
        trains,
        workers,
        config.timeout * (LONGER if alone else 1) or None,
        workers_per_device=config.workers_per_device,
    )
    with engine:
        for index, found in engine.evaluate(jobs):
            if found.status == "interrupted":
                raise KeyboardInterrupt
            yield index, found
