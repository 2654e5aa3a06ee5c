"""What is made once for a space: its scale, its memory and its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from naopt.latent import decoder, pretraining
from naopt.latent.cache import cache_directory
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.pretraining import Pretrained, pretrained
from naopt.spaces import ConvCellSpace, GenericSpace, NASBench201Space, Position, SearchSpace

FAST: dict[str, Any] = {"unlabelled": 60, "pretraining_steps": 3, "decoder_size": 8}
SETTINGS = EmbeddingSettings(**FAST)


def grid(*sizes: int, name: str = "grid", kind: str = "") -> GenericSpace:
    return GenericSpace([Position(f"p{i}", tuple(f"c{j}" for j in range(n)), kind) for i, n in enumerate(sizes)], name)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in memory too, and no temporary files."""
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("naopt.latent.cache._said", set())
    monkeypatch.setattr(pretraining, "_memory", {})
    return tmp_path / "cache"


def forget() -> None:
    pretraining._memory.clear()


def same(first: Pretrained, second: Pretrained) -> bool:
    pairs = [(first.embedding.arrays, second.embedding.arrays), (first.decoder.weights, second.decoder.weights)]
    return (
        first.unit == second.unit
        and first.embedding.names == second.embedding.names
        and all(a.keys() == b.keys() and all((a[key] == b[key]).all() for key in a) for a, b in pairs)
    )


def test_the_unit_is_the_distance_of_neighbours() -> None:
    space = NASBench201Space()
    found = pretrained(space, EmbeddingSettings(unlabelled=300, pretraining_steps=0))
    rng = np.random.default_rng(7)
    some = [space.sample(rng) for _ in range(300)]
    apart = found.embedding.encode([space.mutate(a, rng) for a in some]) - found.embedding.encode(some)
    lengths = [float(np.sqrt(np.square(row).sum())) for row in apart if row.any()]
    assert found.unit == pytest.approx(np.median(lengths), rel=0.1)


def test_it_is_made_once(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    made = pretrained(grid(3, 3), SETTINGS)
    assert pretrained(grid(3, 3), SETTINGS) is made
    assert [path.suffix for path in directory.iterdir()] == [".safetensors"]
    forget()
    monkeypatch.setattr(pretraining, "train_decoder", None)
    loaded = pretrained(grid(3, 3), SETTINGS)
    assert loaded is not made
    assert same(loaded, made)
    rng = np.random.default_rng(0)
    some = [grid(3, 3).sample(rng) for _ in range(20)]
    np.testing.assert_array_equal(loaded.embedding.encode(some), made.embedding.encode(some))
    assert loaded.decoder.decode(loaded.embedding.encode(some)) == [a.tokens for a in some]


def test_a_fresh_process_reads_the_file_without_torch() -> None:
    code = """
import json, sys
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.pretraining import pretrained
from naopt.spaces import NASBench201Space
space = NASBench201Space()
found = pretrained(space, EmbeddingSettings(unlabelled=60, pretraining_steps=3, decoder_size=8))
point = found.embedding.encode([space.architecture((3, 1, 0, 2, 3, 4))])
print(json.dumps([point[0].tolist(), found.unit, found.decoder.decode(point), "torch" in sys.modules]))
"""
    answers = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout))
    assert answers[0][:3] == answers[1][:3]
    assert [answer[3] for answer in answers] == [True, False]


def spoil(how: str, path: Path) -> None:
    arrays = load_file(path)
    names = {"names": json.dumps({"paths": [], "sizes": [], "local": [], "blocks": ["tokens"]})}
    match how:
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "other":
            path.write_text("this is no such file" * 50, encoding="utf-8")
        case "no names":
            save_file(arrays, path)
        case "no JSON":
            save_file(arrays, path, {"names": "{"})
        case "no blocks":
            save_file(arrays, path, {"names": "{}"})
        case "no unit":
            save_file({key: array for key, array in arrays.items() if key != "unit"}, path, names)
        case "no spread":
            save_file({key: array for key, array in arrays.items() if key != "embedding/spread"}, path, names)
        case "unknown part":
            save_file(arrays | {"encoder/x": np.zeros(1)}, path, names)
        case "folder":
            path.unlink()
            path.mkdir()


