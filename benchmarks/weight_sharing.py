"""Weight-sharing searchers on one supernet and budget: what their picks are worth, and what they cost.

``python -m benchmarks.weight_sharing --task digits --space conv-cell:operations=enas-5 --seeds 5 --out DIR``

Every search runs in a process of its own, which tells its peak memory, and is ranked after it (``naopt ranking``)
against the same random children, whose trainings all runs share. Figures are means and 95 % bootstrap intervals over
seeds; what is not defined in a run is left out of them. In ``--out`` there is a folder for each run, and the same
command goes on where it was stopped: runs and rankings that are finished are not repeated. The table is written there
too, as ``weight_sharing.md`` and ``weight_sharing.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.output import failed, note, publish
from naopt.cli.merging import merge_values
from naopt.errors import InputError, NaoptError, RunStoppedError
from naopt.files import write_text
from naopt.metrics import Estimate, paired_summary, summarise
from naopt.one_shot.kinds import shares_weights
from naopt.ranking.result import RANKING, Ranking, read_ranking
from naopt.run import RunConfig, load_run

SEARCHERS = "nao-ws,enas,random-ws,parsec,darts"
BASELINE = "random-ws"
STATE = "state.json"
FIGURES = {
    "pick": "{:.2f}",
    "percentile": "{:.1f}",
    "top_percentile": "{:.1f}",
    "tau": "{:.3f}",
    "seconds": "{:.0f}",
    "peak_mb": "{:.0f}",
}
"""Figures of a run, and how they are shown."""

Found = dict[str, list[dict[str, float | None]]]
"""By searcher, the figures of its runs, in the order of seeds."""


class State:
    """What the folder knows beside its runs: settings of all, peak memory of each, how each was ranked.

    Args:
        out: the folder; is made if it is not there.
        settings: what all runs depend on.

    Raises:
        InputError: the folder cannot be used, or its runs were made with other settings.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self._path = out / STATE
        known: dict[str, Any] = {"settings": settings, "peak_mb": {}, "ranked": {}}
        try:
            out.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError("--out", str(out), f"cannot be used: {error}") from error
        for key, value in settings.items():
            if known["settings"].get(key) != value:
                rule = f"its runs have {key} {known['settings'].get(key)}, not {value}; choose another folder"
                raise InputError("--out", str(out), rule)
        self.peak_mb: dict[str, float] = known["peak_mb"]
        self.ranked: dict[str, list[str]] = known["ranked"]
        self._settings = settings
        self.write()

    def write(self) -> None:
        """Writes it down, whole or not at all."""
        document = {"settings": self._settings, "peak_mb": self.peak_mb, "ranked": self.ranked}
        write_text(self._path, json.dumps(document, indent=1) + "\n")


def configuration(options: argparse.Namespace, searcher: str, seed: int) -> RunConfig:
    """The configuration of one run.

    Raises:
        InputError: an unknown option or setting, or a searcher that does not share weights.
    """
    if not shares_weights(searcher):
        raise InputError("searcher", searcher, "shares no weights")
    flags = {"task": options.task, "space": options.space, "searcher": searcher, "budget": options.budget, "seed": seed}
    settings = [] if options.epochs is None else [f"searcher.epochs={options.epochs}"]
    for setting in options.set:
        owner, _, rest = setting.partition(".")
        if owner == searcher:
            settings.append(f"searcher.{rest}")
        elif owner not in options.searchers:
            settings.append(setting)
    return RunConfig.from_values(merge_values({}, flags, settings))


