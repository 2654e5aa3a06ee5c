"""Searches in which much cannot be measured."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from benchmarks import feasibility

from naopt.bench import searcher_settings
from naopt.latent.encoding import as_written
from naopt.measurement import Measurement, Status
from naopt.searchers import Objective, feasible, searchers
from naopt.searchers.base import Known
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from naopt.tables import load_table
from tests.searchers.driving import create, data, grid, needs_data, scored

SPACE = NASBench201Space()
CONVOLUTION = SPACE.positions[0].choices.index("nor_conv_3x3")

SMALL: dict[str, dict[str, Any]] = {
    "nao": {"unlabelled": 80, "pretraining_steps": 0},
    "nao-joint": {"preset": "joint", "epochs": 2, "pretraining_steps": 2, "ensemble": 1},
    "gp": {},
    "bananas": {"epochs": 10},
    "boosted-trees": {"trees": 10},
    "npenas": {"epochs": 5},
    "pnas": {"epochs": 5},
    "tpe": {},
    "tnao": {"epochs": 2, "pretraining_steps": 2, "generations": 3, "particles": 20},
    "seminas": {"epochs": 2, "joint_epochs": 1, "pretraining_steps": 2, "pseudo_labelled": 20},
    "reinforce": {},
}


def convolutions(architecture: Architecture) -> int:
    return architecture.identity.count(CONVOLUTION)


def outcome(architecture: Architecture, most: int = 1, status: Status = "failed") -> Measurement:
    """The more convolutions the better, but more than ``most`` cannot be measured."""
    count = convolutions(architecture)
    return scored(count) if count <= most else Measurement(status=status, reason="too large")


def told(count: int, seed: int = 0, **kwargs: Any) -> list[tuple[Architecture, Measurement]]:
    """Random cells, and some that are nearly all convolutions, so that nothing has to be concluded beyond what was."""
    rng = np.random.default_rng(seed)
    drawn = [SPACE.sample(rng) for _ in range(count)]
    drawn += [SPACE.architecture(np.where(rng.random(6) < 0.2, c.tokens, CONVOLUTION).tolist()) for c in drawn[:8]]
    return [(a, outcome(a, **kwargs)) for a in dict.fromkeys(drawn)]


@pytest.mark.parametrize("name", SMALL)
def test_searchers_with_a_model_hardly_propose_what_cannot_be_measured(name: str) -> None:
    """Their scores alone draw them there, and two thirds of a random choice can be measured."""
    search = create(searchers.get(name.removesuffix("-joint")), SPACE, budget=100, **SMALL[name])
    for architecture, measurement in told(60):
        search.tell(architecture, measurement)
    proposals = [*search.ask(4)]
    while len(proposals) < 4:
        proposals += search.ask(4 - len(proposals), [proposal.architecture for proposal in proposals])
    assert sum(convolutions(proposal.architecture) > 1 for proposal in proposals) <= 1


@pytest.mark.parametrize("status", ["failed", "invalid", "timeout", "oom", "diverged"])
def test_every_failure_teaches(status: Status) -> None:
    known = Feasible(SPACE).learn(told(40, status=status))
    assert known.concludes
    few, many = SPACE.architecture([1] * 6), SPACE.architecture([CONVOLUTION, 1] * 3)
    assert known.likely([few])[0]
    assert few not in Unlikely(known)
    assert not known.likely([many])[0]
    assert many in Unlikely(known)
    assert known.log_weight([many])[0] < known.log_weight([few])[0] - 1000


def test_interruptions_and_failures_that_come_at_random_teach_nothing() -> None:
    assert not Feasible(SPACE).learn(told(40, status="interrupted")).concludes
    rng = np.random.default_rng(5)
    crashed = [
        (a, scored(1.0) if rng.random() > 0.3 else Measurement(status="failed", reason="no")) for a, _ in told(40)
    ]
    known = Feasible(SPACE).learn(crashed)
    assert not known.concludes
    assert not Unlikely(known)
    assert SPACE.architecture([CONVOLUTION, 1] * 3) not in Unlikely(known)
    assert known.log_weight([a for a, _ in crashed]).tolist() == [0.0] * len(crashed)


def test_what_is_known_follows_from_the_history_alone() -> None:
    history = told(45)
    others = [SPACE.sample(np.random.default_rng(9)) for _ in range(20)]
    grown = Feasible(SPACE)
    for count in range(0, len(history) + 1, 3):
        grown.learn(history[:count])
    grown.learn(history)
    fresh = Feasible(SPACE).learn(history)
    assert grown.log_probability(others).tolist() == fresh.log_probability(others).tolist()


def test_of_many_outcomes_the_latest_of_either_kind_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible, "_MOST", 30)
    history, others = told(100), [SPACE.sample(np.random.default_rng(9)) for _ in range(20)]
    grown = Feasible(SPACE)
    for count in range(0, len(history), 7):
        grown.learn(history[:count])
    expected = Feasible(SPACE).learn(history).log_probability(others)
    assert grown.learn(history).log_probability(others).tolist() == expected.tolist()
    ok = [row for row in history if row[1].ok]
    failed = [row for row in history if not row[1].ok]
    tried, outcomes = feasible._latest([(a, m.ok) for a, m in history])
    assert [a for a in tried if outcome(a).ok] == [a for a, _ in ok[-15:]]
    assert [a for a in tried if not outcome(a).ok] == [a for a, _ in failed[-15:]]
    assert outcomes.tolist() == [outcome(a).ok for a in tried]
    few, _ = feasible._latest([(a, m.ok) for a, m in [*ok[:50], *failed[:3], *ok[50:]]])
    assert (len(few), sum(not outcome(a).ok for a in few)) == (30, 3)


def test_features_as_written_see_operations_that_nobody_reads() -> None:
    """Equal functions with and without a convolution into a node that leads nowhere."""
    idle = SPACE.architecture((CONVOLUTION, 0, 0, 1, 0, 0))
    none = SPACE.architecture((0, 0, 0, 1, 0, 0))
    assert SPACE.canonical(idle.tokens) == SPACE.canonical(none.tokens)
    written, counts = as_written(SPACE, [idle, none])
    assert (written[0] != written[1]).sum() == 2
    assert counts[:, CONVOLUTION].tolist() == [1, 0]
    assert counts.sum(axis=1).tolist() == [6, 6]
    cell = ConvCellSpace()
    drawn = cell.sample(np.random.default_rng(0))
    twin = cell.architecture(drawn.identity)
    assert [group.tolist() for group in as_written(cell, [drawn])] == [g.tolist() for g in as_written(cell, [twin])]


def test_where_only_the_unlikely_is_left_it_is_proposed() -> None:
    known = Feasible(SPACE).learn(told(40))
    unlikely = Unlikely(known)
    rng = np.random.default_rng(0)
    found = sample_likely(SPACE, Known(), unlikely, 50, rng)
    assert len(set(found)) == 50
    assert not any(a in unlikely for a in found)
    space = grid(2, 3)
    every = list(space.enumerate())
    few = Feasible(space).learn([(a, scored(1.0)) for a in every[:2]])
    few.likely = lambda some: np.array([a in every[:3] for a in some])  # type: ignore[method-assign, assignment]
    few._models = [None]  # type: ignore[list-item]
    assert set(sample_likely(space, Known(every[:2]), Unlikely(few), 3, rng)) < set(every[2:])
    assert every[2] in sample_likely(space, Known(every[:2]), Unlikely(few), 1, rng)


def test_the_first_is_that_with_the_largest_value_times_probability() -> None:
    known = Feasible(SPACE).learn(told(40))
    candidates = [SPACE.sample(np.random.default_rng(seed)) for seed in range(200)]
    values = np.random.default_rng(1).normal(0, 1, 200)
    weighted = values + known.log_weight(candidates)
    assert known.first(np.argsort(-values), values, candidates.__getitem__) == weighted.argmax()
    assert Feasible(SPACE).first(np.argsort(-values), values, candidates.__getitem__) == values.argmax()


def test_random_architectures_of_nao_last_until_enough_could_be_measured() -> None:
    search = create(searchers.get("nao"), SPACE, budget=60, initial=10, unlabelled=80, pretraining_steps=0)
    origins = []
    while len(search.history) < 18:
        for proposal in search.ask(1):
            failed = len(search.history) % 3 == 0
            search.tell(proposal.architecture, Measurement(status="failed", reason="no") if failed else scored(1.0))
            origins.append(proposal.origin)
    # Of the first 14 five failed, of which each has one in its place.
    assert origins[:15] == ["random"] * 15
    assert "random" not in origins[15:]


@needs_data
def test_the_benchmark_counts_what_a_limit_forbids(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--table", str(data("nasbench201.npz")), "--metric", "valid_acc/cifar10", "--limit", "params_m=0.4"]
    arguments += ["--searchers", "random,evolution", "--budget", "12", "--trials", "2", "--crashes", "0.1", "--json"]
    feasibility.main(arguments)
    document = json.loads(capsys.readouterr().out)
    assert document["allowed_share"] == pytest.approx(0.6147, abs=1e-3)
    assert document["optimum"] == pytest.approx(90.7244, abs=1e-3)
    row = document["rows"][0]
    limited = feasibility.Limited(
        load_table(data("nasbench201.npz")),
        "valid_acc/cifar10",
        {"params_m": 0.4},
        "invalid",
        0.1,
        searcher_settings(["random"], []),
        12,
    )
    outcomes = [feasibility.search(limited, "random", trial) for trial in range(2)]
    assert row["forbidden"] == np.mean([found.forbidden for found in outcomes])
    assert row["whole"] == pytest.approx(np.mean([found.whole for found in outcomes]))
    params, allows = limited.table.values("params_m"), limited.allows()
    assert params[allows].max() <= 0.4 < params[~allows].min()
    for bad in ("params_m", "params=1", "params_m=few", "params_m=0"):
        with pytest.raises(SystemExit) as ended:
            feasibility.main([*arguments[:4], "--limit", bad, *arguments[6:]])
        assert ended.value.code == 2
    assert Objective("valid_acc/cifar10").goal == limited.goal
