"""The reference says what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from naopt.cli import reference
from naopt.cli.app import app, run
from naopt.configuration import Settings
from naopt.evaluators.final import default_preset
from naopt.evaluators.presets import PRESETS
from naopt.networks.language_settings import LanguageSettings
from naopt.run import RunConfig
from naopt.searchers.nao import NAOSettings
from naopt.tasks import tasks
from naopt.training.settings import TrainingSettings
from tests.docs.pages import ROOT

Document = dict[str, Any]
COMMAND_LINE = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")


def test_settings_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    reference.main()
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert page == capsys.readouterr().out, "run: python -m naopt.cli.reference > docs/reference/settings.md"


@pytest.mark.parametrize("settings", [NAOSettings, TrainingSettings, LanguageSettings, RunConfig])
def test_every_setting_has_a_meaning(settings: type[Settings]) -> None:
    known = reference.field_meanings(settings).keys() | reference.MEANINGS.keys()
    assert not settings.model_fields.keys() - known, "write a text below the field, or in naopt.cli.reference"


def test_settings_rows() -> None:
    rows = reference.settings_table(TrainingSettings, {"digits": {"epochs": 5}}, ["epochs", "train_limit"]).splitlines()
    assert rows == [
        "| key | values | default | digits | meaning |",
        "| --- | --- | --- | --- | --- |",
        "| `epochs` | whole number >= 1 | `25` | `5` | Passes over the training images. |",
        "| `train_limit` | whole number >= 2, or unset | unset |  | "
        "Train on that many images at most, stratified by class. |",
    ]


def test_final_training_of_every_task_is_said_where_it_is_explained() -> None:
    page = (ROOT / "docs/how-to/train-in-full.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    for task in tasks.names():
        (said,) = [preset for names, preset in rows if re.search(rf"`{re.escape(task)}(:PATH)?`", names)]
        assert f"`{default_preset(task)}`" in said, task


def test_presets_are_shown_with_source_and_values() -> None:
    page = reference.settings_page()
    for name, preset in PRESETS.items():
        assert f"| `{name}` | {preset.source} |" in page
        columns = re.search(rf"^\| key \|.* {re.escape(name)} \|.*$", page, re.MULTILINE)
        assert columns
        place = [cell.strip() for cell in columns[0].split("|")].index(name)
        table = page[columns.start() :].partition("\n\n")[0].splitlines()[2:]
        shown = {row.split("|")[1].strip(" `"): row.split("|")[place].strip(" `") for row in table}
        given = {key: value for key, value in shown.items() if value}
        assert given.keys() == preset.values.keys()
        assert float(given["epochs"]) == preset.values["epochs"]


def test_tasks_with_equal_recipes_share_a_column() -> None:
    assert "| default | cifar10, cifar100 | digits | images | meaning |" in reference.settings_page()


# Commands and options.


def command_options() -> Iterator[tuple[str, set[str]]]:
    """Every command, and its long options."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        for full, leaf in (
            [(f"{name} {inner}", c) for inner, c in command.commands.items()]
            if hasattr(command, "commands")
            else [(name, command)]
        ):
            yield full, {option for p in leaf.params for option in p.opts if option.startswith("--")} - {"--help"}


def section(command: str) -> str:
    found = re.search(rf"^## naopt {command}\n(.*?)(?=^## |\Z)", COMMAND_LINE, re.MULTILINE | re.DOTALL)
    assert found, f"no section on naopt {command}"
    return found[1]


