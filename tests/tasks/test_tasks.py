import io
import os
import pickle
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from naopt.errors import InputError, UnknownNameError
from naopt.tasks import Corpus, ImagesTask, Limits, Split, Task, create_image_task, create_task, create_text_task, tasks
from naopt.tasks.base import stratified_parts
from naopt.tasks.image_files import ImageFiles
from naopt.tasks.parts import PARTS
from naopt.tasks.trees import Files
from tests.tasks.examples import all_splits, check_disjoint, pack, write_images


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=80).flatmap(
        lambda labels: st.tuples(st.just(labels), st.integers(0, len(labels)))
    )
)
def test_parts_are_disjoint_of_the_right_size_and_stratified(drawn: tuple[list[int], int]) -> None:
    labels, size = drawn
    first, second = stratified_parts(labels, [size, len(labels) - size])
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert len(first) == size
    for label in set(labels):
        expected = labels.count(label) * size / len(labels)
        assert abs(sum(labels[i] == label for i in first) - expected) <= 1.5


def test_too_many_for_the_parts() -> None:
    with pytest.raises(ValueError, match="parts of 4 from 3"):
        stratified_parts([0, 0, 0], [2, 2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [("digit", "did you mean 'digits'"), ("images", "write images:PATH"), ("digits:here", "takes no source")],
)
def test_bad_task_names(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_task(spec)
    assert issubclass(UnknownNameError, InputError)


@pytest.mark.parametrize(
    ("create", "spec", "message"),
    [
        (create_text_task, "digits", "'digits': is images; a recurrent space needs text"),
        (create_image_task, "python-docs", "'python-docs': is text; a convolutional space needs images"),
    ],
)
def test_tasks_of_the_other_kind(create: Callable[[str], Task], spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(spec)


@pytest.mark.parametrize("ids", [np.zeros((2, 2), np.int32), np.zeros(2, np.int64)])
def test_a_corpus_is_checked(ids: NDArray[np.int32]) -> None:
    good = np.zeros(2, np.int32)
    with pytest.raises(InputError, match=r"valid .*: must be int32 word indices"):
        Corpus(good, ids, good.copy(), ("a", "b"))


def test_splits_are_checked_and_frozen() -> None:
    with pytest.raises(InputError, match=r"must be \(n, c, h, w\)"):
        Split(np.zeros((2, 3)), np.zeros(2, dtype=np.int64))
    split = Split(np.zeros((2, 1, 3, 3)), np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 1


def test_every_task_says_what_it_is() -> None:
    assert set(tasks.names()) >= {"digits", "images", "cifar10"}
    assert all(tasks.summaries().values())


# Digits.


def test_digits_are_split_once_and_for_all() -> None:
    data = create_image_task("digits").load()
    parts = [data.train, data.valid, data.test]
    bundled = load_digits()
    rows = np.concatenate([np.column_stack([p.images.reshape(-1, 64), p.labels]) for p in parts])
    expected = np.column_stack([bundled.images.reshape(-1, 64), bundled.target])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))
    assert [len(split) for split in all_splits(data)] == [600, 600, 597]
    for split in all_splits(data):
        assert split.images.shape[1:] == (1, 8, 8)
        assert set(np.bincount(split.labels)) <= {58, 59, 60, 61, 62}
    assert data.train.labels[:8].tolist() == create_image_task("digits").load(Limits(test=0)).train.labels[:8].tolist()
    # Golden: a changed split would make every published figure of the task's table wrong.
    assert int((data.valid.images.astype(int) * np.arange(600)[:, None, None, None]).sum()) == 56_026_877
    before = bundled.images.astype(np.uint8)[:, None][[2, 0, 1]]
    assert data.train.images.strides == before.strides, "torch takes other kernels, with other bits"


def test_limits_are_stratified_and_within_the_part() -> None:
    task = create_image_task("digits")
    whole, some = task.load(), task.load(Limits(100, 50, 0))
    assert [len(split) for split in all_splits(some)] == [100, 50, 0]
    assert np.bincount(some.train.labels).tolist() == [10] * 10
    assert {i.tobytes() for i in some.train.images} <= {i.tobytes() for i in whole.train.images}


# Image folders.


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name, count in (("cat", 10), ("dog", 15)):
        write_images(tmp_path / "data" / name, count)
    return tmp_path / "data"


def test_a_folder_per_class_is_split_60_20_20(folders: Path) -> None:
    data = create_image_task(f"images:{folders}").load()
    assert data.classes == ("cat", "dog")
    assert [np.bincount(split.labels).tolist() for split in all_splits(data)] == [[6, 9], [2, 3], [2, 3]]
    assert data.train.images.shape == (15, 3, 5, 6)
    assert data.train.images.dtype == np.uint8
    assert data.remarks == ()
    check_disjoint(data)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (("train",), (12, 4, 4)),
        (("train", "test"), (16, 4, 20)),
        (("train", "val"), (16, 20, 4)),
        (("train", "valid", "test"), (20, 20, 20)),
    ],
)
def test_given_parts_are_kept(tmp_path: Path, given: Sequence[str], sizes: tuple[int, ...]) -> None:
    for number, part in enumerate(given):
        for name in "ab":
            write_images(tmp_path / part / name, 10, seed=number)
    (tmp_path / "README.md").write_text("not an image")
    data = create_image_task(f"images:{tmp_path}").load()
    assert tuple(map(len, all_splits(data))) == sizes
    assert data.classes == ("a", "b")
    check_disjoint(data)