def naopt(*arguments: str | Path) -> float:
    """Runs a command of naopt in a process of its own.

    Returns:
        Its peak memory in MB (10^6 bytes).

    Raises:
        InputError: the command did not accept its input.
        RunStoppedError: it was stopped.
        NaoptError: it failed.
    """
    command = [sys.executable, "-m", "naopt", *map(str, arguments)]
    process = subprocess.Popen(  # noqa: S603 - this project's own command
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        said = process.stderr.read()
    except KeyboardInterrupt:
        process.wait()  # an interrupt reaches it, too
        raise RunStoppedError("stopped; the same command goes on") from None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        shown = " ".join(map(str, arguments))
        reason = (said.strip().splitlines() or [f"ended with {process.returncode}"])[-1]
        if process.returncode == 2:
            raise InputError("naopt", shown, reason)
        raise (RunStoppedError if process.returncode == 3 else NaoptError)(f"naopt {shown}: {reason}")
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def search(directory: Path, config: RunConfig, state: State) -> None:
    """Makes or finishes a run. Raises as ``naopt``."""
    name = directory.name
    if directory.exists() and load_run(directory).finished:
        return
    if directory.exists():
        peak = naopt("resume", directory)
    else:
        config.write(directory.with_suffix(".toml"))
        peak = naopt("search", "--config", directory.with_suffix(".toml"), "--run", directory)
    state.peak_mb[name] = max(peak, state.peak_mb.get(name, 0.0))
    state.write()


def ranked(directory: Path, arguments: list[str], workers: int, state: State) -> Ranking:
    """The ranking of a finished run, with these options of ``naopt ranking``. Raises as ``naopt``."""
    name = directory.name
    if state.ranked.get(name) != arguments or not (directory / RANKING).exists():
        naopt("ranking", directory, *arguments, "--workers", str(workers))
        state.ranked[name] = arguments
        state.write()
    found = read_ranking(directory)
    assert found is not None
    return found


def ranking_arguments(options: argparse.Namespace) -> list[str]:
    """Options of ``naopt ranking`` that decide about its figures."""
    arguments = ["--children", str(options.children), "--top", str(options.top)]
    if options.table:
        return [*arguments, "--table", options.table, *(["--metric", options.metric] if options.metric else [])]
    return [*arguments, "--repeats", str(options.repeats), "--cache", str(options.out / "trainings")]


def figures(directory: Path, ranking: Ranking, state: State) -> dict[str, float | None]:
    """The figures of one run, by the names in ``FIGURES``."""
    found = ranking.figures
    return {
        "pick": found.pick,
        "percentile": _value(found.pick_percentile),
        "top_percentile": _value(found.top_percentile),
        "tau": _value(found.kendall_tau),
        "seconds": load_run(directory).seconds,
        "peak_mb": state.peak_mb.get(directory.name),
    }


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def summary(found: Found) -> dict[str, Any]:
    """Mean and interval of each figure of each searcher, and how their percentiles differ from random search's."""
    rows: dict[str, dict[str, Any]] = {}
    for name, runs in found.items():
        rows[name] = {"runs": len(runs)}
        for figure in FIGURES:
            values = [value for run in runs if (value := run[figure]) is not None]
            total = summarise(values) if values else None
            rows[name][figure] = total and {"mean": total.mean, "ci95": list(total.ci95), "of": len(values)}
    return {"searchers": rows, "percentile_less_baseline": _differences(found), "runs": found}


def _differences(found: Found) -> dict[str, Any]:
    baseline = [run["percentile"] for run in found.get(BASELINE, [])]
    differences = {}
    for name, runs in found.items():
        mine = [run["percentile"] for run in runs]
        if name != BASELINE and mine and len(mine) == len(baseline) and None not in (*mine, *baseline):
            pair = paired_summary(mine, baseline)  # type: ignore[arg-type]
            differences[name] = {"mean": pair.difference.mean, "ci95": list(pair.difference.ci95)}
    return differences


def markdown(document: Mapping[str, Any]) -> str:
    """The table."""
    about, ranking = document["settings"], document["ranking"]
    how = f"looked up in {ranking['table']}" if ranking["table"] else f"trained {ranking['repeats']} time(s) each"
    lines = [
        f"{about['task']}, {about['space']}: {document['seeds']} seeds, {about['budget']} candidates a run; pick and "
        f"{ranking['children']} random children {how} ({ranking['metric']}). Mean [95 % interval] over seeds.",
        "",
        f"| searcher | pick, {ranking['metric']} | percentile | percentile of the top {ranking['top']} | Kendall tau "
        "| wall, s | peak, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in document["searchers"].items():
        cells = [_cell(row[figure], shown, document["seeds"]) for figure, shown in FIGURES.items()]
        lines.append(f"| {' | '.join([name, *cells])} |")
    for name, pair in document["percentile_less_baseline"].items():
        low, high = pair["ci95"]
        lines += ["", f"Percentile of {name} less that of {BASELINE}: {pair['mean']:+.1f} [{low:+.1f}, {high:+.1f}]."]
    lines += [f"\n{name} failed: {reason}." for name, reason in document["failed"].items()]
    return "\n".join(lines) + "\n"


def _cell(found: Mapping[str, Any] | None, shown: str, runs: int) -> str:
    if found is None:
        return "-"
    low, high = (shown.format(end) for end in found["ci95"])
    missing = "" if found["of"] == runs else f" ({found['of']} of {runs})"
    return f"{shown.format(found['mean'])} [{low}, {high}]{missing}"


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Carries out what is missing, and gives the document of all.

    Raises:
        InputError: bad options, or a folder of other runs.
        RunStoppedError: it was stopped; the same command goes on.
    """
    configs = {(name, seed): configuration(options, name, seed) for name in options.searchers for seed in options.seeds}
    settings = {key: getattr(options, key) for key in ("task", "space", "budget", "epochs", "set")}
    state = State(options.out, settings)
    arguments = ranking_arguments(options)
    found: Found = {name: [] for name in options.searchers}
    failed: dict[str, str] = {}
    metric = ""
    for number, ((name, seed), config) in enumerate(configs.items(), start=1):
        directory = options.out / f"{name}-{seed}"
        try:
            search(directory, config, state)
            ranking = ranked(directory, arguments, options.workers, state)
        except (InputError, RunStoppedError):
            raise
        except NaoptError as error:
            failed[directory.name] = str(error)
        else:
            metric = ranking.metric
            found[name].append(figures(directory, ranking, state))
        note(f"{number}/{len(configs)} {directory.name}")
    about = {key: getattr(options, key) for key in ("children", "top", "repeats", "table")} | {"metric": metric}
    return {"settings": settings, "ranking": about, "seeds": len(options.seeds), **summary(found), "failed": failed}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Weight-sharing searchers, ranked against random children.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--space", required=True)
    parser.add_argument("--searchers", default=SEARCHERS, type=lambda text: text.split(","))
    parser.add_argument("--seeds", default=5, type=int, help="how many runs of each searcher")
    parser.add_argument("--epochs", type=int, help="of every supernet")
    parser.add_argument("--budget", default=100, type=int, help="candidates measured with shared weights")
    parser.add_argument("--children", default=50, type=int, help="random children")
    parser.add_argument("--top", default=5, type=int, help="best of each run")
    parser.add_argument("--repeats", default=1, type=int, help="trainings of each child")
    parser.add_argument("--workers", default=1, type=int, help="processes that train children")
    parser.add_argument("--table", help="look children up instead of training them")
    parser.add_argument("--metric", help="of the table")
    parser.add_argument("--set", action="append", default=[], metavar="[SEARCHER.]KEY=VALUE", help="may be repeated")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    options.seeds = range(options.seeds)
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison; bad input ends with one line and exit code 2, a stop with 3."""
    options = parse(arguments)
    try:
        document = compare(options)
    except NaoptError as error:
        raise failed(error, code=3) from error
    publish(document, markdown(document), options.out, "weight_sharing", as_json=options.json, allow_nan=False)


if __name__ == "__main__":
    main()
