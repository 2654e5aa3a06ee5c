import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.tables import CrossValidation, NoiseModel, Surrogate, load_table, save_table
from tests.tables.test_table import table

MADE = Surrogate(
    model="gbdt",
    seed=3,
    measured=4,
    predicted=2,
    kept=True,
    cv=CrossValidation(folds=5, kendall_tau=0.8, spearman=0.9, r2=0.7, mae=0.25),
    noise=NoiseModel(origin="residuals", edges=(1.5,), deviations=(0.5, 0.25), repeats=3),
)


def arrays_of(path: Path) -> dict[str, Any]:
    with np.load(path) as archive:
        return dict(archive)


def test_a_surrogate_is_kept_in_the_file(tmp_path: Path) -> None:
    save_table(table(surrogates={"acc": MADE}), tmp_path / "t.npz")
    assert load_table(tmp_path / "t.npz").surrogates == {"acc": MADE}
    meta = json.loads(arrays_of(tmp_path / "t.npz")["meta"].item())
    assert meta["surrogate"]["acc"]["cv"]["kendall_tau"] == 0.8
    assert meta["version"] == 1


def test_other_tables_do_not_mention_it(tmp_path: Path) -> None:
    save_table(table(), tmp_path / "t.npz")
    assert "surrogate" not in json.loads(arrays_of(tmp_path / "t.npz")["meta"].item())
    assert load_table(tmp_path / "t.npz").surrogates == {}


def test_surrogates_of_unknown_metrics_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="table toy: surrogate of metric 'loss': has no values"):
        table(surrogates={"loss": MADE})


def test_nonsense_in_a_file_is_named(tmp_path: Path) -> None:
    save_table(table(surrogates={"acc": MADE}), tmp_path / "t.npz")
    arrays = arrays_of(tmp_path / "t.npz")
    meta = json.loads(arrays["meta"].item())
    meta["surrogate"]["acc"]["cv"]["folds"] = 0
    arrays["meta"] = np.array(json.dumps(meta))
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InputError, match=r"meta surrogate\.acc\.cv\.folds '0'"):
        load_table(tmp_path / "t.npz")
