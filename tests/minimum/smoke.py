"""A search, a training, an export, a report and a bench with whatever versions are installed: `make test-minimum`.

Needs nothing but naopt itself. Warnings of naopt's own modules are errors.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from naopt.cli.app import run

TINY = ["--set", "epochs=1", "--set", "filters=2", "--set", "train_limit=60", "--set", "valid_limit=60"]
CELL = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def naopt(*arguments: str | Path) -> str:
    """One command line, which has to end well; gives its standard output."""
    out = StringIO()
    with redirect_stdout(out):
        code = run([str(argument) for argument in arguments])
    if code != 0:
        sys.exit(f"naopt {' '.join(map(str, arguments))}: exit code {code}")
    return out.getvalue()


def document(*arguments: str | Path) -> dict[str, Any]:
    """The document of a command with ``--json``."""
    found = json.loads(naopt(*arguments, "--json"))
    assert isinstance(found, dict)
    return found


def main() -> None:
    """Goes through what a user does first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assert "search" in naopt("--help")
        assert "nao" in naopt("list", "searchers")
        for searcher in ("nao", "gp", "bananas"):
            arguments = ["search", "--table", "digits-nao11", "--searcher", searcher, "--budget", "14"]
            found = document(*arguments, "--run", folder / searcher)
            assert found["evaluated"] == 14, found
        assert document("resume", folder / "nao")["status"] == "finished"
        assert Path(document("report", folder / "nao", "--against", folder / "gp")["report"]).is_file()
        arguments = ["search", "--space", "conv-cell:nodes=1", "--task", "digits", "--searcher", "random"]
        searched = document(*arguments, "--budget", "2", "--run", folder / "digits", *TINY)
        assert searched["failed"] == 0, searched
        trained = document("train", CELL, "--task", "digits", "--preset", "recipe", "--run", folder / "final", *TINY)
        assert 0 <= trained["test_accuracy"] <= 100, trained
        exported = document("export", folder / "final", "--to", "pytorch", "--out", folder / "network.py")
        assert exported["max_difference"] < 1e-4, exported
        arguments = ["bench", "--table", "digits-nao11", "--metric", "valid_acc", "--searchers", "random,evolution"]
        compared = document(*arguments, "--budget", "10", "--trials", "2")
        assert len(compared["searchers"]) == 2, compared
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
