"""Cells of NAS-Bench-101 as numbers: columns, canonical order, counts and changes.

A cell's vertices are 0 (input), 1 .. n (inner) and the output. A *column* says what goes into one vertex and what it
does: ``key = code << 2 | operation``, where ``code`` has bit ``5 - u`` set if vertex ``u`` is an input. So the order of
keys is the lexicographic order of the tokens that they stand for. A cell in token order is six keys: five inner
vertices (0 for one that is absent) and the output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import comb

INNER, EDGES, KINDS = 5, 9, 3
"""Most inner vertices, most edges, and how many operations there are (Ying et al. 2019, section 2.1)."""
OPERATIONS = ("conv3x3", "conv1x1", "maxpool3x3")
OUTPUT = INNER + 1
OFFSETS = tuple(sum(range(2, column + 1)) for column in range(1, OUTPUT + 1))
"""Where the tokens of columns 1 .. 6 start: ``j`` edge tokens, then the operation."""
LENGTH = OFFSETS[-1] + OUTPUT + 1
"""27 tokens."""

Keys = tuple[int, ...]
_CACHED = 2**16


def bit(vertex: int) -> int:
    """The bit of a vertex in a code."""
    return 1 << (INNER - vertex)


def column_tokens(column: int, key: int) -> tuple[int, ...]:
    """The tokens that a key stands for in a column."""
    return (*(int(bool(key >> 2 & bit(source))) for source in range(column)), key & 3)


def _columns(column: int) -> dict[tuple[int, ...], int]:
    codes = [sum(bit(u) for u in range(column) if bits >> u & 1) for bits in range(2**column)]
    operations = range(KINDS + 1) if column < OUTPUT else range(1)
    return {column_tokens(column, code << 2 | kind): code << 2 | kind for code in codes for kind in operations}


_KEYS = tuple(_columns(column) for column in range(1, OUTPUT + 1))
_TOKENS = tuple({key: tokens for tokens, key in columns.items()} for columns in _KEYS)
_SPANS = tuple(slice(start, start + column + 1) for column, start in enumerate(OFFSETS, 1))


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell without dead ends; its inner vertices 1 .. n may be numbered in any way.

    Attributes:
        inputs: per inner vertex a set of vertices, bit ``u`` for vertex ``u``.
        kinds: per inner vertex its operation, 1 .. 3.
        output: the set of vertices that the output joins.
    """

    inputs: tuple[int, ...]
    kinds: tuple[int, ...]
    output: int

    @property
    def edges(self) -> int:
        """How many edges the cell has."""
        return sum(mask.bit_count() for mask in (*self.inputs, self.output))


def keys_of(tokens: Sequence[int]) -> Keys | None:
    """The six keys of a token sequence; ``None`` if a token or their number is out of range."""
    tokens = tuple(tokens)
    if len(tokens) != LENGTH:
        return None
    try:
        return tuple(columns[tokens[span]] for columns, span in zip(_KEYS, _SPANS, strict=True))
    except KeyError:
        return None


def tokens_of(keys: Sequence[int]) -> tuple[int, ...]:
    """The 27 tokens of six keys."""
    return tuple(token for columns, key in zip(_TOKENS, keys, strict=True) for token in columns[key])


def valid_keys(keys: Keys) -> bool:
    """Whether absent vertices come last, every vertex lies on a path from input to output, and edges are at most 9."""
    used = edges = vertices = 0
    for vertex, key in enumerate(keys[:INNER], 1):
        code, kind = key >> 2, key & 3
        if bool(code) != bool(kind):
            return False
        if code:
            if vertices != vertex - 1:
                return False
            vertices = vertex
            used |= code
            edges += code.bit_count()
    used |= keys[INNER] >> 2
    return edges + (keys[INNER] >> 2).bit_count() <= EDGES and used == 63 & ~(bit(vertices) - 1)


def cell_of(keys: Keys) -> Cell:
    """The cell that valid keys stand for."""
    present = [key for key in keys[:INNER] if key]
    masks = [sum(1 << u for u in range(OUTPUT) if key >> 2 & bit(u)) for key in (*present, keys[INNER])]
    return Cell(tuple(masks[:-1]), tuple(key & 3 for key in present), masks[-1])


class _Orders:
    """Numberings of a cell's inner vertices in which inputs come first, as keys."""

    def __init__(self, cell: Cell) -> None:
        self.masks = (*cell.inputs, cell.output)
        self.kinds = cell.kinds
        self.consumers = [
            tuple(mask >> vertex & 1 for mask in self.masks) for vertex in range(1, len(cell.kinds) + 1)
        ]  # fmt: skip

    def first(self) -> Keys:
        """The lexicographically smallest numbering."""
        return min(self._extend((), 1, [bit(0) if mask & 1 else 0 for mask in self.masks], True))

    def every(self) -> list[Keys]:
        """All distinct numberings, ascending."""
        return sorted(set(self._extend((), 1, [bit(0) if mask & 1 else 0 for mask in self.masks], False)))

    def _extend(self, keys: Keys, placed: int, codes: list[int], smallest: bool) -> Iterator[Keys]:
        slot = len(keys) + 1
        if slot > len(self.kinds):
            yield (*keys, *[0] * (INNER - len(keys)), codes[-1] << 2)
            return
        ready = [
            (codes[index] << 2 | kind, index)
            for index, kind in enumerate(self.kinds)
            if not placed >> index + 1 & 1 and not self.masks[index] & ~placed
        ]
        if smallest:
            least = min(ready)[0]
            # Vertices with equal columns and equal consumers are twins: exchanging them changes nothing.
            ready = list({self.consumers[index]: (key, index) for key, index in ready if key == least}.values())
        for key, index in ready:
            codes_now = [
                code | bit(slot) if mask >> index + 1 & 1 else code
                for code, mask in zip(codes, self.masks, strict=True)
            ]
            yield from self._extend((*keys, key), placed | 2 << index, codes_now, smallest)


