"""Pictures of graphs: well-formed, and geometry that can be read."""

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.spaces import ConvCellSpace, Edge, GenericSpace, Graph, NASBench201Space, Node, Position, SearchSpace
from naopt.spaces.drawing import STYLE, draw_graph
from naopt.spaces.drawing_labels import operation_family
from naopt.spaces.graph import NodeKind

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]


class Picture:
    """Boxes and texts of a drawing, in its own coordinates."""

    def __init__(self, text: str) -> None:
        self.root = ET.fromstring(text)
        self.width, self.height = (float(v) for v in self.root.attrib["viewBox"].split()[2:])
        self.nodes: list[Box] = []
        self.pills: list[Box] = []
        self.panels: list[Box] = []
        self.labels: list[tuple[float, float, str]] = []
        self.titles: list[str] = []
        self.heads = self.lines = 0
        for group in self.root.findall(f"{SVG}g"):
            shift = float(re.findall(r"[0-9.]+", group.attrib["transform"])[0])
            for item in group.iter(f"{SVG}rect"):
                x, y, w, h = (float(item.attrib.get(key, 0)) for key in ("x", "y", "width", "height"))
                target = self.panels if item.attrib["class"] == "p" else self.nodes
                target.append((x + shift, y, x + shift + w, y + h))
            for item in group.iter(f"{SVG}path"):
                if item.attrib["class"].startswith("o "):
                    for x, y, length in re.findall(r"M(-?\d+) (-?\d+)h(\d+)", item.attrib["d"]):
                        left = float(x) + shift - 10
                        self.pills.append((left, float(y) - 10, left + float(length) + 20, float(y) + 10))
                elif item.attrib["class"] == "a":
                    self.heads += item.attrib["d"].count("M")
                else:
                    self.lines += item.attrib["d"].count("M")
            for item in group.iter(f"{SVG}text"):
                if item.attrib.get("class") == "h":
                    self.titles.append(item.text or "")
                else:
                    self.labels.append((float(item.attrib["x"]) + shift, float(item.attrib["y"]), item.text or ""))


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def assert_readable(graph: Graph) -> Picture:
    """Every node and operation has its place inside its panel, none overlap, and every edge is drawn."""
    picture = Picture(draw_graph(graph))
    boxes = picture.nodes + picture.pills
    assert len(picture.nodes) == len(graph.nodes)
    assert len(picture.pills) == sum(bool(edge.label) for edge in graph.edges)
    assert picture.heads == picture.lines == len(graph.edges)
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    assert not [pair for pair in combinations(picture.panels, 2) if overlap(*pair)]
    for box in boxes:
        assert any(p[0] <= box[0] and p[1] <= box[1] and box[2] <= p[2] and box[3] <= p[3] for p in picture.panels)
    for panel in picture.panels:
        assert panel[2] <= picture.width
        assert panel[3] <= picture.height
    for x, y, text in picture.labels:
        holder = [box for box in boxes if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
        assert len(holder) == 1, text
        assert len(text) * 6 <= holder[0][2] - holder[0][0], text
    return picture


SPACES: list[SearchSpace] = [
    ConvCellSpace(),
    ConvCellSpace(1),
    ConvCellSpace(9),
    ConvCellSpace(4, "enas-5"),
    NASBench201Space(),
    GenericSpace([Position("width", ("16", "32")), Position("a <b> & \"c\"", ("x", "'y'"))], "some"),
]  # fmt: skip


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_architectures_of_every_space_are_readable(space: SearchSpace) -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        assert_readable(space.graph(space.sample(rng)))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes: list[Node] = []
    edges: list[Edge] = []
    for part in draw(st.lists(st.text(max_size=6), min_size=1, max_size=3, unique=True)):
        base, count = len(nodes), draw(st.integers(1, 7))
        kinds: st.SearchStrategy[NodeKind] = st.sampled_from(("input", "inner", "output"))
        nodes += [Node(draw(st.text(max_size=60)), part, draw(kinds)) for _ in range(count)]
        for _ in range(draw(st.integers(0, 10)) if count > 1 else 0):
            a = draw(st.integers(0, count - 2))
            b = draw(st.integers(a + 1, count - 1))
            edges.append(Edge(base + a, base + b, draw(st.text(max_size=8))))
    return Graph(tuple(nodes), tuple(edges))


@given(graphs())
def test_any_graph_is_drawn_well_formed(graph: Graph) -> None:
    text = draw_graph(graph)
    assert text == draw_graph(graph)
    picture = Picture(text)
    boxes = picture.nodes + picture.pills
    assert len(picture.nodes) == len(graph.nodes)
    assert picture.lines == len(graph.edges)
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    assert all(box[0] >= 0 and box[2] <= picture.width and box[3] <= picture.height for box in boxes)


def test_edges_go_down_and_outputs_are_last() -> None:
    space = NASBench201Space()
    graph = space.graph(space.parse("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"))
    picture = assert_readable(graph)
    tops = [box[1] for box in picture.nodes]
    assert all(tops[edge.source] < tops[edge.target] for edge in graph.edges)
    assert tops[3] > max(tops[:3])


def test_parallel_edges_keep_their_own_labels() -> None:
    graph = Graph((Node("a"), Node("b")), (Edge(0, 1, "conv3x3"), Edge(0, 1, "identity"), Edge(0, 1, "conv3x3")))
    picture = assert_readable(graph)
    assert sorted(text for _, _, text in picture.labels) == ["a", "b", "conv3x3", "conv3x3", "identity"]


def test_a_straight_chain_is_straight() -> None:
    graph = Graph(tuple(Node(str(i)) for i in range(4)), tuple(Edge(i, i + 1) for i in range(3)))
    assert len({box[0] + box[2] for box in assert_readable(graph).nodes}) == 1
    assert "c" not in "".join(re.findall(r'class="e" d="([^"]*)"', draw_graph(graph)))


def test_two_cells_stand_side_by_side_with_titles() -> None:
    space = ConvCellSpace()
    picture = assert_readable(space.graph(space.sample(np.random.default_rng(0))))
    assert picture.titles == ["normal", "reduction"]
    assert picture.panels[0][2] < picture.panels[1][0]


def test_a_crossing_that_can_be_avoided_is() -> None:
    graph = Graph(tuple(Node(str(i)) for i in range(4)), (Edge(0, 3), Edge(1, 2)))
    left, right, below_right, below_left = (box[0] for box in assert_readable(graph).nodes)
    assert (left < right) == (below_left < below_right)


def test_labels_are_escaped_cut_and_cleaned() -> None:
    graph = Graph((Node("<&\"'>\x00", "a<b"), Node("x" * 100, "a<b", "output")), (Edge(0, 1, "]]>\ud800"),))
    picture = Picture(draw_graph(graph))
    assert {text for _, _, text in picture.labels} == {"<&\"'>\ufffd", "x" * 47 + "…", "]]>\ufffd"}
    assert picture.titles == ["a<b"]


def test_wide_letters_get_room() -> None:
    narrow, wide = (Picture(draw_graph(Graph((Node(text),), ()))).nodes[0] for text in ("widely", "宽度宽度宽度"))
    assert wide[2] - wide[0] > 1.5 * (narrow[2] - narrow[0])


def test_it_says_what_it_shows_without_eyes() -> None:
    graph = Graph((Node("i", "cell"), Node("o", "cell"), Node("alone", "rest")), (Edge(0, 1, "conv3x3"),) * 2)
    root = ET.fromstring(draw_graph(graph))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "cell: 2 nodes, 2 conv3x3; rest: 1 node"
    assert root.findtext(f"{SVG}title") == "cell, rest"


def test_an_empty_graph() -> None:
    root = ET.fromstring(draw_graph(Graph((), ())))
    assert root.attrib["aria-label"] == "empty graph"


def test_it_needs_nothing_from_outside() -> None:
    space = ConvCellSpace()
    text = space.draw(space.sample(np.random.default_rng(0)))
    assert not re.search(r"url\(|href|<script|@import|<image", text)
    assert STYLE in text
    assert STYLE not in draw_graph(space.graph(space.sample(np.random.default_rng(0))), styled=False)


@pytest.mark.parametrize(
    ("label", "family"),
    [
        ("conv3x3", "conv"), ("nor_conv_1x1", "conv"), ("sep_conv5x5", "sep"), ("dil_conv3x3", "dil"),
        ("max_pool2x2", "max"), ("avg_pool_3x3", "avg"), ("skip_connect", "skip"), ("identity", "skip"),
        ("tanh", "tanh"), ("relu", "relu"), ("sigmoid", "sigmoid"), ("softplus", "other"),
    ],
)  # fmt: skip
def test_operations_are_told_apart_by_colour(label: str, family: str) -> None:
    assert operation_family(label) == family
    assert f'class="o {family}"' in draw_graph(Graph((Node("a"), Node("b")), (Edge(0, 1, label),)))
    assert f".naopt-graph .{family}{{stroke:#" in STYLE
