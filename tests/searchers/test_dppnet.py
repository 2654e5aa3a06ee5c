"""DPP-Net: growth along the measured front; exact costs; what a perfect surrogate makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from naopt.latent import recurrent_surrogate
from naopt.latent.recurrent_surrogate import fit_surrogate
from naopt.measurement import Measurement
from naopt.metrics import non_dominated, spearman
from naopt.problem import Objective, Problem
from naopt.searchers import DPPNetSearcher
from naopt.spaces import Architecture, NASBench201Space
from tests.searchers.driving import drive

SPACE = NASBench201Space()
TRUTH = np.random.default_rng(3).random((2, 6, 5))
OBJECTIVES = Objective("acc"), Objective("ms", "min")


def values(tokens: Sequence[int]) -> tuple[float, float]:
    """Each edge counts by itself."""
    return tuple(float(each[np.arange(6), list(tokens)].sum()) for each in TRUTH)  # type: ignore[return-value]


def measure(architecture: Architecture) -> Measurement:
    acc, ms = values(architecture.tokens)
    return Measurement({"acc": acc, "ms": ms})


class Latency:
    metrics = ("ms",)

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, Any]:
        return {"ms": np.array([values(architecture.tokens)[1] for architecture in architectures])}


class Oracle:
    """In place of the surrogate: knows the accuracy, and that nothing else is asked for."""

    def predict(self, tokens: Sequence[Sequence[int]]) -> Any:
        return np.array([[values(each)[0]] for each in tokens])


def create(problem: Problem, **settings: Any) -> DPPNetSearcher:
    parsed = DPPNetSearcher.settings_type.parse({"epochs": 2, "hidden_size": 8} | settings)
    return DPPNetSearcher(SPACE, problem, parsed, seed=0, budget=100)


def test_sizes_grow_and_the_rest_is_replaced() -> None:
    search = create(Problem(OBJECTIVES), beam=5)
    proposals = drive(search, measure, 40)
    sizes = [search.growth.size(p.architecture) for p in proposals if p.origin == "growth"]
    assert sizes == sorted(sizes)
    assert Counter(sizes) == {0: 1, 1: 4, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5}
    assert {p.origin for p in proposals[30:]} == {"mutation"}
    assert "replacements" in search.round_log()


def test_with_a_perfect_surrogate_fronts_grow_into_fronts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges add up, so every part of a member of the front is on its size's front; a wide beam loses none."""
    monkeypatch.setattr(SPACE, "canonical", lambda tokens: tuple(tokens), raising=False)
    wanted: list[int] = []

    def fitted(space: Any, tokens: Any, targets: np.ndarray, *rest: Any, **settings: Any) -> Oracle:
        wanted.append(targets.shape[1])
        return Oracle()

    monkeypatch.setattr(recurrent_surrogate, "fit_surrogate", fitted)
    search = create(Problem(OBJECTIVES, costs=Latency()), beam=60)
    drive(search, measure, 320)
    assert set(wanted) == {1}, "what is known is not learned"
    points = np.array([[acc, -ms] for acc, ms in (values(a.tokens) for a in SPACE.enumerate())])
    front = {tuple(point) for point in points[non_dominated(points)].round(9).tolist()}
    found = {tuple(np.round([m.metrics["acc"], -m.metrics["ms"]], 9).tolist()) for _, m in search.history}
    assert len(front & found) > 0.9 * len(front)


def test_objectives_that_are_all_known_need_no_surrogate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent_surrogate, "fit_surrogate", lambda *a, **k: pytest.fail("it was fitted"))
    search = create(Problem((OBJECTIVES[1],), costs=Latency()), beam=1)
    drive(search, measure, 9)
    best = min(values(a.tokens)[1] for a in SPACE.enumerate())
    assert min(m.metrics["ms"] for _, m in search.history) == pytest.approx(best)


def test_the_surrogate_orders_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    tokens = [SPACE.sample(rng).tokens for _ in range(120)]
    table = np.array([values(each) for each in tokens])
    settings: dict[str, Any] = {"hidden_size": 16, "epochs": 30, "batch_size": 32, "learning_rate": 0.02}
    model = fit_surrogate(SPACE, tokens[:90], table[:90], 1, **settings)
    predicted = model.predict(tokens[90:])
    assert all(spearman(predicted[:, i], table[90:, i]) > 0.8 for i in range(2))
    again = fit_surrogate(SPACE, tokens[:90], table[:90], 1, **settings)
    assert (again.predict(tokens) == model.predict(tokens)).all()
