"""Writes networks of the meta-graph space as PyTorch files."""

from __future__ import annotations

from naopt.export.classifier import classifier_source, write_network
from naopt.export.facts import ImageFacts
from naopt.export.source import NetworkSource
from naopt.spaces import InstaSpace


def write_insta(space: InstaSpace, facts: ImageFacts) -> NetworkSource:
    """A network of ``naopt.networks.insta``; blocks that are skipped are left out."""
    channels, active = facts.settings.filters, space.active(facts.architecture.tokens)
    shapes = space.shapes(channels)
    renamed: dict[str, str] = {}
    rows: list[str] = []
    written = 0
    for block, (shape, indices) in enumerate(zip(shapes, active, strict=True)):
        if not indices:
            continue
        rows.append("    ParallelBlock(")
        stride = ", 2" * (shape.stride > 1)
        for at, index in enumerate(indices):
            operation = space.operations[index]
            numbers = f"{shape.inputs}, {shape.outputs}, {operation.kernel}, {operation.expansion}{stride}"
            rows.append(f"        inverted_residual({numbers}),")
            renamed[f"blocks.{block}.operations.{operation.name}."] = f"blocks.{written}.parts.{at}."
        rows += [f"        shortcut={shape.keeps},", "    ),"]
        written += 1
    last = shapes[-1].outputs
    network = write_network(
        facts,
        f"Stem, {written} blocks of inverted residuals, pooling, classifier.",
        made=[
            "self.stem = nn.Sequential(",
            f"    nn.Conv2d({facts.input_shape[0]}, {channels}, 3, padding=1, bias=False),",
            f"    nn.BatchNorm2d({channels}),",
            "    nn.ReLU6(),",
            ")",
            *(["self.blocks = nn.Sequential(", *rows, ")"] if rows else ["self.blocks = nn.Sequential()"]),
            f"self.norm = nn.BatchNorm2d({last})",
            f"self.classifier = nn.Linear({last}, len(CLASSES))",
        ],
        done=[
            "x = self.norm(self.blocks(self.stem(x)))",
            "features = F.relu6(x).mean((2, 3))",
        ],
    )
    return classifier_source(facts, network, renamed)
