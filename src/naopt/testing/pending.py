"""The part of the suite for searchers that is about results which are not told yet, or come from elsewhere."""

from __future__ import annotations

import numpy as np

from naopt.measurement import Measurement
from naopt.searchers import Proposal, Searcher
from naopt.testing.drives import Drive, SearcherCase, State, measure, require_pending
from naopt.testing.suite import Suite
from naopt.testing.wholes import whole_search

_WORKERS = 8
_FAILED = Measurement({}, 1.0, "diverged", "loss is not finite")


class PendingSuite(Suite):
    """Checks of one searcher that is asked while others are pending, and told what it did not ask for."""

    def test_ask_takes_what_is_pending(self, case: SearcherCase) -> None:
        require_pending(case.searcher)
        size = case.create(seed=self.seed).round_size
        assert isinstance(size, int) and size >= 1, f"round_size is {size!r}, not a number of architectures"  # noqa: PT018

    def test_rounds_can_be_enlarged(self, case: SearcherCase) -> None:
        drive = Drive(case.create(seed=self.seed))
        told = drive.run(case.budget // 2, case.batch)
        wanted = min(2 * case.batch + 1, case.space.size - len(told))
        found = [proposal.architecture for proposal in drive.ask(min(case.batch, wanted))] if wanted > 0 else []
        while found and len(found) < wanted:
            more = [proposal.architecture for proposal in drive.ask(wanted - len(found), found)]
            if not more:
                break
            found += more
        assert found or case.space.size < 10 * case.budget, f"nothing is proposed after {len(told)} measurements"
        drive.tell(found)

    def test_asynchronous_search_spends_its_budget(self, case: SearcherCase) -> None:
        budget = min(case.budget, case.space.size)
        found = [architecture for architecture, _ in whole_search(case, self.seed, _WORKERS).drive.searcher.history]
        assert len(set(found)) == len(found), "an architecture was measured twice"
        assert len(found) == budget or case.space.size < 10 * budget, f"ended after {len(found)} of {budget}"

    def test_proposals_follow_from_what_is_told_and_pending(self, case: SearcherCase) -> None:
        live, states = whole_search(case, self.seed, _WORKERS)
        for state in states[:: max(1, len(states) // 4)]:
            fresh = Drive(_told(case, live.searcher, state, self.seed))
            for when in ("a fresh searcher asks otherwise", "it asks otherwise the second time"):
                again = fresh.ask(len(state.proposals), state.pending)
                assert _named(again) == _named(state.proposals), f"told {state.told}, the same pending: {when}"

    def test_results_come_in_any_order(self, case: SearcherCase) -> None:
        drive = Drive(case.create(seed=self.seed))
        while len(drive.searcher.history) < case.budget:
            proposals = drive.ask(min(case.batch, case.budget - len(drive.searcher.history)))
            if not proposals:
                break
            drive.tell(proposal.architecture for proposal in reversed(proposals))
        found = len(drive.searcher.history)
        assert found == case.budget or case.space.size < 10 * case.budget, f"ended after {found} of {case.budget}"

    def test_it_takes_up_earlier_measurements(self, case: SearcherCase) -> None:
        drive = Drive(case.create(seed=self.seed), measure)
        rng = np.random.default_rng([self.seed, 1])
        earlier = dict.fromkeys(case.space.sample(rng) for _ in range(case.budget))
        for index, architecture in enumerate(earlier):
            drive.searcher.tell(architecture, _FAILED if index % 4 == 1 else measure(architecture))
        left = len(set(case.space.enumerate())) - len(earlier) if case.space.size < 10_000 else case.space.size
        for workers in (1, _WORKERS):
            before = len(drive.searcher.history)
            drive.run_workers(workers + 2, workers, self.seed)
            assert len(drive.searcher.history) > before or left < 10 * case.budget, "it proposes nothing after them"

    def test_it_is_told_what_it_did_not_ask_for(self, case: SearcherCase) -> None:
        drive = Drive(case.create(seed=self.seed))
        rng = np.random.default_rng([self.seed, 2])
        for _ in range(4):
            proposals = drive.ask(case.batch)
            out = {proposal.architecture for proposal in proposals} | drive.searcher.seen
            drawn = (case.space.sample(rng) for _ in range(20))
            foreign = next((architecture for architecture in drawn if architecture not in out), None)
            drive.tell([foreign] if foreign else [])
            drive.tell(proposal.architecture for proposal in proposals)
        count = len(drive.searcher.history)
        assert count >= 8 or case.space.size < 10 * case.budget, f"{count} measurements after four rounds"


def _told(case: SearcherCase, live: Searcher, state: State, seed: int) -> Searcher:
    """A fresh searcher in an earlier state of one that went on."""
    fresh = case.create(seed=seed)
    for architecture, measurement in live.history[: state.told]:
        fresh.tell(architecture, measurement)
    return fresh


def _named(proposals: list[Proposal]) -> list[tuple[tuple[int, ...], str, float | None]]:
    return [(p.architecture.tokens, p.origin, p.predicted) for p in proposals]
