"""The last phase of a weight-sharing search: its best candidates are trained stand-alone; the best of them is best."""

from __future__ import annotations

from naopt.evaluators.training import TrainingEvaluator
from naopt.execution import Job, create_engine, evaluation_seed
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.phase import Phase
from naopt.run.search_state import SearchState


class Finalists(Phase):
    """Trains the finalists that were not trained yet, with a seed each."""

    def __init__(self, state: SearchState) -> None:
        self._state = state

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        return self._state.record.finished

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        record = self._state.record
        return f"after {len(record.finalists)} of {len(record.wanted_finalists)} finalists"

    def carry_out(self) -> None:
        """See ``Phase``."""
        state, store, setup = self._state, self._state.open_store, self._state.setup
        config, record = setup.config, self._state.record
        jobs = [
            Job(trial.index, trial.architecture, evaluation_seed(config.seed, trial.architecture))
            for trial in record.wanted_finalists
            if trial.index not in record.finalists
        ]
        evaluator = TrainingEvaluator(
            setup.space, config.task, config.training, device=config.device, threads=config.threads
        )
        metric = evaluator.default_metric
        store.note(finalist_objective={"metric": metric, "goal": evaluator.metrics[metric].goal})
        engine = create_engine("local", evaluator, state.wanted_workers, config.timeout or None)
        with stop_on_signal(), engine:
            for index, found in engine.evaluate(jobs):
                if found.status == "interrupted":
                    raise KeyboardInterrupt
                store.record_finalist(index, found, seconds=state.seconds)
