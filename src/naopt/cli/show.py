"""``naopt show``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, SetOption, emit, say
from naopt.cli.outputs import ForceOption, check_output

if TYPE_CHECKING:
    from naopt.spaces import Architecture, SearchSpace

_COUNTED = 100_000


def show(
    subject: Annotated[
        str,
        typer.Argument(metavar="DIR|ARCH", help="Directory of a search or training, architecture's text, or zoo name."),
    ],
    space: Annotated[str | None, typer.Option(help="The architecture's space, if its text does not tell.")] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Draw the architecture (of a run: its best or knee) into this file.")
    ] = None,
    failures: Annotated[
        bool, typer.Option("--failures", help="Of a search: every failure, with traceback and last lines of output.")
    ] = False,
    rounds: Annotated[
        bool, typer.Option("--rounds", help="Of a search: measured and predicted mean of each round, in a table.")
    ] = False,
    front: Annotated[
        bool, typer.Option("--front", help="Of a search: the architectures that no other beats in every objective.")
    ] = False,
    curve: Annotated[
        bool, typer.Option("--curve", help="Of a search with instanas: accuracy against latency, by operating point.")
    ] = False,
    task: Annotated[
        str | None, typer.Option(help="Of an architecture: what its network costs on this task, known untrained.")
    ] = None,
    device_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --task: latency_ms too, as this calibration predicts it.")
    ] = None,
    zero_cost: Annotated[
        bool, typer.Option("--zero-cost", help="With --task: zero-cost proxies of the network, untrained.")
    ] = False,
    settings: SetOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a search, a training, or an architecture."""
    from naopt.cli.subject import find_run, read_architecture
    from naopt.errors import InputError

    check_output("--svg", svg, [subject], force=force)
    run = find_run(subject)
    given: dict[str, object] = {"--task": task, "--device-file": device_file, "--set": settings and settings[0]}
    given["--zero-cost"] = zero_cost and subject
    for option, value in given.items():
        if value and run is not None:
            raise InputError(option, value, "is for an architecture; a run shows what it has measured")
        if value and task is None:
            raise InputError(option, value, "has a use only with --task")
    if run is None:
        if curve:
            raise InputError("--curve", subject, "is for a search with instanas")
        found, architecture = read_architecture(subject, space)
        if svg is not None:
            write_drawing(found, architecture, svg)
        costs = {} if task is None else _costs(found, architecture, task, device_file, settings)
        proxies = _proxies(found, architecture, task, settings) if zero_cost and task is not None else {}
        _show_architecture(found, architecture, costs, proxies, as_json=as_json)
        return
    from naopt.cli.show_run import show_run

    if svg is not None:
        write_drawing(*run.subject, svg)
    show_run(run, as_json=as_json, failures=failures, rounds=rounds, front=front, points=curve)


def write_drawing(space: SearchSpace, architecture: Architecture, path: Path) -> None:
    """Draws an architecture into an SVG file. Raises ``InputError`` if the file cannot be written."""
    from naopt.errors import InputError
    from naopt.files import write_text

    try:
        write_text(path, space.draw(architecture))
    except OSError as error:
        raise InputError("svg", str(path), error.strerror or "cannot be written") from error


def _costs(
    space: SearchSpace, architecture: Architecture, task: str, device_file: str | None, settings: list[str] | None
) -> dict[str, float]:
    """What is known of the network, by name. Raises ``InputError`` if nothing is."""
    from naopt.errors import InputError
    from naopt.evaluators.known_costs import known_costs
    from naopt.evaluators.workloads import create_workload

    workload = create_workload(task, _training(settings))
    workload.check_space(space)
    costs = known_costs(workload, space, device_file or "")
    if costs is None:
        raise InputError("space", space.name, f"of its networks for {task} nothing is known before they are trained")
    return {name: float(values[0]) for name, values in costs.of([architecture]).items()}


def _training(settings: list[str] | None) -> dict[str, Any]:
    """Settings of networks and training: all but those of proxies."""
    from naopt.configuration import parse_setting

    pairs = dict(map(parse_setting, settings or []))
    return {key.removeprefix("training."): value for key, value in pairs.items() if not key.startswith("proxy.")}


def _proxies(
    space: SearchSpace, architecture: Architecture, task: str, settings: list[str] | None
) -> dict[str, dict[str, Any]]:
    """Value, seconds and source of each zero-cost proxy, by name. Raises ``InputError`` for what has no network."""
    import math

    from naopt.configuration import parse_setting
    from naopt.evaluators.proxy_meter import ProxyMeter
    from naopt.evaluators.seeds import evaluation_seed
    from naopt.evaluators.workloads import create_workload
    from naopt.proxies import ProxySettings, proxies, proxies_for

    pairs = dict(map(parse_setting, settings or []))
    chosen = {key.removeprefix("proxy."): value for key, value in pairs.items() if key.startswith("proxy.")}
    workload = create_workload(task, _training(settings))
    meter = ProxyMeter(space, workload, ProxySettings.parse(chosen, "proxy setting"))
    names = proxies_for(workload.task.kind)
    found = meter.timed(architecture, names, evaluation_seed(0, architecture))
    return {
        name: {
            "value": None if math.isnan(value) else value,
            "seconds": seconds,
            "meaning": proxies.get(name).meaning,
            "source": proxies.get(name).source,
        }
        for name, (value, seconds) in found.items()
    }


def _show_architecture(
    space: SearchSpace,
    architecture: Architecture,
    costs: Mapping[str, float],
    proxies: Mapping[str, Mapping[str, Any]],
    *,
    as_json: bool,
) -> None:
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
        **({"costs": dict(costs)} if costs else {}),
        **({"zero_cost": dict(proxies)} if proxies else {}),
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
    for name, value in costs.items():
        say(f"{name + ':':<12} {f'{value:,.0f}' if value.is_integer() else f'{value:.4g}'}")
    for name, proxy in proxies.items():
        shown = "unknown" if proxy["value"] is None else f"{proxy['value']:.6g}"
        say(f"{name + ':':<12} {shown:<12} {proxy['seconds']:.3f} s  {proxy['meaning']} ({proxy['source']})")
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
