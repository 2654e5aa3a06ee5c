"""Boosted trees: the choice against brute force over the space, published settings, and the models of ``quality``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.ensemble import GradientBoostingRegressor

from naopt.latent import BoostedTreesModel, GaussianProcessModel, models
from naopt.latent.encoding import encoded
from naopt.measurement import Measurement
from naopt.metrics import kendall_tau
from naopt.searchers import BoostedTreesSearcher
from naopt.searchers.boosted_trees import BoostedTreesSettings
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from naopt.tables import load_table
from tests.searchers.driving import create, data, drive, grid, needs_data, scored

SPACE = NASBench201Space()


def worth(architecture: Architecture) -> float:
    return float(sum(token * (index + 1) for index, token in enumerate(architecture.tokens)))


def measure(architecture: Architecture) -> Measurement:
    return scored(worth(architecture))


def features(architectures: list[Architecture]) -> np.ndarray:
    return np.concatenate(list(encoded(SPACE, architectures, ("tokens", "paths", "sizes", "local")).values()), axis=1)


def test_the_best_predictions_of_all_are_measured() -> None:
    """The same trees by scikit-learn itself, on every architecture that is left."""
    search = create(BoostedTreesSearcher, SPACE, 80, initial=30, batch=20, rows=1.0, columns=1.0, trees=30)
    drive(search, measure, 30)
    told = [architecture for architecture, _ in search.history]
    y = norm.ppf((rankdata([worth(architecture) for architecture in told]) - 0.5) / 30)
    trees = GradientBoostingRegressor(
        n_estimators=30, learning_rate=0.05, max_depth=5, random_state=int(search.generator().integers(2**31))
    ).fit(features(told), y)
    left = [a for a in SPACE.enumerate() if a not in search.seen]
    predicted = trees.predict(features(left))
    proposals = search.ask(50)
    assert len(proposals) == 20
    found = trees.predict(features([proposal.architecture for proposal in proposals]))
    np.testing.assert_allclose(np.sort(found), np.sort(predicted)[-20:])
    assert {proposal.origin for proposal in proposals} == {"scan"}


def test_published_settings_are_those_of_the_program() -> None:
    settings = BoostedTreesSettings.parse({"preset": "published"})
    assert (settings.initial, settings.batch, settings.trees, settings.leaves) == (1000, 1000, 100, 31)
    assert (settings.learning_rate, settings.rows, settings.columns) == (0.05, 0.8, 0.9)
    search = create(BoostedTreesSearcher, SPACE, 2000, preset="published")
    assert (search.initial, search.batch) == (1000, 1000)
    shares = create(BoostedTreesSearcher, SPACE, 150)
    assert (shares.initial, shares.batch) == (22, 10)


@pytest.mark.parametrize("options", [{"trees": 50}, {"preset": "published", "initial": 20, "batch": 20}])
def test_rounds_get_better(options: dict[str, Any]) -> None:
    options = options | {"random": 100, "mutations": 100, "candidates": "local"}
    search = create(BoostedTreesSearcher, SPACE, 60, **options)
    values = [worth(proposal.architecture) for proposal in drive(search, measure, 60)]
    assert np.mean(values[-20:]) > np.mean(values[:9]) + 5
    assert search.round_log()["candidates"] == 200


def test_small_spaces_end() -> None:
    search = create(BoostedTreesSearcher, grid(2, 3), 10, initial=2, batch=3)
    assert len(drive(search, measure, 10)) == 6


# Models.


def test_models_are_registered_and_learn() -> None:
    cells = list(dict.fromkeys(SPACE.sample(rng) for rng in [np.random.default_rng(0)] for _ in range(160)))
    scores = np.array([worth(SPACE.architecture(SPACE.canonical(cell.tokens))) for cell in cells])
    for name in ("boosted-trees", "gp"):
        model = models.get(name)(SPACE, 0)
        with pytest.raises(RuntimeError, match="fitted"):
            model.predict(cells)
        assert all(np.isfinite(list(model.fit(cells[:100], scores[:100]).values())))
        assert kendall_tau(scores[100:], model.predict(cells[100:])) > 0.5
        assert model.presented(cells[:1]) == [SPACE.canonical(cells[0].tokens)]
        assert model.reconstruct(cells) is None
        assert model.predict([]).shape == (0,)


def test_the_process_is_that_of_ranks_and_isomorphic_cells_are_alike() -> None:
    space, rng = ConvCellSpace(2, "enas-5"), np.random.default_rng(0)
    cells = [space.sample(rng) for _ in range(40)]
    scores = np.array([worth(cell) for cell in cells])
    plain, bent = GaussianProcessModel(space), GaussianProcessModel(space, groups=("tokens", "paths"), kernel="rbf")
    plain.fit(cells, scores)
    bent.fit(cells, np.exp(scores / 20))
    mirrored = [space.architecture(space.symmetric(cell.tokens, rng)) for cell in cells]
    np.testing.assert_array_equal(plain.predict(cells), plain.predict(mirrored))
    assert kendall_tau(plain.predict(mirrored), bent.predict(cells)) == pytest.approx(1)
    constant = GaussianProcessModel(space)
    constant.fit(cells[:3], np.full(3, 7.0))
    assert constant.predict(cells[5:6]).tolist() == [7.0]


@needs_data
def test_predictors_are_as_good_as_reported() -> None:
    """Kendall tau with 156 cells of NAS-Bench-201, CIFAR-10 validation: 0.766 with path features alone.

    On the 2,000 cells that are tested here it is within 0.03 of that.
    """
    table = load_table(data("nasbench201.npz"))
    accuracy = table.values("valid_acc/cifar10")
    rows = np.random.default_rng(0).permutation(len(accuracy))[:2156]
    cells = [table.architecture(row) for row in rows.tolist()]
    alone = [BoostedTreesModel(SPACE, 0, ("paths",)), GaussianProcessModel(SPACE, groups=("paths",))]
    for model in alone:
        model.fit(cells[:156], accuracy[rows[:156]])
        assert kendall_tau(accuracy[rows[156:]], model.predict(cells[156:])) == pytest.approx(0.766, abs=0.03)
    for model in (GaussianProcessModel(SPACE), BoostedTreesModel(SPACE, 0)):
        model.fit(cells[:156], accuracy[rows[:156]])
        assert kendall_tau(accuracy[rows[156:]], model.predict(cells[156:])) > 0.77
