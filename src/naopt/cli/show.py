"""``naopt show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, emit, print_table, say

if TYPE_CHECKING:
    from naopt.run import RunRecord
    from naopt.run.training_run import TrainingRequest
    from naopt.spaces import Architecture, SearchSpace

_COUNTED = 100_000


def show(
    subject: Annotated[
        str,
        typer.Argument(metavar="DIR|ARCH", help="Directory of a search or training, architecture's text, or zoo name."),
    ],
    space: Annotated[str | None, typer.Option(help="The architecture's space, if its text does not tell.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the architecture (of a run: the best) into this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a search, a training, or an architecture."""
    from naopt.cli.subject import best_of, read_architecture, read_run, read_training

    training = read_training(subject)
    if training is not None:
        if svg is not None:
            write_drawing(*training.parts()[:2], svg)
        _show_training(Path(subject), training, as_json=as_json)
        return
    record = read_run(subject)
    if record is None:
        found, architecture = read_architecture(subject, space)
        if svg is not None:
            write_drawing(found, architecture, svg)
        _show_architecture(found, architecture, as_json=as_json)
        return
    if svg is not None:
        write_drawing(record.space, best_of(record), svg)
    _show_run(record, as_json=as_json)


def write_drawing(space: SearchSpace, architecture: Architecture, path: Path) -> None:
    """Draws an architecture into an SVG file. Raises ``InputError`` if the file cannot be written."""
    from naopt.errors import InputError
    from naopt.files import write_text

    try:
        write_text(path, space.draw(architecture))
    except OSError as error:
        raise InputError("svg", str(path), error.strerror or "cannot be written") from error


def _show_run(record: RunRecord, *, as_json: bool) -> None:
    from naopt.cli.summary import run_document, run_lines, trial_document

    report = record.directory / "report.html"
    written = report if report.is_file() else None
    top = record.ranked()[:10]
    if as_json:
        failures = [{"status": s, "reason": r, "count": n} for (s, r), n in record.failures().items()]
        more = {"top": [trial_document(trial) for trial in top], "failures": failures, "rounds": record.rounds}
        emit({**run_document(record, written), **more})
        return
    for line in run_lines(record, written):
        say(line)
    if top:
        say()
        metric = record.objective.metric
        rows = [[t.index, t.measurement.metrics[metric], t.origin, t.text] for t in top if t.measurement is not None]
        print_table(["trial", metric, "origin", "architecture"], rows, "best:")
    if record.rounds:
        say()
        say("rounds:")
    for index, log in enumerate(record.rounds):
        members = sum(trial.round == index for trial in record.trials)
        facts = ", ".join(
            f"{key} {_short(value)}" for key, value in log.items() if isinstance(value, int | float | str)
        )
        say(f"  {index}: {members} proposed" + (f"; {facts}" if facts else ""))


def _show_training(directory: Path, request: TrainingRequest, *, as_json: bool) -> None:
    import csv
    import json
    from dataclasses import asdict

    from naopt.run.training_run import CHECKPOINT, CURVE, RESULT

    result, curve = directory / RESULT, directory / CURVE
    epochs = list(csv.DictReader(curve.read_text(encoding="utf-8").splitlines())) if curve.is_file() else []
    found = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
    finished, whole = bool(found), request.settings["epochs"]
    if as_json:
        lines = [{name: _number(text) for name, text in row.items()} for row in epochs]
        emit({**asdict(request), **found, "finished": finished, "epochs_done": len(epochs), "curve": lines})
        return
    more = "" if finished else f"; go on with: naopt resume {directory}"
    resumable = finished or (directory / CHECKPOINT).is_file()
    say(f"training:    {directory} ({'finished' if finished else 'unfinished'}{more if resumable else ''})")
    say(f"space:       {request.space}")
    say(f"text:        {request.architecture}")
    say(f"task:        {request.task}")
    say(f"preset:      {request.preset or 'by task'}, seed {request.seed}")
    say(f"epochs:      {len(epochs)} of {whole}")
    for name, value in found.items():
        if name.startswith(("test_", "valid_")) or name in ("parameters", "seconds"):
            say(f"{name.replace('_', ' ') + ':':<12} {_short(value) if isinstance(value, float) else value}")
    if epochs:
        say()
        last = epochs[-10:]
        rows = [["" if value is None else value for value in map(_number, row.values())] for row in last]
        print_table(list(last[0]), rows, "last epochs:")


def _number(text: str) -> float | None:
    if not text:
        return None
    return int(text) if text.isdecimal() else float(text)


def _short(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _show_architecture(space: SearchSpace, architecture: Architecture, *, as_json: bool) -> None:
    from itertools import islice

    canonical = space.architecture(space.canonical(architecture.tokens))
    counterparts = sum(1 for _ in islice(space.symmetries(architecture.tokens), _COUNTED))
    neighbours = sum(1 for _ in space.neighbours(architecture))
    graph = space.graph(architecture)
    edges = [
        {
            "part": graph.nodes[edge.source].part,
            "from": graph.nodes[edge.source].label,
            "to": graph.nodes[edge.target].label,
            "operation": edge.label,
        }
        for edge in graph.edges
    ]
    document: dict[str, Any] = {
        "space": space.name,
        "architecture": space.format(architecture),
        "tokens": list(architecture.tokens),
        "canonical": space.format(canonical),
        "symmetric": counterparts,
        "neighbours": neighbours,
        "edges": edges,
    }
    if as_json:
        emit(document)
        return
    say(f"space:       {space.describe()}")
    say(f"text:        {document['architecture']}")
    say(f"tokens:      {' '.join(map(str, architecture.tokens))}")
    say(f"canonical:   {document['canonical']}")
    say(f"symmetric:   {counterparts}{' or more' if counterparts == _COUNTED else ''} sequences, this one included")
    say(f"neighbours:  {neighbours}")
    for part in graph.parts:
        say(f"{part}:")
        for index, node in enumerate(graph.nodes):
            if node.part != part or node.kind == "input":
                continue
            sources = [
                f"{edge.label}({graph.nodes[edge.source].label})" if edge.label else graph.nodes[edge.source].label
                for edge in graph.edges
                if edge.target == index
            ]
            joined = "join " + ", ".join(sources) if node.kind == "output" else " + ".join(sources)
            say(f"  {node.label} = {joined}" if sources else f"  {node.label}")
