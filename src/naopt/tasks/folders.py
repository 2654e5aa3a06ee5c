"""Where images lie in a tree of files: the one place that finds parts, classes, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from naopt.errors import InputError
from naopt.tasks.base import Limits, stratified_parts
from naopt.tasks.decoding import suffixes
from naopt.tasks.parts import PARTS, Part, part_named
from naopt.tasks.trees import Tree

Labelled = list[tuple[str, int]]
"""Paths inside a tree, and class indices."""

Classes = dict[str, list[str]]
"""Names of classes to paths of images."""

_NAMED = 4
"""How many kinds of files a remark names."""


@dataclass(frozen=True, slots=True)
class Found:
    """Images in a tree.

    Attributes:
        classes: their names.
        parts: paths and class indices of each part.
        deciding: paths of all training and validation images, however many of them ``parts`` has.
        remarks: what was left out, and why.
    """

    classes: tuple[str, ...]
    parts: Mapping[Part, Labelled]
    deciding: tuple[str, ...]
    remarks: tuple[str, ...]


def find_images(
    tree: Tree, files: Sequence[str], folders: Sequence[str], limits: Limits, rule: str = "",
    valid_fraction: float = 0.2,
) -> Found:  # fmt: skip
    """Finds the images of each part and class; a part that is not there is split off.

    Args:
        tree: what they are in.
        files: paths of all its files.
        folders: paths of all its folders.
        limits: how many images of each part to take.
        rule: see ``ImageOptions.parts``.
        valid_fraction: what validation takes of the training images where there are test images and no others.

    Raises:
        InputError: folders that cannot be used, or that may be meant in two ways.
    """
    known = suffixes()
    images = [path for path in files if suffix_of(path) in known]
    given = choose_parts(tree.source, folders, images, rule)
    where = {part: f"{given[part]}/" for part in PARTS if part in given} or {PARTS[0]: ""}
    those = set(images)
    listed = {part: list_classes(tree.source, folder, files, folders, those) for part, folder in where.items()}
    found = {part: classes for part, (classes, _) in listed.items()}
    passed = [path for _, paths in listed.values() for path in paths]
    used = [path for classes in found.values() for paths in classes.values() for path in paths]
    others = tree.other_names(used)
    for part, classes in found.items():
        for name, paths in classes.items():
            classes[name] = [path for path in paths if path not in others]
            if not classes[name]:
                rule = "holds nothing but links to images of other folders"
                raise InputError("class folder", f"{tree.source}/{where[part]}{name}", rule)
    names = tuple(found["train"])
    _check_classes(tree.source, given, found)
    whole = complete(found, f"{tree.source}/{where['train']}".rstrip("/"), valid_fraction)
    index = {name: label for label, name in enumerate(names)}
    parts: dict[Part, Labelled] = {}
    for part in PARTS:
        labelled = [(path, index[name]) for name, paths in whole[part].items() for path in paths]
        parts[part] = limited(labelled, limits.of(part))
    deciding = tuple(path for part in PARTS if part != "test" for paths in whole[part].values() for path in paths)
    remarks = _remarks(len(images) - len(used), passed, len(used), len(others))
    return Found(names, parts, deciding, (*remarks, *_absent(names, found)))


def suffix_of(path: str) -> str:
    """The end of a file's name from its last dot, in small letters; empty without one."""
    stem, dot, end = path.rpartition("/")[2].rpartition(".")
    return f".{end.casefold()}" if stem and dot else ""


