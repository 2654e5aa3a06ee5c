"""Instance-aware networks against what is simpler, in the same code and budget.

``python -m benchmarks.instance_aware --task digits --space insta:blocks=6 --seeds 3 --set training.filters=8
searcher.epochs=60 --out DIR``

For each seed, an InstaNAS search (``DIR/run-SEED``) and, from it:

- *instance*: its network at a grid of operating points. Costs are relative to the whole meta-graph's, controller
  included.
- *static*: children that ``nao`` finds for two objectives, loss and multiply-adds, with the shared weights as the
  search's pretraining left them. Members of the front, spread evenly over the logarithms of costs, are trained on from
  these weights for as many steps as joint search and fine-tuning had, with the same optimiser, its state, and rates.
- *random*: at each operating point the images' paths permuted over the images, and operations drawn independently
  with the same shares. Where what the controller believes is added to what paths say, they get that too, and their
  costs are with it; else they need no controller, and their costs are without.
- *width*: two static children, the middle one and that which is best on the validation images, trained from scratch
  with fewer and more filters for as many epochs as the whole search. Their costs are in multiply-adds always.
- *exit*: the middle and the dearest static child with a classifier after each stage, trained likewise on the sum of
  the losses; images leave where the largest probability reaches a threshold.

Searches and choices see training and validation images only; all accuracies are those of test images. Times are
medians on this machine, of all networks turn by turn, for an image in batches of 64 and alone. The same command goes on
where it was stopped: what ``DIR/seed-SEED/parts.jsonl`` holds is not done again. The tables are written to ``DIR`` too,
as ``instance_aware.md`` and ``instance_aware.json``, and the curves as ``cost.svg``, ``ms64.svg`` and ``ms1.svg``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.instance_figures import BASELINES, COSTS, mean, of_seed
from benchmarks.output import failed, note, publish
from naopt.cli.merging import merge_values
from naopt.errors import InputError, NaoptError
from naopt.files import write_text
from naopt.report.charts import INK, MAIN, SECOND, THIRD
from naopt.run import RunConfig, open_run
from naopt.run.names import CONFIG
from naopt.run.start import new_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from naopt.run.run import SearchRun

WIDTHS = [0.5, 0.75, 1.0, 1.5]
SETTINGS = "settings.json"
_SAME = ("task", "space", "set", "points", "static", "static_budget", "widths")
_COLOURS = {"instance": MAIN, "static": SECOND, "exit": THIRD, "width": "#8b6fd1", "permuted": INK}
_SHOWN = {"cost": "cost", "ms64": "ms, batch 64", "ms1": "ms, batch 1"}


def the_run(options: argparse.Namespace, seed: int) -> SearchRun:
    """The search of a seed, begun or as it stands. Raises ``InputError`` for bad options."""
    from naopt.run.run import SearchRun

    directory = options.out / f"run-{seed}"
    if (directory / CONFIG).is_file():
        run = open_run(directory)
        assert isinstance(run, SearchRun)
        return run
    flags = {"task": options.task, "space": options.space, "searcher": "instanas", "budget": 10, "seed": seed}
    return new_run(directory, RunConfig.from_values(merge_values({}, flags, options.set)))


def check_folder(options: argparse.Namespace) -> None:
    """Makes the folder, or raises ``InputError`` if what is in it was made with other options."""
    path = options.out / SETTINGS
    now = {key: getattr(options, key) for key in _SAME}
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        was = json.loads(path.read_text(encoding="utf-8")) if path.exists() else now
    except (OSError, ValueError) as error:
        raise InputError("--out", str(options.out), f"cannot be used: {error}") from error
    for key, value in now.items():
        if was.get(key) != value:
            rule = f"its runs have {key} {was.get(key)}, not {value}; choose another folder"
            raise InputError("--out", str(options.out), rule)
    write_text(path, json.dumps(now, indent=1) + "\n")


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Carries out what is missing, and gives the document of all.

    Raises:
        InputError: bad options, or a folder of other runs.
        RunStoppedError: it was stopped; the same command goes on.
    """
    from benchmarks.instance_parts import Parts

    check_folder(options)
    seeds = []
    for seed in options.seeds:
        sizes = {
            key: getattr(options, key) for key in ("points", "static", "static_budget", "widths", "repeats", "timed")
        }
        parts = Parts(options.out / f"seed-{seed}", the_run(options, seed), **sizes)
        seeds.append(of_seed(parts.carry_out()))
        note(f"seed {seed} done")
    return {"settings": {key: getattr(options, key) for key in _SAME}, "summary": summary(seeds), "seeds": seeds}


