"""The default latent model: what it predicts and left out, where uphill is, and that a fit is pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naopt.latent import EmbeddingModel, EmbeddingSettings
from naopt.latent.acquisition import log_expected_improvement
from naopt.latent.distances import squared_distances
from naopt.latent.kernels import value_and_slope
from naopt.latent.likelihood import likeliest
from naopt.latent.targets import Targets
from naopt.metrics import kendall_tau, pairwise_accuracy, spearman
from naopt.spaces import Architecture, EnumeratedSpace, GenericSpace, NASBench201Space, Position, SearchSpace
from tests.spaces.examples import SPACES

FAST: dict[str, Any] = {"unlabelled": 200, "pretraining_steps": 5, "decoder_size": 16}
NB201 = NASBench201Space()
WEIGHTS = np.array([1.0, 3.0, -2.0, 0.5, 2.0, -1.0])


def drawn(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    """Distinct architectures."""
    rng, found = np.random.default_rng(seed), dict[Architecture, None]()
    while len(found) < count:
        found[space.sample(rng)] = None
    return list(found)


def worth(architectures: list[Architecture]) -> np.ndarray:
    return np.array([float(np.sin(WEIGHTS[: len(a.tokens)] * np.asarray(a.tokens)[:6]).sum()) for a in architectures])


def model(space: SearchSpace = NB201, **options: Any) -> EmbeddingModel:
    return EmbeddingModel(space, EmbeddingSettings(**FAST | options))


def fitted(count: int = 30, **options: Any) -> tuple[EmbeddingModel, list[Architecture], np.ndarray]:
    some = drawn(NB201, count)
    found = model(**options)
    found.fit(some, worth(some))
    return found, some, worth(some)


def parameters_of(found: EmbeddingModel) -> np.ndarray:
    assert found._process is not None
    assert found._process.parameters is not None
    return found._process.parameters


def naive_process(
    found: EmbeddingModel,
    points: np.ndarray,
    targets: np.ndarray,
    others: np.ndarray,
    scales: list[float],
    level: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance with the model's parameters and given scales, by the textbook; the level too, if not given."""
    parameters, blocks = parameters_of(found), list(found.pretrained.embedding.blocks.values())
    kind = found.settings.kernel

    def covariance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        total = np.zeros((len(first), len(second)))
        for i, at in enumerate(blocks):
            squares = (
                squared_distances(first[:, at], second[:, at]) / scales[i] / np.exp(2 * parameters[len(blocks) + i])
            )
            total += np.exp(parameters[i]) * value_and_slope(kind, squares)[0]
        return total

    inside = covariance(points, points) + (np.exp(parameters[-1]) + 1e-6) * np.eye(len(points))
    across = covariance(others, points)
    if level is None:
        level = level_of(inside, targets)
    mean = level + across @ np.linalg.solve(inside, targets - level)
    variance = np.exp(parameters[: len(blocks)]).sum() - (across * np.linalg.solve(inside, across.T).T).sum(axis=1)
    return mean, variance


def level_of(inside: np.ndarray, targets: np.ndarray) -> float:
    """Posterior mean of a standard normal level that is added to the process, whose covariance is given."""
    both = inside + 1.0
    return float(np.ones(len(targets)) @ np.linalg.solve(both, targets))


