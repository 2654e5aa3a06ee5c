"""How well zero-cost proxies order the cells of a table, on real images.

``python -m benchmarks.zero_cost --task cifar10:PATH --table nasbench201.npz --metric test_acc/cifar10 --cells 1000
--out cells.jsonl``

Random cells of the table have their networks built as the benchmark built them (NAS-Bench-201: 16 channels, 5 cells a
stage), and looked at before any training. For each proxy: Spearman's and Kendall's correlation with the column,
Spearman's at equal parameters (the partial correlation of ranks), in how many networks it is known, and the seconds
that it takes by itself. ``--out`` keeps each cell as it is done; a benchmark that was stopped goes on there. What is
done so far can be looked at with ``--cells 0``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.output import failed, note, publish
from naopt.configuration import parse_setting
from naopt.errors import InputError, NaoptError
from naopt.evaluators.proxy_meter import ProxyMeter
from naopt.evaluators.seeds import evaluation_seed
from naopt.evaluators.workloads import create_workload
from naopt.files import append_line
from naopt.metrics import kendall_tau, spearman
from naopt.proxies import ProxySettings, proxies, proxies_for
from naopt.tables import Table, load_table

PUBLISHED = {
    "grad_norm": (0.58, "Abdelfattah et al. 2021"),
    "snip": (0.58, "Abdelfattah et al. 2021"),
    "synflow": (0.74, "Abdelfattah et al. 2021"),
    "jacob_cov": (0.73, "Abdelfattah et al. 2021"),
    "naswot": (0.78, "Mellor et al. 2021"),
    "params": (0.75, "Li et al. 2023"),
    "zen": (0.38, "Li et al. 2023"),
    "zico": (0.80, "Li et al. 2023"),
}
"""Spearman's correlations on NAS-Bench-201 and CIFAR-10, and whose they are."""
SKELETON = {"filters": 16, "cells_per_stage": 5, "train_limit": 5000, "valid_limit": 100}
"""The benchmark's networks; 5,000 images are more than any proxy sees."""
_TIMED = 10


def main(arguments: list[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--task", required=True, metavar="TASK")
    parser.add_argument("--table", required=True, metavar="FILE")
    parser.add_argument("--metric", default="test_acc/cifar10")
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--proxies", default="", help="which, separated by commas; all by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the networks and images")
    parser.add_argument("--proxy", action="append", default=[], metavar="KEY=VALUE", help="of the proxies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="keeps the cells, a line each")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        document = run(options)
    except NaoptError as error:
        raise failed(error) from None
    publish(document, report(document), None, "zero-cost", as_json=options.json, allow_nan=True)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measures what is missing, and gives the figures.

    Raises:
        InputError: an unknown task, table, metric, proxy or setting, or a file of another benchmark.
    """
    table = load_table(options.table)
    info = table.info(options.metric)
    training = SKELETON | dict(map(parse_setting, options.set))
    settings = ProxySettings.parse(dict(map(parse_setting, options.proxy)), "proxy setting")
    workload = create_workload(options.task, training)
    names = options.proxies.split(",") if options.proxies else proxies_for(workload.task.kind)
    for name in names:
        proxies.get(name)
    recipe = {
        "table": table.checksum,
        "training": workload.settings.model_dump(mode="json"),
        "proxies": settings.model_dump(mode="json"),
        "names": names,
        "seed": options.seed,
    }
    rows = read(options.out, recipe)
    meter = ProxyMeter(table.space, workload, settings)
    order = np.random.default_rng(options.seed).permutation(len(table))[: options.cells].tolist()
    for done, row in enumerate(order):
        if row not in rows:
            rows[row] = measure(meter, table, row, names, options.seed, timed=done < _TIMED)
            keep(options.out, recipe, rows, row)
            note(f"{len(rows)} cells, {rows[row]['seconds']:.2f} s")
    figures = table.values(options.metric) * (1 if info.goal == "max" else -1)
    return {
        "metric": options.metric,
        **recipe,
        "cells": len(rows),
        "seconds": float(np.median([cell["seconds"] for cell in rows.values()])) if rows else math.nan,
        "results": {name: judge(name, rows, figures) for name in names},
    }


def measure(meter: ProxyMeter, table: Table, row: int, names: list[str], seed: int, *, timed: bool) -> dict[str, Any]:
    """All proxies of one cell, together, and of some cells each by itself for the time that it takes."""
    architecture = table.architecture(row)
    own = evaluation_seed(seed, architecture)
    meter.prepare()
    start = time.perf_counter()
    values = meter.measure(architecture, names, own)
    seconds = time.perf_counter() - start
    alone = {name: took for name, (_, took) in meter.timed(architecture, names, own).items()} if timed else {}
    known = {name: None if math.isnan(value) else value for name, value in values.items()}
    return {"row": row, "values": known, "seconds": seconds, "alone": alone}


def judge(name: str, rows: dict[int, dict[str, Any]], figures: NDArray[np.float64]) -> dict[str, Any]:
    """What is said of one proxy; NaN where that is not defined."""
    known = [row for row, cell in rows.items() if cell["values"][name] is not None]
    values = np.array([rows[row]["values"][name] for row in known], dtype=np.float64)
    sizes = np.array([rows[row]["values"].get("params") or 0.0 for row in known])
    wanted = figures[known] if known else np.zeros(0)
    alone = [cell["alone"][name] for cell in rows.values() if name in cell["alone"]]
    return {
        "spearman": spearman(wanted, values),
        "kendall": kendall_tau(wanted, values),
        "at_equal_params": partial(wanted, values, sizes),
        "known": len(known),
        "seconds": float(np.median(alone)) if alone else math.nan,
        "published": PUBLISHED.get(name, (math.nan, ""))[0],
    }


def partial(first: NDArray[np.float64], second: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Spearman's correlation of two quantities, with what both have from a third taken away."""
    a, b, c = spearman(first, second), spearman(first, given), spearman(second, given)
    left = (1 - b * b) * (1 - c * c)
    return (a - b * c) / math.sqrt(left) if left > 1e-12 else math.nan


def read(path: Path | None, recipe: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The cells that a file holds, by row. Raises ``InputError`` if they were measured otherwise."""
    if path is None or not path.exists():
        return {}
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    if json.loads(first) != json.loads(json.dumps(recipe)):
        raise InputError("--out", str(path), "holds cells that were measured otherwise")
    cells = [json.loads(line) for line in lines]
    return {cell["row"]: cell for cell in cells}


def keep(path: Path | None, recipe: dict[str, Any], rows: dict[int, dict[str, Any]], row: int) -> None:
    """Adds a cell to the file."""
    if path is None:
        return
    if not path.exists():
        append_line(path, json.dumps(recipe))
    append_line(path, json.dumps(rows[row]))


def report(document: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = [
        f"{document['cells']} cells, {document['metric']}, all proxies of one in {document['seconds']:.2f} s",
        "",
        "| proxy | Spearman | published | Kendall | at equal parameters | known | s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    ranked = sorted(document["results"].items(), key=lambda pair: -(pair[1]["spearman"] if pair[1]["known"] else 0))
    for name, found in ranked:
        figures = [found[key] for key in ("spearman", "published", "kendall", "at_equal_params")]
        cells = ["" if math.isnan(figure) else f"{figure:.2f}" for figure in figures]
        lines.append(f"| {name} | {' | '.join(cells)} | {found['known']} | {found['seconds']:.3f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
