from pathlib import Path

import pytest

from naopt.errors import InputError
from naopt.tables.cells import Numerals, explain_no_number, is_error, parse_number, read_lines
from naopt.tables.mistakes import Mistakes


def read(folder: Path, text: str) -> tuple[list[tuple[int, list[str]]], Numerals]:
    path = folder / "file.csv"
    path.write_bytes(text.encode())
    return read_lines(path, "table")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a,b\r\n1,2\r\n", [(1, ["a", "b"]), (2, ["1", "2"])]),
        ("a;b\r1;2", [(1, ["a", "b"]), (2, ["1", "2"])]),
        ("sep=;\na;b,c\n1;2\n", [(2, ["a", "b,c"]), (3, ["1", "2"])]),
        ('"sep=|"\na|b\n', [(2, ["a", "b"])]),
        ("\n\na\tb\n\t\n , \t\n1\t2\n", [(3, ["a", "b"]), (5, [",", ""]), (6, ["1", "2"])]),
        ("a,b,,\n1,2,,\n3,4\n5,6,\n,,,\n", [(1, ["a", "b"]), (2, ["1", "2"]), (3, ["3", "4"]), (4, ["5", "6"])]),
        ("a,b\n1,2,3\n", [(1, ["a", "b"]), (2, ["1", "2", "3"])]),
        ('a,b\n"x\ny",1\nz,2\n', [(1, ["a", "b"]), (2, ["x\ny", "1"]), (4, ["z", "2"])]),
        ("a,b\n\u200bx\u00a0,\ufeff1\n", [(1, ["a", "b"]), (2, ["x", "1"])]),
    ],
)
def test_lines_of_spreadsheets_and_programs(text: str, lines: list[tuple[int, list[str]]], tmp_path: Path) -> None:
    assert read(tmp_path, text)[0] == lines


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('a,b\n1,"2\n3,4\n', "line 2 '1,\"2': is not a CSV file: a quote is opened and not closed, up to line 3"),
        ('a,b\n1,2\n"3"x,4\n', "line 3 '\"3\"x,4': is not a CSV file: "),
    ],
)
def test_quotes_that_do_not_match_are_named_with_their_line(text: str, rule: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "commas", "plain"),
    [
        (["0,5", "1.25", "1,250"], True, ["0.5", "1.25", "1.250"]),
        (["1,5", "1.234,5", "1.234"], True, ["1.5", "1234.5", "1234"]),
        (["1.234.567", "1.234", "17"], True, ["1234567", "1234", "17"]),
        (["1,234,567", "1,234", "0.5"], False, ["1234567", "1234", "0.5"]),
        (["1,234.5", "-1,234"], False, ["1234.5", "-1234"]),
        (["93.125", "1.234"], False, ["93.125", "1.234"]),
        (["1'234.5", "1\u202f234,5", "1\u2019234"], False, ["1234.5", "1234.5", "1234"]),
        (["1e-3", "relu", "3,5", "1 234"], False, ["1e-3", "relu", "3,5", "1 234"]),
        ([",5", "1,5e-3"], True, [".5", "1.5e-3"]),
        (["1.234,5", "1,234.5", "0,5", "0.5"], True, ["1234.5", "1234.5", "0.5", "0.5"]),
    ],
)
def test_numbers_are_made_plain(cells: list[str], commas: bool, plain: list[str]) -> None:
    numerals = Numerals.of(cells, commas=commas)
    assert [numerals.plain(cell) for cell in cells] == plain


@pytest.mark.parametrize(
    ("cells", "commas", "rule"),
    [
        (["0,5", "1.234"], True, "may be 1234 or 1.234; write one of these"),
        (["0.5", "1,234"], True, "may be 1234 or 1.234"),
        (["1,234"], False, "may be 1234 or 1.234"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused(cells: list[str], commas: bool, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Numerals.of(cells, commas=commas).plain(cells[-1])


def test_what_is_a_number() -> None:
    known = {"16": 16, "16.0": 16, "1.6e1": 16, "+016": 16, ".5": 0.5, "5.": 5, "-0": 0, "9007199254740993": 2**53 + 1}
    assert {text: parse_number(text) for text in known} == known
    for text in ("", "nan", "inf", "1e999", "1_000", "0x10", "\u0661", "1 2", "--1", "1e", ".", "true"):
        assert parse_number(text) is None


@pytest.mark.parametrize(
    "cell", ["#DIV/0!", "#VALUE!", "#NAME?", "#REF!", "#NUM!", "#NULL!", "#N/A", "Err:502", "#WERT!"]
)
def test_errors_of_spreadsheets_are_known(cell: str) -> None:
    assert is_error(cell)
    assert explain_no_number(cell).startswith("is an error of a spreadsheet")
    assert not is_error(cell.lower().strip("#!?/"))


def test_what_is_said_of_other_cells() -> None:
    assert explain_no_number("93.5 %") == "is a percentage; write the number alone"
    assert "typographic dash" in explain_no_number("\u22125")
    assert explain_no_number("high") == "must be a finite number, or empty"


def test_mistakes_are_told_at_once() -> None:
    mistakes = Mistakes("table", "t.csv")
    mistakes.check()
    mistakes.add("column a", "x", "is wrong", 2)
    with pytest.raises(InputError, match=r"^table t.csv: line 2, column a 'x': is wrong$"):
        mistakes.check()
    for line in range(3, 9):
        mistakes.add("column a", "x", "is wrong", line)
    for number in range(11):  # of the header: no lines
        mistakes.add("metric", str(number), "is missing")
    with pytest.raises(InputError) as caught:
        mistakes.check()
    said = str(caught.value)
    assert said.startswith(
        "table t.csv '12 mistakes': lines 2, 3, 4, 5, 6 and 2 more, column a 'x': is wrong; metric '0'"
    )
    assert said.endswith("metric '8': is missing; and 2 more")


def test_the_same_mistake_in_a_column_is_one_whatever_its_cells() -> None:
    mistakes = Mistakes("table", "t.csv")
    for line in range(2, 173):
        mistakes.add("column a", f"x{line}", "is wrong", line)
        mistakes.add("column b", "1.024", f"may be {line}", line, "two readings")
    with pytest.raises(InputError) as caught:
        mistakes.check()
    assert str(caught.value) == (
        "table t.csv '2 mistakes': "
        "lines 2, 3, 4, 5, 6 and 166 more, column a 'x2': is wrong (also 'x3', 'x4' and 168 more); "
        "lines 2, 3, 4, 5, 6 and 166 more, column b '1.024': may be 2"
    )


def test_a_decimal_comma_between_commas_is_named() -> None:
    assert explain_no_number("78,02") == "has a decimal comma in a file whose cells are between commas; write a point"
