"""No module of the package reaches itself by imports; those for types only and those inside functions count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import networkx as nx
import pytest

SOURCE = Path(__file__).parents[1] / "src"

Modules = Mapping[str, tuple[str, bool]]
"""Source and whether it is a package, by the name of the module."""


def package(folder: Path) -> Modules:
    """The modules of a folder."""
    found = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        whole = parts[-1] == "__init__"
        found[".".join(parts[:-1] if whole else parts)] = (path.read_text(encoding="utf-8"), whole)
    return found


def ancestors(name: str) -> Iterator[str]:
    """The packages around a module, the innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def imported(name: str, modules: Modules) -> Iterator[str]:
    """The modules that importing what a module names runs, or would run: packages around them included.

    The packages around the importing module itself are left out, unless it names them: they run first, whatever it
    imports. What a package merely hands on is followed by the graph, as the package imports it.
    """
    source, whole = modules[name]
    for node in ast.walk(ast.parse(source)):
        named: list[str] = []
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                around = [name, *ancestors(name)] if whole else list(ancestors(name))
                base = ".".join(filter(None, (around[node.level - 1], node.module)))
            named = [full if (full := f"{base}.{alias.name}") in modules else base for alias in node.names]
        for target in named:
            if target in modules:
                yield target
                yield from (outer for outer in ancestors(target) if outer not in {name, *ancestors(name)})


def circles(modules: Modules) -> set[frozenset[str]]:
    """Sets of modules each of which reaches all others of its set by imports."""
    graph = nx.DiGraph((name, target) for name in modules for target in imported(name, modules))
    loops = {frozenset([name]) for name in nx.nodes_with_selfloops(graph)}
    return loops | {frozenset(part) for part in nx.strongly_connected_components(graph) if len(part) > 1}


def test_there_are_no_circles() -> None:
    found = {tuple(sorted(circle)) for circle in circles(package(SOURCE))}
    assert not found, f"modules that import each other: {sorted(found)}"


@pytest.mark.parametrize(
    ("sources", "circle"),
    [
        ({"a": "", "a.b": "from a import c", "a.c": "from a import b"}, "a.b a.c"),
        ({"a": "", "a.b": "import a.c", "a.c": "def f():\n    import a.b"}, "a.b a.c"),
        ({"a": "", "a.b": "import a.c", "a.c": "if TYPE_CHECKING:\n    from a.b import X"}, "a.b a.c"),
        ({"a": "", "a.b": "from . import c", "a.c": "from .b import X"}, "a.b a.c"),
        ({"a": "from a.b import X", "a.b": "from a import Y"}, "a a.b"),
        ({"a": "from .b import X", "a.b": "import a"}, "a a.b"),
        ({"a": "", "a.b": "from a.c import X", "a.c": "from a.c.d import X", "a.c.d": "import a.b"}, "a.b a.c a.c.d"),
        ({"a": "", "a.b": "import a.c.d", "a.c": "import a.b", "a.c.d": ""}, "a.b a.c"),
        ({"a": "", "a.b": "import a.b"}, "a.b"),
        ({"a": "from a.b import X", "a.b": "from a.c import X", "a.c": "import os"}, ""),
        ({"a": "", "a.c": "from a.c.d import X", "a.c.d": "from a.c.e import X", "a.c.e": "import a.b", "a.b": ""}, ""),
    ],
)
def test_circles_are_found(sources: dict[str, str], circle: str) -> None:
    packages = {outer for name in sources for outer in ancestors(name)}
    modules = {name: (source, name in packages) for name, source in sources.items()}
    assert circles(modules) == ({frozenset(circle.split())} if circle else set())
