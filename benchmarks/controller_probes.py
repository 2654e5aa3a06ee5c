"""What ENAS' controller knows, on a supernet: the probes of Adam & Lorraine, with and without a memory buffer.

``python -m benchmarks.controller_probes --task digits --space conv-cell:operations=enas-5 --seeds 3 --buffers 0 500
[--controllers anchors plain] [--set KEY=VALUE ...] [--architectures N] [--permutations P] [--json] --out DIR``

For each seed, controller and size of the buffer a search, in ``DIR/CONTROLLER-BUFFER-SEED`` (one that is there already
is gone on with), then the probes of ``naopt probe``, and a look at what the controller writes in the end. For each
seed and controller also one that has learned nothing: what a state tells, and how much of one state is alike, anyway.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.cli.merging import merge_values
from naopt.errors import NaoptError
from naopt.one_shot import ENASSearcher, ENASSettings
from naopt.probes import controller_subject, draw_architectures, probe, probe_run, subject_of
from naopt.run import RunConfig, load_run, resume_run, start_run
from naopt.run.names import SUPERNET_CURVE
from naopt.run.setup import Setup, prepare
from naopt.spaces import SearchSpace, Tokens

_WRITTEN = 500
"""Architectures that are written to be looked at."""


def configuration(options: argparse.Namespace, controller: str, buffer: int, seed: int) -> RunConfig:
    """Of one search. Raises ``InputError`` for an unknown option or setting."""
    flags = {"task": options.task, "space": options.space, "searcher": "enas", "budget": options.budget, "seed": seed}
    own = [f"searcher.controller={controller}", f"searcher.buffer={buffer}"]
    return RunConfig.from_values(merge_values({}, flags, [*options.set, *own]))


def searched(options: argparse.Namespace, controller: str, buffer: int, seed: int) -> dict[str, Any]:
    """One search: its probes' figures, and what its controller writes."""
    directory = options.out / f"{controller}-{buffer}-{seed}"
    if not directory.exists():
        start_run(directory, configuration(options, controller, buffer, seed))
    elif not load_run(directory).finished:
        resume_run(directory)
    found = probe_run(directory, architectures=options.architectures, permutations=options.permutations)
    rows = list(csv.DictReader((directory / SUPERNET_CURVE).read_text(encoding="utf-8").splitlines()))
    learned = [row for row in rows if row.get("entropy")]
    record = load_run(directory)
    subject = subject_of(record, prepare(record.config, record.directory))
    assert subject.complete is not None
    nothing = np.zeros((1, 0), dtype=np.int64)
    written = subject.complete(nothing, _WRITTEN, np.random.default_rng(0))[0]
    shares = operation_shares(record.space, list(map(tuple, written.tolist())))
    curve = {f"{name}_{when}": float(learned[at][name]) for name in ("entropy", "reward") for when, at in _ENDS}
    return {"seed": seed, "controller": controller, "buffer": buffer, **figures(found), **curve, "shares": shares}


_ENDS = (("start", 0), ("end", -1))


def untrained(options: argparse.Namespace, controller: str, seed: int) -> dict[str, Any]:
    """The same probes of a controller with fresh weights, on random architectures."""
    setup = prepare(configuration(options, controller, 0, seed))
    searcher = fresh(setup)
    subject = controller_subject(setup.space, searcher.controller, "untrained")
    chosen = draw_architectures(setup.space, options.architectures, 0)
    nothing = np.full(len(chosen), np.nan)
    found = probe(subject, chosen, nothing, setup.objective.metric, permutations=options.permutations, seed=0)
    shares = operation_shares(setup.space, searcher.controller.sample(_WRITTEN, np.random.default_rng(0)))
    return {"seed": seed, "controller": controller, "buffer": None, **figures(found), "shares": shares}


def fresh(setup: Setup) -> ENASSearcher:
    """The searcher before its first step."""
    assert isinstance(setup.settings, ENASSettings)
    return ENASSearcher(setup.space, setup.settings, seed=setup.config.seed)


