"""Algorithm 1 with the jointly fitted model of the paper: rounds, yields, choice and refill."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import Goal, Measurement
from naopt.searchers import NAOSearcher, Objective, Proposal
from naopt.searchers.nao import NAOSettings
from naopt.spaces import Architecture, EnumeratedSpace, GenericSpace, Position, SearchSpace, create_space

FAST: dict[str, Any] = {
    "preset": "joint",
    "hidden_size": 16,
    "embedding_size": 8,
    "pretraining_steps": 30,
    "unlabelled": 60,
    "min_steps": 10,
    "max_steps": 20,
    "starts": 2,
    "steps": 3,
}


def searcher(space: SearchSpace, budget: int, goal: Goal = "max", seed: int = 0, **options: Any) -> NAOSearcher:
    settings = NAOSettings.parse(FAST | options)
    return NAOSearcher(space, Objective("score", goal), settings, seed=seed, budget=budget)


def worth(architecture: Architecture) -> float:
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def run(search: NAOSearcher, rounds: int = 1000) -> list[list[Proposal]]:
    """Asks and tells until the budget is spent; proposals round by round."""
    asked: list[list[Proposal]] = []
    while len(search.history) < search.budget and len(asked) < rounds:
        proposals = search.ask(search.budget - len(search.history))
        if not proposals:
            break
        asked.append(proposals)
        for proposal in proposals:
            search.tell(proposal.architecture, Measurement({"score": worth(proposal.architecture)}))
    return asked


def test_rounds_follow_the_shares_of_the_budget() -> None:
    search = searcher(create_space("nasbench201"), 40, initial_share=0.5, round_share=0.25, seeds_share=0.1)
    assert (search.initial, search.new_per_round, search.seeds) == (20, 10, 4)
    asked = run(search)
    assert [len(proposals) for proposals in asked] == [20, 10, 10]
    assert {p.origin for p in asked[0]} == {"random"}
    assert all(p.origin in ("ascent", "refill") for p in asked[1])
    assert len({p.architecture for proposals in asked for p in proposals}) == 40


def test_the_paper_preset_has_the_papers_rounds() -> None:
    space = create_space("conv-cell")
    paper = NAOSearcher(space, Objective("x"), NAOSettings.parse({"preset": "paper"}), seed=0, budget=1000)
    assert (paper.initial, paper.new_per_round, paper.seeds) == (600, 200, 200)
    assert (paper.options.first_step, paper.options.step_growth) == (10, 5)
    assert (paper.options.choose, paper.options.starts, paper.options.hops) == ("first", 1, 1)
    assert paper.options.trade_off == 0.9
    official = NAOSettings.parse({"preset": "official", "seeds": 7})
    assert (official.seeds, official.trade_off, official.predictor_output) == (7, 0.8, "sigmoid")
    with pytest.raises(InputError, match="did you mean 'seeds'"):
        NAOSettings.parse({"seed": 3})


def test_rounds_limit_the_search() -> None:
    search = searcher(create_space("nasbench201"), 100, initial=10, new_per_round=5, rounds=2)
    assert [len(proposals) for proposals in run(search)] == [10, 5, 5]
    assert search.ask(80) == []


@pytest.mark.parametrize("goal", ["max", "min"])
def test_it_climbs(goal: Goal) -> None:
    space = GenericSpace([Position(f"p{i}", ("a", "b", "c", "d")) for i in range(5)])
    search = searcher(space, 70, goal, initial=30, new_per_round=10, pretraining_steps=150, max_steps=80)
    asked = run(search)
    sign = 1 if goal == "max" else -1
    pool = [sign * worth(p.architecture) for p in asked[0]]
    later = [sign * worth(p.architecture) for proposals in asked[2:] for p in proposals]
    assert np.mean(later) > np.quantile(pool, 0.75)
    for proposals in asked[1:]:
        for p in proposals:
            assert p.predicted is not None
            assert -30 < p.predicted < 90
    assert np.mean([p.predicted for p in asked[-1] if p.predicted is not None]) == pytest.approx(
        np.mean([worth(p.architecture) for p in asked[-1]]), abs=12
    )


def test_the_log_counts_what_happened() -> None:
    search = searcher(create_space("conv-cell:nodes=2"), 70, initial=30, new_per_round=10, seeds=4, neighbours=3)
    search.ask(30)
    assert search.round_log() == {}
    asked = run(search, rounds=2)
    log = search.round_log()
    assert log["train_size"] == 27
    assert log["held_out"] == 3
    assert log["seeds"] == 4
    assert log["valid"] == 1.0
    assert 0 <= log["novel"] <= log["changed"] <= 1
    assert log["from_ascent"] + log["from_neighbour"] + log["from_refill"] == len(asked[1]) == 10
    assert log["decoded"] >= 4 * 2 * 3
    for p in asked[1]:
        assert p.parent is None or p.parent in search.seen


def test_ascent_that_finds_nothing_is_refilled_and_counted() -> None:
    space = create_space("conv-cell:nodes=2")
    still: dict[str, Any] = {"first_step": 1e-9, "step_growth": 0.0, "noise": 0.0, "hops": 1, "seeds": 3}
    search = searcher(space, 60, initial=20, new_per_round=8, pretraining_steps=300, max_steps=100, **still)
    mutated = run(search, rounds=2)[1]
    log = search.round_log()
    assert len(mutated) == 8
    assert log["from_refill"] == sum(p.origin == "refill" for p in mutated) >= 8 - 3
    assert all(p.parent is not None for p in mutated if p.origin == "refill")
    drawn = searcher(space, 60, initial=20, new_per_round=8, refill="random", **still)
    proposals = run(drawn, rounds=2)[1]
    assert len(proposals) == 8
    assert all(p.parent is None for p in proposals if p.origin == "refill")


def test_only_listed_rows_are_proposed() -> None:
    cells, rng = create_space("conv-cell:nodes=2"), np.random.default_rng(0)
    space = EnumeratedSpace(cells, [cells.sample(rng).tokens for _ in range(40)])
    asked = run(searcher(space, 40, initial=12, new_per_round=8))
    proposed = [p.architecture for proposals in asked for p in proposals]
    assert len(set(proposed)) == 40
    assert all(space.contains(architecture.tokens) for architecture in proposed)
    assert any(p.origin == "ascent" for proposals in asked[1:] for p in proposals)


def test_paper_keeps_the_first_that_differs() -> None:
    search = searcher(create_space("nasbench201"), 60, preset="paper", starts=1, seeds=6, initial=30, new_per_round=10)
    asked = run(search, rounds=2)
    by_parent = [p.parent for p in asked[1] if p.origin == "ascent"]
    assert len(set(by_parent)) == len(by_parent)
    assert math.isfinite(search.round_log()["loss"])


def test_hops_and_the_choice_by_the_mean() -> None:
    """The second ascent starts where the first one led; the best predictions of all that was found are proposed."""
    options: dict[str, Any] = {"initial": 20, "new_per_round": 6, "seeds": 3, "choose": "predicted", "neighbours": 4}
    once = searcher(create_space("nasbench201"), 40, hops=1, **options)
    run(once, rounds=2)
    twice = searcher(create_space("nasbench201"), 40, hops=2, **options)
    _, chosen = run(twice, rounds=2)
    assert twice.round_log()["decoded"] > once.round_log()["decoded"] > 0
    predicted = [p.predicted for p in chosen if p.predicted is not None]
    assert len(predicted) == 6
    assert predicted == sorted(predicted, reverse=True)
    still: dict[str, Any] = {"first_step": 1e-9, "step_growth": 0.0, "noise": 0.0, "pretraining_steps": 300}
    none = searcher(create_space("nasbench201"), 40, hops=3, max_steps=100, **(options | {"neighbours": 0} | still))
    assert [len(proposals) for proposals in run(none, rounds=2)] == [20, 6]
    assert none.round_log()["changed"] < 0.2
