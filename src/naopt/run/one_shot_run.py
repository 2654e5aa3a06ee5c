"""The first part of a weight-sharing search: a supernet is trained, in the run's directory, and survives being killed.

``supernet.safetensors`` is the training's state after the latest epoch that was saved, and in the end; ``supernet.csv``
has a line for each epoch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError, NaoptError
from naopt.evaluators.training import select_device
from naopt.evaluators.workloads import create_workload
from naopt.execution.interrupt import stop_after_step, stop_on_signal
from naopt.one_shot import OneShotSearcher, OneShotSettings
from naopt.one_shot.candidates import CandidateSearcher
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.run.config import RunConfig
from naopt.run.files import write_text
from naopt.run.kinds import searcher_kind
from naopt.run.record import CONFIG, load_run
from naopt.run.training_progress import TrainingProgress, learning_curve
from naopt.spaces import create_space
from naopt.values import plain

if TYPE_CHECKING:
    from naopt.one_shot.data import SharedData
    from naopt.one_shot.trainer import SharedTrainer
    from naopt.run.setup import Setup

SUPERNET, SUPERNET_CURVE = "supernet.safetensors", "supernet.csv"
CHECKPOINT_SECONDS = 30.0


class SupernetDivergedError(NaoptError):
    """Shared weights diverged too often."""


def check_supernet(setup: Setup) -> None:
    """Makes everything that a weight-sharing search begins with, and drops it.

    Raises:
        InputError: no supernet, or not with these settings, or one that does not serve the searcher.
    """
    with _reproducible(setup):
        _assembled(setup)


def train_supernet(
    directory: Path, setup: Setup, *, checkpoint_seconds: float = CHECKPOINT_SECONDS
) -> CandidateSearcher:
    """Trains the supernet of a run, or goes on with it, to the end.

    Args:
        directory: of the run, which is locked.
        setup: of the run, whose searcher shares weights.
        checkpoint_seconds: how often at most, after an epoch, the state is saved; when the training ends or is stopped
            in any case.

    Returns:
        A searcher that proposes the candidates.

    Raises:
        InputError: what the saved state was trained with or on is not as it was.
        KeyboardInterrupt: a signal came; what was trained since the epoch began is lost.
        SupernetDivergedError: the shared weights diverged too often; the state where the epoch began is saved.
    """
    from naopt.training.checkpoint import load_checkpoint
    from naopt.training.trainer import DivergedError

    config = setup.config
    with _reproducible(setup):
        with stop_after_step() as stopped:
            trainer, about = _assembled(setup)
            if (directory / SUPERNET).is_file():
                trainer.restore(load_checkpoint(directory / SUPERNET, about))
            watch = _Watch(directory, trainer, about, checkpoint_seconds)
            with TrainingProgress(trainer) as bar:

                def stepped() -> None:
                    bar.stepped(trainer)
                    if stopped():
                        raise KeyboardInterrupt

                try:
                    trainer.run(stepped, watch.epoch_done)
                except KeyboardInterrupt:
                    watch.save()
                    raise
                except DivergedError as error:
                    watch.save()
                    returns = f"{trainer.settings.rollbacks} returns to the last good epoch"
                    rule = f"{error}, after {returns}; begin another run with a lower learning_rate"
                    raise SupernetDivergedError(f"shared weights diverged: {rule}") from None
            if stopped():
                raise KeyboardInterrupt
        with stop_on_signal():
            proposals = trainer.searcher.candidates(config.budget, trainer)
            trainer.searcher.leave(directory)
    return CandidateSearcher(setup.space, setup.objective, proposals, seed=config.seed, budget=config.budget)


def _reproducible(setup: Setup) -> AbstractContextManager[None]:
    from naopt.training.reproducible import reproducible

    return reproducible(setup.config.seed, select_device(setup.config.device), setup.config.threads)


def _assembled(setup: Setup) -> tuple[SharedTrainer, dict[str, Any]]:
    """The training of a run's supernet before its first step, and what it is a training of."""
    from naopt.one_shot.build import shared_data, shared_trainer

    config, evaluator, settings = setup.config, setup.evaluator, setup.settings
    kind = searcher_kind(config.searcher)
    assert issubclass(kind, OneShotSearcher)
    assert isinstance(evaluator, SharedWeightsEvaluator)
    assert isinstance(settings, OneShotSettings)
    data, facts = shared_data(setup.space, evaluator.work, settings, config.device)
    searcher = kind(setup.space, settings, seed=config.seed)
    trainer = shared_trainer(data, searcher, evaluator.work, select_device(config.device))
    return trainer, {**_identity(config), **evaluator.work.identity(facts)}


class _Watch:
    """Saves state and learning curve now and then."""

    def __init__(self, directory: Path, trainer: SharedTrainer, about: Mapping[str, Any], every: float) -> None:
        self._directory, self._trainer, self._about, self._every = directory, trainer, about, every
        self._saved = time.monotonic()

    def epoch_done(self, figures: Mapping[str, float]) -> None:  # noqa: ARG002
        trainer = self._trainer
        if trainer.epoch == trainer.epochs or time.monotonic() - self._saved >= self._every:
            self.save()

    def save(self) -> None:
        """Saves the state where the epoch began."""
        from naopt.training.checkpoint import save_checkpoint

        save_checkpoint(self._directory / SUPERNET, self._trainer.epoch_start(), self._about)
        write_text(self._directory / SUPERNET_CURVE, learning_curve(self._trainer.history))
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