@lru_cache(maxsize=_CACHED)
def canonical_tokens(cell: Cell) -> tuple[int, ...]:
    """The smallest token sequence of all cells isomorphic to this one, input and output being fixed."""
    return tokens_of(_Orders(cell).first())


@lru_cache(maxsize=_CACHED // 4)
def numberings(cell: Cell) -> tuple[tuple[int, ...], ...]:
    """The distinct token sequences of a cell, ascending; at most 5! of them."""
    return tuple(map(tokens_of, _Orders(cell).every()))


@cache
def completions(vertex: int, edges: int, loose: int) -> int:
    """Number of ways to go on before column ``vertex``, all inner vertices below it being there.

    ``edges`` are spent, and ``loose`` of the vertices 0 .. vertex - 1 feed nothing yet.
    """
    ways = _endings(vertex, edges, loose)
    if vertex <= INNER:
        for served in range(loose + 1):
            for extra in range(vertex - loose + 1):
                after = (vertex + 1, edges + served + extra, loose - served + 1)
                if served + extra and after[1] + after[2] <= EDGES:
                    ways += comb(loose, served) * comb(vertex - loose, extra) * KINDS * completions(*after)
    return ways


def _endings(vertex: int, edges: int, loose: int) -> int:
    """Number of output columns if there are no more inner vertices: all loose ones, and any of the others."""
    return sum(comb(vertex - loose, extra) for extra in range(EDGES - edges - loose + 1))


@cache
def continuations(vertex: int, edges: int, used: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Keys of inner column ``vertex`` and how many sequences they begin, added up; key 0 ends the inner vertices.

    ``used`` is the code of the vertices that feed something.
    """
    total = _endings(vertex, edges, vertex - used.bit_count())
    keys, totals = [0], [total]
    for key in sorted(_TOKENS[vertex - 1]):
        code, spent = key >> 2, edges + (key >> 2).bit_count()
        loose = vertex + 1 - (used | code).bit_count()
        if code and key & 3 and spent + loose <= EDGES:
            total += completions(vertex + 1, spent, loose)
            keys.append(key)
            totals.append(total)
    return tuple(keys), tuple(totals)


@cache
def endings(vertex: int, edges: int, used: int) -> tuple[int, ...]:
    """Keys of the output column if the vertices are 0 .. vertex - 1; arguments as for ``continuations``."""
    everyone = 63 & ~(bit(vertex - 1) - 1)
    return tuple(
        key
        for key in sorted(_TOKENS[INNER])
        if (key >> 2 | used) == everyone and edges + (key >> 2).bit_count() <= EDGES
    )


def changes(cell: Cell) -> list[Cell]:
    """The cells one change away: an operation, an edge, or a vertex with one input and one consumer.

    Edges come and go where no dead end and no cycle results. Such a vertex comes between any two others, on an edge
    or beside it, and goes with its edges, leaving one in their place or not. Every change can be taken back.
    """
    vertices, kinds = len(cell.kinds), cell.kinds
    masks, end = [0, *cell.inputs, cell.output], len(cell.kinds) + 1
    outputs = [sum(masks[v] >> u & 1 for v in range(1, end + 1)) for u in range(end)]
    above = [0] * (end + 1)  # ancestors; the cell is numbered so that inputs come first
    for v in range(1, end + 1):
        above[v] = masks[v]
        for u in range(1, v):
            if masks[v] >> u & 1:
                above[v] |= above[u]
    found = [
        Cell(cell.inputs, (*kinds[:v], kind, *kinds[v + 1 :]), cell.output)
        for v in range(vertices)
        for kind in range(1, KINDS + 1)
        if kind != kinds[v]
    ]

    def built(new: Sequence[int], new_kinds: Sequence[int] = kinds) -> Cell:
        return Cell(tuple(new[1:-1]), tuple(new_kinds), new[-1])

    def toggled(*edges: tuple[int, int]) -> list[int]:
        new = masks.copy()
        for u, v in edges:
            new[v] ^= 1 << u
        return new

    edges = cell.edges
    for u in range(end):
        for v in range(1, end + 1):
            if u == v or (u <= vertices and v <= vertices and above[u] >> v & 1):
                continue
            joined = masks[v] >> u & 1
            if joined and outputs[u] > 1 and masks[v].bit_count() > 1:
                found.append(built(toggled((u, v))))
            if not joined and edges < EDGES:
                found.append(built(toggled((u, v))))
            if vertices == INNER:
                continue
            for split in range(joined + 1):
                if edges + 2 - split <= EDGES:
                    new = toggled((u, v)) if split else masks.copy()
                    new[v] |= 1 << end  # the new vertex takes the output's number
                    new.insert(end, 1 << u)
                    found += [built(new, (*kinds, kind)) for kind in range(1, KINDS + 1)]
    for w in range(1, end):
        if outputs[w] == 1 and masks[w].bit_count() == 1:
            u = masks[w].bit_length() - 1
            v = next(v for v in range(1, end + 1) if masks[v] >> w & 1)
            bridges = [(w, v)], [(w, v), (u, v)]
            allowed = outputs[u] > 1 and masks[v].bit_count() > 1, not masks[v] >> u & 1
            for edges_changed, ok in zip(bridges, allowed, strict=True):
                if ok:
                    new = toggled(*edges_changed)
                    del new[w]
                    low = (1 << w) - 1
                    new = [mask & low | mask >> 1 & ~low for mask in new]
                    found.append(built(new, (*kinds[: w - 1], *kinds[w:])))
    return found
