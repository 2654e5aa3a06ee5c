"""What a round of ask and tell costs a searcher: seconds of the processor, at so many measurements.

``python -m benchmarks.round_time --table nasbench201.npz --objective valid_acc/cifar10,latency_ms/pi5-onnx``

Searches the table up to ``--measurements``, then times the rounds that follow, on one thread: ``ask``, and ``tell`` of
what was asked. Some rounds fit parameters anew, so there is a mean beside the median.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.output import failed, publish
from naopt.cli.merging import merge_values
from naopt.errors import NaoptError
from naopt.evaluators.table import TableEvaluator
from naopt.execution.loop import search
from naopt.problem import Objective, Problem, named_objectives
from naopt.searchers import searchers


def rounds(problem: Problem, evaluator: TableEvaluator, options: argparse.Namespace, seed: int) -> list[float]:
    """Seconds of the processor of each round after ``options.measurements``."""
    kind = searchers.get(options.searcher)
    settings = kind.settings_type.parse(merge_values({}, {}, options.set))
    searcher = kind(evaluator.space, problem, settings, seed=seed, budget=2 * options.measurements)
    search(searcher, lambda architecture: evaluator.evaluate(architecture, 0), options.measurements)
    found = []
    for _ in range(options.rounds):
        started = time.process_time()
        proposals = searcher.ask(searcher.round_size)
        seconds = time.process_time() - started
        measured = [evaluator.evaluate(proposal.architecture, 0) for proposal in proposals]
        started = time.process_time()
        for proposal, measurement in zip(proposals, measured, strict=True):
            searcher.tell(proposal.architecture, measurement)
        found.append(seconds + time.process_time() - started)
    return found


def timed(options: argparse.Namespace) -> dict[str, Any]:
    """The document of all rounds of all seeds."""
    names = [each.metric for each in named_objectives(options.objective)]
    evaluator = TableEvaluator(options.table, names, "mean", options.known.split(",") if options.known else ())
    objectives = tuple(Objective(name, evaluator.table.info(name).goal) for name in names)
    problem = Problem(objectives, (), evaluator.costs())
    known = [] if problem.costs is None else [name for name in names if name in problem.costs.metrics]
    seconds = [each for seed in range(options.seeds) for each in rounds(problem, evaluator, options, seed)]
    return {"searcher": options.searcher, "objectives": names, "known": known, "measurements": options.measurements,
            "rounds": seconds, "median": float(np.median(seconds)), "mean": float(np.mean(seconds)),
            "longest": max(seconds)}  # fmt: skip


def text_of(document: dict[str, Any]) -> str:
    """One line."""
    median, mean, longest = (1000 * document[name] for name in ("median", "mean", "longest"))
    known = ", ".join(document["known"]) or "nothing"
    return (
        f"{document['searcher']}, {len(document['objectives'])} objectives, known: {known}, at "
        f"{document['measurements']} measurements: median {median:.0f} ms a round, mean {mean:.0f}, longest "
        f"{longest:.0f} ({len(document['rounds'])} rounds)\n"
    )


def main() -> None:
    """Parses arguments and publishes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", required=True)
    parser.add_argument("--objective", required=True)
    parser.add_argument("--known", default="", help="columns known without a query; none for none")
    parser.add_argument("--searcher", default="nao")
    parser.add_argument("--measurements", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        document = timed(options)
    except NaoptError as error:
        raise failed(error) from None
    publish(document, text_of(document), None, "round_time", as_json=options.json)


if __name__ == "__main__":
    main()