@pytest.mark.parametrize(
    "how",
    ["empty", "cut", "other", "no names", "no JSON", "no blocks", "no unit", "no spread", "unknown part", "folder"],
)
def test_a_broken_file_is_made_again(how: str, directory: Path) -> None:
    made = pretrained(grid(3, 3), SETTINGS)
    (path,) = directory.iterdir()
    spoil(how, path)
    forget()
    assert same(pretrained(grid(3, 3), SETTINGS), made)
    assert list(directory.iterdir()) == [path]
    if how != "folder":
        assert load_file(path)["unit"] == made.unit


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("why", ["there is no home directory", "Not a directory", "No space left on device"])
def test_what_the_cache_does_not_take_is_kept_among_temporary_files(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if why == "Not a directory":
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("NAOPT_CACHE", str(tmp_path / "file" / "cache"))
    elif why == "there is no home directory":
        for name in ("NAOPT_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Path, "home", no_home)
    else:

        def full(arrays: Any, path: Path, names: Any) -> None:
            path.write_bytes(b"half a f")
            if path.is_relative_to(tmp_path / "cache"):
                raise SafetensorError(f"Error while serializing: I/O error: {why} (os error 28)")
            save_file(arrays, path, names)

        monkeypatch.setattr(pretraining, "save_file", full)
    made = pretrained(grid(3, 3), SETTINGS)
    folder = tmp_path / "temporary" / f"naopt-{os.getuid()}"
    assert pretrained(grid(2, 3), SETTINGS).unit > 0
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"] * 2
    assert folder.stat().st_mode & 0o777 == 0o700
    (line,) = caplog.messages
    assert line.startswith("no file can be kept in the cache (")
    assert line.endswith(f"{why}): they are kept in {folder}; NAOPT_CACHE names another folder")
    assert not list((tmp_path / "cache").glob("*"))
    forget()
    monkeypatch.setattr(pretraining, "train_decoder", None)
    assert same(pretrained(grid(3, 3), SETTINGS), made)


def test_where_no_file_can_be_kept_every_process_makes_them(
    monkeypatch: pytest.MonkeyPatch, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any, path: Path, __: Any) -> None:
        path.write_bytes(b"half a f")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pretraining, "save_file", fail)
    assert pretrained(grid(3, 3), SETTINGS).unit > 0
    assert not [path for path in directory.parent.rglob("*") if path.is_file()]
    assert "every process makes them again" in caplog.messages[0]


def test_a_temporary_folder_of_another_user_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = os.getuid() + 1
    (tmp_path / "temporary" / f"naopt-{other}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: other)
    monkeypatch.delenv("NAOPT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert pretrained(grid(3, 3), SETTINGS).unit > 0
    assert "belongs to another user" in caplog.messages[0]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_two_processes_make_the_same_entry(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def both(arrays: Any, path: Path, names: Any) -> None:
        monkeypatch.setattr(pretraining, "save_file", save_file)
        pretraining._memory.clear()
        pretrained(grid(3, 3), SETTINGS)  # the other one, which ends first
        save_file(arrays, path, names)

    monkeypatch.setattr(pretraining, "save_file", both)
    made = pretrained(grid(3, 3), SETTINGS)
    assert [path.suffix for path in directory.iterdir()] == [".safetensors"]
    forget()
    assert same(pretrained(grid(3, 3), SETTINGS), made)


@pytest.mark.parametrize(
    ("space", "settings", "files"),
    [
        (grid(3, 3), EmbeddingSettings(**FAST), 1),
        (grid(3, 3), EmbeddingSettings(**FAST, kernel="matern", normalisation="standard", refit_growth=2), 1),
        (grid(3, 3), EmbeddingSettings(**FAST | {"unlabelled": 61}), 2),
        (grid(3, 3), EmbeddingSettings(**FAST | {"pretraining_steps": 2}), 2),
        (grid(3, 3), EmbeddingSettings(**FAST | {"decoder_size": 9}), 2),
        (grid(3, 3), EmbeddingSettings(**FAST, decoder_noise=0.5), 2),
        (grid(3, 3, name="other"), SETTINGS, 2),
        (grid(3, 3, kind="shared"), SETTINGS, 2),
        (grid(3, 4), SETTINGS, 2),
    ],
)
def test_a_file_belongs_to_space_and_settings(
    space: SearchSpace, settings: EmbeddingSettings, files: int, directory: Path
) -> None:
    pretrained(grid(3, 3), SETTINGS)
    pretrained(space, settings)
    assert len(list(directory.iterdir())) == files


def test_a_file_belongs_to_what_the_space_computes(directory: Path) -> None:
    class Unordered(GenericSpace):
        def canonical(self, tokens: Any) -> tuple[int, ...]:
            return tuple(sorted(tokens))

    for space in (grid(3, 3), Unordered(grid(3, 3).positions, "grid")):
        pretrained(space, SETTINGS)
    assert len(list(directory.iterdir())) == 2
    for cells in (ConvCellSpace(1, "enas-5"), ConvCellSpace(1, "enas-5", "nodes")):
        cells.name = "cell"
        pretrained(cells, SETTINGS)
    assert len(list(directory.iterdir())) == 4


def test_steps_have_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, float]] = []
    train: Callable[..., dict[str, Any]] = decoder.train_decoder

    def noted(embedding: Any, sample: Any, hidden: int, steps: int, noise: float) -> dict[str, Any]:
        asked.append((hidden, steps, noise))
        return train(embedding, sample, 8, 0, noise)

    monkeypatch.setattr(pretraining, "train_decoder", noted)
    pretrained(grid(2, 2), EmbeddingSettings(unlabelled=20))
    pretrained(grid(2, 2), EmbeddingSettings(unlabelled=20, pretraining_steps=0, decoder_size=3, decoder_noise=2))
    assert asked == [(256, 600, 1.0), (3, 0, 2.0)]


def test_memory_is_limited() -> None:
    first = pretrained(grid(2), SETTINGS)
    for size in range(3, 3 + pretraining._MOST_IN_MEMORY):
        pretrained(grid(size), SETTINGS)
    assert len(pretraining._memory) == pretraining._MOST_IN_MEMORY
    again = pretrained(grid(2), SETTINGS)
    assert again is not first
    assert same(again, first)


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path
    monkeypatch.setenv("NAOPT_CACHE", "")
    assert cache_directory() == tmp_path / "xdg" / "naopt"
    monkeypatch.delenv("NAOPT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "naopt"
    assert os.environ["HOME"] == str(tmp_path)


def test_neighbours_that_share_a_point_have_a_unit() -> None:
    assert pretrained(grid(1), SETTINGS).unit == 1
