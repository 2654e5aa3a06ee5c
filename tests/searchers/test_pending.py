"""Searchers that are asked while others are pending: who keeps workers busy, and what each makes of it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from naopt.measurement import Measurement
from naopt.searchers import Proposal, searchers
from naopt.searchers.base import Known
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from naopt.testing.drives import Drive, measure, score
from tests.searchers.driving import FAILED, create, drive, grid, scored
from tests.searchers.test_conformance import SETTINGS

SPACE = NASBench201Space()
ROUND_SIZES = {
    "asha": 1,
    "bananas": 6,
    "bohb": 1,
    "boosted-trees": 6,
    "dppnet": 2,
    "evolution": 1,
    "gp": 1,
    "hierarchical": 1,
    "hyperband": 1,
    "local-search": 1,
    "monas": 2,
    "nao": 4,
    "npenas": 6,
    "nsga2": 6,
    "pnas": 4,
    "random": 40,
    "reinforce": 2,
    "seminas": 8,
    "successive-halving": 40,
    "tnao": 4,
    "tpe": 1,
    "zero-cost": 40,
}


def of(name: str, **settings: Any) -> Any:
    """A quick searcher."""
    return create(searchers.get(name), SPACE, **SETTINGS.get(name, {}) | settings)


def tell(search: Any, architectures: list[Architecture]) -> None:
    for architecture in architectures:
        search.tell(architecture, measure(architecture))


def architectures(proposals: list[Proposal]) -> list[Architecture]:
    return [proposal.architecture for proposal in proposals]


@pytest.mark.parametrize("name", searchers.names())
def test_a_usual_round_has_the_size_that_it_says(name: str) -> None:
    assert name in ROUND_SIZES, "say how large its rounds are"
    search = of(name)
    assert search.round_size == ROUND_SIZES[name]
    drive(search, measure, 30)
    assert len(search.ask(10)) == min(10, search.round_size)


def test_a_round_of_query_all_is_a_neighbourhood() -> None:
    search = of("local-search", variant="query-all", initial=1)
    drive(search, measure, 1)
    assert search.round_size == len(search.ask(100)) == 24


@pytest.mark.parametrize("name", searchers.names())
def test_nobody_waits_for_results(name: str) -> None:
    """All searchers here fill 64 workers from the first to the last measurement."""
    run = Drive(of(name))
    states = run.run_workers(100, 64)
    assert len(run.searcher.history) == 100
    assert states[0].pending == ()
    first = [state for state in states if state.told == 0]
    assert sum(len(state.proposals) for state in first) == 64
    for state in states:
        assert len(state.pending) + len(state.proposals) == 64 or state.told == 0 or state.told > 36


@pytest.mark.parametrize("name", ["random", "evolution"])
def test_asking_costs_the_same_however_much_was_told(name: str) -> None:
    search, space = create(searchers.get(name), ConvCellSpace()), ConvCellSpace()
    rng = np.random.default_rng(0)
    pending = [space.sample(rng) for _ in range(8)]

    def seconds() -> float:
        began = time.process_time()
        for _ in range(50):
            search.ask(1, pending)
        return time.process_time() - began

    for index in range(200):
        search.tell(space.sample(rng), scored(index))
    few = min(seconds() for _ in range(3))
    some = space.sample(rng)
    for index in range(50_000):
        search.tell(some, scored(index))
    search.seen |= {space.sample(rng) for _ in range(2000)}
    assert min(seconds() for _ in range(3)) < 3 * few


def test_known_looks_through_its_parts() -> None:
    space = grid(3, 3)
    every = list(space.enumerate())
    known = Known({every[0]}, [every[1]], Known({every[2]: None}), ())
    assert [architecture in known for architecture in every[:4]] == [True, True, True, False]
    assert list(known) == every[:3]
    assert len(known) == 3
    assert not Known()


def test_the_same_number_told_and_pending_is_the_same_randomness() -> None:
    search = of("random")
    pending = architectures(search.ask(2))
    drawn = [search.generator(1, pending=pending[:count]).integers(2**62) for count in (0, 1, 2)]
    assert len(set(drawn)) == 3
    assert drawn[0] == search.generator(1).integers(2**62)
    assert drawn[2] == search.generator(1, pending=pending[::-1]).integers(2**62)


def test_pending_ones_are_neither_parents_nor_of_the_population() -> None:
    search = of("evolution", population=4, sample=2)
    first = architectures(search.ask(40))
    assert len(first) == 4
    tell(search, first[:3])
    assert [p.origin for p in search.ask(3, first[3:])] == ["random"] * 3, "one of four is not measured yet"
    tell(search, first[3:])
    children = search.ask(3)
    assert len(children) == 1
    more = search.ask(3, architectures(children))
    assert [p.origin for p in more] == ["mutation"] * 3
    assert {p.parent for p in more} <= set(first)


def test_the_process_believes_what_is_pending() -> None:
    batched = create(searchers.get("gp"), SPACE, 40, initial=6, batch=3)
    drive(batched, measure, 16)
    whole = architectures(batched.ask(3))
    assert architectures(batched.ask(2, whole[:1])) == whole[1:], "a round that is enlarged is the larger round"


@pytest.mark.parametrize("name", ["bananas", "boosted-trees", "npenas", "tnao", "seminas"])
def test_one_fit_serves_as_many_asks_as_a_round_has_proposals(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    search = of(name)
    drive(search, measure, 24)
    owner = search.model if hasattr(search, "model") else search
    method = "fit" if hasattr(search, "model") else "fitted"
    fits = []
    whole = getattr(owner, method)

    def counted(*given: Any) -> Any:
        fits.append(len(given[0]))
        return whole(*given)

    monkeypatch.setattr(owner, method, counted)
    pending = architectures(search.ask(1))
    once = len(fits)
    counts = []
    for _ in range(search.round_size):
        pending += architectures(search.ask(1, pending))
        counts.append(len(fits))
        tell(search, [pending.pop(0)])
    assert len(set(counts)) == 1, "until a round is told the same fit serves"
    search.ask(1, pending)
    assert len(fits) > counts[-1] >= once, "then it is fitted anew"


def test_sizes_that_are_out_do_not_keep_the_next_waiting() -> None:
    search = of("pnas", beam=2)
    pending: list[Architecture] = []
    sizes = []
    for _ in range(9):
        (proposal,) = search.ask(1, pending)
        pending.append(proposal.architecture)
        sizes.append(search.size(proposal.architecture))
    assert sizes == [0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_running_trials_are_closed_again() -> None:
    search = of("tpe")
    drive(search, measure, 12)
    pending = architectures(search.ask(1))
    search.ask(2, pending)
    states = [trial.state.name for trial in search.study.trials]
    assert "RUNNING" not in states
    assert states.count("COMPLETE") == 12
    lonely = of("tpe")
    first = architectures(lonely.ask(6))
    assert [p.origin for p in lonely.ask(2, first)] == ["random"] * 2, "nothing to estimate from"


def test_neighbours_of_the_next_best_while_the_others_are_out() -> None:
    space = grid(3, 3, 3, 3)
    search = create(searchers.get("local-search"), space)
    centre, better = space.architecture((0, 0, 0, 0)), space.architecture((2, 2, 2, 2))
    search.tell(centre, scored(1.0))
    assert search.current == centre
    pending = architectures(search.ask(8, [space.architecture((1, 1, 1, 1))]))
    assert set(pending) == set(space.neighbours(centre))
    assert search.ask(1, pending)[0].origin == "random", "no other was measured"
    search.tell(better, scored(0.5))
    assert search.current == centre
    (elsewhere,) = search.ask(1, pending)
    assert (elsewhere.origin, elsewhere.parent) == ("neighbour", better)
    search.tell(space.architecture((1, 2, 2, 2)), scored(2.0))
    assert search.current == space.architecture((1, 2, 2, 2)), "it moves to what turns out better elsewhere"
    assert len(search.climbs) == 2


@pytest.mark.parametrize("name", ["nao", "gp", "bananas", "tnao", "seminas", "tpe", "boosted-trees", "npenas"])
def test_earlier_measurements_stand_for_the_first_random_ones(name: str) -> None:
    search = of(name)
    rng = np.random.default_rng(1)
    for index, architecture in enumerate(dict.fromkeys(SPACE.sample(rng) for _ in range(24))):
        search.tell(architecture, FAILED if index % 5 == 4 else measure(architecture))
    origins = {proposal.origin for proposal in search.ask(4)}
    assert origins
    assert "random" not in origins or name == "gp"


def test_local_search_climbs_from_the_best_of_earlier_measurements() -> None:
    search = of("local-search")
    rng = np.random.default_rng(2)
    earlier = list(dict.fromkeys(SPACE.sample(rng) for _ in range(20)))
    tell(search, earlier)
    assert search.current is not None
    assert score(search.current) == max(map(score, earlier))


def test_rounds_end_a_search_when_all_is_told() -> None:
    search = of("nao", rounds=1)
    drive(search, measure, 8)
    first = architectures(search.ask(2))
    second = architectures(search.ask(9, first))
    assert len(second) == 2, "what is left of the only round"
    assert search.ask(9, [*first, *second]) == []
    tell(search, first + second)
    assert search.ask(9) == []


def test_failures_only_leave_random_ones() -> None:
    failed = Measurement({}, 0.0, "failed", "no memory")
    for name in ("nao", "gp", "evolution", "tpe", "bananas"):
        search = of(name)
        for proposal in search.ask(12):
            search.tell(proposal.architecture, failed)
        pending = architectures(search.ask(1))
        assert len(search.ask(3, pending)) == 3
