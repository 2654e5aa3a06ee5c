"""Local search: climbs end where brute force says that nothing near is better."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from naopt.measurement import Measurement
from naopt.searchers.local_search import LocalSearcher
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space, SearchSpace
from naopt.tables import load_table
from tests.searchers.driving import FAILED, create, data, drive, grid, needs_data, scored


def rugged(architecture: Architecture) -> float:
    """A score without any order: many local optima."""
    return float(np.random.default_rng(list(architecture.identity)).random())


def measure(architecture: Architecture) -> Measurement:
    return scored(rugged(architecture))


def better_neighbours(space: SearchSpace, architecture: Architecture) -> list[Architecture]:
    return [a for a in space.neighbours(architecture) if rugged(a) > rugged(architecture)]


@pytest.mark.parametrize("variant", ["query-until-lower", "query-all"])
@pytest.mark.parametrize("space", [NASBench201Space(), grid(4, 3, 5, 2), ConvCellSpace(1, "conv3x3+identity")])
def test_a_climb_ends_at_a_local_optimum(space: SearchSpace, variant: str) -> None:
    search = create(LocalSearcher, space, variant=variant, initial=3)
    drive(search, measure, min(200, space.size - 1))
    assert len(search.climbs) > 1
    for stands in search.climbs[:-1]:
        assert better_neighbours(space, stands[-1]) == []
        for one, other in pairwise(stands):
            assert rugged(other) > rugged(one)
            assert other in set(space.neighbours(one))


@pytest.mark.parametrize("seed", range(4))
def test_as_a_naive_reimplementation(seed: int) -> None:
    """White et al., Algorithm 1, written down as loops, with the same random draws."""
    space, budget = NASBench201Space(), 120
    history: list[Architecture] = []

    def draw(count: int) -> Architecture:
        rng = np.random.default_rng([seed, len(history)])
        drawn: list[Architecture] = []
        while len(drawn) < count:
            if (one := space.sample(rng)) not in history and one not in drawn:
                drawn.append(one)
        history.extend(drawn)
        return max(drawn, key=rugged)

    current = draw(5)
    while len(history) < budget:
        known = [a for a in better_neighbours(space, current) if a in history]
        if known:
            current = max(known, key=rugged)
            continue
        neighbours = list(space.neighbours(current))
        order = np.random.default_rng([seed, len(history), 1]).permutation(len(neighbours))
        better = None
        for one in (neighbours[i] for i in order):
            if one not in history:
                history.append(one)
                if rugged(one) > rugged(current):
                    better = one
                    break
        current = better or draw(2)
    found = drive(create(LocalSearcher, space, seed=seed, initial=5, restart=2), measure, budget)
    assert [p.architecture for p in found] == history[:budget]


def test_a_climb_starts_at_the_best_of_the_random_ones() -> None:
    search = create(LocalSearcher, NASBench201Space(), initial=7, restart=4)
    found = drive(search, measure, 150)
    assert [p.origin for p in found[:7]] == ["random"] * 7
    assert found[7].parent == search.climbs[0][0] == max((p.architecture for p in found[:7]), key=rugged)
    later = [p.architecture for p in found[7:] if p.origin == "random"]
    starts = [max(later[i : i + 4], key=rugged) for i in range(0, len(later) - 3, 4)]
    assert starts
    assert [stands[0] for stands in search.climbs[1:]] == starts


def test_query_all_moves_to_the_best_neighbour() -> None:
    space = grid(5, 5, 5)
    search = create(LocalSearcher, space, variant="query-all")
    drive(search, measure, 60)
    assert max(map(len, search.climbs)) > 1
    for stands in search.climbs:
        for one, other in pairwise(stands):
            assert other == max(space.neighbours(one), key=rugged)


def test_continue_at_min_goes_on_from_the_best_that_was_not_climbed_from() -> None:
    search = create(LocalSearcher, grid(6, 6, 6), variant="continue-at-min")
    found = drive(search, measure, 120)
    assert [p.origin for p in found] == ["random"] + ["neighbour"] * 119
    stood = [a for stands in search.climbs for a in stands]
    assert len(set(stood)) == len(stood)
    assert len(search.climbs) > 3
    for number, stands in enumerate(search.climbs[1:], 1):
        before = {a for earlier in search.climbs[:number] for a in earlier}
        at = next((i for i, p in enumerate(found) if p.parent in stands), len(found))
        left = {p.architecture for p in found[:at]} - before
        assert all(rugged(a) <= rugged(stands[-1]) for a in left)


def test_known_neighbours_cost_nothing() -> None:
    """The whole space is measured without a repetition, and known better neighbours are stood on at once."""
    space = grid(3, 3)
    search = create(LocalSearcher, space)
    found = drive(search, measure, 50)
    assert len({p.architecture for p in found}) == space.size == len(found)
    assert search.ask(3) == []


def test_a_failure_is_worse_than_any_score() -> None:
    space = NASBench201Space()

    def sometimes(architecture: Architecture) -> Measurement:
        return FAILED if sum(architecture.tokens) % 2 else measure(architecture)

    found = drive(create(LocalSearcher, space, initial=2), sometimes, 100)
    assert len(found) == 100
    assert all(p.parent is None or sometimes(p.parent).ok for p in found)


def test_failures_alone_are_followed_by_random_ones() -> None:
    search = create(LocalSearcher, NASBench201Space(), initial=2)
    found = drive(search, lambda _: FAILED, 10)
    assert [p.origin for p in found] == ["random"] * 10


def test_rounds() -> None:
    search = create(LocalSearcher, NASBench201Space(), batch=5)
    drive(search, measure, 1)
    assert len(search.ask(100)) == 5
    whole = create(LocalSearcher, NASBench201Space(), variant="query-all")
    drive(whole, measure, 1)
    assert len(whole.ask(100)) == 24
    assert len(whole.ask(7)) == 7


def test_what_was_told_unasked_is_used() -> None:
    """A history from elsewhere: a neighbour that is told need not have been asked for."""
    space = grid(2, 3)
    low, high = space.architecture((0, 0)), space.architecture((1, 2))
    between = space.architecture((1, 0))
    search = create(LocalSearcher, space)
    for architecture, value in ((low, 0.0), (high, 0.9), (between, 0.5)):
        search.tell(architecture, scored(value))
    assert search.current == high
    assert {p.parent for p in search.ask(5)} == {high}


@needs_data
@pytest.mark.parametrize(("metric", "least"), [("cifar10", 94.15), ("cifar100", 72.8)])
def test_published_behaviour_on_nasbench201(metric: str, least: float) -> None:
    """Measured elsewhere with 100 queries: 94.23 and 73.06; random search 93.77 and 71.34."""
    table = load_table(str(data("nasbench201.npz")))
    valid, test = table.values(f"valid_acc/{metric}"), table.values(f"test_acc/{metric}")
    reached = []
    for seed in range(30):
        search = create(LocalSearcher, table.space, budget=100, seed=seed)
        found = drive(search, lambda a: scored(float(valid[table.row(a)])), 100)
        best = max(found, key=lambda p: valid[table.row(p.architecture)])
        reached.append(float(test[table.row(best.architecture)]))
    assert np.mean(reached) > least
