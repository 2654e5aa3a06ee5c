"""Which files of a folder or archive are images of which part and class, and what is said of the others."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naopt.errors import InputError
from naopt.tasks import Dataset, ImageOptions, ImagesTask, create_image_task
from naopt.tasks.decoding import suffixes
from naopt.tasks.parts import PARTS, Part
from tests.tasks.examples import all_splits, check_disjoint, pack, write_images


def load(folder: Path, parts: str = "") -> Dataset:
    return ImagesTask(str(folder)).with_options(ImageOptions(parts=parts)).load()


def write_tree(root: Path, tree: Mapping[str, int]) -> Path:
    for seed, (folder, count) in enumerate(tree.items()):
        write_images(root / folder, count, seed=seed)
    return root


# Suffixes.


def test_every_suffix_in_either_case_is_read_and_others_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = [".jfif", ".jpe", ".JPG", ".Jpeg", ".PNG", ".jp2", ".tga", ".QOI", ".avif", ".pbm"]
    known = [kind for kind in kinds if kind.lower() in suffixes()]
    for name in "ab":
        (tmp_path / name).mkdir()
        for index, suffix in enumerate(known):
            image = Image.fromarray(rng.integers(256, size=(8, 8, 3), dtype=np.uint8))
            image.save(tmp_path / name / f"{index}{suffix}")
        (tmp_path / name / "photo.HEIC").write_bytes(b"not read")
        (tmp_path / name / "photo.heic").write_bytes(b"not read")
        (tmp_path / name / "raw").write_bytes(b"not read")
    (tmp_path / "a" / "notes.v2.txt").write_text("notes")
    (tmp_path / "README.md").write_text("outside of the classes")
    Image.new("L", (8, 8)).save(tmp_path / "overview.png")
    data = load(tmp_path)
    assert sum(map(len, all_splits(data))) == 2 * len(known) >= 16
    assert data.remarks == (
        f"left out: 7 of {2 * len(known) + 7} files, not known as images: 4 .heic, 2 without a suffix, 1 .txt",
        "left out: 1 image outside of the classes' folders",
    )
    assert ImagesTask(str(tmp_path)).files().remarks == data.remarks


def test_a_class_of_other_files_says_what_they_are(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 5})
    (tmp_path / "b").mkdir()
    for index in range(3):
        (tmp_path / "b" / f"{index}.heic").touch()
    with pytest.raises(InputError, match=r"class folder '.*/b': has no images; what it has: 3 \.heic"):
        load(tmp_path)


# Parts.


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("Training", "Testing"), ("train", "test")),
        (("TRAIN", "Val", "test"), ("train", "valid", "test")),
        (("train", "validation"), ("train", "valid")),
        (("train", "dev", "testing"), ("train", "valid", "test")),
        (("training", "Valid"), ("train", "valid")),
    ],
)
def test_usual_names_of_parts_in_any_case(tmp_path: Path, folders: Sequence[str], parts: Sequence[Part]) -> None:
    counts: dict[Part, int] = {"train": 10, "valid": 7, "test": 5}
    write_tree(tmp_path, {f"{f}/{name}": counts[part] for f, part in zip(folders, parts, strict=True) for name in "ab"})
    data = load(tmp_path)
    assert data.classes == ("a", "b")
    sizes = dict(zip(PARTS, map(len, all_splits(data)), strict=True))
    assert sum(sizes.values()) == 2 * sum(counts[part] for part in parts)
    assert all(sizes[part] == 2 * counts[part] for part in parts if part != "train")
    check_disjoint(data)


@pytest.mark.parametrize(
    ("tree", "classes"),
    [
        ({"train": 5, "bus": 5}, ("bus", "train")),
        ({"test": 5, "control": 5}, ("control", "test")),
        ({"dev": 5, "valid": 5, "other": 5}, ("dev", "other", "valid")),
        ({"plants/train": 5, "plants/bus": 5, "beasts": 5}, ("beasts", "plants")),
    ],
)
def test_a_folder_that_has_images_itself_is_a_class(
    tmp_path: Path, tree: Mapping[str, int], classes: tuple[str, ...]
) -> None:
    assert load(write_tree(tmp_path, tree)).classes == classes


DOUBTS: dict[str, tuple[dict[str, int], str]] = {
    "two of a kind": (
        {"train/a": 5, "train/b": 5, "val/a": 5, "validation/a": 5},
        r"has two folders of one part, 'val' and 'validation'; say --set parts=train:train,valid:val \(",
    ),
    "nothing to train on": (
        {"val/a": 5, "val/b": 5, "test/a": 5},
        r"but no folder .*=train:FOLDER,valid:val,test",
    ),
    "images without classes": (
        {"train/a": 5, "train/b": 5, "test": 5},
        r"has images in 'test' itself, and class folders in 'train'; say --set parts=train:train \(",
    ),
    "a part or a class": ({"train/steam": 5, "train/tram": 5, "bus": 5}, "has 'train' beside 'bus', which may be"),
    "other names of parts": (
        {"training_set/a": 5, "training_set/b": 5, "test_set/a": 5, "test_set/b": 5},
        r"same folders in 'test_set' and 'training_set', .*parts=train:training_set,test:test_set \(",
    ),
    "names that say nothing": ({"1/a": 5, "1/b": 5, "2/a": 5, "2/b": 5}, r"in '1' and '2', .*=train:FOLDER \("),
    "parts without classes": ({"Training": 5, "Testing": 5}, r"Training': has no class folders .*parts=none"),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_doubtful_folders_are_asked_for(tmp_path: Path, doubt: str) -> None:
    tree, message = DOUBTS[doubt]
    write_tree(tmp_path, tree)
    with pytest.raises(InputError, match=message) as error:
        load(tmp_path)
    assert "parts=none" in str(error.value)
    if len({folder.partition("/")[0] for folder in tree}) > 1 and doubt != "parts without classes":
        assert len(load(tmp_path, "none").classes) == len({folder.partition("/")[0] for folder in tree})


def test_folders_in_classes_are_no_doubt_where_one_has_others(tmp_path: Path) -> None:
    write_tree(tmp_path, {"cat/indoor": 3, "cat/outdoor": 3, "dog/indoor": 3, "dog/sea": 3})
    assert load(tmp_path).classes == ("cat", "dog")


def test_parts_can_be_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {f"{part}/{name}": count for part, count in (("learn", 10), ("exam", 6)) for name in "ab"})
    data = load(tmp_path, "train:learn, test:exam")
    assert [len(split) for split in all_splits(data)] == [16, 4, 12]
    assert load(tmp_path, "train:learn").remarks == ("left out: 12 images outside of the classes' folders",)
    assert load(tmp_path, "none").classes == ("exam", "learn")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("learn", "must be none, or train:FOLDER,valid:FOLDER,test:FOLDER"),
        ("trian:learn", "must be none, or train:FOLDER"),
        ("train:learn,train:exam", "must be none, or"),
        ("train:lern", "there is no folder 'lern'; there are exam, learn"),
        ("test:exam", "names no folder to train on"),
    ],
)
def test_rules_that_do_not_fit(tmp_path: Path, rule: str, message: str) -> None:
    write_tree(tmp_path, {f"{part}/{name}": 5 for part in ("learn", "exam") for name in "ab"})
    with pytest.raises(InputError, match=f"parts '{rule}': {message}"):
        load(tmp_path, rule)


def test_a_further_folder_beside_parts_is_left_out_and_counted(tmp_path: Path) -> None:
    write_tree(tmp_path, {"train/a": 5, "train/b": 5, "test/a": 2, "test/b": 2, "unlabelled": 9})
    assert load(tmp_path).remarks == ("left out: 9 images outside of the classes' folders",)


def test_options_are_for_images_in_files() -> None:
    digits = create_image_task("digits")
    assert digits.with_options(ImageOptions(side=4)) is digits
    with pytest.raises(InputError, match="alpha 'black': has a use only with images in files"):
        digits.with_options(ImageOptions(alpha="black"))


# Links, and files of equal content.


def test_a_link_to_the_root_gives_no_image_twice(tmp_path: Path) -> None:
    write_tree(tmp_path / "data", {"cat": 6, "dog": 6})
    plain = load(tmp_path / "data")
    (tmp_path / "data" / "cat" / "all").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "everything").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "dog" / "itself").symlink_to("itself")
    data = load(tmp_path / "data")
    check_disjoint(data)
    for one, other in zip(all_splits(plain), all_splits(data), strict=True):
        assert np.array_equal(one.images, other.images)


def test_links_between_classes_end_and_count_once(tmp_path: Path) -> None:
    names = [f"class{number}" for number in range(9)]
    write_tree(tmp_path, {f"{name}/deep/er": 4 for name in names})
    for name in names:
        for other in names:
            if other != name:
                (tmp_path / name / "deep" / other).symlink_to(tmp_path / other)
    data = load(tmp_path)
    check_disjoint(data)
    assert sorted(np.concatenate([split.labels for split in all_splits(data)]).tolist()) == sorted([*range(9)] * 4)
    assert len(data.remarks) == 1
    assert "images are links to others: each is used once" in data.remarks[0]


def test_names_of_one_file_count_once(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 6, "b": 6})
    os.link(tmp_path / "a" / "000.png", tmp_path / "a" / "hard.png")
    (tmp_path / "a" / "000 soft.png").symlink_to(tmp_path / "b" / "001.png")
    data = load(tmp_path)
    assert sum(map(len, all_splits(data))) == 12
    assert data.remarks == ("2 of 14 images are links to others: each is used once",)
    assert np.concatenate([split.labels for split in all_splits(data)]).sum() == 6, "b's file stays b's"


def test_folders_of_links_to_a_pool_are_read(tmp_path: Path) -> None:
    write_tree(tmp_path, {"pool": 10})
    for number, path in enumerate(sorted((tmp_path / "pool").iterdir())):
        for part in ("train", "test")[number % 2 :][:1]:
            link = tmp_path / "data" / part / ("a" if number < 5 else "b") / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    (tmp_path / "data" / "val").symlink_to("test")
    with pytest.raises(InputError, match=r"valid/a|test/a|val/a': holds nothing but links to images of other folders"):
        load(tmp_path / "data")
    (tmp_path / "data" / "val").unlink()
    assert sum(map(len, all_splits(load(tmp_path / "data")))) == 10


def test_equal_content_in_several_parts_or_classes_is_counted(tmp_path: Path) -> None:
    write_tree(tmp_path, {"train/a": 6, "train/b": 6, "val/a": 4, "val/b": 4, "test/a": 4, "test/b": 4})
    for part, names in (("val", ("000", "001", "002")), ("test", ("003",))):
        for name in names:
            (tmp_path / part / "a" / f"{name}.png").write_bytes((tmp_path / "train" / "a" / f"{name}.png").read_bytes())
    (tmp_path / "train" / "b" / "005.png").write_bytes((tmp_path / "train" / "a" / "005.png").read_bytes())
    assert load(tmp_path).remarks == (
        "leakage: 1 of 8 images of test are in train too, as files of equal content",
        "leakage: 3 of 8 images of valid are in train too, as files of equal content",
        "2 images are in several classes, as files of equal content",
    )


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": 5, "b": 5})
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert sum(map(len, all_splits(load(tmp_path)))) == 10


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"a": 5, "b": 5})
    scan = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(InputError, match=r"folder '.*/b': Permission denied"):
        load(tmp_path)


# Archives.


def zipped(folder: Path, archive: Path, *, root: str = "", windows: bool = False) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            name = f"{root}{path.relative_to(folder).as_posix()}"
            if windows:
                info = zipfile.ZipInfo("placeholder")
                info.filename = name.replace("/", "\\") + "\\" * path.is_dir()
                file.writestr(info, b"" if path.is_dir() else path.read_bytes())
            elif path.is_file():
                file.write(path, name)
    return archive


@pytest.mark.parametrize("kind", ["zip", "ZIP of a folder", "zip of Windows", "tar", "tar.bz2", "tar.xz", "TGZ"])
def test_archives_are_read_as_their_folder(tmp_path: Path, kind: str) -> None:
    folder = write_tree(tmp_path / "data", {"Training/cat": 5, "Training/dog": 6, "Testing/cat": 2, "Testing/dog": 2})
    archive = tmp_path / f"pets.{kind.split()[0]}"
    if "zip" in kind.lower():
        zipped(folder, archive, root="pets/" if "folder" in kind else "", windows="Windows" in kind)
    else:
        modes = {"tar": "w", "tar.bz2": "w:bz2", "tar.xz": "w:xz", "TGZ": "w:gz"}
        with tarfile.open(archive, modes[kind]) as tar:  # type: ignore[call-overload]
            tar.add(folder, "pets")
    one, other = load(folder), load(archive)
    assert one.classes == other.classes == ("cat", "dog")
    for a, b in zip(all_splits(one), all_splits(other), strict=True):
        assert np.array_equal(a.images, b.images)
    if kind != "tar":
        with pytest.raises(InputError, match=r"so its images cannot be streamed; unpack it"):
            ImagesTask(str(archive)).files()


def test_links_in_archives_are_files_that_count_once(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "data", {"cat": 5, "dog": 5})
    (folder / "cat" / "soft.png").symlink_to("../dog/000.png")
    (folder / "cat" / "away.png").symlink_to("/nowhere.png")
    os.link(folder / "cat" / "000.png", folder / "cat" / "hard.png")
    data = load(pack(folder, tmp_path / "data.tar.gz"))
    assert data.remarks == ("2 of 12 images are links to others: each is used once",)
    assert sum(map(len, all_splits(data))) == 10
    archive = zipped(folder / "dog", tmp_path / "data.zip", root="dog/")
    with zipfile.ZipFile(archive, "a") as file:
        for index in range(5):
            link = zipfile.ZipInfo(f"cat/{index}.png")
            link.external_attr = 0o120777 << 16
            file.writestr(link, f"../dog/00{index}.png")
    with pytest.raises(InputError, match="cat': holds nothing but links to images of other folders"):
        load(archive)


def test_archives_that_cannot_be_read(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "data", {"cat": 5, "dog": 5})
    archive = zipped(folder, tmp_path / "data.zip")
    content = archive.read_bytes()
    locked = bytearray(content)
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := locked.find(mark, at + 1)) >= 0:
            locked[at + flags] |= 1
    for damaged, message in ((content[:500], "cannot be read"), (bytes(locked), "cannot be read: .*password")):
        archive.write_bytes(damaged)
        with pytest.raises(InputError, match=f"archive '.*data.zip': {message}") as error:
            load(archive)
        assert "\n" not in str(error.value)


def test_images_beside_folders_that_look_like_parts(tmp_path: Path) -> None:
    write_tree(tmp_path / "flat", {"": 3})
    with pytest.raises(InputError, match="has no class folders"):
        load(tmp_path / "flat")
    write_tree(tmp_path / "mine", {"": 1, "trn/a": 5, "trn/b": 5, "tst/a": 5, "tst/b": 5})
    with pytest.raises(InputError, match="has the same folders in 'trn' and 'tst'"):
        load(tmp_path / "mine")


# Parts that lack a class.


def test_a_part_without_a_class_is_used_and_said(tmp_path: Path) -> None:
    write_tree(tmp_path, {"Training/a": 6, "Training/b": 6, "Training/c": 6, "Testing/a": 2, "Testing/b": 2})
    data = load(tmp_path)
    assert len(data.test) == 4
    assert data.remarks == ("test has no image of 1 of 3 classes (c); its accuracy says nothing of them",)


def test_a_class_of_another_case_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {"train/ship": 6, "train/car": 6, "test/Ship": 2})
    with pytest.raises(InputError, match=r"test/Ship': is not a class of train, which has 'ship'$"):
        load(tmp_path)


# Archives.


def test_a_tar_that_was_cut_where_a_file_ends_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path / "mine", {"a": 5, "b": 5})
    for mode in ("w:", "w:gz"):
        with tarfile.open(tmp_path / "whole.tar", mode) as archive:
            archive.add(tmp_path / "mine", "mine")
        assert len(load(tmp_path / "whole.tar").classes) == 2
    with tarfile.open(tmp_path / "whole.tar", "w:") as archive:
        archive.add(tmp_path / "mine", "mine")
        end = archive.offset
    (tmp_path / "cut.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:end])
    with pytest.raises(InputError, match=r"cut.tar': has no end: it was cut"):
        load(tmp_path / "cut.tar")


def test_links_to_folders_in_archives_are_followed(tmp_path: Path) -> None:
    write_tree(tmp_path / "mine", {"one": 6, "train/a": 6, "train/b": 6})
    (tmp_path / "mine" / "train" / "b" / "up").symlink_to("../a")
    (tmp_path / "mine" / "train" / "c").symlink_to("../one")
    with tarfile.open(tmp_path / "mine.tar", "w") as archive:
        archive.add(tmp_path / "mine", "mine")
    found, expected = (
        ImagesTask(str(tmp_path / name)).with_options(ImageOptions(parts="train:train")).load()
        for name in ("mine.tar", "mine")
    )
    assert found.classes == expected.classes == ("a", "b", "c")
    assert [len(part) for part in all_splits(found)] == [len(part) for part in all_splits(expected)]
    assert found.remarks == expected.remarks
