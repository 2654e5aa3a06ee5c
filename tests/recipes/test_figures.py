"""Figures of made-up trainings: what they are, how often intervals cover, and which recipe is advised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.metrics import expected_maximum, kendall_tau
from naopt.recipes import Trained, budget, recipe_figures

SECONDS = {"full": 10.0, "cheap": 2.0}


def study(
    rng: np.random.Generator, architectures: int, correlation: float = 0.8, noise: float = 1.0
) -> dict[str, Trained]:
    """Full trainings with signal 1 and noise 0.5 around 90, cheap ones with signal 2 around 50."""
    shape = (architectures, 2)
    worth, rest = rng.normal(size=(2, architectures))
    seen = correlation * worth + math.sqrt(1 - correlation**2) * rest
    full = 90 + worth[:, None] + 0.5 * rng.normal(size=shape)
    cheap = 50 + 2 * seen[:, None] + noise * rng.normal(size=shape)
    return {
        "full": Trained(full, np.full(shape, SECONDS["full"])),
        "cheap": Trained(cheap, np.full(shape, SECONDS["cheap"])),
    }


def test_what_made_the_trainings_is_found() -> None:
    made = study(np.random.default_rng(0), 200)
    found = recipe_figures(made["cheap"], made["full"])
    for name, known in {"mean": 50, "noise": 1, "signal": 2, "reliability": 0.8, "correlation": 0.8}.items():
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(known, rel=0.1), name
        assert estimate.ci95[0] < known < estimate.ci95[1], name
    assert found.seconds == 2
    # Greiner: the tau of normals is 2 asin(r) / pi, and noise makes r smaller.
    mean = 0.8 * math.sqrt(4 / 4.5 * 1 / 1.125)
    one = 0.8 * math.sqrt(4 / 5 * 1 / 1.25)
    assert found.kendall_tau is not None
    assert found.kendall_tau.value == pytest.approx(2 / math.pi * math.asin(mean), abs=0.08)
    assert found.single is not None
    assert found.single.value == pytest.approx(2 / math.pi * math.asin(one), abs=0.08)
    itself = recipe_figures(made["full"], made["full"])
    assert (itself.kendall_tau, itself.spearman, itself.correlation) == (None, None, None)
    assert itself.single is not None
    assert itself.single.value == pytest.approx(2 / math.pi * math.asin(0.8), abs=0.08)


def searched(rng: np.random.Generator, seconds: float, trials: int = 4_000) -> NDArray[np.float64]:
    """What the best by one training is worth in full, in made-up searches of so long: full, cheap."""
    found = []
    for name in SECONDS:
        count = int(seconds / SECONDS[name])
        worth, rest, luck = rng.normal(size=(3, trials, count))
        score = worth + 0.5 * luck if name == "full" else 2 * (0.8 * worth + 0.6 * rest) + luck
        found.append(90 + worth[np.arange(trials), score.argmax(axis=1)].mean())
    return np.array(found)


def test_picks_against_simulated_searches() -> None:
    made = study(np.random.default_rng(1), 800)
    found = budget(made, made["full"], 65.0)
    assert [pick.architectures for pick in found.picks] == [6, 32]
    known = searched(np.random.default_rng(2), 65.0)
    assert [pick.gain.value for pick in found.picks if pick.gain] == pytest.approx(known - 90, abs=0.1)
    assert found.picks[0].behind is not None
    assert found.picks[0].behind.value == pytest.approx(known[0] - known[1], abs=0.1)
    assert (found.best, found.level, found.advised, found.sure) == ("cheap", ("cheap",), "cheap", True)
    assert found.sentence == "65 s: the best pick is expected of cheap; take it."


def test_intervals_cover_what_made_the_trainings() -> None:
    rng, covered = np.random.default_rng(3), []
    gains = 0.8 * math.sqrt(0.8) * expected_maximum(50), math.sqrt(0.8) * expected_maximum(10)
    for _ in range(60):
        made = study(rng, 20)
        found = budget(made, made["full"], 100.0)
        full, cheap = found.picks
        assert full.expected is not None
        assert cheap.expected is not None
        difference = cheap.behind or full.behind
        assert difference is not None
        known = gains[0] - gains[1] if cheap.behind else gains[1] - gains[0]
        pairs = [(cheap.expected, 90 + gains[0]), (full.expected, 90 + gains[1]), (difference, known)]
        covered.append([figure.ci95[0] <= truth <= figure.ci95[1] for figure, truth in pairs])
    assert (np.mean(covered, axis=0) > 0.8).all()


def test_smaller_metrics_are_turned() -> None:
    made = study(np.random.default_rng(4), 30)
    found, turned = (budget(made, made["full"], 60.0, larger=larger) for larger in (True, False))
    for one, other in zip(found.picks, turned.picks, strict=True):
        assert one.expected is not None
        assert other.expected is not None
        assert (-other.expected.value, -other.expected.ci95[0]) == (one.expected.value, one.expected.ci95[1])
        assert (one.gain, one.behind) == (other.gain, other.behind)


def test_finalists_cost_time_and_choose_better() -> None:
    made = study(np.random.default_rng(5), 400, correlation=0.5)
    without, some = (budget(made, made["full"], 100.0, finalists=count).picks[1] for count in (0, 3))
    assert (without.architectures, some.architectures) == (50, 35)
    assert without.gain is not None
    assert some.gain is not None
    assert some.gain.value > without.gain.value + 0.3
    nothing = budget(made, made["full"], 20.0, finalists=3)
    assert (nothing.best, nothing.sure) == ("", False)
    assert "no recipe has time" in nothing.sentence


def test_the_cheapest_of_those_that_cannot_be_told_apart() -> None:
    made = study(np.random.default_rng(6), 12)
    again = Trained(made["cheap"].scores + 1e-3, made["cheap"].seconds / 1.01)
    noise = Trained(np.random.default_rng(7).normal(size=(12, 2)), made["cheap"].seconds / 50)
    found = budget({**made, "again": again, "noise": noise}, made["full"], 30.0)
    assert found.level[-2:] == ("again", "cheap")
    assert found.advised == "again"
    assert "cannot be told from it; take again, the cheapest of these" in found.sentence
    lost = budget({"noise": noise}, made["full"], 30.0)
    assert (lost.best, lost.sure) == ("noise", False)
    assert "train more of them" in lost.sentence


def test_failures_rank_last_and_cost_time() -> None:
    made = study(np.random.default_rng(8), 10)
    full, scores = made["full"], made["cheap"].scores.copy()
    scores[2], scores[5, 0] = np.nan, np.nan
    failing = Trained(scores, made["cheap"].seconds)
    found = recipe_figures(failing, full)
    means = np.where(np.isfinite(failing.means), failing.means, -1e9)
    assert found.kendall_tau is not None
    assert found.kendall_tau.value == kendall_tau(full.means, means)
    assert found.mean is not None
    assert found.mean.value == pytest.approx(np.nanmean(failing.means))
    pick = budget({"cheap": failing}, full, 40.0).picks[0]
    assert pick.architectures == 17  # 20 trainings, of which 17 in 20 end well
    broken = Trained(np.full((10, 2), np.nan), made["cheap"].seconds)
    nothing = recipe_figures(broken, full)
    assert (nothing.mean, nothing.noise, nothing.kendall_tau, nothing.single) == (None, None, None, None)
    alone = budget({"cheap": broken}, full, 40.0)
    assert (alone.best, alone.picks[0].expected, alone.picks[0].architectures) == ("", None, 0)


def test_a_pick_is_what_the_figures_beside_it_say() -> None:
    """The gain of ten architectures or so is that of the row's own figures, by the formula that the page has."""
    made = study(np.random.default_rng(9), 8)
    figures, full = (recipe_figures(made[name], made["full"]) for name in ("cheap", "full"))
    pick = budget(made, made["full"], 40.0).picks[1]
    assert pick.gain is not None
    assert figures.correlation is not None
    assert figures.reliability is not None
    assert full.signal is not None
    told = figures.correlation.value * math.sqrt(figures.reliability.value)
    assert pick.gain.value == pytest.approx(full.signal.value * told * expected_maximum(20))


def test_nothing_is_gained_where_architectures_are_equal() -> None:
    made = study(np.random.default_rng(10), 6)
    equal = Trained(np.array([[0.0, 9.0], [1.0, 8.0]] * 3), made["full"].seconds)
    for finalists in (0, 2):
        for pick in budget({**made, "full": equal}, equal, 100.0, finalists=finalists).picks:
            assert pick.gain is not None
            assert pick.gain.value == 0
