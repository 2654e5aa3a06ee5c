"""The first phase of a weight-sharing search: its supernet is trained, and the candidates are named.

``supernet.safetensors`` is the training's state after the latest epoch that was saved, and in the end; ``supernet.csv``
has a line for each epoch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from naopt.errors import NaoptError
from naopt.evaluators.training import select_device
from naopt.execution.conversation import Conversation, Start
from naopt.execution.deadline import TimeIsUpError
from naopt.execution.interrupt import stop_after_step, stop_on_signal
from naopt.execution.phase import Phase
from naopt.execution.training_progress import TrainingProgress
from naopt.one_shot.assembly import assemble
from naopt.one_shot.candidates import CandidateSearcher
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.watch import SupernetWatch
from naopt.run.names import SUPERNET, SUPERNET_CURVE
from naopt.run.phases.measuring import Recorder
from naopt.run.search_state import SearchState
from naopt.run.supernet import check_numbering
from naopt.values import plain

if TYPE_CHECKING:
    from naopt.one_shot.trainer import SharedTrainer

CHECKPOINT_SECONDS = 30.0
"""How often at most, after an epoch, the state is saved; when the training ends or is stopped in any case."""


class SupernetDivergedError(NaoptError):
    """Shared weights diverged too often."""


class SupernetTraining(Phase):
    """Trains the supernet, or goes on with it, to the end; then the searcher proposes all candidates at once."""

    def __init__(self, state: SearchState) -> None:
        self._state = state

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        return bool(self._state.record.rounds) or self._state.record.measured

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        return "in the training of shared weights"

    def check(self) -> None:
        """See ``Phase``."""
        self._state.setup.evaluator.check()
        with self._reproducible():
            self.assembled()

    def carry_out(self) -> None:
        """See ``Phase``.

        Raises:
            InputError: what the saved state was trained with or on is not as it was.
            SupernetDivergedError: the shared weights diverged too often; the state where the epoch began is saved.
        """
        state, setup = self._state, self._state.setup
        stopped = None
        try:
            with self._reproducible():
                trainer = self._train()
                with stop_on_signal():
                    proposals = trainer.searcher.candidates(setup.config.budget, trainer)
                    trainer.searcher.leave(state.directory)
        except TimeIsUpError:
            state.note_time_is_up()
            return
        except SupernetDivergedError as error:
            stopped = str(error)
            raise NaoptError(f"run '{state.directory}': {error}") from None
        finally:
            state.open_store.note(seconds=state.seconds, stopped=stopped)
        config = setup.config
        searcher = CandidateSearcher(setup.space, setup.problem, proposals, seed=config.seed, budget=config.budget)
        recorder = Recorder(state)
        if not Conversation(searcher, config.budget, recorder, Start()).ask(config.budget):
            recorder.exhausted()

    def _train(self) -> SharedTrainer:
        from naopt.training.checkpoint import load_checkpoint
        from naopt.training.trainer import DivergedError

        with stop_after_step() as stopped:
            trainer, about = self.assembled()
            stopped.waits = True
            weights = self._state.directory / SUPERNET
            if weights.is_file():
                check_numbering(self._state.directory, self._state.setup.config, self._state.setup.space)
                trainer.restore(load_checkpoint(weights, about))
            directory, deadline = self._state.directory, self._state.deadline
            watch = SupernetWatch(directory / SUPERNET, directory / SUPERNET_CURVE, trainer, about, CHECKPOINT_SECONDS)
            with TrainingProgress(trainer) as bar:

                def stepped() -> None:
                    bar.stepped(trainer)
                    deadline.check()
                    if stopped():
                        raise KeyboardInterrupt

                try:
                    trainer.run(stepped, watch.epoch_done)
                except (KeyboardInterrupt, TimeIsUpError):
                    watch.save()
                    raise
                except DivergedError as error:
                    watch.save()
                    returns = f"{trainer.settings.rollbacks} returns to the last good epoch"
                    rule = f"{error}, after {returns}; begin another run with a lower learning_rate"
                    raise SupernetDivergedError(f"shared weights diverged: {rule}") from None
            if stopped():
                raise KeyboardInterrupt
        return trainer

    def _reproducible(self) -> AbstractContextManager[None]:
        from naopt.training.reproducible import reproducible

        config = self._state.setup.config
        return reproducible(config.seed, select_device(config.device), config.threads)

    def assembled(self) -> tuple[SharedTrainer, dict[str, Any]]:
        """The training before its first step, and what it is a training of."""
        setup = self._state.setup
        config, evaluator = setup.config, setup.evaluator
        assert isinstance(evaluator, SharedWeightsEvaluator)
        trainer, facts = assemble(evaluator, config.searcher, seed=config.seed)
        values = plain(config.to_values())
        keys = ("space", "searcher", "task", "training", "seed", "threads")
        return trainer, {**{key: values[key] for key in keys if key in values}, **evaluator.work.identity(facts)}
