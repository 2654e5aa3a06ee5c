"""A small folder of photographs, made of a larger one: what a user with a few hundred images has.

``python -m benchmarks.photographs --images cifar10.tar.gz --classes cat,ship,horse --train 120 --out runs/photographs``

Takes images from ``train/CLASS`` of a folder or archive, in an order that the seed decides, and writes them to
``train``, ``valid`` and ``test``. With many images to validate and test on, what few to learn from give can be told
apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.output import failed, note
from naopt.errors import InputError, NaoptError
from naopt.tasks.sources import open_tree


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the folder; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="A small folder of photographs, made of a larger one.")
    parser.add_argument("--images", required=True, help="folder or archive with train/CLASS/*")
    parser.add_argument("--classes", required=True, help="names, separated by commas")
    for part, count in (("train", 120), ("valid", 500), ("test", 500)):
        parser.add_argument(f"--{part}", type=int, default=count, help=f"images of each class in {part}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        counts = {part: getattr(options, part) for part in ("train", "valid", "test")}
        make(options.images, options.classes.split(","), counts, options.seed, options.out)
    except NaoptError as error:
        raise failed(error, code=2) from error
    note(f"{options.out}: {len(options.classes.split(','))} classes, of each {counts}")


def make(source: str, classes: Sequence[str], counts: dict[str, int], seed: int, out: Path) -> None:
    """Writes the folder. Raises ``InputError`` for images that are not there, or a folder that is."""
    if out.exists():
        raise InputError("--out", str(out), "is there already")
    tree = open_tree(source)
    names, places = tree.entries()[0], dict[str, Path]()
    for number, label in enumerate(classes):
        own = sorted(name for name in names if f"/train/{label}/" in f"/{name}")
        if len(own) < sum(counts.values()):
            raise InputError("--classes", label, f"has {len(own)} images, not {sum(counts.values())}")
        order = np.random.default_rng([seed, number]).permutation(len(own)).tolist()
        for part, count in counts.items():
            (out / part / label).mkdir(parents=True)
            chosen = (own[order.pop()] for _ in range(count))
            places |= {name: out / part / label / Path(name).name for name in chosen}
    for name, content in tree.read(places):
        places[name].write_bytes(content)


if __name__ == "__main__":
    main()
