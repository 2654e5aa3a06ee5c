import math
import time
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.measurement import MetricInfo
from naopt.spaces import NASBench201Space
from naopt.tables import explain_goals, import_csv, load_table, parse_metric, save_table, table_importers

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
        ("a,b\n1,2\n", "metric 'acc': is not a column; columns: a, b"),
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
    with pytest.raises(InputError, match=r"line 2, column 1 'byte 0xe9': is not UTF-8; save the file as UTF-8"):
        import_csv(tmp_path / "latin.csv", ACC)


def test_a_column_that_begins_with_a_goal_is_a_metric_by_its_whole_name(tmp_path: Path) -> None:
    table = import_csv(csv(tmp_path, "a,min:ms\n1,2\n2,3\n"), dict([parse_metric("min:ms")]))
    assert dict(table.infos) == {"min:ms": MetricInfo("max")}


def test_metrics_are_declared_in_words() -> None:
    assert parse_metric("acc") == ("acc", MetricInfo("max", ""))
    assert parse_metric("ms:min:ms/image") == ("ms", MetricInfo("min", "ms/image"))
    assert parse_metric("acc::%") == ("acc", MetricInfo("max", "%"))
    assert parse_metric("s:min:min") == ("s", MetricInfo("min", "min"))
    assert parse_metric("min:ms") == ("ms", MetricInfo("min", ""))
    assert parse_metric("min:ms::ms/image") == ("ms", MetricInfo("min", "ms/image"))
    line = "acc: larger is better; --metric acc:min for the other way"
    assert explain_goals(["min:ms", "acc"], ["ms", "acc"]) == [line]
    for text in (":min", "", " :max"):
        with pytest.raises(InputError, match="must read NAME"):
            parse_metric(text)


def test_kinds_go_by_name() -> None:
    assert table_importers.get("csv") is import_csv
    with pytest.raises(UnknownNameError, match="did you mean 'csv'"):
        table_importers.get("cvs")


@pytest.mark.parametrize(
    "text",
    [
        '"width","kind, really","acc"\r\n"8","a ""b""","0.5"\r\n"16","c","1e-3"\r\n',
        '\ufeffwidth;kind, really;acc\n8;a "b";0,5\n16;c;0.001\n',
        'width\tkind, really\tacc\n\n8\ta "b"\t0,5\n\t\t\n16\tc\t1e-3\n',
    ],
)
def test_dialects(text: str, tmp_path: Path) -> None:
    quoted = text if text.startswith('"') else text.replace('a "b"', '"a ""b"""')
    table = import_csv(csv(tmp_path, quoted), ACC)
    assert [(p.name, p.choices) for p in table.space.positions] == [
        ("width", ("8", "16")),
        ("kind, really", ('a "b"', "c")),
    ]
    assert table.values("acc").tolist() == [0.5, 0.001]


def test_choices_with_decimal_commas_are_numbers(tmp_path: Path) -> None:
    table = import_csv(csv(tmp_path, "rate;acc\n0,1;1\n0,05;2\n1e-3;-\n"), ACC)
    assert table.space.positions[0].choices == ("1e-3", "0.05", "0.1")
    with pytest.raises(InputError, match="acc '0,1,2': must be a finite number"):
        import_csv(csv(tmp_path, "rate;acc\n1;0,1,2\n"), ACC)


@pytest.mark.parametrize("cell", ["", " ", "-", "NA", "n/a", "NaN", "null", "None"])
def test_what_is_not_measured(cell: str, tmp_path: Path) -> None:
    values = import_csv(csv(tmp_path, f"a,acc\n1,{cell}\n2,3\n"), ACC).values("acc")
    np.testing.assert_array_equal(values, [math.nan, 3])


CELLS = [
    "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
]


def test_architectures_in_text_form(tmp_path: Path) -> None:
    space = NASBench201Space()
    lines = [f"{CELLS[0]},90,1", f"{CELLS[1]},10,2", f" {CELLS[0]} ,92,3"]
    for header, others in (("architecture,acc,id", ", without id"), ("id,acc,architecture", ", without id")):
        text = "\n".join([header, *(",".join(x.split(",")[:: 1 if header[0] == "a" else -1]) for x in lines)])
        table = import_csv(csv(tmp_path, text + "\n"), ACC, space)
        assert table.source == f"imported from design.csv{others}"
        assert [space.format(table.architecture(row)) for row in range(2)] == CELLS
        np.testing.assert_array_equal(table.metrics["acc"], [[90, 92], [10, math.nan]])
    table = import_csv(csv(tmp_path, f"cell,acc\n{CELLS[1]},1\n"), ACC, space)
    assert (table.space, table.source) == (space, "imported from design.csv")


def test_architectures_that_do_not_parse_are_named(tmp_path: Path) -> None:
    space = NASBench201Space()
    with pytest.raises(InputError, match=r"line 3, column cell '\|nor.*': at position 1: expected one of"):
        import_csv(csv(tmp_path, f"cell,acc\n{CELLS[1]},1\n|nor~0|,1\n"), ACC, space)
    with pytest.raises(InputError, match=r"design\.csv 'cell, id': which of these columns holds the architectures"):
        import_csv(csv(tmp_path, f"cell,id,acc\n{CELLS[1]},1,1\n"), ACC, space)
    with pytest.raises(InputError, match="line 2, column cell '': a position needs a choice"):
        import_csv(csv(tmp_path, "cell,acc\n,1\n"), ACC, space)


def test_thousands_of_lines_are_quick(tmp_path: Path) -> None:
    lines = [f"{i % 30},{i // 30 % 30},{i // 900},{i}.5" for i in range(20_000)]
    source = csv(tmp_path, "\n".join(["a,b,c,acc", *lines]))
    started = time.process_time()
    table = import_csv(source, ACC)
    assert time.process_time() - started < 5
    assert len(table) == 20_000
    assert table.values("acc")[[0, 19_999]].tolist() == [0.5, 19_999.5]
