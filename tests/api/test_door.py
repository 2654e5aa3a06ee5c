"""What ``import naopt`` gives, and what it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import naopt

SOURCE = Path(naopt.__file__)


def test_the_import_is_light() -> None:
    code = (
        "import sys, time; began = time.process_time(); import naopt; took = time.process_time() - began\n"
        "dir(naopt); print(took, *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *loaded = done.stdout.split()
    assert float(seconds) < 0.15
    assert not {"numpy", "torch", "pydantic", "pandas", "matplotlib"} & set(loaded)


def test_every_name_is_there() -> None:
    for name in naopt.__all__:
        assert getattr(naopt, name) is getattr(naopt, name)
    assert set(naopt.__all__) <= set(dir(naopt))
    assert "nao" in naopt.searchers.searchers.names()
    assert naopt.spaces.Space is naopt.Space
    assert naopt.tables.load_table is naopt.load_table
    with pytest.raises(AttributeError, match="module 'naopt' has no attribute 'serach'"):
        naopt.serach  # type: ignore[attr-defined]  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    names = {alias.name for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names | {"__version__"} == set(naopt.__all__)


def test_a_search_needs_no_torch() -> None:
    code = (
        "import sys, naopt\n"
        "naopt.search({'x': [1, 2, 3]}, lambda values: values['x'], budget=3, searcher='random')\n"
        "print(*sorted({'torch', 'pandas', 'matplotlib', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
