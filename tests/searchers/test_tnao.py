"""TNAO's two stages: shares, starts, optimisers, scores, refill, failures."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.searchers import Objective, Proposal, TNAOSearcher
from naopt.searchers.candidates import scored
from naopt.searchers.tnao import TNAOSettings
from naopt.spaces import Architecture, GenericSpace, Position, SearchSpace, create_space
from naopt.testing.drives import Drive

FAST: dict[str, Any] = {
    "hidden_size": 16,
    "embedding_size": 8,
    "feed_forward_size": 16,
    "layers": 1,
    "heads": 2,
    "pretraining_steps": 40,
    "unlabelled": 60,
    "min_steps": 10,
    "max_steps": 20,
    "particles": 10,
    "generations": 6,
    "steps": 3,
}


def searcher(space: SearchSpace, budget: int, goal: Any = "max", **options: Any) -> TNAOSearcher:
    return TNAOSearcher(space, Objective("score", goal), TNAOSettings.parse(FAST | options), seed=0, budget=budget)


def worth(architecture: Architecture) -> float:
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def run(search: TNAOSearcher, rounds: int = 1000) -> list[list[Proposal]]:
    asked: list[list[Proposal]] = []
    while len(search.history) < search.budget and len(asked) < rounds:
        proposals = search.ask(search.budget - len(search.history))
        if not proposals:
            break
        asked.append(proposals)
        for proposal in proposals:
            search.tell(proposal.architecture, Measurement({"score": worth(proposal.architecture)}))
    return asked


def test_two_stages_follow_the_shares_of_the_budget() -> None:
    search = searcher(create_space("nasbench201"), 40, initial_share=0.5, round_share=0.25)
    assert (search.initial, search.new_per_round) == (20, 10)
    asked = run(search)
    assert [len(proposals) for proposals in asked] == [20, 10, 10]
    assert {p.origin for p in asked[0]} == {"random"}
    assert all(p.origin in ("swarm", "refill") for proposals in asked[1:] for p in proposals)
    assert len({p.architecture for proposals in asked for p in proposals}) == 40
    counts = searcher(create_space("nasbench201"), 40, initial=7, new_per_round=3)
    assert (counts.initial, counts.new_per_round) == (7, 3)


def fits(search: TNAOSearcher, monkeypatch: pytest.MonkeyPatch) -> list[list[Architecture]]:
    """What the model of a searcher is fitted to, call by call."""
    seen: list[list[Architecture]] = []
    fit = search.model.fit

    def counted(architectures: list[Architecture], scores: Any) -> dict[str, float]:
        seen.append(list(architectures))
        return fit(architectures, scores)

    monkeypatch.setattr(search.model, "fit", counted)
    return seen


def test_two_stages_train_once_and_then_search(monkeypatch: pytest.MonkeyPatch) -> None:
    search = searcher(create_space("nasbench201"), 40, preset="two-stage", new_per_round=8)
    seen = fits(search, monkeypatch)
    asked = run(search)
    assert [len(proposals) for proposals in asked] == [16, 8, 8, 8]
    assert {p.origin for p in asked[0]} == {"random"}
    assert all(p.origin in ("swarm", "refill") for proposals in asked[1:] for p in proposals)
    assert seen == [[p.architecture for p in asked[0]]]
    assert search.round_log()["train_size"] == 16
    assert "fit_seconds" not in search.round_log()
    default = searcher(create_space("nasbench201"), 40, new_per_round=8)
    seen = fits(default, monkeypatch)
    run(default)
    assert [len(architectures) for architectures in seen] == [16, 24, 32]


def test_rounds_in_parts_are_the_same_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(searcher(create_space("nasbench201"), 30, preset="two-stage", new_per_round=5))
    parts = searcher(create_space("nasbench201"), 30, preset="two-stage", new_per_round=5)
    seen = fits(parts, monkeypatch)
    for proposals in whole[:1]:
        for proposal in proposals:
            parts.tell(proposal.architecture, Measurement({"score": worth(proposal.architecture)}))
    one_by_one: list[Architecture] = []
    while len(parts.history) < 30:
        (proposal,) = parts.ask(1)
        one_by_one.append(proposal.architecture)
        parts.tell(proposal.architecture, Measurement({"score": worth(proposal.architecture)}))
    swarm = [p.architecture for proposals in whole[1:] for p in proposals if p.origin == "swarm"]
    assert swarm
    assert [a for a in one_by_one if a in swarm] == swarm
    assert len(seen) == 1


def test_a_search_that_was_resumed_trains_on_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    space = create_space("nasbench201")
    whole = run(searcher(space, 32, preset="two-stage", initial=16, new_per_round=8))
    resumed = searcher(space, 32, preset="two-stage", initial=16, new_per_round=8)
    for proposal in (p for proposals in whole[:2] for p in proposals):
        resumed.tell(proposal.architecture, Measurement({"score": worth(proposal.architecture)}))
    seen = fits(resumed, monkeypatch)
    assert resumed.ask(8) == whole[2]
    assert [len(architectures) for architectures in seen] == [16]


def test_any_number_of_workers_trains_once(monkeypatch: pytest.MonkeyPatch) -> None:
    search = searcher(create_space("nasbench201"), 40, preset="two-stage", new_per_round=6)
    seen = fits(search, monkeypatch)
    drive = Drive(search)
    drive.run_workers(40, 7)
    assert len(search.history) == len({a for a, _ in search.history}) == 40
    assert [len(architectures) for architectures in seen] == [16]


def test_a_first_stage_that_mostly_crashed_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    space = create_space("nasbench201")
    search = searcher(space, 40, preset="two-stage", initial=3)
    seen = fits(search, monkeypatch)
    rng = np.random.default_rng(0)
    for index in range(6):
        known = {"score": float(index)} if index in (1, 4) else {}
        search.tell(space.sample(rng), Measurement(known) if known else Measurement({}, 0.0, "failed", "crashed"))
    assert len(search.ask(2)) == 2
    assert seen == [[search.history[1][0], search.history[4][0]]]


@pytest.mark.parametrize("optimizer", ["swarm", "gradient"])
@pytest.mark.parametrize("score", ["raw", "remapped"])
@pytest.mark.parametrize("snap", [False, True])
def test_every_combination_proposes_new_architectures_and_logs_what_it_did(
    optimizer: str, score: str, snap: bool
) -> None:
    space = create_space("nasbench201")
    search = searcher(space, 40, initial=20, new_per_round=6, optimizer=optimizer, score=score, snap=snap)
    first, second = run(search, rounds=2)
    origin = "swarm" if optimizer == "swarm" else "ascent"
    log = search.round_log()
    assert len(second) == 6
    assert not {p.architecture for p in first} & {p.architecture for p in second}
    assert log[f"from_{origin}"] + log["from_refill"] == 6
    assert log[f"from_{origin}"] == sum(p.origin == origin for p in second) > 0
    assert log["points"] == (10 + 6 * 5 if optimizer == "swarm" else 10 + 3 * 10)
    assert log["valid"] == 1.0
    assert log["decoded"] >= log["distinct"] > 0
    predicted = [p.predicted for p in second if p.predicted is not None]
    assert len(predicted) == 6
    assert np.mean(predicted) == pytest.approx(log["predicted_mean"])


@pytest.mark.parametrize("goal", ["max", "min"])
def test_it_finds_better_architectures_than_it_was_shown(goal: str) -> None:
    space = GenericSpace([Position(f"p{i}", ("a", "b", "c", "d")) for i in range(5)])
    learn: dict[str, Any] = {
        "pretraining_steps": 120,
        "max_steps": 60,
        "particles": 20,
        "generations": 10,
        "learning_rate": 5e-3,
    }
    search = searcher(space, 60, goal=goal, initial=30, new_per_round=10, **learn)
    asked = run(search)
    sign = 1 if goal == "max" else -1
    pool = [sign * worth(p.architecture) for p in asked[0]]
    later = [sign * worth(p.architecture) for proposals in asked[1:] for p in proposals]
    assert np.mean(later) > np.quantile(pool, 0.75)


def test_a_remapped_round_proposes_the_best_scored_first() -> None:
    search = searcher(create_space("nasbench201"), 60, initial=25, new_per_round=8)
    _, second = run(search, rounds=2)
    predicted = [p.predicted for p in second if p.origin == "swarm" and p.predicted is not None]
    assert len(predicted) > 2
    assert predicted == sorted(predicted, reverse=True)


def test_particles_start_where_the_settings_say() -> None:
    space = create_space("nasbench201")
    for start in ("pool", "random", "normal"):
        search = searcher(space, 40, initial=8, start=start, particles=12)
        run(search, rounds=1)
        architectures, scores = scored(search.history, search.objective)
        with search.model.reproducible(0):
            search.model.fit(architectures, scores)
            states = search._starts(architectures, scores, np.random.default_rng(0))
            pool = search.model.encode(architectures)
        assert states.shape == (12, *pool.shape[1:])
        assert states.norm(dim=-1).numpy() == pytest.approx(1.0, abs=1e-5)
        near = (states[:, None] - pool[None]).flatten(2).norm(dim=2).min(dim=1).values < 1e-5
        if start == "pool":
            assert near[:8].all()
            best = pool[int(np.argmax(scores))]
            assert (states[0] - best).abs().max() < 1e-6
        else:
            assert near.sum() < 4


def test_a_full_pool_gives_half_its_best_and_others_at_random() -> None:
    search = searcher(create_space("nasbench201"), 60, initial=30, particles=8)
    run(search, rounds=1)
    architectures, scores = scored(search.history, search.objective)
    search.model.fit(architectures, scores)
    states = search._starts(architectures, scores, np.random.default_rng(0))
    pool = search.model.encode(architectures)
    rows = (states[:, None] - pool[None]).flatten(2).norm(dim=2).argmin(dim=1).tolist()
    order = np.argsort(-scores, kind="stable").tolist()
    assert rows[:4] == order[:4]
    assert set(rows[4:]) <= set(order[4:])
    assert len(set(rows)) == 8


def test_what_the_swarm_leaves_open_is_refilled() -> None:
    still: dict[str, Any] = {"particles": 2, "generations": 0, "start": "pool"}
    search = searcher(create_space("nasbench201"), 60, initial=20, new_per_round=5, pretraining_steps=150, **still)
    _, second = run(search, rounds=2)
    log = search.round_log()
    assert log["from_refill"] >= 3
    assert log["from_swarm"] + log["from_refill"] == 5
    assert all(p.predicted is not None for p in second)


def test_exhausted_spaces_end_the_search() -> None:
    space = GenericSpace([Position("a", ("x", "y")), Position("b", ("x", "y", "z"))])
    search = searcher(space, 50, initial=3, new_per_round=2)
    assert sum(map(len, run(search))) == 6
    assert search.ask(3) == []


def test_what_diverges_counts_as_the_worst_and_other_failures_have_no_score() -> None:
    space = create_space("nasbench201")
    search = searcher(space, 40, initial=6)
    rng = np.random.default_rng(0)
    first, second, third, fourth, fifth = (space.sample(rng) for _ in range(5))
    search.tell(first, Measurement({}, 0.0, "failed", "crashed"))
    assert scored(search.history, search.objective)[0] == []
    search.tell(second, Measurement({"score": 3.0}))
    search.tell(third, Measurement({"score": 5.0}))
    search.tell(fourth, Measurement({}, 0.0, "diverged", "loss is not finite"))
    search.tell(fifth, Measurement({}, 0.0, "oom", "no memory"))
    architectures, scores = scored(search.history, search.objective)
    assert architectures == [second, third, fourth]
    assert scores.tolist() == [3.0, 5.0, 3.0]


def test_without_two_scores_it_samples() -> None:
    space = create_space("nasbench201")
    search = searcher(space, 40, initial=2, new_per_round=4)
    rng = np.random.default_rng(0)
    for _ in range(3):
        search.tell(space.sample(rng), Measurement({}, 0.0, "failed", "crashed"))
    proposals = search.ask(9)
    assert len(proposals) == 4
    assert {p.origin for p in proposals} == {"random"}
    assert search.round_log() == {}


def test_settings_are_checked() -> None:
    defaults = TNAOSettings()
    assert (defaults.encoder, defaults.loss, defaults.optimizer, defaults.score) == (
        "transformer",
        "logistic",
        "swarm",
        "remapped",
    )
    with pytest.raises(InputError, match="particles"):
        TNAOSettings.parse({"particles": 1})
    with pytest.raises(InputError, match="did you mean 'generations'"):
        TNAOSettings.parse({"generation": 1})
    with pytest.raises(InputError, match="preset"):
        TNAOSettings.parse({"preset": "paper"})


def test_what_takes_long_to_import_is_imported_no_earlier_than_it_is_needed() -> None:
    code = (
        "import sys, naopt.searchers.tnao; sys.exit(bool({'torch', 'scipy.optimize', 'scipy.stats'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