def choose_parts(source: str, folders: Sequence[str], images: Sequence[str], rule: str) -> dict[Part, str]:
    """Which folder holds which part; none if every folder is a class.

    A folder with a usual name is a part if it has class folders, and a class if it has images itself.

    Args:
        source: for the error's text.
        folders: paths of all folders.
        images: paths of all images.
        rule: see ``ImageOptions.parts``.

    Raises:
        InputError: a rule that does not fit, or folders that may be meant in two ways.
    """
    tops = [path for path in folders if "/" not in path]
    if rule:
        return {} if rule == "none" else _ruled(rule, tops)
    direct = {path.partition("/")[0] for path in images if path.count("/") == 1}
    nested = {path.partition("/")[0] for path in images if path.count("/") > 1}
    named = [folder for folder in tops if part_named(folder)]
    other = [folder for folder in tops if folder in direct | nested and folder not in named]
    split = [folder for folder in named if folder in nested]
    if not split and (other or not named):
        if not direct and (alike := _alike(images)):
            guessed = {part: [folder for folder in alike if part in folder.casefold()] for part in PARTS}
            unique = {part: folders[0] for part, folders in guessed.items() if len(folders) == 1}
            _ask(
                source, f"has the same folders in '{alike[0]}' and '{alike[1]}', which may be parts or classes", unique
            )
        return {}
    of_part = {part: [folder for folder in split or named if part_named(folder) == part] for part in PARTS}
    given = {part: of_part[part][0] for part in PARTS if of_part[part]}
    twice = next((names for names in of_part.values() if len(names) > 1), None)
    if twice:
        _ask(source, f"has two folders of one part, '{twice[0]}' and '{twice[1]}'", given)
    if "train" not in given:
        _ask(source, f"has '{next(iter(given.values()))}', but no folder of images to train on", given)
    if not split:
        rest = "class folders (one folder of images per class); if it is a class itself, --set parts=none"
        raise InputError("folder", f"{source}/{given['train']}", f"has no {rest}")
    whole = [folder for folder in named if folder in direct - nested]
    if whole:
        _ask(source, f"has images in '{whole[0]}' itself, and class folders in '{split[0]}'", given)
    if other and len(given) == 1:
        _ask(source, f"has '{given['train']}' beside '{other[0]}', which may be parts or classes", given)
    return given


def _alike(images: Sequence[str]) -> list[str]:
    """Folders, all there are, that hold images in folders of the same names, two at least, as parts do; else none."""
    below: dict[str, set[str]] = {}
    for path in images:
        top, slash, rest = path.partition("/")
        if not slash:
            continue
        folders = rest.split("/")[:-1]
        below.setdefault(top, set()).update(folders[:1])
    names = next(iter(below.values()), set())
    return sorted(below) if len(below) > 1 < len(names) and all(found == names for found in below.values()) else []


def _ruled(rule: str, tops: Sequence[str]) -> dict[Part, str]:
    given: dict[Part, str] = {}
    for entry in rule.split(","):
        name, colon, folder = (text.strip() for text in entry.partition(":"))
        part = next((part for part in PARTS if part == name), None)
        if part is None or not colon or part in given:
            raise InputError("parts", rule, "must be none, or train:FOLDER,valid:FOLDER,test:FOLDER")
        if folder not in tops:
            raise InputError("parts", rule, f"there is no folder '{folder}'; there are {', '.join(tops) or 'none'}")
        given[part] = folder
    if "train" not in given:
        raise InputError("parts", rule, "names no folder to train on: train:FOLDER")
    return given


def _ask(source: str, doubt: str, given: Mapping[Part, str]) -> None:
    ways = ",".join(f"{part}:{given.get(part, 'FOLDER')}" for part in PARTS if part in given or part == "train")
    rule = f"{doubt}; say --set parts={ways} (more: valid:, test:), or --set parts=none if every folder is a class"
    raise InputError("folder", source, rule)


def list_classes(
    source: str, folder: str, files: Sequence[str], folders: Sequence[str], images: Set[str]
) -> tuple[Classes, list[str]]:
    """Class names to image paths, for the class folders directly in ``folder`` (a path with ``/``, or nothing).

    Returns:
        The classes, and the other files in their folders.

    Raises:
        InputError: there is no class folder, or one without an image.
    """
    where = f"{source}/{folder}".rstrip("/")
    depth = folder.count("/")
    names = [path.rsplit("/", 1)[-1] for path in folders if path.startswith(folder) and path.count("/") == depth]
    if not names:
        raise InputError("folder", where, "has no class folders (one folder of images per class)")
    classes: Classes = {name: [] for name in sorted(names)}
    passed: dict[str, list[str]] = {name: [] for name in names}
    for path in files:
        if path.startswith(folder):
            name, slash, _ = path[len(folder) :].partition("/")
            if slash:
                (classes if path in images else passed)[name].append(path)
    for name, paths in classes.items():
        if not paths:
            there = f"; what it has: {_kinds(passed[name])}" if passed[name] else ""
            raise InputError("class folder", f"{where}/{name}", f"has no images{there}")
    return classes, [path for paths in passed.values() for path in paths]


