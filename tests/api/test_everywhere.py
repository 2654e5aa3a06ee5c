"""The same few lines in a script without a guard, from standard input, in a REPL and in a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

SEARCH = """
import naopt

FACTOR = 2

def evaluate(values):
    import os
    return {"score": FACTOR * values["width"], "pid": os.getpid()}

result = naopt.search({"width": [16, 32, True, None], "norm": bool}, evaluate, budget=6, workers=2, searcher="random",
                      enqueue={"width": 32, "norm": False})
"""
SHOW = """
import os
pids = {trial.metrics["pid"] for trial in result.trials if trial.ok}
print("found", result.best.values, result.best_value, len(result.trials), os.getpid() in pids)
"""
FOUND = "found {'width': 32, 'norm': False} 64.0 6 False"
COMPARE = """
found = naopt.compare("digits-nao11", ["random", "evolution"], budget=5, trials=1, workers=2)
print("compared", *found.summary["searchers"])
"""


@pytest.mark.parametrize("how", ["script", "input", "repl"])
def test_without_a_guard(how: str, tmp_path: Path) -> None:
    code = SEARCH + SHOW + (COMPARE if how == "script" else "")
    if how == "repl":  # which ends a block with an empty line
        code = code.replace("os.getpid()}\n", "os.getpid()}\n\n")
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    command = {"script": ["script.py"], "input": ["-"], "repl": ["-i"]}[how]
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        input="" if how == "script" else code,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count(FOUND) == 1, done.stdout + done.stderr
    if how == "script":
        assert lines == [FOUND, "compared random evolution"]


def test_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cells = [SEARCH, SHOW, "result", "result.plot()"]
    rest: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    whole = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"source": c, **rest} for c in cells]}
    notebook = nbformat.reads(json.dumps(whole), as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(cwd=str(tmp_path))
    outputs = [cell.outputs for cell in notebook.cells]
    assert FOUND in outputs[1][0].text
    assert "<svg" in outputs[2][0].data["text/html"]
    assert outputs[2][0].data["text/plain"].startswith("Result: 6 of 6 evaluations by random")
    assert "image/png" in outputs[3][0].data
