"""Pictures of graphs: layered, top to bottom, as self-contained SVG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from naopt.spaces.drawing_labels import COLOURS, clean, printable, text_width
from naopt.spaces.drawing_layers import NODE, PILL, Layers

if TYPE_CHECKING:
    from naopt.spaces.graph import Graph

_MARGIN = 16
_DRIFT = 16
"""How far a slanting line may go sideways while it passes a rank, in pixels: the gaps leave room for it."""

STYLE = (
    ".naopt-graph text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#fff;"
    "text-anchor:middle}"
    ".naopt-graph .h{font-weight:600;font-size:13px;fill:#7b8494}"
    ".naopt-graph .p{fill:#7b8494;fill-opacity:.09}"
    ".naopt-graph .e{fill:none;stroke:#8490a2;stroke-width:1.4}"
    ".naopt-graph .a{fill:#8490a2}"
    f".naopt-graph .o{{fill:none;stroke-width:{PILL};stroke-linecap:round}}"
    ".naopt-graph .n{stroke:#8490a2;stroke-width:1.4;fill:#eef1f6}"
    ".naopt-graph .input{fill:#475467}.naopt-graph .output{fill:#101828}"
    ".naopt-graph .l text{fill:#101828}.naopt-graph .l text,.naopt-graph .d text{font-weight:600}"
) + "".join(f".naopt-graph .{family}{{stroke:{colour}}}" for family, colour in COLOURS.items())
"""Style sheet of the pictures; a page with many of them states it once."""


def draw_graph(graph: Graph, *, styled: bool = True) -> str:
    """The graph as a self-contained SVG: parts side by side with titles, operations coloured by type.

    The same graph gives the same text. Colours do not depend on the background, so that one picture serves light and
    dark pages. Labels longer than 48 characters are cut, with an ellipsis.

    Args:
        graph: nodes from top to bottom by ``levels()``, outputs that lead nowhere below all others.
        styled: with ``STYLE`` inside. Without it the page has to supply it.

    Returns:
        One ``<svg>`` element, sizes in pixels.
    """
    levels = graph.levels()
    panels, x, height = [], 0, 0
    for part in graph.parts:
        members = [index for index, node in enumerate(graph.nodes) if node.part == part]
        body, width, tall = _Panel(graph, part, members, levels).draw()
        title = f'<text class="h" x="{width // 2}" y="24">{clean(part)}</text>' if part else ""
        panels.append((x, width, title + body))
        x, height = x + width + _MARGIN, max(height, tall)
    drawing = "".join(
        f'<g transform="translate({x})"><rect class="p" width="{width}" height="{height}" rx="10"/>{body}</g>'
        for x, width, body in panels
    )
    size = max(x - _MARGIN, 1), max(height, 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="naopt-graph" role="img" aria-label="{_describe(graph)}" '
        f'viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}">'
        f"<title>{clean(', '.join(graph.parts) or 'empty graph')}</title>"
        f"{f'<style>{STYLE}</style>' if styled else ''}{drawing}</svg>"
    )


class _Panel(Layers):
    """The drawing of one part."""

    def draw(self) -> tuple[str, int, int]:
        """Elements, width and height."""
        left = min(at - width / 2 for at, width in zip(self.x, self.width, strict=True))
        right = max(at + width / 2 for at, width in zip(self.x, self.width, strict=True))
        width = math.ceil(max(right - left, 1.2 * text_width(self.part))) + 2 * _MARGIN
        x = [round(at + (width - left - right) / 2) for at in self.x]
        middles, heights, y = [], [], 40.0 if self.part else float(_MARGIN)
        for rank, layer in enumerate(self.layers):
            if rank:
                reach = max((abs(x[i] - x[j]) for i in layer for j in self.above[i]), default=0)
                y += min(18 + reach * 0.09, 44)
            tall = max((NODE if i < self.nodes else PILL if self.text[i] else 0 for i in layer), default=0)
            middles.append(y + tall / 2)
            heights.append(tall)
            y += tall
        lines, heads = self._edges(x, middles, heights)
        out = [f'<path class="e" d="{lines}"/><path class="a" d="{heads}"/>'] if lines else []
        pills: dict[str, str] = {}
        texts: dict[str, str] = {}
        for i, label in enumerate(self.text):
            middle, kind, half = round(middles[self.rank[i]]), self.family[i], round(self.width[i] / 2)
            if i < self.nodes:
                out.append(
                    f'<rect class="n {kind}" x="{x[i] - half}" y="{middle - NODE // 2}" width="{2 * half}" '
                    f'height="{NODE}" rx="{6 if kind == "output" else NODE // 2}"/>'
                )
            elif label:
                straight = half - PILL // 2
                pills[kind] = pills.get(kind, "") + f"M{x[i] - straight} {middle}h{2 * straight}"
            if label:
                group = "o" if i >= self.nodes else "l" if kind == "inner" else "d"
                texts[group] = texts.get(group, "") + f'<text x="{x[i]}" y="{middle + 4}">{clean(label)}</text>'
        out += [f'<path class="o {family}" d="{d}"/>' for family, d in sorted(pills.items())]
        out += [f'<g class="{group}">{rows}</g>' for group, rows in texts.items()]
        return "".join(out), width, math.ceil(y) + _MARGIN

    def _edges(self, x: Sequence[int], middles: Sequence[float], heights: Sequence[int]) -> tuple[str, str]:
        """Path data of the lines and of the arrow heads; each edge has its own port at both ends.

        A line is vertical at nodes and operations; in between it is a monotone cubic (Fritsch & Carlson 1980), so a
        slanting run of bends makes no steps.
        """
        leaving, arriving = self._ports(x, 0, 1), self._ports(x, -1, -2)
        lines, heads = [], []
        for number, chain in enumerate(self.chains):
            xs = [x[index] for index in chain]
            ys = [round(middles[self.rank[index]]) for index in chain]
            xs[0], ys[0] = xs[0] + leaving[number], ys[0] + NODE // 2
            xs[-1], ys[-1] = xs[-1] + arriving[number], ys[-1] - NODE // 2
            heads.append(f"M{xs[-1]} {ys[-1]}l-3.5-7h7z")
            ys[-1] -= 4
            lines.append(f"M{xs[0]} {ys[0]}")
            before = 0.0
            for at in range(1, len(chain)):
                dx, dy, after = xs[at] - xs[at - 1], ys[at] - ys[at - 1], 0.0
                if at + 1 < len(chain) and not self.text[chain[at]]:
                    ahead = (xs[at + 1] - xs[at]) / (ys[at + 1] - ys[at])
                    if ahead * dx > 0:
                        steepest = _DRIFT / max(heights[self.rank[chain[at]]], 1)
                        after = max(-steepest, min(steepest, 2 / (dy / dx + 1 / ahead)))
                if dx or before or after:
                    third = dy / 3 if before or after else dy / 2
                    c = round(before * third), round(third), round(dx - after * third), round(dy - third)
                    lines.append(f"c{c[0]} {c[1]} {c[2]} {c[3]} {dx} {dy}")
                else:
                    lines.append(f"v{dy}")
                before = after
        return "".join(lines), "".join(heads)

    def _ports(self, x: Sequence[int], end: int, beside: int) -> list[int]:
        """Where at its node each edge starts or ends, relative to the node's middle, ordered as the edges come."""
        groups: dict[int, list[int]] = {}
        for number, chain in enumerate(self.chains):
            groups.setdefault(chain[end], []).append(number)
        ports = [0] * len(self.chains)
        for group in groups.values():
            group.sort(key=lambda number: x[self.chains[number][beside]])
            for at, number in enumerate(group):
                ports[number] = round(11 * (at - (len(group) - 1) / 2))
        return ports


def _describe(graph: Graph) -> str:
    """What a reader who does not see the picture is told: nodes and operations of each part."""
    said = []
    for part in graph.parts:
        nodes = sum(node.part == part for node in graph.nodes)
        counts = Counter(edge.label for edge in graph.edges if graph.nodes[edge.source].part == part and edge.label)
        operations = "".join(f", {count} {label}" for label, count in counts.items())
        said.append(f"{part or 'graph'}: {nodes} {'node' if nodes == 1 else 'nodes'}{operations}")
    return printable("; ".join(said) or "empty graph")
