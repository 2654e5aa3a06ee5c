"""CSV files of every dialect, read by naopt and by pandas: the same values, the same lines that are repeats."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.tables import Table, import_csv
from naopt.tables.cells import parse_number

ACC = {"val:acc": MetricInfo()}
MISSING = ["", "NA", "NaN", "nan", "null", "None", "#N/A", "n/a", "<NA>"]

whole = st.integers(-999, 999)
number = st.one_of(
    whole.map(str),
    whole.map(lambda n: f"{n}.0"),
    whole.map(lambda n: f"{n / 10:e}"),
    st.integers(0, 99).map(lambda n: f"+0{n}"),
    st.floats(-1e9, 1e9).map(lambda x: f"{x:.6g}"),
    st.floats(0, 1).map(lambda x: f"{x:.6e}"),
)
word = (
    st.text("aZ ,;\t\"'#|\u00e9\u4e16", min_size=1, max_size=6)
    .map(str.strip)
    .filter(lambda text: text not in ("", "#") and not text.startswith(("'", '"')))
)
truth = st.sampled_from(["True", "False", "true", "false", "TRUE", "FALSE"])
kinds = st.lists(st.sampled_from([number, word, truth, st.one_of(number, word)]), min_size=1, max_size=3)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A file's bytes, and how pandas is told to read it."""
    cells = [draw(st.lists(kind, min_size=1, max_size=3)) for kind in draw(kinds)]
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    decimal = draw(st.sampled_from([".", ","])) if delimiter != "," else "."
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    lines = [[f"column {index}: x" for index in range(len(cells))] + ["val:acc"]]
    for _ in range(draw(st.integers(1, 8))):
        line = [draw(st.sampled_from(column)) for column in cells]
        line.append(draw(st.one_of(number, st.sampled_from(MISSING))))
        lines.append([cell.replace(".", decimal) if parse_number(cell) is not None else cell for cell in line])
    empty = draw(st.integers(0, 2))
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL
    writer = csv.writer(
        text, delimiter=delimiter, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"]))
    )
    for line in lines:
        writer.writerow([*line, *[""] * empty])
        if draw(st.booleans()) and line is not lines[0]:
            writer.writerow([""] * (len(line) + empty))
    names = lines[0]
    told = {"sep": delimiter, "decimal": decimal, "encoding": encoding, "usecols": names}
    return text.getvalue().encode(encoding), told


def choice(table: Table, name: str, row: int) -> str:
    index = [position.name for position in table.space.positions].index(name)
    return table.space.positions[index].choices[int(table.tokens[row, index])]


def same(label: str, cell: object) -> bool:
    """Whether a choice stands for what pandas read."""
    if isinstance(cell, str):
        text = parse_number(cell), parse_number(cell.replace(",", "."))
        known = parse_number(label)
        return (
            label == cell or (known is not None and known in text) or label.lower() == cell.lower() in ("true", "false")
        )
    if is_bool_dtype(type(cell)):
        return label.lower() == str(cell).lower()
    return near(float(label), float(cell))  # type: ignore[arg-type]


def near(one: float, other: float) -> bool:
    """Equal but for the last bits, which pandas does not always read right."""
    return math.isclose(one, other, rel_tol=1e-14) or (math.isnan(one) and math.isnan(other))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files())
def test_naopt_reads_what_pandas_reads(tmp_path: Path, file: tuple[bytes, dict[str, Any]]) -> None:
    content, told = file
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    frame = pd.read_csv(path, **told).dropna(how="all")
    table = import_csv(path, ACC)
    names = [position.name for position in table.space.positions]
    assert names == [name for name in frame.columns if name != "val:acc"]
    for position in table.space.positions:
        if is_numeric_dtype(frame[position.name]) and not is_bool_dtype(frame[position.name]):
            numbers = [float(label) for label in position.choices]
            assert all(map(near, numbers, sorted(set(frame[position.name]))))
            assert len(numbers) == frame[position.name].nunique()
            assert position.ordered == (len(numbers) > 1)
    lines = [tuple(values) for values in frame.itertuples(index=False)]
    results = table.metrics["val:acc"].reshape(len(table), -1)
    told_of = [0] * len(table)
    for *choices, result in lines:
        found = [
            row
            for row in range(len(table))
            if all(same(choice(table, name, row), cell) for name, cell in zip(names, choices, strict=True))
        ]
        assert len(found) == 1
        assert near(results[found[0], told_of[found[0]]], float(result))
        told_of[found[0]] += 1
    assert all(math.isnan(value) for row, count in zip(results, told_of, strict=True) for value in row[count:])
    assert sum(told_of) == len(lines)
    assert 0 not in told_of


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files(), st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3)), max_size=4))
def test_damaged_files_are_read_or_refused_in_one_line(
    tmp_path: Path, file: tuple[bytes, dict[str, Any]], damages: list[tuple[int, bytes]]
) -> None:
    content = file[0]
    for at, put in damages:
        content = content[: at % len(content)] + put + content[at % len(content) + 1 :]
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    try:
        import_csv(path, ACC)
    except InputError as error:
        refused = str(error)
    else:
        return
    assert "\n" not in refused
    assert str(path) in refused
