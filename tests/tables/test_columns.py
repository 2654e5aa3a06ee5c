"""What becomes of the columns of a CSV file."""

from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import NASBench201Space
from naopt.tables import Table, import_csv, load_table, save_table
from naopt.tables.cells import Numerals
from naopt.tables.columns import MOST_NUMBERS, parse_column

ACC = {"acc": MetricInfo("max", "%")}
PLAIN = Numerals()


def imported(folder: Path, text: str, **options: list[str]) -> tuple[Table, list[str]]:
    path = folder / "design.csv"
    path.write_text(text, encoding="utf-8")
    said: list[str] = []
    return import_csv(path, ACC, say=said.append, **options), said


@pytest.mark.parametrize(
    "cells",
    ["01.02.24 02.02.24", "1/2/24 12/31/24", "2024/01/02 2024/01/03", "09:30 23:59", "9:30PM 11:05am", "2024-01-02"],
)
def test_dates_and_times_that_spreadsheets_write_are_no_choices(cells: str, tmp_path: Path) -> None:
    lines = "".join(f"{cell},{index},1\n" for index, cell in enumerate(cells.split()))
    table, said = imported(tmp_path, f"when,width,acc\n{lines}")
    assert [position.name for position in table.space.positions] == ["width"]
    assert [line for line in said if "left out" in line] == [
        "columns left out, as they tell of the lines: when (--position NAME takes one for a choice)"
    ]


@pytest.mark.parametrize("cells", ["80:20 70:30", "1.2.3 1.12.10", "16:9 4:3", "1/2 1/4"])
def test_ratios_and_versions_are_no_times(cells: str, tmp_path: Path) -> None:
    table, _ = imported(tmp_path, "ratio,acc\n" + "".join(f"{cell},1\n" for cell in cells.split()))
    assert table.space.positions[0].choices == tuple(cells.split())


def test_ways_to_write_a_number_are_one_choice(tmp_path: Path) -> None:
    table, said = imported(tmp_path, "width,acc\n32,1\n16.0,2\n16,4\n1.6e1,6\n")
    (width,) = table.space.positions
    assert (width.choices, width.ordered) == (("16", "32"), True)
    np.testing.assert_array_equal(table.values("acc"), [1, 4])
    assert said == ["column 'width': 16.0, 16, 1.6e1 are one choice, 16"]
    save_table(table, tmp_path / "t.npz")
    assert load_table(tmp_path / "t.npz").space == table.space


def test_truth_values_and_numbers_among_words_too() -> None:
    assert parse_column("a", ["True", "FALSE", "true", "false"], PLAIN).tokens == [0, 1, 0, 1]
    column = parse_column("a", ["auto", "0.50", "0.5", "True", "true"], PLAIN)
    assert (column.position.choices, column.tokens) == (("auto", "0.5", "True", "true"), [0, 1, 1, 2, 3])
    assert not column.position.ordered


def test_numbers_in_quotes_with_commas_are_words_where_commas_separate(tmp_path: Path) -> None:
    table, _ = imported(tmp_path, 'units,acc\n"128,256",1\n"64,128",2\n"1,2,3",3\n')
    assert table.space.positions[0].choices == ("128,256", "64,128", "1,2,3")


def test_a_continuous_column_is_put_into_ranges(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).permutation(640) / 1000
    table, said = imported(tmp_path, "\n".join(["rate,acc", *(f"{n},{n}" for n in numbers)]))
    (rate,) = table.space.positions
    assert (len(rate.choices), len(table), rate.ordered) == (MOST_NUMBERS, 64, True)
    assert rate.choices[:2] == ("0.004", "0.014")
    assert table.metrics["acc"].shape == (64, 10)
    assert table.values("acc").tolist() == pytest.approx([0.0045 + 0.01 * row for row in table.tokens[:, 0].tolist()])
    assert said[0].startswith("column 'rate' has 640 different numbers, put into 64 ranges of about as many lines each")
    assert table.source == "imported from design.csv, numbers of rate in ranges"
    whole, said = imported(tmp_path, "\n".join(["rate,acc", *(f"{n},{n}" for n in numbers)]), position=["rate"])
    assert len(whole.space.positions[0].choices) == len(whole) == 640
    assert "640 different values in 640 lines" in said[0]


def test_equal_numbers_stay_in_one_range() -> None:
    column = parse_column("a", ["0"] * 500 + [str(n) for n in range(1, 101)], PLAIN)
    assert column.numbers == 101
    assert column.position.choices[0] == "0"
    assert set(column.tokens[:500]) == {0}
    assert len(column.position.choices) <= MOST_NUMBERS
    assert column.tokens == sorted(column.tokens)


