import json
from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.spaces import ConvCellSpace
from naopt.tables import load_table, save_table, table_importers
from tests.tables.test_table import table


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "design.csv").write_text("width,acc,ms\n8,0.5,3\n16,0.7,\n")
    return str(tmp_path / "design.csv")


def test_import(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.npz"
    arguments = ["table", "import", "csv", source, str(out), "--metric", "acc", "--metric", "ms:min:ms"]
    assert run(arguments) == 0
    assert capsys.readouterr().out == f"{out}: 2 architectures, 1 positions, acc, ms\n"
    assert load_table(out).info("ms").goal == "min"
    assert run([*arguments, "--json", "--force"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "table": str(out), "rows": 2, "positions": 1, "metrics": ["acc", "ms"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "more", "rule"),
    [
        ("cvs", ["--metric", "acc"], "did you mean 'csv'"),
        ("csv", [], "name at least one column"),
        ("csv", ["--metric", "acc", "--metric", "acc:min"], "--metric 'acc': is named twice"),
    ],
)
def test_bad_imports(
    kind: str, more: list[str], rule: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["table", "import", kind, source, str(tmp_path / "t.npz"), *more]) == 2
    captured = capsys.readouterr().err
    assert rule in captured
    assert len(captured.splitlines()) == 1


def test_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repeats = np.arange(12.0).reshape(6, 2)
    save_table(table(metrics={"acc": repeats}, source="made up"), tmp_path / "t.npz")
    assert run(["table", "info", str(tmp_path / "t.npz")]) == 0
    out = capsys.readouterr().out
    assert "toy: 6 architectures" in out
    assert "the rows are 100.00% of the space's 6 token sequences" in out
    assert "source: made up" in out
    assert "acc: two repeats agree with Kendall tau 1.000" in out
    assert run(["table", "info", str(tmp_path / "t.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["coverage"]) == (6, 1.0)
    assert found["metrics"]["acc"]["repeats"] == 2
    assert found["metrics"]["acc"]["agreement"]["kendall_tau"] == pytest.approx(1)


def test_info_on_a_few_of_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ConvCellSpace()
    tokens = np.array([space.sample(np.random.default_rng(0)).tokens])
    save_table(table(space=space, tokens=tokens, metrics={"acc": np.zeros(1)}), tmp_path / "t.npz")
    assert run(["table", "info", str(tmp_path / "t.npz")]) == 0
    assert "the rows are 0.00% of the space's about 10^32" in capsys.readouterr().out


def test_info_without_repeats_or_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(table(), tmp_path / "t.npz")
    assert run(["table", "info", str(tmp_path / "t.npz")]) == 0
    out = capsys.readouterr().out
    assert "source" not in out
    assert "agree" not in out
    assert run(["table", "info", str(tmp_path / "none.npz")]) == 2


def test_architectures_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    (tmp_path / "a.csv").write_text(f"architecture,acc\n{cell},7\n")
    arguments = ["table", "import", "csv", str(tmp_path / "a.csv"), str(tmp_path / "t.npz"), "--metric", "acc"]
    assert run([*arguments, "--space", "nasbench201"]) == 0
    found = load_table(tmp_path / "t.npz")
    assert found.space.format(found.architecture(0)) == cell
    arguments[2] = "nasbench201"
    assert run([*arguments[:5], "--space", "nasbench201", "--force"]) == 2
    assert "files of kind nasbench201 say themselves what space they are of" in capsys.readouterr().err


def test_a_column_that_is_hardly_a_choice_is_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "runs.csv"
    lines = [f"{width},{seconds},0.5" for seconds in range(12) for width in (16, 32)]
    source.write_text("\n".join(["width,seconds,acc", *lines[:-1]]), encoding="utf-8")
    assert run(["table", "import", "csv", str(source), str(tmp_path / "runs.npz"), "--metric", "acc:max"]) == 0
    assert capsys.readouterr().err == (
        "column 'seconds' was taken for a choice, and has 12 different values in 23 lines "
        "(name a result with --metric, leave out what is neither with --skip)\n"
    )


def test_help_lists_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "import", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(kind in said for kind in table_importers.names())


def test_a_metric_without_a_direction_says_which_way_is_better(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "runs.csv", str(tmp_path / "runs.npz")
    source.write_text("width,val_loss,Fehler [%],time:min,ms\n8,0.5,3,1,2\n16,0.7,4,2,3\n", encoding="utf-8")
    metrics = [part for name in ("val_loss", "Fehler [%]::%", "time:min", "ms:min") for part in ("--metric", name)]
    assert run(["table", "import", "csv", str(source), out, *metrics]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "val_loss: larger is better, as no direction was given; if smaller is, declare it with --metric val_loss:min",
        "Fehler [%]: larger is better; --metric 'Fehler [%]:min' for the other way",
        "time:min: larger is better, as no direction was given; if smaller is, declare it with --metric time:min:min",
    ]
    assert [info.goal for info in load_table(out).infos.values()] == ["max", "max", "max", "min"]