@pytest.mark.parametrize("root", ["", "everything"])
def test_an_archive_is_read_in_place_as_its_folder(folders: Path, root: str) -> None:
    archive = pack(folders, folders.parent / "data.tar.gz", root=root)
    limits = Limits(6, 2, 2)
    whole, packed = create_image_task(f"images:{folders}"), create_image_task(f"images:{archive}")
    for one, other in ((whole.load(), packed.load()), (whole.load(limits), packed.load(limits))):
        assert one.classes == other.classes
        for a, b in zip(all_splits(one), all_splits(other), strict=True):
            assert np.array_equal(a.images, b.images)
            assert np.array_equal(a.labels, b.labels)


def test_other_sizes_are_resized_and_counted_and_grey_stays_grey(tmp_path: Path) -> None:
    for name in "ab":
        write_images(tmp_path / name, 5, mode="L")
    Image.new("L", (9, 9)).save(tmp_path / "a" / "x.png")
    Image.new("1", (6, 5)).save(tmp_path / "b" / "y.png")
    data = create_image_task(f"images:{tmp_path}").load()
    assert data.train.images.shape[1:] == (1, 5, 6)
    assert data.remarks == ("1 of 12 images resized to 6x5", "2 of 12 images are of one colour all over")
    write_images(tmp_path / "a", 1, mode="RGB")
    assert create_image_task(f"images:{tmp_path}").load().train.images.shape[1:] == (3, 5, 6)


def test_hidden_files_are_not_there(folders: Path) -> None:
    write_images(folders / ".cache", 1)
    (folders / "cat" / "._000.png").write_bytes(b"junk")
    (folders / "cat" / "notes.txt").write_text("no image")
    data = create_image_task(f"images:{folders}").load()
    assert data.classes == ("cat", "dog")
    assert data.remarks == ("left out: 1 of 26 files, not known as images: 1 .txt",)


def broken_missing(folder: Path) -> str:
    return f"{folder}-nowhere"


def broken_file(folder: Path) -> str:
    return str(folder / "cat" / "000.png")


def broken_no_classes(folder: Path) -> str:
    (folder / "empty").mkdir()
    return str(folder / "empty")


def broken_empty_class(folder: Path) -> str:
    (folder / "eel").mkdir()
    return str(folder)


def broken_single(folder: Path) -> str:
    write_images(folder / "eel", 1)
    return str(folder)


def broken_one_class(folder: Path) -> str:
    write_images(folder / "one" / "eel", 5)
    return str(folder / "one")


def broken_truncated(folder: Path) -> str:
    path = folder / "dog" / "003.png"
    path.write_bytes(path.read_bytes()[:-40])
    return str(folder)


def broken_text(folder: Path) -> str:
    (folder / "dog" / "003.png").write_text("not an image")
    return str(folder)


def broken_archive(folder: Path) -> str:
    archive = pack(folder, folder.parent / "data.tar.gz")
    archive.write_bytes(archive.read_bytes()[:2000])
    return str(archive)


