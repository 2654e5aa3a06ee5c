"""A run whose network decides for each image: what is measured of it, and what is left when it is stopped."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from naopt.errors import InputError, RunStoppedError
from naopt.execution.training_progress import read_curve
from naopt.networks.costs.insta import needed_operations
from naopt.networks.instance import repaired
from naopt.one_shot import instance_measures
from naopt.run import RunConfig, load_run, open_run, resume_run, start_run
from naopt.run.instance import InstanceAware, open_instance
from naopt.run.instances import Instances, read_instances, write_instances
from naopt.run.names import INSTANCES
from naopt.spaces import InstaSpace
from tests.report.runs import made_up_instances

CONFIG = RunConfig.from_values(
    {
        "space": {"name": "insta", "blocks": 2, "stages": 2, "operations": "mb3e1+mb3e2"},
        "task": "digits",
        "searcher": {"name": "instanas", "epochs": 3, "controller_learning_rate": 0.2, "learning_rate": 0.1},
        "training": {"filters": 4, "train_limit": 60, "valid_limit": 40},
        "budget": 4,
    }
)


def pressed(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run that was stopped amid the measuring of its network, and then went on."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance_measures, "_REPEATS", 1)
        with pytest.MonkeyPatch.context() as stopping:
            stopping.setattr("naopt.run.instance_measuring.dependence", pressed)
            with pytest.raises(RunStoppedError, match="stopped before the operating points of the network were measur"):
                start_run(folder, CONFIG)
        record = load_run(folder)
        assert (record.measured, record.finished, record.instances) == (True, False, None)
        assert open_instance(folder).points == ()
        before = (folder / "supernet.safetensors").stat().st_mtime_ns
        assert resume_run(folder).finished
        assert (folder / "supernet.safetensors").stat().st_mtime_ns == before
    return folder


@pytest.fixture(scope="module")
def found(directory: Path) -> Instances:
    instances = load_run(directory).instances
    assert instances is not None
    return instances


@pytest.fixture(scope="module")
def aware(directory: Path) -> InstanceAware:
    return open_instance(directory, test=True)


def test_what_the_run_leaves(directory: Path) -> None:
    run = open_run(directory)
    assert run.finished
    assert not run.carry_out()
    assert run.record.best() is not None
    files = {"config.toml", "instances.json", "run.count", "run.db", "run.lock", "supernet.csv", "supernet.safetensors"}
    assert {path.name for path in directory.iterdir()} == files
    assert [figures["stage"] for figures in read_curve(directory / "supernet.csv")] == [1, 2, 3]


def test_the_network_is_the_one_that_was_measured(aware: InstanceAware, found: Instances) -> None:
    """One image at a time, with the costs summed by hand."""
    images, table = aware.parts["valid"], np.array(aware.costs.operations)
    needed = needed_operations(aware.space, aware.costs)
    for point in (found.points[0], found.default):
        aware.network.thrift = point.thrift
        hits, losses, costs, children = [], [], [], []
        for inputs, labels in images.batches(1):
            with torch.no_grad():
                logits = aware.network(inputs)
                decided, believed = aware.network.controller(inputs, torch.tensor([point.thrift]))
                mask = repaired(decided >= 0, needed)[0].numpy()
                child = aware.network.follow(inputs, torch.tensor(mask)[None], None)[0]
            assert torch.allclose(logits, child + believed, atol=1e-5)
            hits.append(bool(logits.argmax() == labels))
            losses.append(float(torch.nn.functional.cross_entropy(logits, labels)))
            costs.append((aware.costs.fixed + aware.costs.controller + (mask * table).sum()) / aware.costs.whole)
            children.append(aware.space.format(aware.space.architecture(mask.flatten().astype(int).tolist())))
        assert point.accuracy == pytest.approx(100 * np.mean(hits))
        assert point.loss == pytest.approx(np.mean(losses), rel=1e-5)
        assert point.latency == pytest.approx(np.mean(costs), rel=1e-5)
        assert point.children == len(set(children))
        assert point.largest == Counter(children).most_common(1)[0][1] / len(images)
        assert point.milliseconds > 0
    assert [found.images.children[index] for index in found.images.child] == children
    assert found.images.correct == tuple(hits)
    np.testing.assert_allclose(found.images.loss, losses, rtol=1e-4)
    np.testing.assert_allclose(found.images.cost, costs, rtol=1e-5)


def test_difficulty_is_the_loss_of_one_network(aware: InstanceAware, found: Instances) -> None:
    child = aware.space.parse(found.reference)
    mask = torch.tensor(child.tokens).view(2, 2) > 0
    images = aware.parts["valid"]
    aware.network.network.choose_each(mask.expand(len(images), 2, 2))
    with torch.no_grad():
        logits = aware.network.network(images.normalize(images.pixels))
    losses = torch.nn.functional.cross_entropy(logits, images.labels, reduction="none")
    np.testing.assert_allclose(found.images.difficulty, losses, rtol=1e-4)


def test_what_belongs_to_the_network(aware: InstanceAware, found: Instances) -> None:
    assert {name: len(part) for name, part in aware.parts.items()} == {"train": 60, "valid": 40, "test": 597}
    assert not aware.network.training
    assert (aware.facts["input_shape"], len(aware.facts["classes"])) == ([1, 8, 8], 10)
    assert (aware.points, aware.costs) == (found.points, found.costs)
    assert [point.thrift for point in found.points] == pytest.approx(np.linspace(0, 1, 11))
    assert found.classes == tuple("0123456789")
    assert len(found.examples) == 16
    costs = [found.images.cost[example.image] for example in found.examples]
    assert costs == sorted(costs)
    assert (costs[0], costs[-1]) == (min(found.images.cost), max(found.images.cost))


def test_static_children_cost_what_their_operations_do(directory: Path, found: Instances) -> None:
    record = load_run(directory)
    static = {child.trial: child for child in found.static(record.trials)}
    assert static.keys() == {trial.index for trial in record.trials}
    for trial in record.trials:
        active = np.reshape(trial.architecture.tokens, (2, 2))
        cost = found.costs.fixed + sum(map(sum, (active * np.array(found.costs.operations)).tolist()))
        assert static[trial.index].latency == pytest.approx(cost / found.costs.whole)
        better = [c for c in static.values() if c.latency <= cost / found.costs.whole + 1e-12]
        assert static[trial.index].front <= (static[trial.index].accuracy == max(c.accuracy for c in better))


def test_it_is_kept_as_it_was_written(found: Instances, tmp_path: Path) -> None:
    for each in (found, made_up_instances()):
        write_instances(tmp_path, each)
        assert read_instances(tmp_path) == each
    document = json.loads((tmp_path / INSTANCES).read_text())
    assert (document["default"], document["collapsed"]) == (0.5, None)
    assert read_instances(tmp_path / "none") is None


def test_collapse_is_detected() -> None:
    good = made_up_instances()
    assert good.collapsed is None
    alike = replace(good, points=tuple(replace(point, largest=0.995) for point in good.points))
    assert "one child gets more than 99 %" in str(alike.collapsed)
    still = replace(good, points=tuple(replace(point, latency=0.5) for point in good.points))
    assert "thrift makes no difference: latency is 0.500 to 0.500" in str(still.collapsed)
    assert replace(still, conditioned=False).collapsed is None


def test_its_time_is_limited(directory: Path, tmp_path: Path) -> None:
    limited = tmp_path / "run"
    shutil.copytree(directory, limited, ignore=shutil.ignore_patterns(INSTANCES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance_measures, "_REPEATS", 1)
        record = resume_run(limited, time=load_run(limited).seconds + 0.001)
    assert (record.time_is_up, record.finished, record.instances) == (True, True, None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 2}'])
def test_a_damaged_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / INSTANCES).write_text(text)
    with pytest.raises(InputError, match=r"instances\.json"):
        read_instances(tmp_path)


def test_other_runs_have_no_such_network(tmp_path: Path) -> None:
    RunConfig.from_values({"space": "nasbench201", "table": "t", "searcher": {"name": "random"}}).write(
        tmp_path / "config.toml"
    )
    with pytest.raises(InputError, match="searcher random finds networks that are the same for all images"):
        open_instance(tmp_path)


def test_the_space_is_that_of_the_run(aware: InstanceAware) -> None:
    assert aware.space.name == InstaSpace(2, 2, "mb3e1+mb3e2").name