def scales_of(found: EmbeddingModel, points: np.ndarray) -> list[float]:
    """Median squared distance of each block."""
    squares = [squared_distances(points[:, at], points[:, at]) for at in found.pretrained.embedding.blocks.values()]
    return [float(np.median(square[square > 1e-9])) for square in squares]


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_predictions_and_what_is_left_out_are_the_textbooks(kernel: Any) -> None:
    found, some, scores = fitted(kernel=kernel)
    log = found.fit(some, scores)
    points, targets = found.encode(some), Targets.fit(scores, "yeo-johnson").transform(scores)
    scales = scales_of(found, points)
    others = drawn(NB201, 20, seed=1)
    mean, _ = naive_process(found, points, targets, found.encode(others), scales)
    np.testing.assert_allclose(found.means(others), mean, atol=1e-7)
    np.testing.assert_allclose(found.predict(others), Targets.fit(scores, "yeo-johnson").inverse(mean), atol=1e-7)
    assert found._process is not None
    assert found._process.level != 0
    left_out, variances = [], []
    for row in range(len(some)):
        rest = np.delete(np.arange(len(some)), row)
        mean, variance = naive_process(
            found, points[rest], targets[rest], points[row : row + 1], scales, found._process.level
        )
        left_out.append(mean[0])
        variances.append(variance[0] + np.exp(parameters_of(found)[-1]) + 1e-6)
    np.testing.assert_allclose(found._process.left_out()[0], left_out, atol=1e-7)
    np.testing.assert_allclose(found._process.left_out()[1], variances, atol=1e-7)
    assert log["kendall_tau"] == pytest.approx(kendall_tau(scores, np.array(left_out)))
    assert log["pairwise_accuracy"] == pytest.approx(pairwise_accuracy(scores, np.array(left_out)))
    assert log["spearman"] == pytest.approx(spearman(scores, np.array(left_out)))
    assert log["held_out"] == log["train_size"] == 30
    assert log["noise"] == pytest.approx(np.exp(parameters_of(found)[-1]))
    assert log["fit_seconds"] > 0


@pytest.mark.parametrize("over", ["expected", "measured"])
def test_improvement_is_over_the_best_and_believes_what_is_pending(over: str) -> None:
    found, some, scores = fitted(best=over)
    points, targets = found.encode(some), Targets.fit(scores, "yeo-johnson").transform(scores)
    best = targets.max() if over == "measured" else found.means(some).max()
    others = found.encode(drawn(NB201, 15, seed=1))
    mean, variance = naive_process(found, points, targets, others, scales_of(found, points))
    expected = log_expected_improvement(mean, np.sqrt(variance), best)
    np.testing.assert_allclose(found.improvement(others), expected, atol=1e-5)
    np.testing.assert_array_equal(found.improvement(others, others[:0]), found.improvement(others))
    pending = others[:2]
    told = np.concatenate([points, pending])
    assert found._process is not None
    mean, variance = naive_process(
        found, told, np.concatenate([targets, mean[:2]]), others, scales_of(found, told), found._process.level
    )
    expected = log_expected_improvement(mean, np.sqrt(variance), best)
    np.testing.assert_allclose(found.improvement(others, pending), expected, atol=1e-5)
    assert (found.improvement(others, pending)[:2] < found.improvement(others)[:2]).all()


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
@pytest.mark.parametrize("beyond", [0.0, 3.0, 12.0, 60.0])
def test_uphill_is_where_the_improvement_grows(kernel: Any, beyond: float) -> None:
    """Finite differences of its logarithm; far below the best as well (``beyond`` raises what is to be beaten)."""
    found, _, _ = fitted(kernel=kernel)
    found._best += beyond
    rng = np.random.default_rng(4)
    points = found.encode(drawn(NB201, 4, seed=1))
    points += 0.1 * found.pretrained.unit * rng.standard_normal(points.shape) / np.sqrt(points.shape[1])
    step = 1e-4
    for point, direction in zip(points, found.uphill(points), strict=True):
        both = [found.improvement(point + sign * step * np.eye(len(point))) for sign in (1, -1)]
        slope = (both[0] - both[1]) / (2 * step)
        assert np.linalg.norm(direction) == pytest.approx(1)
        assert direction @ slope / np.linalg.norm(slope) > 0.9999


