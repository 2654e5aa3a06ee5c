"""``naopt show DIR --curve``, and what other commands say about networks that decide for each image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from naopt.cli.common import print_table, say
from naopt.errors import InputError
from naopt.run import RunRecord
from naopt.run.instances import Instances


def instances_of(record: RunRecord) -> Instances:
    """What the network of a search does. Raises ``InputError`` if it has none, or that is not measured."""
    if not record.instance_aware:
        rule = f"searcher {record.config.searcher} finds networks that are the same for all images: there is no curve"
        raise InputError("run", str(record.directory), rule)
    found = record.instances
    if found is None:
        rule = f"its operating points are not measured; go on with: naopt resume {record.directory}"
        raise InputError("run", str(record.directory), rule)
    return found


def curve_document(record: RunRecord, found: Instances) -> dict[str, Any]:
    """Operating points, one of them the ``default``, and the static children, the cheapest first."""
    return {
        "points": [{**asdict(point), "default": point is found.default} for point in found.points],
        "static": [asdict(child) for child in found.static(record.trials)],
        "collapsed": found.collapsed,
    }


def print_curve(record: RunRecord, found: Instances) -> None:
    """Accuracy against latency in a table, and below it the static children that no other beats."""
    rows = [
        [p.thrift, p.accuracy, p.latency, p.milliseconds, p.loss, p.children, p.largest, said]
        for p, said in ((p, "default" if p is found.default else "") for p in found.points)
    ]
    columns = ["thrift", "accuracy, %", "latency", "ms an image", "loss", "children", "largest share", ""]
    print_table(columns, rows, "operating points on the validation images; a latency of 1 is the whole meta-graph's:")
    if static := [child for child in found.static(record.trials) if child.front]:
        say()
        children = [[c.trial, c.accuracy, c.latency, c.loss, c.text] for c in static]
        title = "the best static children, with shared weights, which were trained beside the controller:"
        print_table(["trial", "accuracy, %", "latency", "loss", "architecture"], children, title)


def instance_lines(record: RunRecord) -> Iterator[str]:
    """What the network reaches, beside the best static child, in a few lines; none if there is nothing to say."""
    found = record.instances
    if found is None:
        return
    point, best = found.default, found.best_static(record.trials)
    yield (
        f"instances:  accuracy {point.accuracy:.2f} % at latency {point.latency:.3f} of the whole meta-graph, "
        f"{point.children} {'child' if point.children == 1 else 'children'}, thrift {point.thrift:g}"
    )
    if best is not None:
        reached = f"{best.accuracy:.2f} % at {best.latency:.3f}"
        yield f"            best static child, with shared weights: {reached}, evaluation {best.trial}"
    if found.collapsed:
        yield f"collapsed:  {found.collapsed}"


def instance_document(record: RunRecord) -> dict[str, Any]:
    """The same as a JSON document; empty if there is nothing to say."""
    found = record.instances
    if found is None:
        return {}
    best = found.best_static(record.trials)
    best_static = None if best is None else asdict(best)
    return {"instances": {**asdict(found.default), "best_static": best_static, "collapsed": found.collapsed}}
