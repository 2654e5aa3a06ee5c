import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import evaluators
from naopt.evaluators.table import TableEvaluator
from naopt.measurement import Measurement, MetricInfo
from naopt.tables import save_table
from naopt.testing.evaluators import check_evaluator
from tests.tables.test_table import SPACE, WHOLE, table

VALUES = {"valid": np.array([1.0, 2.0, math.nan, 4.0, 5.0]), "test": np.array([6.0, math.nan, 8.0, 9.0, 7.0])}
INFOS = {"valid": MetricInfo("max", "%"), "test": MetricInfo("max", "%")}


def evaluator(**options: Any) -> TableEvaluator:
    return TableEvaluator(table(tokens=WHOLE[:5], metrics=VALUES, infos=INFOS), **options)


def test_it_is_registered_and_conforms() -> None:
    assert evaluators.get("table") is TableEvaluator
    check_evaluator(TableEvaluator(table()))
    check_evaluator(evaluator())


def test_a_row_is_looked_up() -> None:
    looked = evaluator()
    assert looked.default_metric == "valid"
    assert looked.inline
    assert looked.evaluate(SPACE.architecture(WHOLE[0]), 0) == Measurement({"valid": 1.0, "test": 6.0})
    assert looked.evaluate(SPACE.architecture(WHOLE[1]), 0) == Measurement({"valid": 2.0})


def test_what_the_table_does_not_have_is_told_apart() -> None:
    looked = evaluator()
    absent = looked.evaluate(SPACE.architecture(WHOLE[5]), 0)
    assert (absent.status, absent.reason) == ("invalid", "not in table toy")
    unmeasured = looked.evaluate(SPACE.architecture(WHOLE[2]), 0)
    reason = "valid was not measured: table toy has no value for this architecture"
    assert (unmeasured.status, unmeasured.reason) == ("failed", reason)
    assert unmeasured.metrics == {"test": 8.0}


def test_only_named_metrics_are_seen() -> None:
    looked = evaluator(metrics=["test"])
    assert looked.metrics == {"test": MetricInfo("max", "%")}
    assert looked.evaluate(SPACE.architecture(WHOLE[0]), 0).metrics == {"test": 6.0}


def test_repeats_are_averaged() -> None:
    looked = TableEvaluator(table(metrics={"acc": np.array([[1.0, 2.0]] * 6)}))
    assert looked.evaluate(SPACE.architecture([0, 0]), 0).metrics == {"acc": 1.5}


def test_pickles_of_files_are_small(tmp_path: Path) -> None:
    save_table(table(name="mlp"), tmp_path / "t.npz")
    looked = TableEvaluator(tmp_path / "t.npz", ["acc"])
    packed = pickle.dumps(looked)
    assert len(packed) < 500
    again = pickle.loads(packed)
    architecture = looked.space.architecture([2, 1])
    assert again.evaluate(architecture, 0) == looked.evaluate(architecture, 0) == Measurement({"acc": 5.0})


def test_bad_metrics_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'valid'"):
        evaluator(metrics=["vald"])
    for names in ([], ["test", "test"]):
        with pytest.raises(InputError, match="at least one, none twice"):
            evaluator(metrics=names)


def noisy(**options: Any) -> TableEvaluator:
    nan = math.nan
    repeats = {
        "valid": np.array([[1.0, 2.0, 3.0], [4.0, nan, 6.0], [nan, 8.0, nan]]),
        "test": np.array([[10.0, 20.0, 30.0], [40.0, nan, 60.0], [nan, 80.0, nan]]),
        "params": np.array([7.0, 8.0, 9.0]),
    }
    infos = {name: MetricInfo() for name in repeats}
    return TableEvaluator(table(tokens=WHOLE[:3], metrics=repeats, infos=infos), **options)


def test_noise_draws_one_measured_repeat_by_the_seed() -> None:
    looked = noisy(noise="repeat")
    check_evaluator(looked)
    for row, known in ((0, [1.0, 2.0, 3.0]), (1, [4.0, 6.0]), (2, [8.0])):
        found = [looked.evaluate(SPACE.architecture(WHOLE[row]), seed) for seed in range(3000)]
        assert found == [looked.evaluate(SPACE.architecture(WHOLE[row]), seed) for seed in range(3000)]
        values, counts = np.unique([m.metrics["valid"] for m in found], return_counts=True)
        assert values.tolist() == known
        assert np.abs(counts / 3000 - 1 / len(known)).max() < 0.03  # three standard deviations of a share of 1/2
        assert all(m.metrics["test"] == 10 * m.metrics["valid"] for m in found)
        assert {m.metrics["params"] for m in found} == {7.0 + row}


def test_noise_survives_pickling() -> None:
    looked = noisy(noise="repeat")
    again = pickle.loads(pickle.dumps(looked))
    architecture = SPACE.architecture(WHOLE[0])
    assert [again.evaluate(architecture, s) for s in range(9)] == [looked.evaluate(architecture, s) for s in range(9)]


def test_impossible_noise_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'repeat'"):
        noisy(noise="repeats")
    with pytest.raises(InputError, match="metric params of table toy has one value a row"):
        noisy(metrics=["params"], noise="repeat")
