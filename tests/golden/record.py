"""Records the archives anew, where a change of them is meant: ``python -m tests.golden.record``.

Searches are carried out in one process with pinned kernels: the last bits of linear algebra depend on the processor,
and now and then a search takes another turn because of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.disk import not_waited_for

HERE = Path(__file__).parent
FILES = ("searchers.json", "sharing.json")
"""Archives of searches that ask and tell, and of those that share weights."""

PINNED = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Kernels that every x86 processor since 2013 has."""

Row = tuple[int, str, str, str | None, float | None, str, dict[str, float]]
"""One trial: round, origin, text, its parent's text, what was predicted, status, metrics other than time."""

Archives = dict[str, list[Row]]
"""By ``CASE SEED``."""


def record(folder: Path, monkeypatch: pytest.MonkeyPatch, only: str = "") -> Archives:
    """Carries all searches out, or those with ``only`` in their name, in this process."""
    from naopt.run import RunConfig, RunRecord, start_run
    from naopt.tables import load_table
    from tests.golden.cases import cases, levels_table, whole_table

    def rows(run: RunRecord) -> list[Row]:
        return [
            (
                trial.round,
                trial.origin,
                trial.text,
                None if trial.parent is None else run.space.format(trial.parent),
                trial.predicted,
                trial.measurement.status,
                {name: value for name, value in trial.measurement.metrics.items() if name != "seconds"},
            )
            for trial in run.trials
            if trial.measurement is not None
        ]

    # One space for all searches of a table: what is computed once for it, several share.
    monkeypatch.setattr("naopt.run.setup.load_table", cache(load_table))
    monkeypatch.setattr("naopt.evaluators.TrainingEvaluator.inline", True)
    whole_table(folder / "whole.npz")
    levels_table(folder / "levels.npz")
    found: Archives = {}
    for name, (values, seeds) in cases().items():
        if only not in name:
            continue
        if (made := folder / f"{values.get('table')}.npz").exists():
            values = {**values, "table": str(made)}
        started = time.process_time()
        for seed in seeds:
            directory = folder / f"{name.replace('/', '-')}-{seed}"
            found[f"{name} {seed}"] = rows(start_run(directory, RunConfig.from_values({**values, "seed": seed})))
        print(f"{name}: {time.process_time() - started:.2f} s of CPU", file=sys.stderr)
    return found


def record_in_a_process(folder: Path, environment: Mapping[str, str]) -> Archives:
    """The same in a process of its own, with these kernels.

    Raises:
        RuntimeError: the process failed; says how.
    """
    surroundings = {**os.environ, "NAOPT_CACHE": str(folder / "cache"), **environment}
    command = [sys.executable, "-m", "tests.golden.record", str(folder)]
    done = subprocess.run(command, cwd=HERE.parents[1], env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"recording failed:\n{done.stderr}")
    return read(folder / "archives.json")


def write(path: Path, archives: Archives) -> None:
    """Writes archives, a line each; every architecture is spelled out once, every list of metrics' names once."""
    spelled = dict.fromkeys(text for rows in archives.values() for row in rows for text in row[2:4] if text is not None)
    at = {text: index for index, text in enumerate(spelled)}
    lines = {}
    for name, rows in archives.items():
        metrics = list(dict.fromkeys(m for row in rows for m in row[6]))
        packed = [
            [*row[:2], at[row[2]], row[3] and at[row[3]], *row[4:6], [row[6].get(name) for name in metrics]]
            for row in rows
        ]
        lines[name] = {"metrics": metrics, "trials": packed}
    body = ",\n".join(f"{json.dumps(name)}: {_compact(line)}" for name, line in lines.items())
    texts = ",\n".join(json.dumps(text) for text in at)
    path.write_text(f'{{"texts": [\n{texts}\n],\n"archives": {{\n{body}\n}}}}\n', encoding="utf-8")


def read(path: Path) -> Archives:
    """Inverse of ``write``."""
    content = json.loads(path.read_text(encoding="utf-8"))
    texts: Sequence[str] = content["texts"]

    def row(names: Sequence[str], r: Sequence[Any]) -> Row:
        metrics = {name: value for name, value in zip(names, r[6], strict=True) if value is not None}
        return r[0], r[1], texts[r[2]], None if r[3] is None else texts[r[3]], r[4], r[5], metrics

    return {name: [row(a["metrics"], r) for r in a["trials"]] for name, a in content["archives"].items()}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    """With a folder: records into it. Without one: records what the test compares with."""
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        with not_waited_for(), pytest.MonkeyPatch.context() as monkeypatch:
            write(folder / "archives.json", record(folder, monkeypatch, *sys.argv[2:3]))
        return
    with tempfile.TemporaryDirectory() as made:
        archives = record_in_a_process(Path(made), PINNED)
    sharing = {name for name, rows in archives.items() if "shared_loss" in rows[0][6]}
    write(HERE / FILES[0], {name: rows for name, rows in archives.items() if name not in sharing})
    write(HERE / FILES[1], {name: rows for name, rows in archives.items() if name in sharing})


if __name__ == "__main__":
    main()
