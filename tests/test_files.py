from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from naopt.files import (
    NotWrittenError,
    append_line,
    is_full,
    is_there,
    move_into_place,
    utf8_path,
    whole_file,
    write_bytes,
    write_text,
)
from tests.full_disk import full_disk

IMPORTS = "import os, signal, sys\nfrom pathlib import Path\n"
WRITE = "from naopt.files import write_text\nwrite_text(Path(sys.argv[1]), 'new' * 100_000)\n"


def test_texts_and_bytes(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "naïve\n")
    write_bytes(tmp_path / "bytes", b"\r\n")
    assert (tmp_path / "text").read_bytes() == "naïve\n".encode()
    write_text(tmp_path / "text", "short\n")
    assert (tmp_path / "text").read_text(encoding="utf-8") == "short\n"
    assert (tmp_path / "bytes").read_bytes() == b"\r\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bytes", "text"]


def test_permissions_are_those_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with whole_file(tmp_path / "file") as part:
        part.touch()
        part.chmod(0o600)
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_library_may_write_the_draft(tmp_path: Path) -> None:
    with whole_file(tmp_path / "arrays.npz") as part, part.open("wb") as file:
        np.savez(file, x=np.arange(3))
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert arrays["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize("contested", [False, True])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException], contested: bool
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), whole_file(path, contested=contested) as part:  # noqa: PT012 - the block is tested
        part.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_file_is_on_the_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(number: int) -> None:
        steps.append("folder" if os.path.isdir(f"/dev/fd/{number}") else "file")  # noqa: PTH112 - of a descriptor
        sync(number)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_text(tmp_path / "file", "x")
    assert steps == ["file", "replace", "folder"]


@pytest.mark.parametrize(("step", "left"), [("os.fsync", "old"), ("Path.replace", "old"), ("files._keep_names", "new")])
def test_killed_before_and_after_the_replacement(tmp_path: Path, step: str, left: str) -> None:
    path = tmp_path / "file"
    path.write_text("old" * 100_000)
    kill = f"from naopt import files\n{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run([sys.executable, "-c", IMPORTS + kill + WRITE, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == left * 100_000
    write_text(path, "next")
    assert path.read_text() == "next"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_contested_drafts_have_names_of_their_own(tmp_path: Path) -> None:
    code = "from naopt.files import whole_file\nwith whole_file(sys.argv[1], contested=True) as part: print(part)\n"
    command = [sys.executable, "-c", IMPORTS + code, str(tmp_path / "file")]
    parts = {subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)}
    assert len(parts) == 2


def test_names_that_are_no_utf8_are_replaced_in_text_and_can_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9"
    write_text(path, f"of {path.name}, café")
    assert path.read_bytes() == "of caf?, café".encode()
    with utf8_path(path) as readable:
        assert Path(str(readable).encode().decode()).read_bytes() == path.read_bytes()
    with utf8_path(tmp_path / "plain") as readable:
        assert readable == tmp_path / "plain"
    with pytest.raises(FileNotFoundError), utf8_path(tmp_path / "\udce9"):
        pass


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "store" / "file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "store" / "file").read_text() == "new"


def test_what_is_no_file_is_written_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS + WRITE, "/dev/stdout"], check=True, capture_output=True, text=True
    )
    assert done.stdout == "new" * 100_000
    with pytest.raises(NotWrittenError, match="Is a directory"):
        write_text(tmp_path, "x")


def test_a_finished_draft_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "draft").write_text("new")
    (tmp_path / "file").write_text("old")
    move_into_place(tmp_path / "draft", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "new"
    assert not (tmp_path / "draft").exists()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Also where a library in Rust says it, whose errors are none of the system's."""
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(NotWrittenError) as caught, whole_file(path) as part:
        save_file({"x": np.zeros(3)}, part / "no folder")
    assert caught.value.line == f"cannot write {path}: Not a directory"
    with pytest.raises(NotWrittenError) as caught, full_disk(100):
        write_text(path, "new" * 100)
    assert (caught.value.line, is_full(caught.value)) == (f"cannot write {path}: File too large", True)
    assert path.read_text() == "old"
    with pytest.raises(ValueError, match="no system"), whole_file(path):
        raise ValueError("no system's error")
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_lines_are_added_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    append_line(path, "naïve")
    with pytest.raises(NotWrittenError, match="File too large"), full_disk(10):
        append_line(path, "x" * 100)
    append_line(path, "last")
    assert path.read_text(encoding="utf-8") == "naïve\nlast\n"


def test_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to("link")
    known = {str(tmp_path): True, str(tmp_path / "none" / "none"): False, "x" * 5000: False, "a\0b": False}
    assert {path: is_there(path) for path in known} == known
    assert not is_there(tmp_path / "link")

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(PermissionError):
        is_there(tmp_path)
