import math
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.measurement import MetricInfo
from naopt.tables import import_csv, load_table, parse_metric, save_table, table_importers

ACC = {"acc": MetricInfo("max", "%")}


def csv(folder: Path, text: str) -> Path:
    path = folder / "design.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_become_positions_and_metrics(tmp_path: Path) -> None:
    source = csv(tmp_path, "width,acc,kind\n64,0.5,tanh\n8, ,relu\n\n16,0.25,tanh\n")
    table = import_csv(source, ACC)
    assert [(p.name, p.choices) for p in table.space.positions] == [
        ("width", ("8", "16", "64")),
        ("kind", ("tanh", "relu")),
    ]
    assert table.tokens.tolist() == [[2, 0], [0, 1], [1, 0]]
    np.testing.assert_array_equal(table.values("acc"), [0.5, math.nan, 0.25])
    assert table.infos == ACC
    assert table.name == "design"
    save_table(table, tmp_path / "t.npz")
    np.testing.assert_array_equal(load_table(tmp_path / "t.npz").tokens, table.tokens)


def test_lines_with_equal_choices_become_repeats(tmp_path: Path) -> None:
    table = import_csv(csv(tmp_path, "\ufeffa,acc\nx,1\ny,2\nx,3\n"), ACC)
    np.testing.assert_array_equal(table.metrics["acc"], [[1, 3], [2, math.nan]])
    assert table.values("acc").tolist() == [2, 2]


def test_numbers_that_are_not_finite_are_words(tmp_path: Path) -> None:
    table = import_csv(csv(tmp_path, "a,acc\nnan,1\n3,2\n1,2\n"), ACC)
    assert table.space.positions[0].choices == ("nan", "3", "1")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "needs a header and at least one line"),
        ("a,acc\n", "needs a header and at least one line"),
        ("a,b\n1,2\n", "metric 'acc': is not a column .* columns: a, b"),
        ("acc\n1\n", "at least one must be a position"),
        ("a,a,acc\n1,2,3\n", "column 2 'a'"),
        ("a,,acc\n1,2,3\n", "column 2 ''"),
        ("a,acc\n1,2\n1\n", "line 3 '1 cells': the header has 2"),
        ("a,acc\n1,2\n\n1,2,3\n", "line 4 '3 cells'"),
        ("a,acc\n1,2\n,3\n", "line 3, column a '': a position needs a choice"),
        ("a,acc\n1,high\n", "line 2, column acc 'high': must be a finite number, or empty"),
        ("a,acc\n1,inf\n", "line 2, column acc 'inf'"),
        ('a,acc\n"1,2\n', "is not a CSV file"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, rule: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rule) as error:
        import_csv(csv(tmp_path, text), ACC)
    assert "\n" not in str(error.value)


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        import_csv(tmp_path / "none.csv", ACC)
    with pytest.raises(InputError, match="name at least one column with --metric"):
        import_csv(csv(tmp_path, "a,acc\n1,2\n"), {})
    (tmp_path / "latin.csv").write_bytes(b"a,acc\n\xe9,1\n")
    with pytest.raises(InputError, match="is not a CSV file"):
        import_csv(tmp_path / "latin.csv", ACC)


def test_metrics_are_declared_in_words() -> None:
    assert parse_metric("acc") == ("acc", MetricInfo("max", ""))
    assert parse_metric("ms:min:ms/image") == ("ms", MetricInfo("min", "ms/image"))
    assert parse_metric("acc::%") == ("acc", MetricInfo("max", "%"))
    for text, rule in ((":min", "must read NAME"), ("acc:up", "goal 'up' must be max or min")):
        with pytest.raises(InputError, match=rule):
            parse_metric(text)


def test_kinds_go_by_name() -> None:
    assert table_importers.get("csv") is import_csv
    with pytest.raises(UnknownNameError, match="did you mean 'csv'"):
        table_importers.get("cvs")
