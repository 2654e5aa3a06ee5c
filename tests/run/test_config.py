from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from naopt.cli.merging import merge_values
from naopt.errors import InputError
from naopt.evaluators.workloads import WORKLOADS
from naopt.one_shot.kinds import searcher_names, searcher_settings
from naopt.run import RunConfig
from naopt.run.config import TOP, read_values
from naopt.run.setup import prepare
from tests.run.toys import write_table


def test_precedence_is_file_flags_settings() -> None:
    file = {"budget": 10, "seed": 1, "workers": 3, "searcher": {"name": "nao", "trade_off": 0.7}}
    values = merge_values(file, {"seed": 2, "workers": 4}, ["workers=5", "trade_off=0.5"])
    assert values == {"budget": 10, "seed": 2, "workers": 5, "searcher": {"name": "nao", "trade_off": 0.5}}
    assert file["searcher"] == {"name": "nao", "trade_off": 0.7}


def test_names_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    config = RunConfig(task="images:/photos/caf\udce9/é")
    config.write(tmp_path / "config.toml")
    assert b"caf\xe9/\xc3\xa9" in (tmp_path / "config.toml").read_bytes()
    assert RunConfig.read(tmp_path / "config.toml") == config
    with pytest.raises(InputError, match="'byte 0xe9': is not UTF-8"):
        read_values(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("paper", "paper"), ('"3"', "3"), ("[1, 2]", [1, 2]), ("a=b", "a=b")],
)
def test_values_are_toml_and_bare_words_text(text: str, value: object) -> None:
    assert merge_values({}, {}, [f"searcher.x = {text}"]) == {"searcher": {"x": value}}


@pytest.mark.parametrize("key", ["proxies", "prior_columns", "fidelities"])
def test_names_may_be_written_with_commas(key: str) -> None:
    values = merge_values({}, {}, [f"{key}=epochs=2+x=[1,2], epochs=4"])
    assert getattr(RunConfig.from_values(values), key) == ("epochs=2+x=[1,2]", "epochs=4")
    assert getattr(RunConfig.from_values({key: ["a"]}), key) == ("a",)


def test_a_section_may_be_its_name() -> None:
    config = RunConfig.from_values({"task": "digits", "space": "conv-cell:nodes=2", "searcher": "random"})
    assert (config.space, config.searcher, config.searcher_settings) == ("conv-cell:nodes=2", "random", {})
    assert RunConfig.from_values(config.to_values()) == config


def test_another_searcher_drops_the_options_of_the_one_before() -> None:
    file = {"searcher": {"name": "nao", "trade_off": 0.7}, "space": "conv-cell"}
    assert merge_values(file, {"searcher": "random"}, [])["searcher"] == {"name": "random"}
    assert merge_values(file, {"searcher": "nao"}, [])["searcher"] == {"name": "nao", "trade_off": 0.7}
    changed = merge_values(file, {}, ["searcher={name = 'nao', trade_off = 0.1}", "space.nodes=2"])
    assert changed == {"searcher": {"name": "nao", "trade_off": 0.1}, "space": {"name": "conv-cell", "nodes": 2}}


def test_deeper_options_reach_nested_settings() -> None:
    values = merge_values({"searcher": {"inner": {"a": 1}}}, {}, ["searcher.inner.b=2", "searcher.new.c=3"])
    assert values["searcher"] == {"inner": {"a": 1, "b": 2}, "new": {"c": 3}}


