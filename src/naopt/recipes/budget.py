"""What a pick is worth that a time is spent on, by recipe, and which recipe to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.durations import in_words
from naopt.metrics import Estimate, expected_finals, expected_picks, variance_components
from naopt.recipes.figures import Trained, correlations, estimate, resampled

if TYPE_CHECKING:
    from numpy.typing import NDArray


_SHORTEST = 1e-6
"""Seconds that a training takes at least."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The best of random architectures that a recipe has time for.

    Attributes:
        recipe: its name.
        architectures: how many there is time for, those whose training fails left out.
        expected: of the pick, by the full training's metric; ``None`` where time or trainings are too few.
        gain: the same less the mean of the architectures, larger is better.
        behind: ``gain`` less that of the best recipe, from the same resamples; ``None`` for the best.
    """

    recipe: str
    architectures: int
    expected: Estimate | None
    gain: Estimate | None
    behind: Estimate | None


@dataclass(frozen=True, slots=True)
class Budget:
    """A time, and what each recipe makes of it.

    Attributes:
        seconds: of trainings, one after the other.
        finalists: how many of the best are trained in full within that time, the best of which is the pick; with 0 the
            best by the recipe is the pick.
        picks: in the order of the recipes.
        best: the recipe whose pick is expected to be best; empty if none has time or figures.
        level: recipes that cannot be told from it, the cheapest first, itself among them.
        advised: of these the cheapest that is known to give more than a random architecture; else ``best``.
        sure: whether any such is known.
        beyond: whether the pick of ``best`` is expected to be better than every architecture that was trained in full,
            which only the normal distribution's tail says.
    """

    seconds: float
    finalists: int
    picks: tuple[Pick, ...]
    best: str
    level: tuple[str, ...]
    advised: str
    sure: bool
    beyond: bool

    @property
    def sentence(self) -> str:
        """What to do with that time."""
        time = in_words(self.seconds)
        if not self.best:
            return f"{time}: no recipe has time for an architecture, or figures to go by."
        said = f"{time}: the best pick is expected of {self.best}"
        if self.beyond:
            said += ", better than all that were trained, as far as the model reaches"
        others = [name for name in self.level if name != self.best]
        if others:
            said += f"; {_and(others)} cannot be told from it"
        if not self.sure:
            return f"{said}; none is known to give more than a random architecture: train more of them."
        if not others:
            return f"{said}; take it."
        known = "" if self.advised == self.level[0] else " that is known to give more than a random architecture"
        return f"{said}; take {self.advised}, the cheapest of these{known}."


def budget(
    recipes: Mapping[str, Trained], full: Trained, seconds: float, *, finalists: int = 0, larger: bool = True
) -> Budget:
    """What each recipe makes of a time, for whoever trains random architectures and takes the best.

    The model: what an architecture is worth in full and what one training by a recipe says are bivariate normal, their
    standard deviations and correlation those of the variance components. The best of n by the recipe is then
    ``correlation * sqrt(reliability) * E[max of n standard normals]`` standard deviations better than the mean, and n
    is the time over the mean seconds of one training, times the share of trainings that end well.

    Args:
        recipes: trainings by name; the full ones may be among them.
        full: the full trainings of the same architectures.
        seconds: the time.
        finalists: see ``Budget``; their full trainings are within the time.
        larger: whether the metric is better where it is larger; the scores always are.
    """
    counts = resampled(len(full.scores))
    values = {name: _gains(each, full, seconds, finalists, None) for name, each in recipes.items()}
    spread = {name: _gains(each, full, seconds, finalists, counts) for name, each in recipes.items()}
    gains = {name: estimate(values[name][0], spread[name][0]) for name in recipes}
    known = {name: gain for name, gain in gains.items() if gain is not None}
    best = max(known, key=lambda name: known[name].value, default="")
    means = variance_components(full.scores).mean, variance_components(full.scores, counts).mean
    picks = []
    for name in recipes:
        (value, numbers), (values_of, _) = values[name], spread[name]
        expected = estimate(means[0] + value, means[1] + values_of)
        behind = None
        if name != best and name in known:
            behind = estimate(value - values[best][0], values_of - spread[best][0])
        picks.append(Pick(name, int(numbers[0]), _turned(expected, larger), gains[name], behind))
    level = {best, *(pick.recipe for pick in picks if pick.behind is not None and pick.behind.ci95[1] >= 0)}
    ordered = sorted((name for name in recipes if name in level), key=lambda name: float(recipes[name].seconds.mean()))
    better = [name for name in ordered if known[name].ci95[0] > 0] if best else []
    advised = better[0] if better else best
    most = np.max(full.means, initial=-np.inf, where=np.isfinite(full.means))
    beyond = best in known and bool(means[0][0] + known[best].value > most)
    return Budget(seconds, finalists, tuple(picks), best, tuple(ordered), advised, bool(better), beyond)


def _gains(
    trained: Trained, full: Trained, seconds: float, finalists: int, counts: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain in the metric's unit, and for how many architectures there is time; of resamples ``(b,)``, or ``(1,)``."""
    own, target = variance_components(trained.scores, counts), variance_components(full.scores, counts)
    each, final = (_per_training(one.seconds, counts) for one in (trained, full))
    well = _per_training(np.isfinite(trained.scores).astype(np.float64), counts)
    with np.errstate(all="ignore"):
        time = np.maximum(seconds - finalists * final, 0.0) / np.maximum(each, _SHORTEST)
        numbers = np.floor(time * well + 1e-9)
        reliability = np.where(own.signal == 0, 0.0, own.reliability)
        correlation = correlations(trained, full, counts) * np.sqrt(reliability)
        if finalists:
            gain = expected_finals(correlation, numbers, finalists, np.sqrt(target.noise / target.signal))
        else:
            gain = expected_picks(correlation, numbers)
        return np.where(target.signal > 0, gain, np.where(numbers >= 1, 0.0, np.nan)) * np.sqrt(target.signal), numbers


def _per_training(values: NDArray[np.float64], counts: NDArray[np.float64] | None) -> NDArray[np.float64]:
    drawn = np.ones((1, len(values))) if counts is None else counts
    found: NDArray[np.float64] = drawn @ values.mean(axis=1) / drawn.sum(axis=1)
    return found


def _turned(found: Estimate | None, larger: bool) -> Estimate | None:
    if found is None or larger:
        return found
    return Estimate(-found.value, (-found.ci95[1], -found.ci95[0]))


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
