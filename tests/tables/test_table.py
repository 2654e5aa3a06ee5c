import itertools
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.measurement import MetricInfo
from naopt.spaces import ConvCellSpace, EnumeratedSpace, GenericSpace, NASBench201Space, Position
from naopt.tables import Table, load_table

SPACE = GenericSpace([Position("width", ("16", "32", "64")), Position("depth", ("1", "2"))], "mlp")
WHOLE = np.array(list(itertools.product(range(3), range(2))))


def table(**changes: Any) -> Table:
    values: dict[str, Any] = {
        "name": "toy",
        "space": SPACE,
        "tokens": WHOLE,
        "metrics": {"acc": np.arange(6.0)},
        "infos": {"acc": MetricInfo("max", "%")},
    }
    return Table(**(values | changes))


def test_rows_are_found_by_architecture() -> None:
    toy = table()
    assert len(toy) == 6
    for row in range(6):
        assert toy.row(toy.architecture(row)) == row
    other = GenericSpace(SPACE.positions, "another")
    assert toy.row(other.architecture([0, 0])) is None


def test_rows_of_a_symmetric_space_are_found_by_any_counterpart() -> None:
    space = ConvCellSpace(nodes=2, operations="enas-5")
    rng = np.random.default_rng(0)
    rows = list({space.sample(rng): None for _ in range(20)})
    toy = table(space=space, tokens=np.array([a.tokens for a in rows]), metrics={"acc": np.arange(float(len(rows)))})
    for row, architecture in enumerate(rows):
        assert toy.row(space.architecture(space.symmetric(architecture.tokens, rng))) == row


def test_search_space_is_the_whole_space_only_if_every_sequence_has_a_row() -> None:
    assert table().search_space() is SPACE
    part = table(tokens=WHOLE[[0, 3, 4]], metrics={"acc": np.arange(3.0)}).search_space()
    assert isinstance(part, EnumeratedSpace)
    assert part.size == 3
    assert part.contains([1, 1])
    assert not part.contains([1, 0])


def test_values_are_means_of_what_was_measured() -> None:
    nan = math.nan
    repeats = [[1.0, 3.0], [nan, 2.0], [nan, nan], [4.0, 4.0], [5.0, 6.0], [0.0, nan]]
    np.testing.assert_array_equal(table(metrics={"acc": np.array(repeats)}).values("acc"), [2, 2, nan, 4, 5.5, 0])
    np.testing.assert_array_equal(table().values("acc"), np.arange(6.0))


def test_unknown_metrics_are_refused_with_a_suggestion() -> None:
    for look in (table().values, table().info):
        with pytest.raises(UnknownNameError, match="did you mean 'acc'"):
            look("accc")


def test_contents_are_read_only() -> None:
    given = np.arange(6.0)
    toy = table(metrics={"acc": given})
    with pytest.raises(ValueError, match="read-only"):
        toy.metrics["acc"][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        toy.tokens[0] = 1
    given[0] = 7
    assert toy.values("acc")[0] == 0


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"tokens": WHOLE[:, :1]}, r"toy: tokens '\(6, 1\)': must have the shape \(rows, 2\)"),
        ({"tokens": WHOLE[:0]}, r"rows > 0"),
        ({"tokens": WHOLE.astype(float)}, "tokens, type 'float64': must be whole numbers"),
        ({"tokens": WHOLE + np.array([[0, 1]])}, "row 1, position depth, token '2': is not in 0..1"),
        ({"tokens": WHOLE - np.array([[1, 0]])}, "row 0, position width, token '-1'"),
        ({"tokens": np.full((6, 2), 2**63, dtype=np.uint64)}, "not in the range of any position"),
        ({"tokens": WHOLE[[0, 1, 2, 3, 4, 1]]}, "row 5 '0 1': is the same architecture as row 1"),
        ({"metrics": {}}, "metrics 'none'"),
        ({"metrics": {"loss": np.arange(6.0)}}, "metric 'loss': is not declared"),
        ({"infos": {"acc": MetricInfo(), "loss": MetricInfo()}}, "metric 'loss': is declared but has no values"),
        ({"metrics": {"acc": np.arange(5.0)}}, r"metric acc, shape '\(5,\)': must be \(6,\) or \(6, repeats\)"),
        ({"metrics": {"acc": np.zeros((6, 0))}}, r"shape '\(6, 0\)'"),
        ({"metrics": {"acc": np.zeros((6, 1, 1))}}, r"shape '\(6, 1, 1\)'"),
        ({"metrics": {"acc": np.array(["1"] * 6)}}, "type '<U1': must be real numbers"),
        ({"metrics": {"acc": np.array([0, 1, 2, math.inf, 4, 5])}}, "acc, row 3 'inf': must be finite"),
    ],
)
def test_broken_rules_are_named(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError, match=rule) as error:
        table(**changes)
    assert "\n" not in str(error.value)


def test_rows_outside_the_space_are_refused() -> None:
    space = ConvCellSpace(nodes=1)
    tokens = list(space.sample(np.random.default_rng(0)).tokens)
    kinds = [position.kind for position in space.positions]
    at = kinds.index("type")
    tokens[at], tokens[at + 1] = space.positions[at].choices.index("identity"), 3
    with pytest.raises(InputError, match=r"row 0 .* not in the space: '.*' at position 2"):
        table(space=space, tokens=np.array([tokens]), metrics={"acc": np.zeros(1)})


def test_nasbench201_opens_as_published() -> None:
    folder = os.environ.get("NAOPT_DATA")
    if folder is None:
        pytest.skip("NAOPT_DATA is not set: no folder with benchmark tables")
    bench = load_table(Path(folder) / "nasbench201.npz")
    assert isinstance(bench.search_space(), NASBench201Space)
    assert len(bench) == 15_625
    assert bench.values("test_acc/cifar10").max() == pytest.approx(94.373, abs=0.001)
    assert bench.values("valid_acc/cifar10").max() == pytest.approx(91.607, abs=0.001)
    assert bench.info("latency_ms/pi5-onnx") == MetricInfo("min", "ms")


def test_a_checksum_is_of_what_a_search_can_see() -> None:
    known = {table().checksum}
    assert known == {table(name="other", source="elsewhere").checksum}
    for changed in ({"metrics": {"acc": np.arange(1.0, 7.0)}}, {"infos": {"acc": MetricInfo("min", "%")}}):
        assert table(**changed).checksum not in known
