"""What each part of ``nao`` earns: features, process, acquisition, decoder, ascent, neighbours; one is taken out.

``python -m benchmarks.nao_parts --table FILE --metric M [--report-metric M2] --budget N --trials K [--out DIR]``

Every variant gets the same budget and the same seeds, and differs from the default in one part. Figures are of the
report metric of the architecture that the search metric selects, and the queries to the table's best search metric;
differences are those to the whole ``nao``, trial by trial. ``--parts`` names some of the variants; ``nearest`` and
``everything`` go through the whole space and are left out where it has more than 100,000 sequences. With ``--out``
finished trials are kept in one folder a variant, and the same command goes on where it was stopped; the table is
written there too, as ``parts.md`` and ``parts.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import nao_variants as variants
from benchmarks.output import failed, note, publish
from naopt.bench import Comparison, Journal, SearchTrial, run_jobs, run_trial, searcher_settings
from naopt.errors import InputError, NaoptError, UnknownNameError
from naopt.latent.embedding_model import EmbeddingModel
from naopt.metrics import censored_median, paired_summary, summarise
from naopt.searchers import nao_embedding
from naopt.searchers.candidates import SMALL
from naopt.searchers.nao_embedding import EmbeddingRounds
from naopt.tables import load_table

_NAO = "nao"


@dataclass(frozen=True)
class Part:
    """One variant.

    Attributes:
        group: which part of ``nao`` it is about.
        text: what is different.
        rounds: in place of ``EmbeddingRounds``.
        model: in place of ``EmbeddingModel``.
        settings: assignments.
    """

    group: str
    text: str
    rounds: type[EmbeddingRounds] = EmbeddingRounds
    model: type[EmbeddingModel] = EmbeddingModel
    settings: tuple[str, ...] = ()


PARTS: dict[str, Part] = {
    "whole": Part("", "the default"),
    "tokens": Part("features", "the process sees tokens only", model=variants.SomeBlocks),
    "tokens-paths": Part("features", "the process sees tokens and paths", model=variants.TokensAndPaths),
    "no-positions": Part("features", "no kernel of single positions", model=variants.WithoutPositions),
    "learned": Part("features", "a neural encoder learned them", settings=("embedding=learned",)),
    "one-kernel": Part("process", "one kernel for all features", model=variants.OneKernel),
    "linear": Part("process", "Bayesian linear regression", model=variants.Linear),
    "mean": Part("acquisition", "the mean in place of expected improvement", model=variants.MeanOnly),
    "untrained-decoder": Part(
        "decoder", "the linear inverse of the tokens, untrained", settings=("pretraining_steps=0",)
    ),
    "nearest": Part("decoder", "the nearest of all architectures", variants.Nearest),
    "random-directions": Part("ascent", "random directions for the gradient", variants.RandomDirections),
    "projected": Part("ascent", "the gradient projected on what token changes do", variants.AsTokensCan),
    "mutants": Part("ascent", "as many mutants, up to three changes", variants.MutantsInstead),
    "neighbours-only": Part("ascent", "none, neighbours only", variants.NoAscent),
    "ascent-only": Part("neighbours", "none, ascent only", settings=("neighbours=0",)),
    "everything": Part("candidates", "all architectures: no ascent, no decoder", variants.Everything),
}
_SCANS = ("nearest", "everything")

Found = dict[str, list[SearchTrial]]


def comparison_of(base: Comparison, part: str) -> Comparison:
    """The comparison of one variant, whose settings win over those of the base."""
    settings = base.settings[_NAO]
    own = [
        f"{name}={json.dumps(value)}" for name, value in settings.model_dump(mode="json", exclude_unset=True).items()
    ]
    return replace(base, settings=searcher_settings([_NAO], [*own, *PARTS[part].settings]))


def run_part(base: Comparison, part: str, trial: int) -> SearchTrial:
    """One search with one variant, in this process."""
    chosen = PARTS[part]
    rounds = type(chosen.rounds.__name__, (chosen.rounds,), {"model_type": chosen.model})
    with patch.object(nao_embedding, "EmbeddingRounds", rounds):
        return run_trial(comparison_of(base, part), _NAO, trial)


def run(base: Comparison, parts: Sequence[str], workers: int, out: Path | None) -> Found:
    """All trials of the variants; those that a folder holds already are not run again."""
    journals = {part: Journal(out / part, comparison_of(base, part)) for part in parts} if out else {}
    done = {(part, trial.trial): trial for part, journal in journals.items() for trial in journal.trials}
    wanted = [(part, trial) for trial in range(base.trials) for part in parts]
    jobs = {f"{part}, trial {trial}": (part, trial) for part, trial in wanted if (part, trial) not in done}
    for number, (label, result) in enumerate(run_jobs(run_part, jobs, workers, (base,)), start=1):
        part, trial = jobs[label]
        done[part, trial] = result
        if journals:
            journals[part].append(result)
        note(f"{number}/{len(jobs)} {label}")
    return {part: [base.at_checkpoints(done[part, trial]) for trial in range(base.trials)] for part in parts}


def summary(base: Comparison, found: Found, points: Sequence[int]) -> dict[str, Any]:
    """The rows of the table; ``points`` are numbers of queries."""
    at = [base.checkpoints.index(point) for point in points]
    whole = reported(found["whole"], at)
    rows = []
    for part, trials in found.items():
        values = reported(trials, at)
        median = censored_median([trial.queries_to_optimum or np.inf for trial in trials])
        behind = [paired_summary(first, second).difference for first, second in zip(values.T, whole.T, strict=True)]
        rows.append(
            {
                "part": part,
                "group": PARTS[part].group,
                "text": PARTS[part].text,
                "report_metric": [summarise(column).mean for column in values.T],
                "ci95": [list(summarise(column).ci95) for column in values.T],
                "minus_whole": [difference.mean for difference in behind],
                "minus_whole_ci95": [list(difference.ci95) for difference in behind],
                "optimum_found": median.found,
                "queries_to_optimum": median.median,
                "queries_to_optimum_ci95": list(median.ci95),
                "seconds_per_trial": float(np.mean([trial.seconds for trial in trials])),
                "settings": comparison_of(base, part).settings[_NAO].model_dump(mode="json"),
            }
        )
    return {
        "table": base.table.name,
        "metric": base.metric,
        "report_metric": base.report_metric,
        "unit": base.table.info(base.report_metric).unit,
        "budget": base.budget,
        "trials": base.trials,
        "seed": base.seed,
        "queries": list(points),
        "rows": rows,
    }


def reported(trials: Sequence[SearchTrial], at: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The report metric ``(trials, checkpoints)``.

    Raises:
        InputError: a checkpoint before anything was measured.
    """
    values = np.array([[trial.report_metric[index] for index in at] for trial in trials], dtype=np.float64)
    if np.isnan(values).any():
        raise InputError("--at", str(at), "a trial had met no row with the metric by then; choose later ones")
    return values