@pytest.mark.parametrize(
    ("command", "options"), list(command_options()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_option_is_described(command: str, options: set[str]) -> None:
    assert set(re.findall(r"^\| `(--[\w-]+)", section(command), re.MULTILINE)) == options


# JSON documents.


def fields(text: str, after: str) -> set[str]:
    """Names in the first column of the table that follows a line."""
    _, found, rest = text.partition(after)
    assert found, f"no line '{after}'"
    rows = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE)
    assert rows
    return {name for row in rows[0].splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    lines = [f"{w},{d},{w * d + r / 10}" for w in (1, 2, 3, 4) for d in (1, 2, 3) for r in (0, 1)]
    (folder / "toy.csv").write_text("\n".join(["width,depth,score", *lines]), encoding="utf-8")
    assert run(["table", "import", "csv", f"{folder}/toy.csv", f"{folder}/toy.npz", "--metric", "score"]) == 0
    return folder / "toy.npz"


def document(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Document:
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    found: Document = json.loads(capsys.readouterr().out)
    return found


def test_fields_of_runs(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = ("search", "--table", table, "--searcher", "random", "--budget", "5", "--run", tmp_path / "run")
    found, described = document(capsys, *search), fields(section("search"), "JSON:")
    assert described == found.keys()
    assert set(re.findall(r"`(\w+)`", section("search").split("| `best` |")[1].split(" of the best")[0])) == set(
        found["best"]
    )
    shown = document(capsys, "show", tmp_path / "run")
    assert described | fields(section("show"), "JSON of a search:") == shown.keys()
    reported = document(capsys, "report", tmp_path / "run")
    assert set(re.findall(r"`(\w+)`", section("report").split("JSON: ")[1])) - {"null"} == reported.keys()


def test_fields_of_trainings_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = "normal:conv1x1@0+identity@1/reduction:conv1x1@0+identity@1"
    tiny = [f"--set={text}" for text in ("epochs=1", "filters=2", "train_limit=40", "valid_limit=20")]
    found = document(capsys, "train", cell, "--task", "digits", "--run", tmp_path / "out", *tiny)
    text = section("train")
    described = fields(text, "JSON:")
    assert described | fields(text, "Further fields for images:") == found.keys()
    shown = document(capsys, "show", tmp_path / "out")
    assert found.keys() | fields(section("show"), "JSON of a training:") == shown.keys()


def test_fields_of_trainings_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = [f"--set={text}" for text in ("epochs=1", "hidden_size=2", "train_limit=200", "valid_limit=100")]
    (tmp_path / "text.txt").write_text("one two three\n" * 2000, encoding="utf-8")
    task = f"text:{tmp_path}/text.txt"
    found = document(capsys, "train", "recurrent:tanh@0", "--task", task, "--run", tmp_path / "out", *tiny)
    text = section("train")
    assert fields(text, "JSON:") | fields(text, "Further fields for text:") == found.keys()


def test_fields_of_an_architecture(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "show", "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    assert fields(section("show"), "JSON of an architecture:") == found.keys()


def test_fields_of_tables(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "table", "info", table)
    assert fields(section("table info"), "JSON:") == found.keys()
    for name in [*found["metrics"]["score"], *found["metrics"]["score"]["agreement"]]:
        assert f"`{name}`" in section("table info")


@pytest.mark.usefixtures("in_this_process")
def test_fields_of_comparisons(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = (
        "--set",
        "pretraining_steps=1",
        "--set",
        "unlabelled=20",
        "--set",
        "initial=4",
        "--set",
        "new_per_round=2",
    )
    found = document(
        capsys, "bench", "--table", table, "--metric", "score", "--searchers", "nao,random", "--budget", "6",
        "--trials", "1", *settings,
    )  # fmt: skip
    text = section("bench")
    assert fields(text, "JSON:") == found.keys()
    assert (
        fields(text, "Fields of a searcher") == found["searchers"]["nao"].keys() == found["searchers"]["random"].keys()
    )
    pair = text.partition("Fields of a pair")[2]
    assert all(f"`{name}`" in pair for name in found["paired"]["nao"])


@pytest.mark.usefixtures("in_this_process")
def test_fields_of_quality(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(
        capsys, "quality", "--table", table, "--metric", "score", "--models", "boosted-trees", "--train-sizes", "6",
        "--trials", "1",
    )  # fmt: skip
    text = section("quality")
    assert fields(text, "JSON:") == found.keys()
    measures = found["models"]["boosted-trees"]["6"]
    of_decoders = set(re.findall(r"`(\w+)`", text.partition("Models without a decoder lack")[2]))
    assert fields(text, "Measures:") == measures.keys() | of_decoders
    assert measures["spearman"].keys() == {"mean", "ci95", "trials"}


def test_fields_of_probes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{a},{b},{a * b}" for a in range(6) for b in range(6)]
    (tmp_path / "toy.csv").write_text("\n".join(["a,b,score", *rows]), encoding="utf-8")
    table = tmp_path / "toy.npz"
    document(capsys, "table", "import", "csv", tmp_path / "toy.csv", table, "--metric", "score")
    document(
        capsys, "search", "--table", table, "--searcher", "reinforce", "--budget", "1", "--run", tmp_path / "run"
    )  # fmt: skip
    found, text = document(capsys, "probe", tmp_path / "run", "--permutations", "1"), section("probe")
    assert fields(text, "JSON:") == found.keys()
    for part in found["completions"]:
        assert fields(text, "Fields of a completion:") == part.keys()
    names = [*found["predictivity"]["score"], *found["completions"][0]["distances"]["edit"], *found["distance"]["edit"]]
    assert all(f"`{name}`" in text for name in names)
