"""Accuracy against latency on this machine: does the front keep its order when it is measured again?

``python -m benchmarks.measured_front --task digits --space nasbench201 --budget 60 --set training.epochs=5``

Searches with ``nao`` for ``valid_acc`` and ``latency_ms``, which is measured after each training. Then the networks of
the front are built anew and timed turn by turn, in another process order, and the latencies of the search are compared
with these: rank correlation, and median relative difference. All networks of the search are compared the same way.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.cli.merging import merge_values
from naopt.devices import Setting
from naopt.devices.measured import REPEATS, WARM_UP
from naopt.devices.networks import time_networks
from naopt.devices.setting import LATENCY, structure
from naopt.errors import InputError, NaoptError
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads.images import ImageWorkload
from naopt.execution.trial import Trial
from naopt.metrics import spearman
from naopt.run import RunRecord, open_run, start_run
from naopt.run.config import RunConfig

OBJECTIVES = f"valid_acc,{LATENCY}"


def searched(options: argparse.Namespace) -> RunRecord:
    """The search, begun or gone on with."""
    if (options.run / "config.toml").is_file():
        run = open_run(options.run)
        run.carry_out()
        return run.record
    flags = {"task": options.task, "space": options.space, "metric": OBJECTIVES, "budget": options.budget,
             "seed": options.seed}  # fmt: skip
    return start_run(options.run, RunConfig.from_values(merge_values({}, flags, options.set)))


def measured_again(record: RunRecord, trials: Sequence[Trial], rounds: int) -> list[float]:
    """Median latencies in milliseconds, each the least of ``rounds`` medians."""
    config = record.config
    evaluator = TrainingEvaluator(record.space, config.task, config.training)
    work = evaluator.workload
    if not isinstance(work, ImageWorkload):
        raise InputError("task", config.task, "has no images")
    image, classes = work.shapes()
    setting = Setting(
        space=record.space.name, network=structure(work.settings), image=image, classes=classes,
        threads=config.threads, batch=config.latency_batch, repeats=REPEATS, warm_up=WARM_UP,
    )  # fmt: skip
    architectures = [trial.architecture for trial in trials]
    timed = [time_networks(record.space, architectures, setting) for _ in range(rounds)]
    return [min(found[record.space.format(each)]["median_ms"] for found in timed) for each in architectures]


def compared(record: RunRecord, trials: Sequence[Trial], rounds: int) -> dict[str, Any]:
    """Latencies then and now."""
    then = [trial.measurement.metrics[LATENCY] for trial in trials if trial.measurement is not None]
    now = measured_again(record, trials, rounds)
    apart = np.abs(np.array(then) / np.array(now) - 1)
    rank = spearman(then, now) if len(trials) > 1 else None
    return {"networks": len(trials), "then": then, "now": now, "spearman": rank, "apart": float(np.median(apart))}


def text_of(document: dict[str, Any]) -> str:
    """A table for people."""
    lines = ["| networks | how many | Spearman | median difference |", "|---|---|---|---|"]
    for name in ("front", "all"):
        found = document[name]
        rank = "-" if found["spearman"] is None else f"{found['spearman']:.3f}"
        lines.append(f"| {name} | {found['networks']} | {rank} | {found['apart']:.1%} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parses arguments and publishes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True)
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="how often all are timed again")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--run", type=Path, required=True, help="the search's directory")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        record = searched(options)
        note(f"{len(record.evaluated)} networks measured, {len(record.front())} in the front")
        every = record.ranked()
        document = {"front": compared(record, record.front(), options.rounds),
                    "all": compared(record, every, options.rounds)}  # fmt: skip
    except NaoptError as error:
        raise failed(error) from None
    publish(document, text_of(document), options.run / "again", "measured_front", as_json=options.json)


if __name__ == "__main__":
    main()