def summary(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means and intervals over seeds, by the place in each list: of static members, of widths, of thresholds."""
    found: dict[str, Any] = {}
    for kind in ("static", "width", "exit"):
        rows = [seed[kind] for seed in seeds]
        found[kind] = [
            {key: mean([row[place][key] for row in rows if place < len(row)]) for key in rows[0][0]}
            for place in range(max(map(len, rows)))
        ]
    points = [seed["curves"]["instance"] for seed in seeds]
    keys = ("thrift", "accuracy", *COSTS, "children", "largest")
    found["instance"] = [
        {key: mean([of[place][key] for of in points]) for key in keys}
        | {kind: mean([of[place][kind]["accuracy"] for of in points]) for kind in ("permuted", "independent")}
        for place in range(len(points[0]))
    ]
    found["random"] = {kind: mean([seed["random"][kind] for seed in seeds]) for kind in ("permuted", "independent")}
    for name in ("above", "width_above", "exit_above"):
        found[name] = {by: mean([seed[name][by] for seed in seeds]) for by in COSTS}
    return found


def markdown(document: Mapping[str, Any]) -> str:
    """The tables."""
    about, found = document["settings"], document["summary"]
    costs = list(_SHOWN.values())
    lines = [
        f"{about['task']}, {about['space']}, {', '.join(about['set']) or 'defaults'}: {len(document['seeds'])} seeds. "
        "Test accuracy in percent; cost relative to the whole meta-graph. Mean [95 % interval] over seeds.",
        "",
        *_table(
            ["operating point", "test", *costs, "children", "largest share", "permuted", "independent"],
            [
                [_cell(row["thrift"]), *_place(row), _cell(row["children"], 0), _cell(row["largest"])]
                + [_cell(row[kind]) for kind in ("permuted", "independent")]
                for row in found["instance"]
            ],
        ),
        "",
        "Static members of the front, and the instance-aware network at equal test accuracy: its costs as parts of "
        "theirs.",
        "",
        *_table(
            ["static", "test", *costs, *(f"ratio, {name}" for name in costs)],
            [
                [str(place), *_place(row), *(_cell(row[f"{by}_ratio"]) for by in COSTS)]
                for place, row in enumerate(found["static"], start=1)
            ],
        ),
    ]
    for kind, title in (("width", "Widths, from scratch"), ("exit", "Early exits")):
        head = [kind, BASELINES[kind], "test", *costs, *(f"points at equal {name}" for name in costs)]
        rows = [
            [str(number), _cell(row[BASELINES[kind]]), *_place(row), *(_cell(row[f"{by}_gain"]) for by in COSTS)]
            for number, row in enumerate(found[kind], start=1)
        ]
        said = f"{title}, and how many points more the instance-aware network has at equal cost."
        lines += ["", said, "", *_table(head, rows)]
    lines += ["", "| the instance-aware curve is above | " + " | ".join(costs) + " |", "|---|" + "---|" * len(costs)]
    for name, what in (("above", "static"), ("width_above", "width"), ("exit_above", "exit")):
        lines.append(f"| {what} | " + " | ".join(_cell(found[name][by]) for by in COSTS) + " |")
    random = ", ".join(f"{kind} {_cell(found['random'][kind])}" for kind in ("permuted", "independent"))
    lines += [
        "",
        f"Points above random policies with the same use of operations, mean over operating points: {random}.",
    ]
    return "\n".join(lines) + "\n"


def drawn(document: Mapping[str, Any], by: str = "cost") -> str:
    """Test accuracy against cost, all seeds, as SVG."""
    from naopt.report.charts import svg

    def draw(axes: Axes) -> None:
        for number, seed in enumerate(document["seeds"]):
            curves = seed["curves"]
            lines = {
                kind: [(each[by], each["accuracy"]) for each in curves[kind]] for kind in ("static", "width", "exit")
            }
            lines["instance"] = [(each[by], each["accuracy"]) for each in curves["instance"]]
            if by == "cost":
                lines["permuted"] = [
                    tuple(each["permuted"][key] for key in ("cost", "accuracy")) for each in curves["instance"]
                ]
            for kind, pairs in lines.items():
                x, y = zip(*sorted(pairs), strict=True)
                line = "" if kind in ("width", "exit") else "-"
                axes.plot(
                    x, y, line, marker="o", markersize=3, color=_COLOURS[kind], label=kind if not number else None
                )
        axes.set(xlabel=_SHOWN[by], ylabel="test accuracy, %")
        axes.legend(loc="best")

    return svg(f"instance-aware-{by}", "Test accuracy against cost", draw)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def _place(row: Mapping[str, Any]) -> list[str]:
    return [_cell(row["accuracy"]), _cell(row["cost"], 3), _cell(row["ms64"], 3), _cell(row["ms1"], 3)]


def _cell(found: Mapping[str, Any] | None, digits: int = 2) -> str:
    if found is None:
        return "-"
    low, high = found["ci95"]
    missing = "" if found["of"] == found["seeds"] else f" ({found['of']} of {found['seeds']})"
    interval = f" [{low:.{digits}f}, {high:.{digits}f}]" if found["of"] > 1 else ""
    return f"{found['mean']:.{digits}f}{interval}{missing}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Instance-aware networks against static ones and other baselines.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--space", default="insta")
    parser.add_argument("--seeds", default=3, type=int, help="how many")
    parser.add_argument("--points", default=11, type=int, help="operating points")
    parser.add_argument("--static", default=6, type=int, help="members of the static front that are trained on")
    parser.add_argument("--static-budget", default=200, type=int, help="evaluations of the static search")
    parser.add_argument(
        "--widths",
        default=WIDTHS,
        nargs="+",
        type=float,
        help="of networks trained from scratch, as parts of the search's",
    )
    parser.add_argument("--repeats", default=7, type=int, help="how often each network is timed")
    parser.add_argument("--timed", default=128, type=int, help="images on which networks are timed")
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.widths) <= 0:
        parser.error("--widths must be positive")
    for name, least in {"seeds": 1, "points": 2, "static": 1, "static_budget": 1, "repeats": 2, "timed": 1}.items():
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    options.seeds = range(options.seeds)
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison; bad input ends with one line and exit code 2, a stop or what diverged with 3."""
    from naopt.training.trainer import DivergedError

    options = parse(arguments)
    try:
        document = compare(options)
    except (NaoptError, DivergedError) as error:
        raise failed(error, code=3) from error
    except KeyboardInterrupt:
        note("stopped; the same command goes on")
        raise SystemExit(3) from None
    for by in COSTS:
        write_text(options.out / f"{by}.svg", drawn(document, by) + "\n")
    publish(document, markdown(document), options.out, "instance_aware", as_json=options.json)


if __name__ == "__main__":
    main()