def test_an_option_alone_goes_to_the_section_that_knows_it() -> None:
    values = merge_values({}, {"task": "digits", "searcher": "nao"}, ["filters=2", "nodes=3", "preset=paper"])
    assert values["training"] == {"filters": 2}
    assert values["space"] == {"nodes": 3}
    assert values["searcher"] == {"name": "nao", "preset": "paper"}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs=2", "setting 'epochs': could be searcher.epochs or training.epochs; write which"),
        ("filtres=2", "did you mean 'filters'"),
        ("task.x=2", "setting 'task.x': unknown"),
        ("filters", "must be KEY=VALUE"),
        ("=3", "must be KEY=VALUE"),
        ("training=3", "section training '3': must be a table of options"),
        ("searcher=3", "section searcher '3': must be a table of options"),
    ],
)
def test_settings_that_cannot_be_used(setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        merge_values({}, {"task": "digits"}, [setting])


def test_training_is_unknown_with_a_table() -> None:
    assert merge_values({}, {"table": "x"}, ["epochs=2"])["searcher"] == {"epochs": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"budgte": 3}, "option 'budgte': unknown; did you mean 'budget'"),
        ({"budget": 0}, "option budget '0'"),
        ({"seed": -1}, "option seed '-1'"),
        ({"workers": 0}, "option workers '0'"),
        ({"budget": "many"}, "option budget 'many'"),
        ({"engine": "slurm"}, "option engine 'slurm'"),
        ({"timeout": -1}, "option timeout '-1'"),
        ({"space": 3}, "section space '3'"),
        ({"space": {"name": 3}}, "option space '3'"),
    ],
)
def test_values_that_cannot_be_used(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunConfig.from_values(values)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_values(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("a = = 3")
    with pytest.raises(InputError, match=r"line 1, column 5 'a = = 3': is not TOML"):
        read_values(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_values(tmp_path / "x.toml")


def test_a_training_configuration_is_resolved_and_read_back(tmp_path: Path) -> None:
    setup = prepare(RunConfig(task="digits", searcher="nao", training={"filters": 2}, space_options={"nodes": 2}))
    config = setup.config
    assert (config.space, config.metric, config.training["filters"]) == ("conv-cell", "valid_acc", 2)
    assert config.training["epochs"] == 5
    assert config.searcher_settings["preset"] == "default"
    assert setup.space.name == "conv-cell:nodes=2"
    config.write(tmp_path / "config.toml")
    again = RunConfig.read(tmp_path / "config.toml")
    assert prepare(again).config == again == config
    assert prepare(again).settings == setup.settings
    searcher = setup.searcher()
    assert (searcher.seed, searcher.budget, searcher.space) == (0, 100, setup.space)


def test_a_table_brings_its_space_and_goal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path / "toy.npz")
    monkeypatch.chdir(tmp_path)
    setup = prepare(RunConfig(table="toy.npz", searcher="random", metric="cost"))
    assert setup.config.table == str(tmp_path / "toy.npz")
    assert (setup.config.space, setup.objective.goal) == ("toy", "min")
    assert prepare(setup.config).config == setup.config
    assert prepare(RunConfig(table="toy.npz", searcher="random")).objective.metric == "score"
    assert list(setup.evaluator.metrics) == ["cost", "score"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "task '': give --task, --table or --supernet"),
        ({"task": "digits", "table": "toy.npz"}, "give one of them, not both"),
        ({"table": "missing.npz"}, "table 'missing.npz'"),
        ({"table": "toy.npz", "metric": "scoer"}, "did you mean 'score'"),
        ({"table": "toy.npz", "training": {"epochs": 3}}, "training 'epochs': has no use with a table"),
        ({"table": "toy.npz", "space": "conv-cell"}, "table toy is of space toy"),
        ({"table": "toy.npz", "searcher": "rnadom"}, "did you mean 'random'"),
        ({"table": "toy.npz", "searcher_settings": {"x": 1}}, "setting of searcher random 'x': unknown"),
        ({"task": "digits", "metric": "test_acc"}, "metric 'test_acc': unknown"),
        ({"task": "digist"}, "did you mean 'digits'"),
        ({"task": "digits", "space": "conv-cel"}, "did you mean 'conv-cell'"),
        ({"task": "digits", "space_options": {"nodes": 0}}, "space option nodes '0'"),
        ({"task": "digits", "device": "tpu"}, "device 'tpu'"),
        ({"task": "digits", "training": {"epohcs": 1}}, "did you mean 'epochs'"),
    ],
)
def test_configurations_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    write_table(tmp_path / "toy.npz")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        prepare(RunConfig(**{"searcher": "random", **options}))


def test_a_tasks_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    assert prepare(RunConfig(task="images:pictures", searcher="random")).config.task == f"images:{tmp_path}/pictures"


def test_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.toml; it is not a run's directory"):
        RunConfig.read(tmp_path / "config.toml")


def test_no_option_of_a_search_hides_a_setting() -> None:
    """``--set KEY=VALUE`` takes a key of the search first, so a setting of that name could not be reached."""
    settings = [searcher_settings(name) for name in searcher_names()]
    settings += [kind.settings_type for kind in WORKLOADS.values()]
    hidden = {name for each in settings for name in each.model_fields} & set(TOP)
    assert hidden <= {"device", "threads", "noise"}
