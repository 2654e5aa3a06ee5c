"""The first part of a weight-sharing search: a supernet is trained, in the run's directory, and survives being killed.

``supernet.safetensors`` is the training's state after the latest epoch that was saved, and in the end; ``supernet.csv``
has a line for each epoch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError, NaoptError
from naopt.evaluators.training import select_device
from naopt.evaluators.workloads import create_workload
from naopt.one_shot import OneShotSearcher, OneShotSettings
from naopt.one_shot.candidates import CandidateSearcher
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.run.config import RunConfig
from naopt.run.files import write_text
from naopt.run.interrupt import stop_after_step
from naopt.run.kinds import searcher_kind
from naopt.run.record import CONFIG, load_run
from naopt.run.training_progress import TrainingProgress, learning_curve
from naopt.run.values import plain
from naopt.spaces import create_space

if TYPE_CHECKING:
    from naopt.one_shot.data import SharedData
    from naopt.one_shot.trainer import SharedTrainer
    from naopt.run.setup import Setup

SUPERNET, SUPERNET_CURVE = "supernet.safetensors", "supernet.csv"
CHECKPOINT_SECONDS = 30.0


def train_supernet(
    directory: Path, setup: Setup, *, checkpoint_seconds: float = CHECKPOINT_SECONDS
) -> CandidateSearcher:
    """Trains the supernet of a run, or goes on with it, to the end.

    Args:
        directory: of the run, which is locked.
        setup: of the run, whose searcher shares weights.
        checkpoint_seconds: how often at most, after an epoch, the state is saved; at the end in any case.

    Returns:
        A searcher that proposes the candidates.

    Raises:
        KeyboardInterrupt: a signal came; what was trained since the latest saved epoch is lost.
        NaoptError: the shared weights diverged too often.
    """
    from naopt.one_shot.build import shared_data, shared_trainer
    from naopt.training.checkpoint import load_checkpoint
    from naopt.training.reproducible import reproducible
    from naopt.training.trainer import DivergedError

    config, evaluator = setup.config, setup.evaluator
    assert isinstance(evaluator, SharedWeightsEvaluator)
    kind = searcher_kind(config.searcher)
    assert issubclass(kind, OneShotSearcher)
    settings = setup.settings
    assert isinstance(settings, OneShotSettings)
    device = select_device(config.device)
    with reproducible(config.seed, device, config.threads), stop_after_step() as stopped:
        data, facts = shared_data(setup.space, evaluator.work, settings, config.device)
        searcher = kind(setup.space, settings, seed=config.seed)
        trainer = shared_trainer(data, searcher, evaluator.work, device)
        about = {**_identity(config), **evaluator.work.identity(facts)}
        checkpoint = directory / SUPERNET
        if checkpoint.is_file():
            trainer.restore(load_checkpoint(checkpoint, about))
        watch = _Watch(directory, trainer, about, checkpoint_seconds)
        with TrainingProgress(trainer) as bar:

            def stepped() -> None:
                bar.stepped(trainer)
                if stopped():
                    raise KeyboardInterrupt

            try:
                trainer.run(stepped, watch.epoch_done)
            except DivergedError as error:
                rule = f"{error}, after {settings.rollbacks} returns to the last good epoch; lower learning_rate"
                raise NaoptError(f"run '{directory}': shared weights diverged: {rule}") from None
        proposals = searcher.candidates(config.budget, trainer)
        searcher.leave(directory)
    return CandidateSearcher(setup.space, setup.objective, proposals, seed=config.seed, budget=config.budget)


class _Watch:
    """Saves the state now and then, and the learning curve after each epoch."""

    def __init__(self, directory: Path, trainer: SharedTrainer, about: Mapping[str, Any], every: float) -> None:
        self._directory, self._trainer, self._about, self._every = directory, trainer, about, every
        self._saved = time.monotonic()

    def epoch_done(self, figures: Mapping[str, float]) -> None:  # noqa: ARG002
        from naopt.training.checkpoint import save_checkpoint

        trainer = self._trainer
        if trainer.epoch == trainer.epochs or time.monotonic() - self._saved >= self._every:
            save_checkpoint(self._directory / SUPERNET, trainer.state(), self._about)
            write_text(self._directory / SUPERNET_CURVE, learning_curve(trainer.history))
            self._saved = time.monotonic()


def _identity(config: RunConfig) -> dict[str, Any]:
    """What decides about the shared weights."""
    values = plain(config.to_values())
    return {key: values[key] for key in ("space", "searcher", "task", "training", "seed", "threads") if key in values}


def open_supernet(directory: str | Path, *, device: str = "cpu") -> SharedData:
    """The validation data of a finished weight-sharing search, bound to its trained supernet.

    Raises:
        InputError: not a run, one whose searcher shares no weights, or one that is not finished.
    """
    return shared_evaluator(directory, device=device).data


def shared_evaluator(directory: str | Path, *, device: str = "cpu") -> SharedWeightsEvaluator:
    """What measures architectures with the shared weights of a weight-sharing search. Raises as ``open_supernet``."""
    directory = Path(directory)
    config = RunConfig.read(directory / CONFIG)
    kind = searcher_kind(config.searcher)
    if not issubclass(kind, OneShotSearcher):
        raise InputError("run", str(directory), f"searcher {config.searcher} shares no weights")
    if not (directory / SUPERNET).is_file() or not load_run(directory).evaluated:
        raise InputError("run", str(directory), f"its supernet is not trained; go on with: naopt resume {directory}")
    settings = kind.settings_type.parse(config.searcher_settings)
    return SharedWeightsEvaluator(
        create_space(config.space, config.space_options),
        create_workload(config.task, config.training),
        settings,
        directory / SUPERNET,
        device=device,
        threads=config.threads,
    )
