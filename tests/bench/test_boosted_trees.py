import numpy as np
import pytest

from naopt.latent import models
from naopt.latent.baselines import BoostedTreesModel
from naopt.metrics import kendall_tau
from naopt.spaces import ConvCellSpace
from tests.bench.stubs import cube


def test_trees_learn_the_cube() -> None:
    table = cube()
    scores = table.values("score")
    order = np.random.default_rng(0).permutation(125)
    rows = [table.architecture(row) for row in order.tolist()]
    model = models.get("boosted-trees")(table.space, 0)
    losses = model.fit(rows[:80], scores[order[:80]])
    assert losses["mean_squared_error"] < 1
    assert kendall_tau(scores[order[80:]], model.predict(rows[80:])) > 0.8
    assert model.reconstruct(rows) is None


def test_fits_depend_on_the_seed_alone() -> None:
    table = cube()
    rows = [table.architecture(row) for row in range(60)]
    fits = []
    for seed in (0, 0, 1):
        model = BoostedTreesModel(table.space, seed)
        model.fit(rows, table.values("score")[:60])
        fits.append(model.predict(rows))
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


@pytest.mark.parametrize("count", [1, 2])
def test_hardly_any_rows_are_enough(count: int) -> None:
    table = cube()
    model = BoostedTreesModel(table.space, 0)
    model.fit([table.architecture(row) for row in range(count)], np.full(count, 3.0))
    assert model.predict([table.architecture(9)]).tolist() == [3.0]


def test_isomorphic_cells_are_predicted_alike() -> None:
    space = ConvCellSpace(nodes=2, operations="enas-5")
    rng = np.random.default_rng(0)
    cells = [space.sample(rng) for _ in range(30)]
    model = BoostedTreesModel(space, 0)
    model.fit(cells, rng.normal(size=30))
    mirrored = [space.architecture(space.symmetric(cell.tokens, rng)) for cell in cells]
    np.testing.assert_array_equal(model.predict(cells), model.predict(mirrored))


def test_prediction_needs_a_fit() -> None:
    with pytest.raises(RuntimeError, match="fitted"):
        BoostedTreesModel(cube().space, 0).predict([])
