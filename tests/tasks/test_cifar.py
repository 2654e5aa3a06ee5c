"""CIFAR-10 and CIFAR-100 from their official files and from image folders."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.tasks import Limits, create_image_task
from naopt.tasks.cifar import CIFAR10, CIFAR100, CLASSES10, CLASSES100
from naopt.tasks.cifar_files import parse_binary, parse_pickle
from tests.tasks.examples import all_splits, check_disjoint, pack, write_images

COUNT = 20


def batch(number: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], list[int]]:
    pixels = np.random.default_rng(number).integers(256, size=(COUNT, 3072), dtype=np.uint8)
    return pixels, [label % 10 for label in range(COUNT)]


NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def python2_pickle(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], labels: list[int]) -> bytes:
    """Protocol 2 with the byte strings of Python 2, opcode by opcode as in the official files."""
    data = pixels.tobytes()

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
        b"(K\x01" + b"K" + bytes([len(pixels)]) + b"M\x00\x0c\x86"
        b"cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(data).to_bytes(4, "little") + data + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


@pytest.fixture(params=["binary", "python2", "python3"])
def official(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        pixels, labels = batch(number)
        if request.param == "binary":
            records = np.concatenate([np.array(labels, dtype=np.uint8)[:, None], pixels], axis=1)
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        elif request.param == "python2":
            (folder / name).write_bytes(python2_pickle(pixels, labels))
        else:
            (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": labels}, protocol=4))
    (folder / "batches.meta").write_bytes(b"")
    return folder


def test_official_files_are_read_in_a_folder_above_them_and_in_an_archive(official: Path) -> None:
    archive = pack(official, official.parent / "cifar.tar.gz", root="cifar-10-batches-py")
    for source in (official, official.parent, archive):
        data = create_image_task(f"cifar10:{source}").load()
        assert [len(split) for split in all_splits(data)] == [90, 10, 20]
        assert np.bincount(data.valid.labels).tolist() == [1] * 10
        assert data.classes == CLASSES10
        assert np.array_equal(data.test.images, batch(5)[0].reshape(-1, 3, 32, 32))
        assert data.test.labels.tolist() == batch(5)[1]
        check_disjoint(data)
    small = create_image_task(f"cifar10:{official}").load(Limits(30, 10, 0))
    assert [len(split) for split in all_splits(small)] == [30, 10, 0]


def test_a_missing_batch_is_named(official: Path) -> None:
    victim = next(path for path in official.iterdir() if path.stem == "data_batch_3")
    victim.unlink()
    with pytest.raises(InputError, match="has no data_batch_3"):
        create_image_task(f"cifar10:{official}").load()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/should-not-exist",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Evil()), r"not a CIFAR-10 batch: names '\w+\.system'"),
        (pickle.dumps({"data": np.zeros(3072), "labels": [0]}, protocol=4), "not unsigned bytes"),
        (
            pickle.dumps({"data": np.asfortranarray(np.zeros((2, 2), np.uint8)), "labels": [0]}, protocol=4),
            "4 pixels for 1 images",
        ),
        (pickle.dumps([1]), "not a dictionary"),
        (pickle.dumps({"data": b"", "labels": [0]}), "no data and labels"),
        (pickle.dumps({"data": np.zeros(3072, np.uint8), "labels": [11]}, protocol=4), "label outside"),
        (pickle.dumps({"data": np.zeros(3071, np.uint8), "labels": [1]}, protocol=4), "3071 pixels for 1 images"),
        (pickle.dumps({"data": np.zeros(3072, np.uint8), "labels": ["cat"]}, protocol=4), "label outside"),
        (pickle.dumps({"data": np.zeros(3072, np.uint8), "labels": [2**70]}, protocol=4), "label outside"),
        (b"\x80\x04garbage", "not a CIFAR-10 batch"),
        (b"", "not a CIFAR-10 batch"),
    ],
)
def test_pickles_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        parse_pickle("data_batch_1", content, CIFAR10)
    assert "data_batch_1" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "0 bytes"), (bytes(3072), "truncated"), (bytes([10]) + bytes(3072), "label outside")],
)
def test_binary_files_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_binary("data_batch_1.bin", content, CIFAR10)


@pytest.fixture(params=["binary", "python"])
def cifar100(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-100"
    folder.mkdir()
    for number, (name, count) in enumerate((("train", 400), ("test", 100))):
        pixels = np.random.default_rng(number).integers(256, size=(count, 3072), dtype=np.uint8)
        fine = [index % 100 for index in range(count)]
        coarse = [index % 20 for index in range(count)]
        if request.param == "binary":
            labels = np.array([coarse, fine], dtype=np.uint8).T
            (folder / f"{name}.bin").write_bytes(np.concatenate([labels, pixels], axis=1).tobytes())
        else:
            content = {"data": pixels, "fine_labels": fine, "coarse_labels": coarse}
            (folder / name).write_bytes(pickle.dumps(content, protocol=4))
    return folder


def test_cifar100_has_its_fine_classes(cifar100: Path) -> None:
    archive = pack(cifar100, cifar100.parent / "cifar-100.tar.gz", root="cifar-100-python")
    pixels = np.random.default_rng(1).integers(256, size=(100, 3072), dtype=np.uint8)
    for source in (cifar100, archive):
        data = create_image_task(f"cifar100:{source}").load()
        assert [len(split) for split in all_splits(data)] == [360, 40, 100]
        assert data.classes == CLASSES100
        assert data.test.labels.tolist() == list(range(100))
        assert np.array_equal(data.test.images, pixels.reshape(-1, 3, 32, 32))
        check_disjoint(data)
    next(path for path in cifar100.iterdir() if path.stem == "test").unlink()
    with pytest.raises(InputError, match="has no test"):
        create_image_task(f"cifar100:{cifar100}").load()


def test_classes_of_cifar100() -> None:
    assert len(set(CLASSES100)) == 100
    assert list(CLASSES100) == sorted(CLASSES100)
    assert CLASSES100[0] == "apple"
    assert CLASSES100[99] == "worm"


def test_batches_of_the_other_data_set_are_refused() -> None:
    batch = pickle.dumps({"data": np.zeros(3072, np.uint8), "labels": [0]}, protocol=4)
    with pytest.raises(InputError, match="not a CIFAR-100 batch: has no data and fine_labels"):
        parse_pickle("train", batch, CIFAR100)
    with pytest.raises(InputError, match=r"label outside 0..99"):
        parse_binary("train.bin", bytes([0, 100]) + bytes(3072), CIFAR100)


def test_cifar10_as_image_folders(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("test", 5)):
        for name in ("airplane", "bird"):
            write_images(tmp_path / part / name, count, size=(32, 32), seed=count)
    data = create_image_task(f"cifar10:{tmp_path}").load()
    assert [len(split) for split in all_splits(data)] == [36, 4, 10]


def test_the_real_cifar10_opens(tmp_path: Path) -> None:
    folder = os.environ.get("NAOPT_DATA")
    if not folder:
        pytest.skip("NAOPT_DATA is not set: the folder with cifar10/cifar10_images_jpeg.tar.gz")
    data = create_image_task(f"cifar10:{folder}/cifar10/cifar10_images_jpeg.tar.gz").load(Limits(100, 50, 20))
    assert data.classes == CLASSES10
    assert data.train.images.shape == (100, 3, 32, 32)
    assert [np.bincount(split.labels).tolist() for split in all_splits(data)] == [[10] * 10, [5] * 10, [2] * 10]
    # Photographs, not noise: neighbouring pixels are alike.
    assert np.abs(np.diff(data.train.images.astype(int), axis=3)).mean() < 20
    assert data.remarks == ()
