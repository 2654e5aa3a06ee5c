"""The command that compares instance-aware networks with simpler ones."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from benchmarks import instance_aware, instance_parts
from benchmarks.instance_aware import main, parse, the_run
from benchmarks.instance_figures import against, at_accuracy, at_cost, mean, share_above, upper_hull
from benchmarks.instance_parts import Parts
from benchmarks.instance_training import FixedPath, Trainings
from safetensors.torch import load_file

from naopt.api import search
from naopt.networks.costs.insta import OperationCosts
from naopt.one_shot.instanas import InstaNASSearcher
from naopt.run.names import SUPERNET
from naopt.training.checkpoint import load_checkpoint
from naopt.training.reproducible import reproducible

TINY = ["filters=2", "train_limit=60", "valid_limit=60", "batch_size=30", "crop_padding=1"]
COMMON = ["--task", "digits", "--space", "insta:blocks=2,stages=2,operations=mb3e1+mb3e3", "--seeds", "1"]
COMMON += ["--points", "3", "--static", "2", "--static-budget", "4", "--repeats", "2", "--timed", "8"]
COMMON += ["--set", *(f"training.{setting}" for setting in TINY), "searcher.epochs=3", "searcher.controller_hidden=4"]


def test_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # A decoder is not worth its training here.
    monkeypatch.setattr(
        instance_parts, "search", lambda *given, **named: search(*given, **named | {"searcher": "random"})
    )
    monkeypatch.setattr(instance_parts, "FORWARDS", 0)
    options = [*COMMON, "--out", str(tmp_path)]
    main([*options, "--json"])
    said = capsys.readouterr()
    document = json.loads(said.out.splitlines()[-1])
    assert document == json.loads((tmp_path / "instance_aware.json").read_text())
    assert all((tmp_path / f"{by}.svg").read_text().startswith("<svg") for by in ("cost", "ms64", "ms1"))
    (seed,) = document["seeds"]
    curves = seed["curves"]
    assert [point["thrift"] for point in curves["instance"]] == [0, 0.5, 1]
    assert len(curves["instance"]) == len(document["summary"]["instance"]) == 3
    for point in curves["instance"]:
        # A permutation changes who gets which path, and not what they cost.
        assert point["permuted"]["cost"] == pytest.approx(point["cost"])
    static = curves["static"]
    assert 1 <= len(static) <= 2
    assert all(0 < point["cost"] <= 1 for point in static)
    assert [point["cost"] for point in static] == sorted(point["cost"] for point in static)
    assert {point["filters"] for point in curves["width"]} == {1, 2, 3}
    assert all(point["ms64"] > 0 and point["ms1"] > 0 for points in curves.values() for point in points)
    ratio = seed["static"][0]["cost_ratio"]
    equal = at_accuracy(curves["instance"], static[0]["accuracy"])
    assert ratio in (None, equal and equal["cost"] / static[0]["cost"])
    # What is there is not done again; what is missing is.
    parts = tmp_path / "seed-0" / "parts.jsonl"
    *lines, exits, _ = parts.read_text().splitlines()
    assert json.loads(exits)["part"].startswith("exit-")
    parts.write_text("\n".join([*lines, exits]) + "\n")
    for name in ("_instance", "_front", "_static", "_width", "_exit"):
        monkeypatch.setattr(Parts, name, lambda *_: pytest.fail("done again"))
    monkeypatch.setattr(instance_aware, "drawn", lambda *_: "")
    main(options)
    text = capsys.readouterr()
    assert text.err == "seed-0: times\nseed 0 done\n"
    assert text.out == (tmp_path / "instance_aware.md").read_text()
    with pytest.raises(SystemExit) as stopped:
        main([*options, "--points", "4"])
    assert stopped.value.code == 2
    assert "its runs have points 3, not 4; choose another folder" in capsys.readouterr().err


def test_who_needs_no_controller_does_not_pay_for_it() -> None:
    costs = OperationCosts("MMAC", 2.0, 1.0, ((3.0, 5.0),))
    parts, masks = cast("Parts", SimpleNamespace(_costs=costs)), torch.tensor([[[True, False]], [[False, True]]])
    assert Parts._cost(parts, masks, controller=True) == pytest.approx((2 + 1 + 4) / 10)
    assert Parts._cost(parts, masks, controller=False) == pytest.approx((2 + 4) / 10)


def test_trainings_go_on_from_the_state_of_the_search_itself(tmp_path: Path) -> None:
    options = [parse([*COMMON, "--out", str(tmp_path / name)]) for name in ("whole", "parts")]
    whole = the_run(options[0], 0)
    whole.carry_out()
    trainings = Trainings(the_run(options[1], 0))
    kept = tmp_path / "pretrained.safetensors"
    config = trainings.run.state.config
    with reproducible(0, trainings.device, config.threads):
        trainings.pretrained(kept)
        pretrained = load_checkpoint(kept)
        # A static child goes on with the rates of the latter two stages, and changes nothing but its path.
        child = trainings.space.parse("insta:skip/mb3e3")
        tuned = trainings.tuned(child, pretrained).state_dict()
    assert pretrained.facts["epoch"] == trainings.options.begins[0]
    path = ("blocks.1.operations.mb3e3.", "stem.", "norm.", "classifier.")
    for name, tensor in pretrained.below("network").items():
        if name.startswith(path) and name.endswith("weight"):
            assert not tensor.equal(tuned[name]), name
        elif name.startswith("blocks.") and not name.startswith(path):
            assert tensor.equal(tuned[name]), name
    made = FixedPath(trainings.space, trainings.options, child, seed=0, stages=True)
    search_itself = InstaNASSearcher(trainings.space, trainings.options, seed=0)
    assert all(made.rate(done) == search_itself.rate(done) for done in (0.1, 0.4, 0.7, 0.9))
    # The search that goes on from there has the bits of one that was never stopped.
    trainings.run.carry_out()
    ours, theirs = (load_file(run.directory / SUPERNET) for run in (trainings.run, whole))
    assert ours.keys() == theirs.keys()
    assert all(tensor.equal(theirs[name]) for name, tensor in ours.items())


def _points(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"cost": c, "accuracy": a, "ms64": 2 * c, "ms1": 3 * c} for c, a in pairs]


def test_equal_accuracy_and_equal_cost_by_hand() -> None:
    curve = _points((0.4, 92.0), (0.2, 90.0), (0.6, 91.0))
    assert at_accuracy(curve, 91.0) == pytest.approx({"cost": 0.3, "accuracy": 91.0, "ms64": 0.6, "ms1": 0.9})
    assert at_accuracy(curve, 89.0) == curve[1]
    within = at_accuracy(curve, 92.2)
    assert within is not None
    assert within["accuracy"] == pytest.approx(91.9)
    assert at_accuracy(curve, 92.4) is None
    assert at_cost(curve, 0.5) == pytest.approx(91.5)
    assert at_cost(curve, 1.0, "ms64") == pytest.approx(91.5)
    assert at_cost(curve, 0.7) is None
    collapsed = [{**curve[0], "ms1": 1.0}, {**curve[0], "ms1": 1.1}]
    assert at_cost(collapsed, 1.05, "ms1") is None


def test_the_share_of_a_curve_above_a_front_by_hand() -> None:
    static = _points((0.0, 80.0), (0.5, 82.0), (1.0, 90.0), (1.2, 85.0))
    assert upper_hull(static) == [(0.0, 80.0), (1.0, 90.0)]
    # Crosses the hull, 80 + 10 x, at 0.5.
    curve = _points((0.2, 85.0), (0.8, 85.0), (2.0, 85.0))
    above = share_above(curve, static)
    assert above == pytest.approx(0.3 / 1.0, abs=0.01)
    assert share_above(_points((2.0, 99.0), (3.0, 99.0)), static) is None
    assert share_above(_points((0.0, 99.0), (3.0, 99.0)), static) == 1.0
    assert share_above(_points((0.3, 99.0), (0.3, 99.0)), static) is None


def test_a_place_that_is_more_accurate_counts_where_it_is_cheaper_too() -> None:
    curve = _points((0.4, 92.0), (0.6, 93.0))
    row = against(curve, {"cost": 0.5, "accuracy": 90.0, "ms64": 0.4, "ms1": 3.0})
    assert (row["cost_ratio"], row["ms64_ratio"], row["ms1_ratio"]) == pytest.approx((0.8, None, 0.4))
    row = against(curve, {"cost": 0.2, "accuracy": 91.8, "ms64": 0.4, "ms1": 3.0})
    assert row["ms64_ratio"] == pytest.approx(2.0)
    row = against(curve, {"cost": 0.2, "accuracy": 94.0, "ms64": 0.4, "ms1": 3.0})
    assert row["cost_ratio"] is None


def test_means_leave_out_what_is_not_defined() -> None:
    found: Any = mean([1.0, None, 3.0])
    assert (found["mean"], found["of"], found["seeds"]) == (2.0, 2, 3)
    assert mean([None]) is None
