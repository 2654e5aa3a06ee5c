"""``naopt tell``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naopt.cli.common import JsonOption, emit, note, say


def tell(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The run's directory.")],
    which: Annotated[
        str | None, typer.Argument(metavar="[INDEX|ARCH]", help="What was measured.", show_default=False)
    ] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="What that gave.", show_default=False)
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long it took.")] = 0.0,
    failed: Annotated[
        str | None, typer.Option("--failed", metavar="REASON", help="It gave nothing; why, in a few words.")
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Many: columns index or architecture, metrics, status, reason."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what was measured elsewhere."""
    from naopt.by_hand import OpenSearch, read_results
    from naopt.by_hand.results import one_result
    from naopt.cli.ask import standing
    from naopt.cli.summary import trial_document, wanted_document
    from naopt.errors import InputError

    search = OpenSearch(directory)
    left_out = 0
    if csv is not None:
        if which is not None or failed is not None or seconds:
            raise InputError("--csv", str(csv), "holds all that is told; give nothing else")
        results, left_out = read_results(csv)
    elif which is None:
        raise InputError("result", "", "give INDEX NAME=VALUE, or --csv FILE")
    else:
        results = [one_result(which, values or [], seconds=seconds, failed=failed)]
    told = search.tell_all(results)
    record = search.record
    known = [trial.index for trial, new in told if not new]
    if known:
        note(f"{', '.join(map(str, known))}: the same was told before")
    if left_out:
        note(f"{left_out} row{'s have' if left_out > 1 else ' has'} no result yet")
    best, found = record.best(), standing(record)
    front = {trial.index for trial in record.front()} if len(record.problem.objectives) > 1 else None
    members = sorted({trial.index for trial, _ in told} & (front or set()))
    if as_json:
        emit(
            {
                "run": str(directory),
                "stored": [trial.index for trial, new in told if new],
                "known": known,
                **found,
                "best": None if best is None else trial_document(best),
                **wanted_document(record),
                **({} if front is None else {"on_front": members}),
            }
        )
        return
    line = f"{found['told']} told, {found['pending']} pending, {found['left']} left to ask"
    if front is not None:
        line += f"; front of {len(front)}, {_membership(members, len(told))}"
    elif best is not None and best.measurement is not None:
        metric = record.objective.metric
        line += f"; best {metric} {best.measurement.metrics[metric]:.6g}: {best.index} {best.text}"
    say(line)


def _membership(members: list[int], told: int) -> str:
    """Which of what was told are on the front, in words."""
    if told == 1:
        return "this one on it" if members else "this one not on it"
    return f"on it of these {', '.join(map(str, members)) or 'none'}"
