"""Conformance suite for searchers; the contract is in ``naopt.searchers.base``."""

from __future__ import annotations

import numpy as np

from naopt.measurement import Measurement
from naopt.searchers import Proposal
from naopt.spaces import Architecture, GenericSpace, Position
from naopt.testing.drives import Drive, History, SearcherCase, measure, score
from naopt.testing.fidelities import FidelitySuite
from naopt.testing.objectives import ObjectivesSuite
from naopt.testing.pending import PendingSuite
from naopt.testing.wholes import whole_search

__all__ = ["SearcherCase", "SearcherSuite", "check_searcher", "measure", "score"]


def check_searcher(case: SearcherCase, seed: int = 0) -> None:
    """Runs the whole suite on one case. Raises ``AssertionError`` that says what breaks which rule."""
    SearcherSuite.check(case, seed)


class SearcherSuite(PendingSuite, ObjectivesSuite, FidelitySuite):
    """Checks of one searcher; a pytest class derived from it gives a fixture ``case``."""

    def test_search_spends_its_budget(self, case: SearcherCase) -> None:
        budget = min(case.budget, case.space.size)
        found = whole_search(case, self.seed).drive.searcher.history
        assert found, "a search must propose something"
        assert len(found) == budget or case.space.size < 10 * budget, f"ended after {len(found)} of {budget}"

    def test_search_is_deterministic(self, case: SearcherCase) -> None:
        again = Drive(case.create(seed=self.seed))
        again.run(case.budget, case.batch)
        first, second = (
            [p for batch in drive.asked for p in batch] for drive in (whole_search(case, self.seed).drive, again)
        )
        assert _tokens(first) == _tokens(second), "equal seeds and histories must give equal proposals"
        assert [p.predicted for p in first] == [p.predicted for p in second], "equal searches, other predictions"

    def test_asking_changes_nothing(self, case: SearcherCase) -> None:
        drive = Drive(case.create(seed=self.seed))
        drive.run(case.budget // 2, case.batch)
        first, second = (drive.ask(case.batch) for _ in range(2))
        assert _tokens(first) == _tokens(second), "ask must depend on what was told, not on what was asked"

    def test_search_resumes_from_its_history(self, case: SearcherCase) -> None:
        whole = whole_search(case, self.seed).drive
        told = 0
        for batch in whole.asked:
            fresh = case.create(seed=self.seed)
            for architecture, measurement in whole.searcher.history[:told]:
                fresh.tell(architecture, measurement)
            again = Drive(fresh).ask(min(case.batch, case.budget - told))
            assert _tokens(again) == _tokens(batch), f"a fresh searcher told {told} measurements asks otherwise"
            told += len(batch)

    def test_seeds_matter(self, case: SearcherCase) -> None:
        if case.space.size < 1000:
            return
        first, second = (Drive(case.create(seed=self.seed + extra)).run(8, 8) for extra in (0, 1))
        assert [a.tokens for a in first] != [a.tokens for a in second], "two seeds propose the same"

    def test_single_proposals_and_budget_one(self, case: SearcherCase) -> None:
        drive = Drive(case.create(seed=self.seed, budget=1))
        assert len(drive.run(1, 1)) == 1, "a budget of 1 must give one proposal"
        found = Drive(case.create(seed=self.seed, budget=3)).run(min(3, case.space.size), 1)
        assert found, "asking one by one must give proposals"

    def test_goal_only_turns_the_sign(self, case: SearcherCase) -> None:
        most = whole_search(case, self.seed).drive.searcher.history
        least = Drive(case.create(seed=self.seed, goal="min"), _negated).run(case.budget, case.batch)
        assert [a.tokens for a, _ in most] == [a.tokens for a in least], "minimising -x must ask what maximising x does"

    def test_results_matter(self, case: SearcherCase) -> None:
        if not case.searcher.learns or case.space.size < 10 * case.budget:
            return
        # Of a few architectures two models may think alike by chance.
        assert any(self._results_matter(case, seed) for seed in range(self.seed, self.seed + 3)), (
            f"proposes the same {case.budget} architectures whatever it is told, asked for all that is left, as a "
            "search asks: give fewer, to be told about them first; or say learns = False"
        )

    def _results_matter(self, case: SearcherCase, seed: int) -> bool:
        one, other = Drive(case.create(seed=seed)), Drive(case.create(seed=seed), _negated)
        while (left := case.budget - len(one.searcher.history)) > 0:
            asked = one.ask(left)
            if _tokens(asked) != _tokens(other.ask(left)):
                return True
            if not asked:
                break
            for drive in (one, other):
                drive.tell(proposal.architecture for proposal in asked)
        return False

    def test_hostile_histories(self, case: SearcherCase) -> None:
        rng = np.random.default_rng(self.seed)
        distinct = list(dict.fromkeys(case.space.sample(rng) for _ in range(4 * case.budget)))[: case.budget - 1]
        for name, history in _hostile(distinct).items():
            searcher = case.create(seed=self.seed)
            for architecture, measurement in history:
                searcher.tell(architecture, measurement)
            proposals = Drive(searcher).ask(3)
            assert proposals or case.space.size <= 2 * len(history), f"nothing is proposed after {name}"

    def test_failures_go_on(self, case: SearcherCase) -> None:
        def sometimes(architecture: Architecture) -> Measurement:
            if sum(architecture.tokens) % 3 == 0:
                return Measurement({"other": 1.0}, 1.0, "diverged", "loss is not finite")
            return measure(architecture)

        budget = min(case.budget, case.space.size)
        found = Drive(case.create(seed=self.seed), sometimes).run(budget, case.batch)
        assert len(found) == budget or case.space.size < 10 * budget, f"ended after {len(found)} of {budget}"

    def test_small_spaces_are_exhausted(self, case: SearcherCase) -> None:
        for choices in ((1,), (2, 2)):
            names = [tuple(map(str, range(count))) for count in choices]
            space = _Tiny([Position(f"p{index}", row) for index, row in enumerate(names)], "tiny")
            drive = Drive(case.create(seed=self.seed, space=space))
            found = drive.run(100, case.batch)
            assert len(found) == space.size, f"found {len(found)} of {space.size} architectures"
            assert not drive.ask(case.batch), "proposes something after it has found nothing new"


class _Tiny(GenericSpace):
    """Ends a searcher's look for what is not there: without end it would say nothing."""

    drawn = 0

    def sample(self, rng: np.random.Generator) -> Architecture:
        return super().sample(self._counted(rng))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        return super().mutate(architecture, self._counted(rng))

    def _counted(self, rng: np.random.Generator) -> np.random.Generator:
        self.drawn += 1
        most = 20_000
        assert self.drawn <= most, (
            f"draws {most} times in a space of {self.size}: an ask that finds nothing new is empty"
        )
        return rng


def _tokens(proposals: list[Proposal]) -> list[tuple[int, ...]]:
    return [proposal.architecture.tokens for proposal in proposals]


def _negated(architecture: Architecture) -> Measurement:
    return Measurement({"score": -score(architecture)})


def _hostile(distinct: list[Architecture]) -> dict[str, History]:
    failed = Measurement({}, 0.0, "failed", "no memory")
    other = Measurement({"other": 1.0})
    outlier = [Measurement({"score": 0.1 if index == 0 else 0.95}) for index in range(len(distinct))]
    return {
        "failures only": [(a, failed) for a in distinct],
        "equal scores": [(a, Measurement({"score": 0.5})) for a in distinct],
        "two architectures": [(a, measure(a)) for a in distinct[:2]],
        "one architecture and a failure": [
            *((a, measure(a)) for a in distinct[:1]),
            *((a, failed) for a in distinct[1:2]),
        ],
        "an outlier": list(zip(distinct, outlier, strict=True)),
        "huge scores": [(a, Measurement({"score": 1e12 * score(a)})) for a in distinct],
        "another metric only": [(a, other) for a in distinct],
    }
