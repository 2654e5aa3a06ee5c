import bz2
import os
import pickle
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import NASBench201Space
from naopt.tables import Table, import_nasbench201, load_table, table_importers
from tests.pickles.test_reader import Evil
from tests.tables.nasbench201_files import SETS, accuracy, names, result, seeds, whole, write_parts, write_tar

COUNT = 4


def written(folder: Path, layout: str) -> Path:
    """A file of one of the layouts with the same contents."""
    import torch

    path = folder / f"{layout}.pth"
    if layout == "legacy":
        torch.save(whole(COUNT, weights={"w": torch.ones(3)}), path, _use_new_zipfile_serialization=False)
    elif layout == "zip":
        torch.save(whole(COUNT, weights={"w": torch.ones(3)}), path)
    elif layout == "compressed zip":
        torch.save(whole(COUNT), folder / "plain.pth")
        with zipfile.ZipFile(folder / "plain.pth") as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in plain.namelist():
                packed.writestr(name, plain.read(name))
    elif layout == "pickle":
        path.write_bytes(pickle.dumps(whole(COUNT), 2))
    elif layout == "pbz2":
        path.write_bytes(bz2.compress(pickle.dumps(whole(COUNT), 4)))
    elif layout == "folder":
        path = write_parts(folder / "NATS-tss-v1_0-3ffb9-simple", COUNT)
    else:
        path = write_tar(write_parts(folder / "NATS-simple", COUNT), folder / "NATS.tar", {"NATS-simple/README": b"x"})
    return path


LAYOUTS = ["legacy", "zip", "compressed zip", "pickle", "pbz2", "folder", "tar"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_table(layout: str, tmp_path: Path) -> None:
    table = import_nasbench201(written(tmp_path, layout), {})
    assert [table.space.format(table.architecture(row)) for row in range(len(table))] == names(COUNT)
    for suffix, epochs in (("", 200), ("_12", 12)):
        for metric, trained, evaluation in (
            ("valid_acc{}/cifar10", "cifar10-valid", "x-valid"),
            ("test_acc{}/cifar10", "cifar10", "ori-test"),
            ("train_acc{}/cifar10", "cifar10", "train"),
            ("valid_acc{}/cifar100", "cifar100", "x-valid"),
            ("test_acc{}/cifar100", "cifar100", "x-test"),
            ("test_acc{}/ImageNet16-120", "ImageNet16-120", "x-test"),
        ):
            name = metric.format(suffix)
            values = table.metrics[name].reshape(COUNT, -1)
            known = sorted({seed for index in range(COUNT) for seed in seeds(index, trained, epochs)})
            expected = np.array(
                [
                    [
                        accuracy(index, epochs, trained, seed, evaluation, epochs - 1)
                        if seed in seeds(index, trained, epochs)
                        else np.nan
                        for seed in known
                    ]
                    for index in range(COUNT)
                ]
            )
            np.testing.assert_array_equal(values, expected)
            assert table.info(name) == MetricInfo("max", "%")
        seconds = table.metrics[f"train_seconds{suffix}/cifar10"]
        np.testing.assert_allclose(seconds[1, :2], [epochs * 2.777, epochs * 2.888])
        assert table.info(f"train_seconds{suffix}/cifar100") == MetricInfo("min", "s")
    np.testing.assert_allclose(table.metrics["params_m"], 1.5 + np.arange(COUNT) / 1000)
    np.testing.assert_allclose(table.metrics["flops_m"], 100 + np.arange(COUNT))
    np.testing.assert_allclose(table.metrics["latency_ms/cifar100"], 20)
    assert "latency_ms/cifar10" not in table.metrics
    assert len(table.metrics) == 2 * 12 + 3


def test_names_agree_with_the_table_that_is_at_hand() -> None:
    folder = os.environ.get("NAOPT_DATA")
    if folder is None:
        pytest.skip("NAOPT_DATA is not set: no folder with benchmark tables")
    at_hand = load_table(Path(folder) / "nasbench201.npz")
    found = _table(whole(2))
    shared = at_hand.infos.keys() & found.infos.keys()
    assert {name for name in at_hand.infos if "pi5" not in name} == shared
    assert all(at_hand.infos[name] == found.infos[name] for name in shared)


def _table(content: Any, folder: Path | None = None) -> Table:
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        path = (folder or Path(temporary)) / "bench.pth"
        path.write_bytes(pickle.dumps(content, 4))
        return import_nasbench201(path, {})


def test_architectures_without_results_are_left_out(tmp_path: Path) -> None:
    table = _table(whole(5, hidden=2))
    assert len(table) == 3
    assert not isinstance(table.search_space(), NASBench201Space)


def test_recipes_that_are_missing_leave_gaps() -> None:
    content = whole(3)
    content["arch2infos"][1].pop("less")
    content["arch2infos"][2]["90"] = {"all_results": "not looked at"}
    table = _table(content)
    assert np.isnan(table.values("valid_acc_12/cifar10")).tolist() == [False, True, False]
    for infos in content["arch2infos"].values():
        infos.pop("less", None)
    assert not any("_12" in name for name in _table(content).metrics)


def test_trials_that_share_parts_lose_nothing() -> None:
    content = whole(2)
    runs = content["arch2infos"][1]["full"]["all_results"]
    first, second = runs["cifar100", 777], runs["cifar100", 888]
    for name in ("train_acc1es", "eval_acc1es", "train_times"):
        second[name] = first[name]
    table = _table(content)
    for name in ("valid_acc/cifar100", "train_acc/cifar100", "train_seconds/cifar100"):
        row = table.metrics[name][1]
        assert row[0] == row[1] != row[2]


def test_memory_is_that_of_the_last_epochs(tmp_path: Path) -> None:
    content = whole(4)
    path = tmp_path / "bench.pth"
    path.write_bytes(pickle.dumps(content, 2))
    peaks = []
    for read in (lambda: pickle.loads(path.read_bytes()), lambda: import_nasbench201(path, {})):
        tracemalloc.start()
        read()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 10


@pytest.mark.parametrize("layout", ["legacy", "folder"])
def test_malicious_files_run_nothing(layout: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    evil = {"meta_archs": names(1), "arch2infos": {0: Evil(os.system, f"touch {trace}")}, "evaluated_indexes": [0]}
    if layout == "legacy":
        path = tmp_path / "NAS-Bench-201-v1_1-096897.pth"
        path.write_bytes(
            pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001) + pickle.dumps({}) + pickle.dumps(evil)
        )
    else:
        path = write_parts(tmp_path / "simple", 1)
        (path / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(evil)))
    with pytest.raises(InputError, match=r"names '\w+\.system', which is not among what it may be made of"):
        import_nasbench201(path, {})
    assert run(["table", "import", "nasbench201", str(path), str(tmp_path / "t.npz")]) == 2
    assert not trace.exists()
    assert not (tmp_path / "t.npz").exists()