EXPORTS = {
    "optuna": (
        ",number,value,datetime_start,datetime_complete,duration,params_rate,params_units,user_attrs_note,state,acc\n"
        "0,0,1,2024-05-01 10:00:00.5,2024-05-01 10:00:01,0 days 00:00:00.5,0.1,16,x,COMPLETE,1\n"
        "1,1,2,2024-05-01 10:00:01.5,2024-05-01 10:00:02,0 days 00:00:00.5,0.1,32,y,PRUNED,0.5\n"
        "2,2,,2024-05-01 10:00:02.5,,,0.2,16,,FAIL,\n",
        ["params_rate", "params_units"],
    ),
    "weights and biases": (
        '"Name","State","Notes","User","Tags","Created","Runtime","Sweep","rate","units","acc"\n'
        '"a-1","finished","-","me","","2024-05-01T10:00:00.000Z","12","","0.1","16","1"\n'
        '"b-2","crashed","-","me","","2024-05-01T10:00:00.000Z","12","","0.1","32","0.5"\n'
        '"c-3","killed","-","me","","2024-05-01T10:00:00.000Z","12","","0.2","16",""\n',
        ["rate", "units"],
    ),
    "ray": (
        "acc,trial_id,date,time_total_s,pid,config/rate,config/units,status\n"
        "1,a,2024-05-01_10-00-00,3,7,0.1,16,TERMINATED\n"
        "0.5,b,2024-05-01_10-00-00,3,7,0.1,32,ERROR\n"
        ",c,2024-05-01_10-00-00,3,7,0.2,16,ERROR\n",
        ["config/rate", "config/units"],
    ),
    "naopt": (
        "index,round,origin,status,reason,seconds,architecture,rate,units,acc\n"
        "0,0,random,ok,,1,x,0.1,16,1\n1,0,random,failed,odd,1,y,0.1,32,0.5\n2,0,random,timeout,slow,1,z,0.2,16,\n",
        ["rate", "units"],
    ),
    "by hand": (
        "trial,seed,when,duration,state,rate,units,acc\n"
        "1,7,01.05.2024,0:01:00,done,0.1,16,1\n2,8,01.05.2024,0:01:00,failed,0.1,32,0.5\n3,9,02.05.2024,,failed,0.2,16,\n",
        ["rate", "units"],
    ),
}


@pytest.mark.parametrize("kind", EXPORTS)
def test_what_tells_of_the_lines_is_left_out_and_said(kind: str, tmp_path: Path) -> None:
    text, positions = EXPORTS[kind]
    table, said = imported(tmp_path, text)
    assert [position.name for position in table.space.positions] == positions
    np.testing.assert_array_equal(table.values("acc"), [1, np.nan, np.nan])
    assert said[0].startswith("2 of 3 lines have no result (")
    assert said[1].startswith("columns left out, as they tell of the lines: ")
    others = set(text.split("\n")[0].replace('"', "").split(",")) - {*positions, "acc", ""}
    assert all(name in said[1] and name in table.source for name in others)


def test_columns_of_such_names_that_are_choices_stay(tmp_path: Path) -> None:
    table, said = imported(tmp_path, "state,number,name,acc\nsolid,1,a,1\nliquid,1,a,2\nsolid,2,b,3\n")
    assert [position.name for position in table.space.positions] == ["state", "number", "name"]
    assert said == []