def _check_classes(source: str, given: Mapping[Part, str], found: Mapping[Part, Classes]) -> None:
    names = found["train"].keys()
    for part, classes in found.items():
        unknown = sorted(classes.keys() - names)
        if unknown:
            alike = next((name for name in names if name.casefold() == unknown[0].casefold()), None)
            rule = "is not a class of train" + (f", which has '{alike}'" if alike else "")
            raise InputError("class folder", f"{source}/{given[part]}/{unknown[0]}", rule)
    if len(names) < 2:
        raise InputError("folder", source, f"has one class ('{next(iter(names))}'); at least two are needed")


def complete(found: Mapping[Part, Classes], where: str, valid_fraction: float) -> dict[Part, Classes]:
    """All parts: what is missing is split off the training images. Raises as ``share_out``."""
    missing: list[Part] = [part for part in ("valid", "test") if part not in found]
    fractions = (0.2, 0.2) if len(missing) == 2 else (0.2 if missing == ["test"] else valid_fraction,)
    if not missing:
        return dict(found)
    train, *rest = share_out(found["train"], fractions, where)
    return {**found, "train": train, **dict(zip(missing, rest, strict=True))}


def share_out(classes: Mapping[str, Sequence[str]], fractions: Sequence[float], where: str) -> list[Classes]:
    """Splits every class by itself, fixed and random; each part has at least one image of each class.

    Args:
        classes: names to paths.
        fractions: what the second and further parts take; the first has the rest.
        where: for the error's text.

    Raises:
        InputError: a class with fewer images than parts.
    """
    parts: list[Classes] = [{} for _ in range(len(fractions) + 1)]
    for name, paths in classes.items():
        if len(paths) <= len(fractions):
            raise InputError(
                "class folder", f"{where}/{name}",
                f"has {len(paths)} image{'s' * (len(paths) > 1)}; {len(parts)} are needed to split it",
            )  # fmt: skip
        sizes = [max(1, round(fraction * len(paths))) for fraction in fractions]
        sizes.insert(0, len(paths) - sum(sizes))
        for part, rows in zip(parts, stratified_parts([0] * len(paths), sizes), strict=True):
            part[name] = [paths[row] for row in rows]
    return parts


def limited(labelled: Labelled, limit: int | None) -> Labelled:
    """At most ``limit`` of the files, stratified by class."""
    if limit is None or limit >= len(labelled):
        return labelled
    return [labelled[row] for row in stratified_parts([label for _, label in labelled], [limit])[0]]


def _remarks(outside: int, passed: Sequence[str], used: int, links: int) -> tuple[str, ...]:
    """What was left out: images outside of the classes' folders, other files in them, and links."""
    remarks = []
    if passed:
        whole = used + len(passed)
        remarks.append(f"left out: {len(passed):,} of {whole:,} files, not known as images: {_kinds(passed)}")
    if outside:
        remarks.append(f"left out: {outside:,} image{'s' * (outside > 1)} outside of the classes' folders")
    if links:
        remarks.append(f"{links:,} of {used:,} images are links to others: each is used once")
    return tuple(remarks)


def _absent(names: Sequence[str], found: Mapping[Part, Classes]) -> Iterator[str]:
    """Parts without an image of some class."""
    for part, classes in found.items():
        absent = [name for name in names if name not in classes]
        if absent:
            shown = ", ".join(absent[:_NAMED]) + (" ..." if len(absent) > _NAMED else "")
            which = f"{len(absent)} of {len(names)} classes ({shown})"
            yield f"{part} has no image of {which}; its accuracy says nothing of them"


def _kinds(paths: Sequence[str]) -> str:
    """How many files there are of each suffix, the most frequent first."""
    names = ("".join(c if c.isprintable() else "?" for c in suffix_of(path)) for path in paths)
    counts = Counter(name or "without a suffix" for name in names).most_common()
    named = [f"{count:,} {suffix}" for suffix, count in counts[:_NAMED]]
    rest = sum(count for _, count in counts[_NAMED:])
    return ", ".join([*named, f"{rest:,} others"] if rest else named)
