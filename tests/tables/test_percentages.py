"""Signs % in the cells of CSV files."""

from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.tables import Table, import_csv


def imported(folder: Path, text: str, unit: str = "") -> tuple[Table, list[str]]:
    path = folder / "design.csv"
    path.write_text(text, encoding="utf-8")
    said: list[str] = []
    return import_csv(path, {"acc": MetricInfo("max", unit)}, say=said.append), said


@pytest.mark.parametrize("space", ["", " ", "\u00a0", "\u202f"])
@pytest.mark.parametrize(("unit", "kept"), [("", "%"), ("points", "points")])
def test_a_metric_in_percent_is_the_number_without_the_sign(space: str, unit: str, kept: str, tmp_path: Path) -> None:
    table, said = imported(tmp_path, f"width;acc\n8;78,02{space}%\n16;86,3{space}%\n32;n/a\n64;nan%\n", unit)
    np.testing.assert_array_equal(table.values("acc"), [78.02, 86.3, np.nan, np.nan])
    assert table.info("acc") == MetricInfo("max", kept)
    taken = "column 'acc': the sign % was taken off 2 numbers, which are the same without it; its unit is"
    assert said[0] == f"{taken} {kept}"


def test_choices_in_percent_are_numbers_in_order(tmp_path: Path) -> None:
    table, said = imported(tmp_path, "dropout,acc\n50%,1\n5 %,2\n12.5%,3\n50 %,5\n")
    (dropout,) = table.space.positions
    assert (dropout.choices, dropout.ordered) == (("5", "12.5", "50"), True)
    assert said == ["column 'dropout': the sign % was taken off 4 numbers, which are the same without it"]
    assert table.values("acc").tolist() == [3, 2, 3]


def test_percentages_among_words_are_words(tmp_path: Path) -> None:
    table, said = imported(tmp_path, "dropout,acc\n50%,1\nauto,2\n50,3\n")
    assert table.space.positions[0].choices == ("50%", "auto", "50")
    assert said == []


@pytest.mark.parametrize("name", ["acc", "dropout"])
def test_a_column_that_has_signs_in_part_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    header = "width,acc" if name == "acc" else "acc,dropout"
    lines = "\n".join(f"{n},{90 - n / 4}{'%' if n > 1 else ''}" for n in range(40))
    with pytest.raises(InputError) as caught:
        imported(tmp_path, f"{header}\n{lines}\n")
    assert str(caught.value).endswith(
        f"column {name} '38 of 40 numbers': have a sign % (first in line 4), 2 have none (first in line 2); "
        "write all in one way"
    )


def test_what_was_not_measured_has_no_sign_to_lack(tmp_path: Path) -> None:
    table, _ = imported(tmp_path, "width,acc,state\n8,50%,ok\n16,0,failed\n32,,ok\n")
    np.testing.assert_array_equal(table.values("acc"), [50, np.nan, np.nan])