def test_far_above_the_best_uphill_follows_the_mean() -> None:
    found, _, _ = fitted()
    found._best -= 1e6
    points = found.encode(drawn(NB201, 3, seed=1)) + 0.05
    assert found._process is not None
    of_mean = np.concatenate(found._process.slopes(found.split(points))[2], axis=1)
    np.testing.assert_allclose(
        found.uphill(points), of_mean / np.linalg.norm(of_mean, axis=1, keepdims=True), atol=1e-3
    )


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 40), st.sampled_from([1.0, 1.1, 1.5]))
def test_a_fit_depends_on_nothing_but_what_it_is_given(before: list[int], count: int, growth: float) -> None:
    """Whatever was fitted before, in whatever batches it was encoded: equal bits."""
    some = drawn(NB201, 40)
    scores = worth(some)
    used, fresh = model(refit_growth=growth), model(refit_growth=growth)
    for size in before:
        used.fit(some[:size], scores[:size])
    others = drawn(NB201, 5, seed=1)
    first, second = used.fit(some[:count], scores[:count]), fresh.fit(some[:count], scores[:count])
    assert {**first, "fit_seconds": 0} == {**second, "fit_seconds": 0}
    assert (used.predict(others) == fresh.predict(others)).all()
    assert (used.improvement(used.encode(others)) == fresh.improvement(fresh.encode(others))).all()


def test_other_scores_of_the_same_architectures_are_fitted_anew() -> None:
    found, some, scores = fitted(9)
    others = drawn(NB201, 5, seed=1)
    found.fit(some, -scores)
    fresh = model()
    fresh.fit(some, -scores)
    assert (found.predict(others) == fresh.predict(others)).all()


