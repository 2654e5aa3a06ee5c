"""SemiNAS: what each of the two fits sees, where ascent starts, and that every query counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from naopt.measurement import Measurement
from naopt.searchers import SemiNASSearcher
from naopt.searchers.seminas import SemiNASSettings
from naopt.spaces import Architecture, NASBench201Space, SearchSpace
from tests.searchers.driving import FAILED, create, drive, grid, scored

SPACE = NASBench201Space()
QUICK: dict[str, Any] = {
    "initial": 12,
    "new_per_round": 6,
    "pseudo_labelled": 30,
    "seeds": 8,
    "hidden_size": 12,
    "embedding_size": 6,
    "ensemble": 2,
    "unlabelled": 50,
    "pretraining_steps": 20,
    "min_steps": 5,
    "max_steps": 10,
}


def worth(architecture: Architecture) -> float:
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def measure(architecture: Architecture) -> Measurement:
    return scored(worth(architecture))


def searcher(space: SearchSpace = SPACE, budget: int = 40, **options: Any) -> SemiNASSearcher:
    found: SemiNASSearcher = create(SemiNASSearcher, space, budget, **QUICK | options)
    return found


def test_published_settings_are_those_of_the_program() -> None:
    settings = SemiNASSettings.parse({"preset": "published"})
    search = create(SemiNASSearcher, SPACE, 2000, preset="published")
    assert (search.initial, search.new_per_round) == (1100, 300), "1,100 and three times 300"
    assert (settings.pseudo_labelled, settings.seeds, settings.repeats) == (10_000, 100, 10)
    assert (settings.epochs, settings.joint_epochs, settings.batch_size, settings.max_steps) == (1000, 500, 100, None)
    assert (settings.hidden_size, settings.predictor_layers, settings.trade_off) == (64, (16, 64), 0.8)
    assert (settings.first_step, settings.step_growth, settings.steps) == (1.0, 1.0, 100)
    default = SemiNASSettings()
    assert (default.preset, default.max_steps) == ("default", 100)


def test_both_fits_see_what_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    search = searcher()
    drive(search, measure, 12)
    fits: list[tuple[list[Architecture], np.ndarray, int, str, float]] = []
    predicted: list[np.ndarray] = []
    fit, predict = search.model.fit, search.model.predict

    def watched_fit(architectures: Any, scores: Any) -> Any:
        settings = search.model.settings
        fits.append((list(architectures), scores, settings.epochs, settings.normalisation, settings.held_out))
        return fit(architectures, scores)

    def watched_predict(architectures: Any) -> Any:
        predicted.append(predict(architectures))
        return predicted[-1]

    monkeypatch.setattr(search.model, "fit", watched_fit)
    monkeypatch.setattr(search.model, "predict", watched_predict)
    proposals = search.ask(6)
    told = [architecture for architecture, _ in search.history]
    targets = norm.ppf((rankdata([worth(a) for a in told]) - 0.5) / 12)
    (first, second), labels = fits, predicted[0]
    assert first[0] == told
    np.testing.assert_allclose(first[1], targets)
    assert second[0][:120] == told * 10
    np.testing.assert_allclose(second[1], np.concatenate([np.tile(targets, 10), labels]))
    others = second[0][120:]
    assert len(set(others)) == 30
    assert not set(others) & set(told)
    assert first[2:] == (search.options.epochs, "standard", search.options.held_out)
    assert second[2:] == (search.options.joint_epochs, "standard", 0.0)
    log = search.round_log()
    assert log["pseudo_labelled"] == 30
    assert log["joint_train_size"] == 150
    assert len(proposals) == log["from_ascent"] + log["from_pseudo-label"] + log["from_refill"] == 6
    best = sorted(zip(told + others, [*targets, *labels], strict=True), key=lambda pair: -pair[1])[:8]
    seeds = {architecture for architecture, _ in best}
    for proposal in proposals:
        if proposal.origin == "pseudo-label":
            assert proposal.parent is None
            assert proposal.architecture in seeds - set(told)
        elif proposal.origin == "ascent":
            assert proposal.parent in seeds


@pytest.mark.parametrize("choose", ["predicted", "first"])
def test_every_query_counts_and_none_repeats(choose: str) -> None:
    search = searcher(choose=choose)
    proposals = drive(search, measure, 40)
    assert len({proposal.architecture for proposal in proposals}) == 40
    assert Counter(proposal.origin for proposal in proposals)["random"] == 12
    assert {proposal.origin for proposal in proposals} <= {"random", "ascent", "pseudo-label", "refill"}


def test_the_best_predictions_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    search = searcher(seeds=40, steps=4)
    drive(search, measure, 12)
    new = {a: None for a in list(SPACE.enumerate())[:50] if a not in search.seen}
    monkeypatch.setattr(search, "_climb", lambda seeds, seen, limit: dict(new))
    monkeypatch.setattr(search.model, "predict", lambda rows: np.array([worth(a) for a in rows]))
    found = [worth(proposal.architecture) for proposal in search.ask(6)]
    assert found == sorted(map(worth, new), reverse=True)[:6]


def test_short_rounds_are_filled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    search = searcher()
    drive(search, measure, 12)
    monkeypatch.setattr(search, "_climb", lambda seeds, seen, limit: {})
    proposals = search.ask(6)
    assert [proposal.origin for proposal in proposals] == ["refill"] * 6
    assert search.round_log()["from_refill"] == 6


def test_a_space_without_anything_left_to_label() -> None:
    space = grid(2, 2, 2)
    search = searcher(space, 8, initial=7, new_per_round=2)
    assert len(drive(search, measure, 8)) == 8
    assert search.ask(2) == []
    assert "pseudo_labelled" not in search.round_log()


def test_predictions_are_in_the_metrics_unit() -> None:
    for goal in ("max", "min"):
        search = create(SemiNASSearcher, SPACE, 40, goal=goal, **QUICK)
        proposals = drive(search, lambda a: scored(1000 + worth(a)), 24)
        predicted = [p.predicted for p in proposals if p.predicted is not None]
        assert predicted
        assert all(900 < value < 1200 for value in predicted)


def test_nothing_is_learnt_from_failures_alone() -> None:
    search = searcher()
    proposals = drive(search, lambda a: FAILED, 20)
    assert {proposal.origin for proposal in proposals} == {"random"}
