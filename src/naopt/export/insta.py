"""Writes networks of the meta-graph space as PyTorch files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from naopt.export.classifier import classifier_source, write_network
from naopt.export.facts import ImageFacts, InstanceFacts
from naopt.export.source import NetworkSource, assignment, write_class
from naopt.spaces import InstaSpace


def write_insta(space: InstaSpace, facts: ImageFacts) -> NetworkSource:
    """A network of ``naopt.networks.insta``, blocks that are skipped left out; or one that decides for each image."""
    if isinstance(facts, InstanceFacts):
        return _write_instance(space, facts)
    active = space.active(facts.architecture.tokens)
    made, renamed = _write_parts(space, facts, active, "ParallelBlock")
    network = write_network(
        facts,
        f"Stem, {len(list(filter(None, active)))} blocks of inverted residuals, pooling, classifier.",
        made=made,
        done=[
            "x = self.norm(self.blocks(self.stem(x)))",
            "features = F.relu6(x).mean((2, 3))",
        ],
    )
    return classifier_source(facts, network, renamed)


def _write_instance(space: InstaSpace, facts: InstanceFacts) -> NetworkSource:
    """A network of ``naopt.networks.instance``."""
    every = (tuple(range(len(space.operations))),) * space.blocks
    made, renamed = _write_parts(space, facts, every, "GroupedBlock")
    network = write_network(
        facts,
        f"Decides for each image what is computed in its {space.blocks} blocks.",
        made=["self.thrift = THRIFT", "self.controller = Controller()", *made],
        done=[
            "x = x.contiguous(memory_format=torch.channels_last)",
            f"{'active, believed' if facts.fuses else 'active'} = self.controller(x, self.thrift)",
            "x = self.stem(x)",
            "for block, rows in zip(self.blocks, rows_of(active), strict=True):",
            "    x = block(x, rows)",
            "features = F.relu6(self.norm(x)).mean((2, 3))",
        ],
        added="believed" if facts.fuses else "",
    )
    begins = {f"network.{old}": new for old, new in renamed.items()} | {"network.": ""}
    source = classifier_source(facts, f"{_write_controller(space, facts)}\n\n\n{network}", begins)
    points = [f"({', '.join(f'{value:.4g}' for value in point)})" for point in facts.points]
    needed = [f"({block}, {index})" for block, index in enumerate(facts.needed) if index is not None]
    constants = [f"THRIFT = {facts.thrift!r}  # from 0 (spend) to 1 (save)"]
    if points:
        constants.append(assignment("POINTS", points, "thrift, relative latency, accuracy in %"))
    if needed:
        constants.append(assignment("NEEDED", needed, "block, operation where there is no other"))
    return replace(
        source,
        summary="Instance-aware image classifier",
        figure=_figure(facts),
        example=(*source.example, *(["network.thrift = 1.0  # as thrifty as it gets"] if len(points) > 1 else [])),
        constants=(*source.constants, *constants),
    )


def _figure(facts: InstanceFacts) -> str:
    if not facts.points:
        return ""
    return (
        "POINTS has what it reaches on validation images, by thrift; mean latency is\n"
        "relative to that of all operations, and has the controller in it."
    )


def _write_controller(space: InstaSpace, facts: InstanceFacts) -> str:
    channels, outputs = facts.input_shape[0], facts.controller_width
    layers = []
    for _ in range(facts.controller_layers):
        layers += [f"nn.Conv2d({channels}, {outputs}, 3, 2, 1, bias=False),", f"nn.BatchNorm2d({outputs}),"]
        layers.append("nn.ReLU(),")
        channels, outputs = outputs, 2 * outputs
    blocks, operations, hidden = space.blocks, len(space.operations), facts.controller_hidden
    decisions, fuses, read = blocks * operations, facts.fuses, channels + 1
    doc = "A small network that sees the image, and is told how thrifty to be."
    made = ["self.features = nn.Sequential(", *(f"    {line}" for line in layers), ")"]
    done = ["features = self.features(images).mean((2, 3))", "told = torch.full_like(features[:, :1], thrift)"]
    if facts.classifies:
        doc = "Classifies the image, and decides by what it believes and how thrifty to be."
        read += len(facts.classes) + 1
        made.append(f"self.classifier = nn.Linear({channels}, len(CLASSES))")
        done += [
            "believed = self.classifier(features)",
            "sure = believed.softmax(1)",
            "entropy = -(sure * believed.log_softmax(1)).sum(1, keepdim=True)",
            "known = torch.cat((features, sure, entropy, told), 1)",
            "hidden = self.hidden(known).relu()",
            f"logits, {'trust' if fuses else '_trust'} = self.logits(hidden).split(({decisions}, 1), 1)",
            "logits = logits + self.slope * (1 - 2 * told)",
        ]
    else:
        done += [
            "hidden = self.hidden(torch.cat((features, told), 1)).relu()",
            "logits = self.logits(hidden) + self.slope * (1 - 2 * told)",
        ]
    made += [
        f"self.hidden = nn.Linear({read}, {hidden})",
        f"self.logits = nn.Linear({hidden}, {decisions + facts.classifies})",
        f"self.slope = nn.Parameter(torch.zeros({decisions}))",
    ]
    done.append(f"active: Tensor = logits.unflatten(1, ({blocks}, {operations})) >= 0")
    if any(index is not None for index in facts.needed):
        done += [
            "for block, operation in NEEDED:",
            "    active[:, block, operation] |= ~active[:, block].any(1)",
        ]
    done.append("return active, believed * trust.sigmoid()" if fuses else "return active")
    told = f"Whether each operation is active (n, {blocks}, {operations})"
    return write_class(
        "Controller",
        doc,
        [],
        made,
        ["images: Tensor", "thrift: float"],
        done,
        f"{told}, and trusted class logits." if fuses else f"{told}.",
        result="tuple[Tensor, Tensor]" if fuses else "Tensor",
    )


def _write_parts(
    space: InstaSpace, facts: ImageFacts, active: Sequence[Sequence[int]], kind: str
) -> tuple[list[str], dict[str, str]]:
    """Lines that define stem, blocks that have operations, norm and classifier; and new names of the blocks' weights.

    Blocks are of a class that takes operations.
    """
    channels = facts.settings.filters
    shapes = space.shapes(channels)
    renamed: dict[str, str] = {}
    rows: list[str] = []
    written = 0
    for block, (shape, indices) in enumerate(zip(shapes, active, strict=True)):
        if not indices:
            continue
        rows.append(f"    {kind}(")
        stride = ", 2" * (shape.stride > 1)
        for at, index in enumerate(indices):
            operation = space.operations[index]
            numbers = f"{shape.inputs}, {shape.outputs}, {operation.kernel}, {operation.expansion}{stride}"
            rows.append(f"        inverted_residual({numbers}),")
            renamed[f"blocks.{block}.operations.{operation.name}."] = f"blocks.{written}.parts.{at}."
        rows += [f"        shortcut={shape.keeps},", "    ),"]
        written += 1
    last = shapes[-1].outputs
    blocks = ["self.blocks = nn.Sequential(", *rows, ")"] if rows else ["self.blocks = nn.Sequential()"]
    if kind == "GroupedBlock":
        blocks = ["self.blocks = nn.ModuleList(", "    [", *(f"    {row}" for row in rows), "    ]", ")"]
    made = [
        "self.stem = nn.Sequential(",
        f"    nn.Conv2d({facts.input_shape[0]}, {channels}, 3, padding=1, bias=False),",
        f"    nn.BatchNorm2d({channels}),",
        "    nn.ReLU6(),",
        ")",
        *blocks,
        f"self.norm = nn.BatchNorm2d({last})",
        f"self.classifier = nn.Linear({last}, len(CLASSES))",
    ]
    return made, renamed