def test_paths_inside_an_archive_are_never_written(tmp_path: Path) -> None:
    part = bz2.compress(pickle.dumps({"12": result(1, 12, "")}))
    folder = write_parts(tmp_path / "simple", 2)
    path = write_tar(folder, tmp_path / "a.tar", {"../../000001.pickle.pbz2": part})
    before = sorted(tmp_path.rglob("*"))
    import_nasbench201(path, {})
    assert sorted(tmp_path.rglob("*")) == before


def test_wrong_files_are_named(tmp_path: Path) -> None:
    def fails(path: Path, rule: str) -> None:
        with pytest.raises(InputError, match=rule) as error:
            import_nasbench201(path, {})
        assert "\n" not in str(error.value)

    file = tmp_path / "file"
    fails(file, "cannot be read")
    file.write_bytes(b"")
    fails(file, "is empty")
    file.write_bytes(b"\xff\xfehello")
    fails(file, "no pickle at all")
    file.write_bytes(bz2.compress(b"x" * 1000)[:-9])
    fails(file, "cannot be read")
    file.write_bytes(bz2.compress(b""))
    fails(file, "cannot be read")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", b"y")
    fails(file, "is a zip file without 'data.pkl'")
    file.write_bytes(b"PK\x03\x04 and no more")
    fails(file, "cannot be read")
    for content, rule in (
        ([1], "has no 'meta_archs'"),
        ({"meta_archs": []}, "has no 'arch2infos'"),
        ({"meta_archs": [], "arch2infos": [1]}, "arch2infos must be a dictionary, not list"),
        ({"meta_archs": [], "arch2infos": {}}, "holds results of no architecture"),
        ({"meta_archs": [1], "arch2infos": {}}, "must be a list of architectures as text"),
        ({"meta_archs": [], "arch2infos": {0: {}}}, "has results of architecture 0, but 0 names"),
        ({"meta_archs": ["x"], "arch2infos": {0: {}}}, "expected '|'"),
        ({"meta_archs": ["x"], "arch2infos": {0: {"full": {}}}}, "architecture 0, full must be a dictionary, not None"),
        ({"meta_archs": ["x"], "arch2infos": {0: {"full": {"all_results": {1: 2}}}}}, "something that is no trial"),
        (
            {"meta_archs": ["x"], "arch2infos": {0: {"full": {"all_results": {("a", 1): {}}}}}},
            "full holds something that is no trial",
        ),
    ):
        file.write_bytes(pickle.dumps(content))
        fails(file, rule)
    folder = write_parts(tmp_path / "parts", 1)
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps([1])))
    fails(folder, "must be a list of architectures as text")
    (folder / "meta.pickle.pbz2").unlink()
    fails(folder, r"has no 'meta\.pickle\.pbz2'")
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    fails(tmp_path / "empty.tar", r"has no 'meta\.pickle\.pbz2'")


def test_a_trial_with_nonsense_is_named(tmp_path: Path) -> None:
    content = whole(1)
    content["arch2infos"][0]["full"]["all_results"]["cifar10", 888]["params"] = "many"
    with pytest.raises(InputError, match="could not convert string to float"):
        _table(content)


def test_the_files_name_their_metrics(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--metric 'acc': files of kind nasbench201 name their metrics themselves"):
        table_importers.get("nasbench201")(tmp_path, {"acc": MetricInfo()})


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_parts(tmp_path / "simple", 2)
    out = tmp_path / "t.npz"
    assert run(["table", "import", "nasbench201", str(source), str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: 2 architectures, 6 positions, valid_acc/cifar10, ")
    assert load_table(out).info("latency_ms/cifar100").unit == "ms"
    assert set(SETS) > {"cifar10", "cifar100"}
