import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.tables import Table, import_hw_nas_bench, load_table, save_table
from tests.pickles.test_reader import Evil
from tests.tables.nasbench201_files import hardware, names


def imported(folder: Path, content: Any) -> Table:
    path = folder / "HW-NAS-Bench-v1_0.pickle"
    path.write_bytes(pickle.dumps(content))
    return import_hw_nas_bench(path, {})


def test_costs_of_every_device_and_data_set(tmp_path: Path) -> None:
    table = imported(tmp_path, hardware(5))
    assert [table.space.format(table.architecture(row)) for row in range(5)] == names(5)
    datasets, devices = ("cifar10", "cifar100", "ImageNet16-120"), ("edgegpu", "edgetpu")
    latencies = [f"latency/{device}/{dataset}" for dataset in datasets for device in devices]
    assert list(table.metrics) == [*latencies, *(f"energy/edgegpu/{dataset}" for dataset in datasets)]
    assert table.info("latency/edgegpu/cifar10") == MetricInfo("min", "ms")
    assert table.info("energy/edgegpu/cifar10") == MetricInfo("min", "mJ")
    np.testing.assert_array_equal(table.values("latency/edgegpu/cifar100"), 6 + np.arange(5))
    np.testing.assert_array_equal(table.values("energy/edgegpu/ImageNet16-120"), 2 + 2 * np.arange(5))
    np.testing.assert_array_equal(table.values("latency/edgetpu/cifar10"), np.arange(5) / 10)
    save_table(table, tmp_path / "t.npz")
    assert load_table(tmp_path / "t.npz").infos == table.infos


def test_data_sets_may_list_architectures_in_their_own_order(tmp_path: Path) -> None:
    content = hardware(4)
    other = content["nasbench201"]["cifar100"]
    other["config"] = other["config"][:0:-1]
    for name in ("edgegpu_latency", "edgegpu_energy", "edgetpu_latency"):
        other[name] = list(other[name])[:0:-1]
    table = imported(tmp_path, content)
    np.testing.assert_array_equal(table.values("latency/edgegpu/cifar100"), [np.nan, 7, 8, 9])
    np.testing.assert_array_equal(table.values("latency/edgegpu/cifar10"), [5, 6, 7, 8])


def test_wrong_files_are_named(tmp_path: Path) -> None:
    broken = hardware(2)["nasbench201"]["cifar10"]
    for content, rule in (
        ([], "has no 'nasbench201' with data sets"),
        ({"nasbench201": {}}, "has no 'nasbench201' with data sets"),
        ({"nasbench201": {"c": {}}}, "nasbench201, c has no list 'config'"),
        ({"nasbench201": {"c": {"config": [1]}}}, "an entry of 'config' has no 'arch_str'"),
        ({"nasbench201": {"c": {"config": [{"arch_str": "x"}]}}}, "expected '|'"),
        ({"nasbench201": {"c": {"config": broken["config"]}}}, "holds no latency and no energy"),
        ({"nasbench201": {"c": broken | {"a_latency": [1]}}}, r"c, a_latency: shape \(1,\), there are 2 architectures"),
        ({"nasbench201": {"c": broken | {"a_latency": ["x", "y"]}}}, "a_latency must be numbers"),
    ):
        with pytest.raises(InputError, match=rule) as error:
            imported(tmp_path, content)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="No such file"):
        import_hw_nas_bench(tmp_path / "none", {})
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read"):
        import_hw_nas_bench(tmp_path / "empty", {})
    with pytest.raises(InputError, match="name their metrics themselves"):
        import_hw_nas_bench(tmp_path / "empty", {"a": MetricInfo()})


def test_malicious_files_run_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(InputError, match="which is not among what it may be made of"):
        imported(tmp_path, {"nasbench201": Evil(os.system, f"touch {trace}")})
    assert not trace.exists()
