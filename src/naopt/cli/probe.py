"""``naopt probe``: what the states of a run's controller or encoder know about architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from naopt.cli.common import JsonOption, emit, print_table, say
from naopt.cli.outputs import ForceOption, check_output


def probe(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run of a searcher with a controller or encoder.")],
    architectures: Annotated[int, typer.Option(metavar="N", help="Architectures that are looked at.")] = 500,
    permutations: Annotated[int, typer.Option(metavar="P", help="Permutations for each p value.")] = 1000,
    table: Annotated[
        str, typer.Option(metavar="FILE", help="Take scores from this table; by default from the run's own.")
    ] = "",
    metric: Annotated[str, typer.Option(metavar="M", help="The score; by default what the run optimised.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all randomness.")] = 0,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON document into this file.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask what the states of a run's controller or encoder know about architectures."""
    from naopt.probes import probe_run

    check_output("--out", out, [directory, table or None], force=force)
    document = probe_run(
        directory, architectures=architectures, permutations=permutations, seed=seed, table=table, metric=metric
    )
    if out is not None:
        _write(document, out)
    if as_json:
        emit(document)
    else:
        _print(document)


def _write(document: dict[str, Any], path: Path) -> None:
    import json

    from naopt.errors import InputError
    from naopt.files import write_text
    from naopt.values import plain

    try:
        write_text(path, json.dumps(plain(document), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise InputError("--out", str(path), error.strerror or "cannot be written") from error


def _print(document: dict[str, Any]) -> None:
    meaning = document["meaning"]
    say(f"run:            {document['run']}")
    say(f"probed:         {document['subject']}, states of {document['dimensions']} numbers")
    say(f"architectures:  {document['architectures']} of {document['space']}, no two isomorphic")
    say(f"permutations:   {document['permutations']} for each p value")
    say()
    say("1. Is the state predictive? Ridge regression, five-fold cross-validated.")
    rows = [[name, *_cells(r, "r2", "spearman"), _p(r)] for name, r in document["predictivity"].items()]
    print_table(["property", "R2", "Spearman", "p"], rows)
    say(meaning["predictivity"])
    say()
    whole = document["completions"][0]
    say("2. Do architectures from one state resemble each other?")
    say(f"   {whole['states']} states, {whole['copies']} from each: {whole['copies_differ']}.")
    rows = [
        [_from(part), name, *_cells(r, "within", "across", "ratio"), _p(r)]
        for part in document["completions"]
        for name, r in part["distances"].items()
    ]
    print_table(["from the state", "distance", "same state", "different", "ratio", "p"], rows)
    say(meaning["completions"])
    say()
    say("3. Does the distance of states follow that of graphs? Mantel's test.")
    rows = [[_called(name, document), *_cells(r, "spearman"), _p(r)] for name, r in document["distance"].items()]
    print_table(["distance", "Spearman", "p"], rows)
    say(meaning["distance"])


def _cells(result: dict[str, Any], *names: str) -> list[str]:
    return [f"{result[name]:.3f}" for name in names]


def _p(result: dict[str, Any]) -> str:
    return f"{result['p']:.4f}"


def _from(part: dict[str, Any]) -> str:
    return "of a whole architecture" if part["after"] is None else f"after {part['after']} tokens"


def _called(name: str, document: dict[str, Any]) -> str:
    return f"{name} (upper bound)" if name == "edit" and not document["edit_exact"] else name