def operation_shares(space: SearchSpace, written: Sequence[Tokens]) -> dict[str, float]:
    """How often each choice stands at positions that refer to no node, as a share."""
    places = [i for i, p in enumerate(space.positions) if p.place is None or not p.place.refers]
    names = [space.positions[i].choices[row[i]] for row in written for i in places]
    return {name: names.count(name) / len(names) for name in dict.fromkeys(sorted(names))}


def figures(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of a document of the probes: what the table says."""
    whole, *parts = document["completions"]
    score = document["predictivity"].get(document["metric"])
    return {
        "alike": _pair(whole["distances"]["edit"], "ratio"),
        "own": whole["own"],
        "continued": [_pair(part["distances"]["tokens"], "ratio") for part in parts],
        "after": [part["after"] for part in parts],
        "mantel": _pair(document["distance"]["edit"], "spearman"),
        "score": None if score is None else _pair(score, "r2"),
        "edges": _pair(document["predictivity"]["edges"], "r2") if "edges" in document["predictivity"] else None,
    }


def _pair(result: Mapping[str, float], name: str) -> tuple[float, float]:
    return result[name], result["p"]


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """All searches and probes, as one document."""
    runs = []
    for seed in range(options.seeds):
        for controller in options.controllers:
            runs.append(untrained(options, controller, seed))
            for buffer in options.buffers:
                runs.append(searched(options, controller, buffer, seed))
                note(f"seed {seed}, {controller}, buffer {buffer}: alike {runs[-1]['alike']}")
    about = {name: getattr(options, name) for name in ("task", "space", "set", "architectures", "permutations")}
    return {**about, "runs": runs}


def markdown(document: Mapping[str, Any]) -> str:
    """Two tables: the probes, and what was written."""
    runs = sorted(document["runs"], key=lambda run: (run["controller"], _size(run), run["seed"]))
    after = ", ".join(map(str, runs[0]["after"]))
    lines = [
        f"ENAS on {document['space']}, {document['task']}: {document['architectures']} architectures, "
        f"{document['permutations']} permutations; p values in brackets.",
        "",
        f"| controller | buffer | seed | alike | own | continued after {after} decisions | Spearman of state and edit "
        "distance | R² of the score | R² of edges |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        continued = ", ".join(map(_told, run["continued"]))
        cells = [*_name(run), _told(run["alike"]), f"{run['own']:.0%}", continued]
        cells += [_told(run["mantel"]), *("-" if run[k] is None else _told(run[k]) for k in ("score", "edges"))]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| controller | buffer | seed | entropy, nats: first, last | reward: first, last | shares written |"]
    lines.append("|---|---|---|---|---|---|")
    for run in runs:
        ends = [
            "-" if f"{name}_end" not in run else f"{run[f'{name}_start']:.3f}, {run[f'{name}_end']:.3f}"
            for name in ("entropy", "reward")
        ]
        shares = ", ".join(f"{name} {share:.0%}" for name, share in run["shares"].items())
        lines.append(f"| {' | '.join([*_name(run), *ends, shares])} |")
    return "\n".join(lines) + "\n"


def _size(run: Mapping[str, Any]) -> int:
    return -1 if run["buffer"] is None else int(run["buffer"])


def _name(run: Mapping[str, Any]) -> list[str]:
    return [run["controller"], "untrained" if run["buffer"] is None else str(run["buffer"]), str(run["seed"])]


def _told(pair: Sequence[float]) -> str:
    return f"{pair[0]:.3f} ({pair[1]:.3f})"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Probes of ENAS' controller, with and without a memory buffer.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--space", required=True)
    parser.add_argument("--controllers", nargs="+", default=["anchors"], choices=["anchors", "plain"])
    parser.add_argument("--buffers", nargs="+", type=int, default=[0, 500])
    parser.add_argument("--seeds", default=3, type=int, help="how many")
    parser.add_argument("--budget", default=100, type=int, help="architectures that are measured in the end")
    parser.add_argument("--architectures", default=500, type=int)
    parser.add_argument("--permutations", default=1000, type=int)
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="of the searches")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison; bad input ends with one line and exit code 2, a search that fails with 3."""
    options = parse(arguments)
    try:
        document = compare(options)
    except NaoptError as error:
        raise failed(error, code=3) from error
    publish(document, markdown(document), options.out, "controller_probes", as_json=options.json)


if __name__ == "__main__":
    main()