def test_the_user_decides(tmp_path: Path) -> None:
    text = "id,width,note,acc\n1,16,x,1\n2,32,y,2\n"
    table, said = imported(tmp_path, text, position=["id"], skip=["note"])
    assert [position.name for position in table.space.positions] == ["id", "width"]
    assert table.source == "imported from design.csv, without note"
    assert said == []
    with pytest.raises(InputError, match="column 'nota': is not a column; columns: id, width, note, acc"):
        imported(tmp_path, text, skip=["nota"])
    with pytest.raises(InputError, match="no column is left; at least one must be a position"):
        imported(tmp_path, "id,acc\n1,16\n2,17\n")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "a,b,acc,seed\n1,#DIV/0!,0.5,1\n,x,#REF!,1\n1,x,1\n2,\u201cy\u201d,50%,1\n3,x,#REF!,1\n4,z,#N/A,1\n"
    told: list[str] = []
    (tmp_path / "design.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_csv(tmp_path / "design.csv", ACC, skip=["c"], say=told.append)
    assert told == []
    said = str(caught.value)
    for part in (
        "design.csv '7 mistakes': ",
        "column 'c': is not a column; columns: a, b, acc, seed",
        "line 4 '3 cells': the header has 4",
        "lines 3, 6, column acc '#REF!': is an error of a spreadsheet",
        "column acc '1 of 2 numbers': have a sign % (first in line 5), 1 have none (first in line 2); write all in one",
        "line 3, column a '': a position needs a choice",
        "line 2, column b '#DIV/0!': is an error of a spreadsheet",
        "line 5, column b '\u201cy\u201d': '\u201c' is a typographic quote",
    ):
        assert part in said
    assert "\n" not in said


def test_numbers_that_can_be_read_in_two_ways_and_words_without_end(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 3, column units '1\.024': may be 1024 or 1\.024"):
        imported(tmp_path, "units;acc\n512;0,5\n1.024;0,7\n")
    lines = "\n".join(f"w{n},{n}" for n in range(1025))
    with pytest.raises(InputError, match="column word '1025': different words; more than 1024 are no choice"):
        imported(tmp_path, f"word,acc\n{lines}\n")


def test_columns_beside_architectures_are_said(tmp_path: Path) -> None:
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    path = tmp_path / "cells.csv"
    path.write_text(f"id,architecture,acc,state\n1,{cell},1,ok\n2,{cell},9,failed\n", encoding="utf-8")
    said: list[str] = []
    table = import_csv(path, ACC, NASBench201Space(), say=said.append)
    assert table.values("acc").tolist() == [1]
    assert said == ["1 of 2 lines have no result (failed): they count as not measured", "columns not read: id, state"]


def test_columns_with_colons_and_choices_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "t.csv", str(tmp_path / "t.npz")
    source.write_text("id,opt:lr,val:acc,time:min\n1,0.1,0.5,3\n2,0.2,0.7,4\n", encoding="utf-8")
    arguments = ["table", "import", "csv", str(source), out, "--metric"]
    assert run([*arguments, "val:acc:max:%", "--metric", "time:min:min:s"]) == 0
    assert load_table(out).infos == {"val:acc": MetricInfo("max", "%"), "time:min": MetricInfo("min", "s")}
    arguments.insert(3, "--force")
    assert run([*arguments, "opt:lr:up", "--metric", "time:min"]) == 2
    assert "metric 'opt:lr:up': is not a column; columns: id, opt:lr, val:acc, time:min" in capsys.readouterr().err
    assert run([*arguments, "val:acc", "--skip", "time:min"]) == 0
    assert "columns left out, as they tell of the lines: id (" in capsys.readouterr().err
    table = load_table(out)
    assert ([p.name for p in table.space.positions], list(table.infos)) == (["opt:lr"], ["val:acc"])
    arguments[2] = "nasbench201"
    assert run([*arguments[:6], "--skip", "id"]) == 2
    assert "--skip 'id': files of kind nasbench201 say themselves what their columns are" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Run-ID", "Run ID", "run_id", "run.id", "RunID", "Trial.Number", "Nr."])
def test_names_of_counters_are_known_however_they_are_written(name: str, tmp_path: Path) -> None:
    table, said = imported(tmp_path, f"{name},width,acc\n907,16,1\n33,32,2\n")
    assert [position.name for position in table.space.positions] == ["width"]
    assert said[0].startswith(f"columns left out, as they tell of the lines: {name} (")


@pytest.mark.parametrize("first", [0, 1])
def test_what_counts_the_lines_is_no_choice_whatever_its_name(first: int, tmp_path: Path) -> None:
    lines = [f"{line + first},{16 if line % 2 else 32},{line}" for line in range(6)]
    text = "\n".join(["Versuch,width,acc", *lines])
    table, said = imported(tmp_path, text)
    assert table.values("acc").tolist() == [2, 3]
    assert [position.name for position in table.space.positions] == ["width"]
    assert said[0].startswith("columns left out, as they tell of the lines: Versuch (")
    kept, _ = imported(tmp_path, text, position=["Versuch"])
    assert [position.name for position in kept.space.positions] == ["Versuch", "width"]


@pytest.mark.parametrize(
    "column",
    [[1, 2, 3, 4], [2, 3, 4, 5, 6], [1, 3, 2, 4, 5], [1, 2, 3, 4, 4]],
    ids=["few", "not from one", "not in order", "twice"],
)
def test_numbers_that_do_not_count_the_lines_are_choices(column: list[int], tmp_path: Path) -> None:
    text = "\n".join(["depth,width,acc", *(f"{depth},{16 + line % 2},1" for line, depth in enumerate(column))])
    assert [position.name for position in imported(tmp_path, text)[0].space.positions] == ["depth", "width"]


def test_the_only_column_that_differs_is_the_choice(tmp_path: Path) -> None:
    text = "\n".join(["depth,width,acc", *(f"{depth},16,1" for depth in range(1, 8))])
    assert len(imported(tmp_path, text)[0]) == 7


def test_rows_without_a_value_are_said(tmp_path: Path) -> None:
    table, said = imported(tmp_path, "width,acc,state\n8,1,ok\n16,,failed\n32,-,failed\n8,,failed\n")
    assert len(table) == 3
    assert said[-1] == (
        "2 of 3 architectures have no value of acc: a search by acc that asks for one counts a query, which fails"
    )


def test_lists_of_sizes_that_read_like_numbers_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "t.csv"
    source.write_text(
        "hidden;version;y\n128,256,512;1.234.567;1\n256,512,128;1.2.3;2\n64,128;1.234.567;3\n", encoding="utf-8"
    )
    assert run(["table", "import", "csv", str(source), str(tmp_path / "t.npz"), "--metric", "y:max"]) == 0
    said = capsys.readouterr().err
    assert (
        "column 'hidden': 3 different numbers have a decimal comma or marks between thousands: 128,256,512 was" in said
    )
    assert "version" not in said.replace("--skip", "")
    positions = load_table(tmp_path / "t.npz").space.positions
    assert positions[1].choices == ("1.234.567", "1.2.3")
