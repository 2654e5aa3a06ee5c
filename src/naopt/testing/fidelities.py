"""The part of the suite for searchers that is about levels of fidelity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from naopt.bench.simulated_engine import SimulatedEngine
from naopt.errors import InputError
from naopt.execution import Observer, Start, Trial
from naopt.execution.asynchronous import run_async
from naopt.execution.jobs import Job
from naopt.execution.loop import run_search
from naopt.fidelity import Fidelity
from naopt.measurement import Goal, Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.spaces import Architecture
from naopt.testing.drives import SearcherCase, score
from naopt.testing.suite import Suite

TOY = Fidelity(("score/1", "score/3", "score"), (1.0, 3.0, 9.0))
_BUDGET, _WORKERS = 5, 4

MeasureAt = Callable[[Architecture, int], float]


def score_at(architecture: Architecture, level: int) -> float:
    """The toy metric, less what the level does not know of it."""
    away = sum(architecture.identity) % 7 / 7
    return score(architecture) - (0.3, 0.1, 0.0)[level] * away


class FidelitySuite(Suite):
    """Checks of one searcher that proposes levels; of others none."""

    def test_levels_are_paid_for(self, case: SearcherCase) -> None:
        if not self._takes_levels(case):
            return
        trials = self._search(case)
        before: dict[Architecture, int] = {}
        for trial in trials:
            level = TOY.number(trial.level)
            cost = TOY.step(level, before.get(trial.architecture, -1))
            assert trial.cost == cost, f"evaluation {trial.index} costs {trial.cost:g}, and not {cost:g}"
            before[trial.architecture] = level
        spent = sum(trial.cost for trial in trials)
        assert _BUDGET - 1e-9 <= spent < _BUDGET + 1 or case.space.size < 1000, f"spent {spent:g} of {_BUDGET}"
        assert any(trial.level is None for trial in trials), "nothing is measured in full"
        assert any(trial.level is not None for trial in trials), "nothing is measured at a lower level"

    def test_levels_resume(self, case: SearcherCase) -> None:
        if not self._takes_levels(case):
            return
        trials = self._search(case)
        for count in (len(trials) // 3, len(trials) - 1):
            # What is left of a round that was cut off is measured first.
            last = trials[count - 1].round
            past = [
                t if t.index < count else replace(t, measurement=None, place=None) for t in trials if t.round <= last
            ]
            again = self._search(case, past=past)
            assert _shown(again) == _shown(trials), f"a search that is resumed after {count} goes on otherwise"

    def test_results_at_levels_matter(self, case: SearcherCase) -> None:
        if not self._takes_levels(case) or case.space.size < 1000:
            return
        most, turned = self._search(case), self._search(case, lambda a, level: -score_at(a, level))
        assert _shown(most) != _shown(turned), "proposes the same whatever it is told"
        least = self._search(case, lambda a, level: -score_at(a, level), goal="min")
        assert _shown(least) == _shown(most), "minimising -x must ask what maximising x does"

    def test_workers_get_levels(self, case: SearcherCase) -> None:
        if not self._takes_levels(case):
            return
        searcher = self._searcher(case)
        engine = SimulatedEngine(lambda job: _measured(job, score_at), _WORKERS, lambda a: 1.0 + abs(score(a)))
        trials = run_async(searcher, engine, _BUDGET, observer=Observer())
        spent = sum(trial.cost for trial in trials)
        assert spent >= _BUDGET - 1e-9 or case.space.size < 1000, f"spent {spent:g} of {_BUDGET}"

    def test_failures_at_levels(self, case: SearcherCase) -> None:
        if not self._takes_levels(case) or case.space.size < 1000:
            return
        trials = self._search(case, lambda a, level: float("nan") if sum(a.tokens) % 3 == 0 else score_at(a, level))
        spent = sum(trial.cost for trial in trials)
        assert spent >= _BUDGET - 1e-9, f"spent {spent:g} of {_BUDGET}"
        failed = {trial.architecture for trial in trials if trial.measurement and not trial.measurement.ok}
        again = [t for t in trials if t.architecture in failed and t.measurement and t.measurement.ok]
        assert not again, "promotes what failed"

    def _search(
        self, case: SearcherCase, measure: MeasureAt = score_at, goal: Goal = "max", past: Sequence[Trial] = ()
    ) -> list[Trial]:
        engine = SimulatedEngine(lambda job: _measured(job, measure), 1, lambda _: 1.0)
        return run_search(self._searcher(case, goal), engine, _BUDGET, observer=Observer(), start=Start(past))

    def _takes_levels(self, case: SearcherCase) -> bool:
        """Whether it proposes levels, and its settings do not refuse them."""
        try:
            return issubclass(case.searcher, MultiFidelitySearcher) and bool(self._searcher(case))
        except InputError:
            return False

    def _searcher(self, case: SearcherCase, goal: Goal = "max") -> MultiFidelitySearcher:
        problem = Problem((Objective("score", goal),), fidelity=TOY)
        searcher = case.create(seed=self.seed, budget=_BUDGET, problem=problem)
        assert isinstance(searcher, MultiFidelitySearcher)
        return searcher


def _measured(job: Job, measure: MeasureAt) -> Measurement:
    level = TOY.number(job.level)
    value = measure(job.architecture, level)
    if value != value:
        return Measurement({}, 1.0, "diverged", "loss is not finite")
    return Measurement({TOY.metrics[level]: value}, 1.0)


def _shown(trials: Sequence[Trial]) -> list[tuple[tuple[int, ...], int | None, str]]:
    return [(trial.architecture.tokens, trial.level, trial.origin) for trial in trials]