@pytest.mark.parametrize(("growth", "expected"), [(1.0, 29), (1.5, 7 + 4), (100.0, 7)])
def test_parameters_are_fitted_as_often_as_measurements_grow(
    growth: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each of the first 8 measurements, then (factor 1.5) at 12, 18, 27 and 41 of them."""
    sizes: list[int] = []

    def counted(kernels: Any, squares: Any, targets: np.ndarray, *others: Any) -> Any:
        sizes.append(len(targets))
        return likeliest(kernels, squares, targets, *others)

    monkeypatch.setattr("naopt.latent.gaussian_process.likeliest", counted)
    some = drawn(NB201, 41)
    found = model(refit_growth=growth)
    for count in [*range(2, 30), 41] if growth == 1 else range(2, 42):
        found.fit(some[:count], worth(some[:count]))
    assert len(sizes) == expected
    assert sizes[:7] == list(range(2, 9))
    if growth == 1.5:
        assert sizes[7:] == [12, 18, 27, 41]


def test_an_outlier_bends_little() -> None:
    """The one architecture that failed is the worst, however bad it is."""
    some = drawn(NB201, 30)
    scores = worth(some)
    means = []
    for bad in (scores.min() - 1e-3, -1e9):
        found = model()
        found.fit([*some, NB201.architecture([0] * 6)], np.append(scores, bad))
        means.append(found.means(drawn(NB201, 50, seed=1)))
    assert kendall_tau(*means) > 0.8


@pytest.mark.parametrize("normalisation", ["yeo-johnson", "rank", "min-max", "standard"])
def test_it_learns(normalisation: Any) -> None:
    some = drawn(NB201, 80)
    found = model(normalisation=normalisation)
    found.fit(some, 50 + worth(some))
    others = drawn(NB201, 100, seed=5)
    assert kendall_tau(worth(others), found.predict(others)) > 0.5
    assert np.abs(found.predict(some) - 50 - worth(some)).mean() < 0.6


@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0, 1.0], [1.0, 2.0], [3.0]])
def test_few_or_equal_scores(scores: list[float]) -> None:
    some = drawn(NB201, len(scores))
    found = model()
    log = found.fit(some, np.array(scores))
    predicted = found.predict(drawn(NB201, 10, seed=1))
    assert "kendall_tau" not in log
    assert np.isfinite(predicted).all()
    if len(set(scores)) == 1:
        np.testing.assert_allclose(predicted, scores[0])
    points = found.encode(drawn(NB201, 10, seed=1))
    assert np.isfinite(found.improvement(points, points[:2])).all()
    assert np.isfinite(found.uphill(points)).all()


def check_all(space: SearchSpace, some: list[Architecture]) -> None:
    found = model(space)
    log = found.fit(some, np.arange(len(some), dtype=np.float64))
    points = found.encode(some)
    assert np.isfinite(list(log.values())).all()
    assert np.isfinite(found.predict(some)).all()
    assert np.isfinite(found.improvement(points, points[:1])).all()
    assert found.uphill(points).shape == points.shape
    assert np.isfinite(found.uphill(points)).all()
    assert found.reconstruct(some) == found.presented(some)


def test_spaces_with_one_position() -> None:
    space = GenericSpace([Position("only", ("a", "b", "c", "d"))])
    check_all(space, list(space.enumerate()))
    check_all(space, list(space.enumerate())[:2])
    single = SPACES["single"]
    check_all(single, list(single.enumerate()))


def test_an_embedding_without_a_dimension() -> None:
    """Three queries of NAS-Bench-201 that compute the same: nothing is known to tell them apart."""
    rows = [NB201.architecture(t) for t in ((3, 3, 0, 3, 0, 3), (3, 3, 1, 3, 0, 3))]
    rows = [rows[0], *(NB201.architecture(t) for t in NB201.symmetries(rows[0].tokens) if t != rows[0].tokens)]
    space = EnumeratedSpace(NB201, [row.tokens for row in rows])
    found = model(space)
    assert found.pretrained.embedding.dimensions == 0
    assert found.pretrained.unit == 1
    check_all(space, [space.architecture(row.tokens) for row in rows])


@pytest.mark.parametrize("name", ["mlp", "awkward", "enas-5-1", "nasbench101", "recurrent-3", "listed-cells"])
def test_any_space(name: str) -> None:
    check_all(SPACES[name], drawn(SPACES[name], 6))


def test_positions_that_do_not_matter_are_overlooked() -> None:
    """Two of eight positions decide, and only together: from 60 architectures the others are ranked."""
    space = GenericSpace([Position(str(at), ("a", "b", "c", "d")) for at in range(8)])
    everyone = drawn(space, 400)

    def value(architecture: Architecture) -> float:
        first, second = architecture.tokens[2], architecture.tokens[5]
        return float((3 * first + 5 * second) % 7)

    scores = np.array([value(architecture) for architecture in everyone])
    found = model(space)
    found.fit(everyone[:60], scores[:60])
    assert kendall_tau(scores[60:], found.predict(everyone[60:])) > 0.7
    process = found._process
    assert process is not None
    lengths = process._unpacked()[1][list(found.pretrained.embedding.together)]
    assert sorted(np.argsort(lengths)[:2].tolist()) == [2, 5]


def test_known_errors_decide_what_improvement_is_over() -> None:
    """The best is what endless repetition is expected to give, not the luckiest measurement."""
    found, some, scores = fitted()
    lucky = scores.copy()
    lucky[7] = scores.max() + 10
    found.fit(some, lucky, np.full(len(some), 10.0))
    assert found._best == pytest.approx(found.own()[0].max())
    assert found._best < found.targets.transform(lucky)[7] - 0.5


def test_a_prediction_needs_a_fit() -> None:
    with pytest.raises(RuntimeError, match="fit first"):
        model().predict(drawn(NB201, 1))
    found, _, _ = fitted(5)
    assert found.predict([]).shape == (0,)
    with pytest.raises(ValueError, match="at least one score"):
        found.fit([], np.zeros(0))


def test_coding() -> None:
    found, some, _ = fitted()
    assert found.presented(some) == [NB201.canonical(a.tokens) for a in some]
    assert found.decode(found.encode(some)) == found.reconstruct(some) == found.presented(some)
    assert found.encode(some).shape == (30, found.pretrained.embedding.dimensions)
