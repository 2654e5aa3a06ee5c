"""``naopt ask``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, SetOption, emit, note, say
from naopt.cli.wanted import MaxOption, MinOption, limits_given

if TYPE_CHECKING:
    from naopt.by_hand import OpenSearch
    from naopt.run import RunRecord, Trial
    from naopt.spaces import SearchSpace


def ask(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The run's directory; made by the first call.")],
    count: Annotated[int, typer.Option(help="How many architectures.")] = 1,
    pending: Annotated[bool, typer.Option("--pending", help="Ask nothing; list what was asked and not told.")] = False,
    space: Annotated[
        str | None, typer.Option(metavar="S|FILE", help="First call: NAME, NAME:option=value,... or a TOML file.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            "--objective",
            metavar="[max:|min:]M[,...]",
            help="First call: what is optimised, and which way; one metric, or several.",
        ),
    ] = None,
    at_most: MaxOption = None,
    at_least: MinOption = None,
    searcher: Annotated[str | None, typer.Option(help="First call: how to search; nao by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="First call: how many architectures; 100 by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="First call: seed of all randomness; 0 by default.")] = None,
    enqueue: Annotated[
        list[str] | None, typer.Option(metavar="FILE|ARCH", help="First call: what is to be asked first; repeat.")
    ] = None,
    history: Annotated[
        list[str] | None, typer.Option(metavar="DIR|FILE", help="First call: what is known from elsewhere; repeat.")
    ] = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask what to measure next, where naopt does not measure itself."""
    from naopt.by_hand import OpenSearch
    from naopt.cli.enqueue import places_named, read_architectures
    from naopt.errors import InputError
    from naopt.run.names import CONFIG

    first = read_architectures(enqueue)
    flags: dict[str, Any] = {
        "space": space,
        "metric": metric,
        "max": limits_given("max", at_most),
        "min": limits_given("min", at_least),
        "searcher": searcher,
        "budget": budget,
        "seed": seed,
        "enqueue": None if enqueue is None else list(first),
        "history": history,
        "set": settings or None,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    if (directory / CONFIG).is_file():
        if given:
            rule = f"was given when '{directory}' began, and stays; ask with: naopt ask {directory}"
            raise InputError("option", f"--{next(iter(given))}", rule)
        search = OpenSearch(directory)
    elif space is None or metric is None:
        raise InputError("run", str(directory), "is none yet; the first call needs --space and --metric")
    else:
        with places_named(first):
            search = _begin(directory, given)
    asked = search.pending if pending else search.ask(count)
    record = search.record
    if as_json:
        emit(asked_document(record, asked))
    else:
        for trial in asked:
            say(f"{trial.index}\t{trial.text}")
    if not pending and len(asked) < count:
        note(_why(record, len(asked)))


def _begin(directory: Path, given: dict[str, Any]) -> OpenSearch:
    from naopt.by_hand import begin_search
    from naopt.cli.merging import merge_values
    from naopt.problem import Objective, Problem, limits_of, named_objectives
    from naopt.run.config import RunConfig

    settings = given.pop("set", [])
    named = named_objectives(given.pop("metric"))
    objectives = tuple(Objective(metric, goal or "max") for metric, goal in named)
    problem = Problem(objectives, limits_of(given.pop("max", {}), given.pop("min", {})))
    config = RunConfig.from_values(merge_values({}, given, settings))
    return begin_search(directory, _space(config.space, config.space_options), problem, config)


def _space(spec: str, options: dict[str, Any]) -> SearchSpace:
    """A space by name, or from a file of choices."""
    from naopt.errors import InputError
    from naopt.spaces import GenericSpace, create_space

    if Path(spec).is_file() or spec.endswith(".toml"):
        if options:
            raise InputError("space", spec, f"a file has no option {next(iter(options))}")
        return GenericSpace(spec)
    return create_space(spec, options)


def asked_document(record: RunRecord, asked: Sequence[Trial]) -> dict[str, Any]:
    """Trials as a JSON document."""
    space = record.space
    rows = [
        {
            "index": trial.index,
            "architecture": trial.text,
            "tokens": list(trial.architecture.tokens),
            "values": space.values(trial.architecture),
            "origin": trial.origin,
        }
        for trial in asked
    ]
    return {"run": str(record.directory), "asked": rows, **standing(record)}


def standing(record: RunRecord) -> dict[str, int]:
    """How many are told and pending, and how many more may be asked."""
    told = len(record.evaluated)
    return {
        "told": told,
        "pending": len(record.trials) - told,
        "left": max(record.config.budget - len(record.trials), 0),
    }


def _why(record: RunRecord, count: int) -> str:
    found = standing(record)
    if not found["left"]:
        why = f"the budget of {record.config.budget} is spent"
    elif found["pending"] - count:
        why = "the searcher wants to be told about some of these first"
    else:
        why = "the searcher finds no other architecture"
    return f"{why}; {found['told']} are told, {found['pending']} pending"