def markdown(document: dict[str, Any]) -> str:
    """The table."""
    unit = f" ({document['unit']})" if document["unit"] else ""
    points, budget = document["queries"], document["budget"]
    head = ["part", "variant", *(f"{point} queries" for point in points), f"minus whole at {points[0]}"]
    head += ["optimum", "median queries to it", "s/trial"]
    lines = [
        f"{document['table']}: {document['report_metric']}{unit} of the architecture selected by {document['metric']}, "
        f"mean and 95 % interval over {document['trials']} trials.",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    for row in document["rows"]:
        means = [f"{m:.5g} {_interval(ci)}" for m, ci in zip(row["report_metric"], row["ci95"], strict=True)]
        median = row["queries_to_optimum"]
        cells = [row["group"] or "-", row["text"], *means]
        cells += [f"{row['minus_whole'][0]:+.3g} {_interval(row['minus_whole_ci95'][0])}"]
        cells += [f"{row['optimum_found']}/{document['trials']}", f"> {budget}" if median is None else f"{median:g}"]
        lines.append(f"| {' | '.join([*cells, format(row['seconds_per_trial'], '.3g')])} |")
    return "\n".join(lines) + "\n"


def _interval(bounds: Sequence[float]) -> str:
    return f"[{bounds[0]:.5g}, {bounds[1]:.5g}]"


def chosen_parts(names: str | None, size: int) -> list[str]:
    """Variants by a list of names, the whole ``nao`` first; those that fit the space if no names are given.

    Raises:
        InputError: an unknown name, or a variant that would go through a large space.
    """
    if names is None:
        return [part for part in PARTS if size <= SMALL or part not in _SCANS]
    parts = list(dict.fromkeys(["whole", *filter(None, names.split(","))]))
    for part in parts:
        if part not in PARTS:
            raise UnknownNameError("--parts", part, PARTS)
        if part in _SCANS and size > SMALL:
            raise InputError("--parts", part, f"goes through the space, which has more than {SMALL:,} sequences")
    return parts


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the variants; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="What each part of nao earns.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--report-metric")
    parser.add_argument("--budget", type=int, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--parts", metavar="NAME,NAME", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--at", type=int, action="append", metavar="QUERIES", help="default: 1/3, 2/3 and all of them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of all variants")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        base = Comparison(
            table=load_table(options.table),
            metric=options.metric,
            report_metric=options.report_metric or options.metric,
            settings=searcher_settings([_NAO], options.set),
            budget=options.budget,
            trials=options.trials,
            seed=options.seed,
            every=1,
        )
        points = options.at or sorted({max(1, options.budget * third // 3) for third in (1, 2, 3)})
        for point in points:
            if point not in base.checkpoints:
                raise InputError("--at", point, f"must be between 1 and the budget, {options.budget}")
        found = run(base, chosen_parts(options.parts, base.evaluator.space.size), options.workers, options.out)
        document = summary(base, found, points)
    except NaoptError as error:
        raise failed(error) from error
    publish(document, markdown(document), options.out, "parts", as_json=options.json)


if __name__ == "__main__":
    main()
