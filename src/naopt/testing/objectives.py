"""The part of the suite for searchers that is about several objectives, and limits."""

from __future__ import annotations

import numpy as np

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Limit, Objective, Problem
from naopt.spaces import Architecture
from naopt.testing.drives import Drive, SearcherCase, ToyCosts, cost, measure, measure_both
from naopt.testing.suite import Suite

_OBJECTIVES = Objective("score"), Objective("cost", "min")


class ObjectivesSuite(Suite):
    """Checks of one searcher on two objectives, if it takes ``several``, and of what it makes of limits."""

    def test_what_a_known_limit_forbids_is_not_proposed(self, case: SearcherCase) -> None:
        limit = self._limit(case)
        problem = Problem((_OBJECTIVES[0],), (limit,), ToyCosts())
        budget = max(2, case.budget // 2)
        found = Drive(case.create(seed=self.seed, budget=budget, problem=problem)).run(budget, case.batch)
        assert len(found) == budget or case.space.size < 20 * budget, f"ended after {len(found)} of {budget}"
        assert all(limit.met(measure_both(architecture).metrics) for architecture in found)

    def test_several_objectives(self, case: SearcherCase) -> None:
        if not case.searcher.several or self._refuses(case, Problem(_OBJECTIVES)):
            return
        for problem in (Problem(_OBJECTIVES), Problem(_OBJECTIVES, costs=ToyCosts())):
            whole = Drive(case.create(seed=self.seed, problem=problem), measure_both)
            budget = min(case.budget if problem.costs is None else 16, case.budget, case.space.size)
            found = whole.run(budget, case.batch)
            assert len(found) == budget or case.space.size < 10 * budget, f"ended after {len(found)} of {budget}"
            fresh, asked = case.create(seed=self.seed, problem=problem), whole.asked[-1]
            for architecture, measurement in whole.searcher.history[: len(found) - len(asked)]:
                fresh.tell(architecture, measurement)
            again = Drive(fresh).ask(min(case.batch, case.budget - len(fresh.history)))
            one, other = ([proposal.architecture.tokens for proposal in some] for some in (again, asked))
            assert one == other, "a fresh searcher that is told the same asks otherwise"
            if problem.costs is None:
                Drive(case.create(seed=self.seed, problem=problem), _sometimes).run_workers(budget, 3, self.seed)

    def test_limits_on_what_is_measured(self, case: SearcherCase) -> None:
        if not case.searcher.limited:
            return
        objectives = _OBJECTIVES if case.searcher.several else _OBJECTIVES[:1]
        for limit in (self._limit(case), Limit("cost", "max", -1.0)):
            problem = Problem(objectives, (limit,))
            if self._refuses(case, problem):
                return
            drive = Drive(case.create(seed=self.seed, problem=problem), measure_both)
            budget = min(case.budget, case.space.size)
            found = drive.run(budget, case.batch)
            ended = f"{limit}: ended after {len(found)} of {budget}"
            assert len(found) == budget or case.space.size < 10 * budget, ended

    def _refuses(self, case: SearcherCase, problem: Problem) -> bool:
        """Whether settings other than the default ones say in a line that they do not go with a problem."""
        try:
            case.create(seed=self.seed, problem=problem)
        except InputError:
            assert case.settings, f"{case.searcher.__name__} says that it takes such problems, and refuses one"
            return True
        return False

    def _limit(self, case: SearcherCase) -> Limit:
        """One that about half of the space keeps."""
        rng = np.random.default_rng(self.seed)
        return Limit("cost", "max", float(np.median([cost(case.space.sample(rng)) for _ in range(50)])))


def _sometimes(architecture: Architecture) -> Measurement:
    """Some fail, and others lack an objective."""
    if sum(architecture.tokens) % 3 == 0:
        return Measurement({"other": 1.0}, 1.0, "diverged", "loss is not finite")
    return measure(architecture) if sum(architecture.tokens) % 7 == 0 else measure_both(architecture)
