"""What PARSEC's distribution over architectures is worth on another task, in training steps.

``python -m benchmarks.parsec_transfer --from digits --to cifar10:PATH --space nasbench201 --table nasbench201.npz
--metric test_acc/cifar10 --seeds 3 [--epochs E] [--from-epochs E0] [--set KEY=VALUE ...] [--from-set KEY=VALUE ...]
[--json] --out DIR``

For each seed PARSEC searches on the first task, and leaves its distribution in ``DIR/first-SEED``; then on the second
task twice with the same budget of steps, once from a uniform distribution (cold) and once from that one (warm). At the
beginning, at the end and at equal distances between, each search is stopped for a moment to ask what its distribution
is worth: the exact expectation of the table's metric under it, over the whole space, and the metric of its mode. The
table decides nothing. Without one it is the shared weights' own metric on the validation data, as the mean over
``--paths`` paths from the distribution, always drawn with the same random numbers; it rises also because the weights
are trained, so it tells less.

The cold start's steps are those until the best expectation that it ever has; the warm start's are those until it has
the same, 0 if it begins with it. Their ratio is undefined where the cold start is best at its beginning, or where the
warm start never gets there. Training steps of the first task are not counted: that search was made anyway.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.cli.merging import merge_values
from naopt.errors import InputError, NaoptError
from naopt.metrics import summarise
from naopt.one_shot.distribution import ArchitectureDistribution
from naopt.run import RunConfig
from naopt.run.setup import Setup, prepare
from naopt.tables import Table, load_table

if TYPE_CHECKING:
    from naopt.measurement import Goal
    from naopt.one_shot.data import SharedData
    from naopt.spaces import SearchSpace

Point = dict[str, float]
"""Training ``step``, ``expected`` metric, metric of the ``mode``, ``entropy`` in nats an architecture."""

Measure = Callable[[ArchitectureDistribution, "SharedData"], tuple[float, float]]
"""Expected metric of a distribution, and metric of its mode."""


def table_measure(table: Table, metric: str, space: SearchSpace) -> Measure:
    """The exact expectation of a table's column.

    Raises:
        InputError: no such metric, or not for every architecture of the space.
    """
    values = table.values(metric)
    of = {a.tokens: values[row] for a in space.enumerate() if (row := table.row(a)) is not None}
    if len(of) != space.size or not np.isfinite(list(of.values())).all():
        raise InputError("table", table.name, f"needs {metric} of every architecture of space {space.name}")

    def measure(distribution: ArchitectureDistribution, data: SharedData) -> tuple[float, float]:  # noqa: ARG001
        return distribution.expected(space, lambda a: float(of[a.tokens])), float(of[distribution.mode(space)])

    return measure


def shared_measure(space: SearchSpace, paths: int) -> Measure:
    """The mean over paths of the distribution, with shared weights; NaN if one of them has no finite loss."""

    def measure(distribution: ArchitectureDistribution, data: SharedData) -> tuple[float, float]:
        drawn = distribution.controller(space).sample(paths, np.random.default_rng(0))
        every = [space.architecture(tokens) for tokens in (*drawn, distribution.mode(space))]
        *found, mode = [data.measure(data.shared.path(a)).get(data.metric, np.nan) for a in every]
        return float(np.mean(found)), mode

    return measure


def configuration(options: argparse.Namespace, task: str, epochs: int | None, settings: list[str], seed: int) -> Setup:
    """The search of one seed on a task. Raises ``InputError`` for an unknown option or setting."""
    flags: dict[str, Any] = {"task": task, "space": options.space, "searcher": "parsec", "seed": seed}
    flags["searcher.score_by"] = "accuracy"
    if epochs is not None:
        flags["searcher.epochs"] = epochs
    return prepare(RunConfig.from_values(merge_values({}, flags, settings)))


def follow(setup: Setup, start: str, measure: Measure | None, points: int, leave: Path | None = None) -> list[Point]:
    """Searches, and measures the distribution at the beginning, at the end and between.

    Args:
        setup: of the search; its settings' own ``start`` is replaced.
        start: what the distribution begins as, see ``PARSECSettings.start``; empty for uniform.
        measure: what it is worth; ``None`` for the entropy alone.
        points: how often, beside the beginning, at equal distances.
        leave: folder for the distribution in the end.
    """
    from naopt.evaluators.training import select_device
    from naopt.one_shot.build import shared_data, shared_trainer
    from naopt.one_shot.evaluator import SharedWeightsEvaluator
    from naopt.one_shot.learner import mean_entropy
    from naopt.one_shot.parsec import PARSECSearcher, PARSECSettings
    from naopt.training.reproducible import reproducible

    evaluator, config = setup.evaluator, setup.config
    assert isinstance(evaluator, SharedWeightsEvaluator)
    assert isinstance(setup.settings, PARSECSettings)
    settings, device = setup.settings.model_copy(update={"start": start}), select_device(config.device)
    with reproducible(config.seed, device, config.threads):
        data, _ = shared_data(setup.space, evaluator.work, settings, config.device)
        searcher = PARSECSearcher(setup.space, settings, seed=config.seed)
        trainer = shared_trainer(data, searcher, evaluator.work, device)
        total = data.steps * trainer.epochs
        asked = {round(total * index / points) for index in range(points + 1)}
        trace: list[Point] = []

        def record() -> None:
            if trainer.step not in asked:
                return
            while trace and trace[-1]["step"] >= trainer.step:  # the weights had diverged, and went back
                trace.pop()
            entropy = mean_entropy(searcher.controller, np.random.default_rng(0))
            trace.append({"step": trainer.step, "entropy": entropy})
            if measure is not None:
                expected, mode = measure(searcher.distribution(), data)
                trace[-1] |= {"expected": expected, "mode": mode}

        record()
        trainer.run(record)
        if leave is not None:
            leave.mkdir(parents=True, exist_ok=True)
            searcher.leave(leave)
    return trace


def figures(cold: Sequence[Point], warm: Sequence[Point], goal: Goal) -> dict[str, float | None]:
    """What the two starts of one seed come to: see the module. ``warm_steps`` is ``None`` for never."""
    sign = 1 if goal == "max" else -1
    best = max(cold, key=lambda point: sign * point["expected"])
    steps = [point["step"] for point in warm if sign * point["expected"] >= sign * best["expected"]]
    found: dict[str, float | None] = {"cold_best": best["expected"], "cold_steps": best["step"]}
    found["warm_steps"] = steps[0] if steps else None
    found["ratio"] = steps[0] / best["step"] if steps and best["step"] else None
    for name, trace in (("cold", cold), ("warm", warm)):
        for key in ("expected", "entropy", "mode"):
            found |= {f"{name}_{key}_start": trace[0][key], f"{name}_{key}_end": trace[-1][key]}
    return found


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """All searches of all seeds, as one document.

    Raises:
        InputError: bad options.
    """
    table = load_table(options.table) if options.table else None
    if (table is None) != (options.metric is None):
        raise InputError("--metric", options.metric, "belongs to --table, which needs it")
    seeds = range(options.seeds)
    pairs = [
        (
            configuration(options, options.source, options.from_epochs, options.from_set, seed),
            configuration(options, options.target, options.epochs, options.set, seed),
        )
        for seed in seeds
    ]
    space = pairs[0][1].space
    objective = pairs[0][1].objective
    measure, metric, goal = shared_measure(space, options.paths), objective.metric, objective.goal
    if table is not None:
        measure, metric = table_measure(table, options.metric, space), options.metric
        goal = table.info(metric).goal
    runs: list[dict[str, Any]] = []
    for seed, (first, second) in zip(seeds, pairs, strict=True):
        directory = options.out / f"first-{seed}"
        traces: dict[str, list[Point]] = {}
        traces["first"] = follow(first, "", None if table is None else measure, options.points, directory)
        note(f"seed {seed}: searched on {options.source}")
        for name, start in (("cold", ""), ("warm", str(directory))):
            traces[name] = follow(second, start, measure, options.points)
            ends = " to ".join(f"{traces[name][end]['expected']:.2f}" for end in (0, -1))
            note(f"seed {seed}: searched on {options.target}, {name} start, expected {metric} from {ends}")
        runs.append({"seed": seed, **figures(traces["cold"], traces["warm"], goal), "traces": traces})
    ratios = [ratio for run in runs if (ratio := run["ratio"]) is not None]
    about = {"from": options.source, "to": options.target, "space": options.space, "metric": metric}
    settings = {key: getattr(options, key) for key in ("epochs", "from_epochs", "set", "from_set")}
    mean = summarise(ratios).mean if ratios else None
    within = sum(ratio <= 0.5 for ratio in ratios)
    return {**about, **settings, "runs": runs, "mean_ratio": mean, "ratios": len(ratios), "within_half": within}


def markdown(document: Mapping[str, Any]) -> str:
    """The table."""
    runs, metric = document["runs"], document["metric"]
    lines = [
        f"PARSEC on {document['space']}, from {document['from']} to {document['to']}: {metric} expected under the "
        "distribution, and its entropy (nats an architecture); steps to the best of the cold start.",
        "",
        "| seed | cold: start, best, end | steps to best | warm: start, end | steps to that | ratio "
        "| entropy cold: start, end | warm: start, end | mode at the end: cold, warm |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        warm_steps = "never" if run["warm_steps"] is None else f"{run['warm_steps']:.0f}"
        cells = [
            str(run["seed"]),
            _joined(run, "cold_expected_start", "cold_best", "cold_expected_end"),
            f"{run['cold_steps']:.0f}",
            _joined(run, "warm_expected_start", "warm_expected_end"),
            warm_steps,
            "-" if run["ratio"] is None else f"{run['ratio']:.2f}",
            _joined(run, "cold_entropy_start", "cold_entropy_end"),
            _joined(run, "warm_entropy_start", "warm_entropy_end"),
            _joined(run, "cold_mode_end", "warm_mode_end"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    mean = "undefined" if document["mean_ratio"] is None else f"{document['mean_ratio']:.2f}"
    count = f"{document['ratios']} of {len(runs)} seeds"
    lines += ["", f"Mean ratio {mean} ({count} have one); at most half in {document['within_half']} of {len(runs)}."]
    return "\n".join(lines) + "\n"


def _joined(run: Mapping[str, float], *keys: str) -> str:
    return ", ".join(f"{run[key]:.2f}" for key in keys)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Steps that PARSEC saves by beginning with what it found elsewhere.")
    parser.add_argument("--from", dest="source", required=True, help="the first task")
    parser.add_argument("--to", dest="target", required=True, help="the second task")
    parser.add_argument("--space", required=True)
    parser.add_argument("--table", help="what distributions are measured by; else by shared weights")
    parser.add_argument("--metric", help="of the table")
    parser.add_argument("--seeds", default=3, type=int, help="how many")
    parser.add_argument("--epochs", type=int, help="on the second task")
    parser.add_argument("--from-epochs", type=int, help="on the first task")
    parser.add_argument("--points", default=20, type=int, help="how often a search is measured")
    parser.add_argument("--paths", default=32, type=int, help="paths of one measurement without a table")
    for option, what in (("--set", "second"), ("--from-set", "first")):
        text = f"settings on the {what} task"
        parser.add_argument(option, action="extend", nargs="+", default=[], metavar="KEY=VALUE", help=text)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    for name in ("seeds", "points", "paths"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison; bad input ends with one line and exit code 2, shared weights that diverge with 3."""
    from naopt.training.trainer import DivergedError

    options = parse(arguments)
    try:
        document = compare(options)
    except (NaoptError, DivergedError) as error:
        raise failed(error, code=3) from error
    publish(document, markdown(document), options.out, "parsec_transfer", as_json=options.json)


if __name__ == "__main__":
    main()
