"""The pages do what they say: their blocks run, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, commands, pages, run_command, run_page

LINK = re.compile(r"\]\(([^)\s]+)\)")
RUNNING = [path for path in pages() if blocks(path.read_text(encoding="utf-8"))]


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_what_must_run_is_among_the_pages() -> None:
    running = {path.relative_to(ROOT).as_posix() for path in RUNNING}
    tutorials = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/tutorials").glob("*.md")}
    assert tutorials
    assert running >= tutorials | {"README.md"}


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("path", RUNNING, ids=lambda path: path.stem)
def test_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(path)


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_the_index_lists_every_page() -> None:
    docs = ROOT / "docs"
    lists = [docs / "index.md", docs / "searchers" / "README.md"]
    listed = {(page.parent / link).resolve() for page in lists for link in LINK.findall(page.read_text("utf-8"))}
    assert set(docs.rglob("*.md")) - listed == {docs / "index.md"}


def test_commands_of_a_block() -> None:
    code = "$ naopt a \\\n    b\nout: 1\n\n$ naopt c\n"
    assert commands(code) == [("naopt a      b", ["out: 1"]), ("naopt c", [])]


def test_shown_lines_must_still_be_printed() -> None:
    shown = ["conv-cell    whatever it is said to be", "..."]
    run_command("naopt list spaces", shown, "here")
    with pytest.raises(AssertionError, match="no longer prints a line like: gone"):
        run_command("naopt list spaces", [*shown, "gone"], "here")


def test_a_command_that_fails_fails_the_page() -> None:
    with pytest.raises(AssertionError, match="exit code 2: naopt: table"):
        run_command("naopt table info none.npz", [], "here")
    with pytest.raises(AssertionError, match="only naopt runs here"):
        run_command("rm -rf runs", [], "here")