def broken_class_of_test(folder: Path) -> str:
    for part, name in (("train", "a"), ("train", "b"), ("test", "c")):
        write_images(folder / "split" / part / name, 5)
    return str(folder / "split")


def broken_link(folder: Path) -> str:
    (folder / "cat" / "zzz.png").symlink_to(folder / "nowhere.png")
    return str(folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken_missing, r"nowhere': does not exist"),
        (broken_file, "neither a folder nor an archive"),
        (broken_no_classes, "has no class folders"),
        (broken_empty_class, r"eel': has no images"),
        (broken_single, r"eel': has 1 image; 3 are needed"),
        (broken_one_class, r"has one class \('eel'\)"),
        (broken_truncated, r"dog/003.png': cannot be read: .*truncated"),
        (broken_text, r"dog/003.png': cannot be read: not an image"),
        (broken_archive, r"data.tar.gz': cannot be read"),
        (broken_class_of_test, r"test/c': is not a class of train"),
        (broken_link, r"zzz.png': No such file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_folders_that_cannot_be_used(folders: Path, make: object, message: str) -> None:
    source = make(folders)  # type: ignore[operator]
    with pytest.raises(InputError, match=message) as error:
        create_image_task(f"images:{source}").load()
    assert "\n" not in str(error.value)


def test_decoding_does_not_depend_on_the_archives_order(folders: Path) -> None:
    archive = folders.parent / "reversed.tar"
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folders.rglob("*.png"), reverse=True):
            content = path.read_bytes()
            member = tarfile.TarInfo(str(path.relative_to(folders)))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert np.array_equal(
        create_image_task(f"images:{archive}").load().train.images,
        create_image_task(f"images:{folders}").load().train.images,
    )


# Images that stay in their files.


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_the_splits_of_load(folders: Path, packed: bool) -> None:
    source = folders
    if packed:
        source = folders.parent / "data.tar"
        with tarfile.open(source, "w") as tar:
            tar.add(folders, arcname="data")
    task = ImagesTask(str(source))
    for limits in (Limits(), Limits(5, 3, 0)):
        data, splits = task.load(limits), pickle.loads(pickle.dumps(task.files(limits)))
        assert splits.classes == data.classes
        for part in PARTS:
            files, split = splits.part(part), getattr(data, part)
            assert files.labels.tolist() == split.labels.tolist()
            pixels = [np.asarray(files.read(index)).transpose(2, 0, 1) for index in range(len(files))]
            assert all(np.array_equal(one, other) for one, other in zip(pixels, split.images, strict=True))
    splits = task.files()
    both = splits.train.joined(splits.valid)
    assert both.labels.tolist() == [*splits.train.labels, *splits.valid.labels]
    assert both.read(len(splits.train)) == splits.valid.read(0)
    with pytest.raises(ValueError, match=r"files of .* and elsewhere"):
        both.files.joined(Files("elsewhere", both.files.paths))
    with pytest.raises(InputError, match="must be as many as the files, 15"):
        ImageFiles(splits.train.files, np.zeros(2, np.int64))


def test_a_compressed_archive_is_not_streamed(folders: Path) -> None:
    task = ImagesTask(str(pack(folders, folders.parent / "data.tgz")))
    with pytest.raises(InputError, match=r"data.tgz': is compressed, so its images cannot be streamed; unpack it"):
        task.files()


def test_files_that_cannot_be_read_are_named(folders: Path) -> None:
    files = ImagesTask(str(folders)).files().train
    path = Path(files.files.name(0))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=rf"{path}': cannot be read: .*truncated"):
        files.read(0)
    path.write_text("no image")
    with pytest.raises(InputError, match=r"cannot be read: not an image that is known"):
        files.read(0)
    path.unlink()
    with pytest.raises(InputError, match=r"No such file or directory"):
        files.read(0)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    for name in "ab":
        write_images(tmp_path / name, 5)
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        (tmp_path / "a" / "000.png").rename(tmp_path / "a" / odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    splits = ImagesTask(str(tmp_path)).files()
    assert any(splits.part(part).files.name(i).endswith(odd) for part in PARTS for i in range(len(splits.part(part))))
    assert splits.train.read(0).size == (6, 5)
