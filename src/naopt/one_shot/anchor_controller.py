"""The controller of ENAS' programs: it chooses earlier nodes by attention over their states.

Shapes: N architectures, T positions, C most choices of a position, D hidden size, m earlier nodes of a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from naopt.latent.controller import RecurrentController, State, drawn
from naopt.latent.vocabulary import START, Vocabulary
from naopt.one_shot.bounds import Bounds
from naopt.one_shot.decisions import CellDecisions, NodeDecisions, decisions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.spaces import SearchSpace, Tokens

    Ints = NDArray[np.int64]
    Decide = Callable[[int, Tensor], Ints]
    """From a position and its logits ``(N, choices)`` to a token each ``(N,)``."""

FAVOURED = "sep_conv"
"""Operations whose names begin so are favoured: in the program for cells the first two of its five."""

_INITIAL_RANGE = 0.1
"""Weights start uniform in +-0.1, as in the programs."""
_NEAR = 0.1
"""What keeps an anchor finite that is divided by its distance."""


class AnchorController(RecurrentController):
    """Earlier nodes are chosen by attention over anchors, the states that belong to them; operations by a softmax.

    Pham et al. 2018, as their programs have it. An LSTM without biases makes one step before each decision. Its input
    is what was decided last: a learned start word, the anchor of the node that was chosen, or the embedding of an
    operation. With its new output h, of the last layer,

        logits of earlier nodes: v . tanh(W1 k + W2 h) for each earlier node's key state k,
        logits of operations:    W h + b,

    both bounded (``Bounds``) and masked to what is valid.

    Cells (``micro_controller.py``): one step on the start word for each of the two given inputs, whose outputs are
    their keys; their anchors are zero vectors. Then for each node, from the start word on, both inputs, both
    operations, and one more step, whose output is the node's anchor and key. ``b`` is learned, from ``operation_bias``
    for favoured operations and 0 for the others. In the first cell only, ``fixed_bias`` is added to the bounded logits
    of favoured operations and taken from those of the others. The second cell goes on from the state at the end of the
    first, without its anchors.

    Recurrent cells, or any in which each node has one predecessor (``ptb_enas_controller.py``): a node's anchor and key
    is the output of the step before its predecessor is chosen. A distance of d nodes takes ``d^2 / distance_scale`` off
    the logit, and the chosen anchor is divided by 0.1 + d before it is read. The next node begins with the embedding
    of the operation. There is no ``b``.

    What the programs do not say, and is ours: node 0 of a recurrent cell, whose activation is not searched, is a step
    on the start word and node 1 begins with another; operations that are named by two tokens are decided one after the
    other; favoured are operations by their name (``FAVOURED``), not the first two; positions without a place in a cell
    (``naopt.spaces.Place``) are decided as they stand, each after a step on the last choice, and in a space of such
    only (NAS-Bench-201) there are no anchors: what remains is an LSTM with a softmax. A whole architecture is read
    (``encode``) when its last choice is.

    Args:
        space: of the architectures.
        hidden_size: D, of the LSTM and of its embeddings.
        layers: of the LSTM.
        bounds: of the logits.
        operation_bias: see above; 10 in the program for cells.
        fixed_bias: see above; 0.25 there.
        distance_scale: see above; 6 in the program for recurrent cells, 0 for no influence on the logits.
    """

    def __init__(
        self,
        space: SearchSpace,
        hidden_size: int,
        layers: int,
        *,
        bounds: Bounds,
        operation_bias: float = 0.0,
        fixed_bias: float = 0.0,
        distance_scale: float = 0.0,
    ) -> None:
        super().__init__(space)
        self.vocabulary = Vocabulary(space)
        self.cells, self.bounds, self.distance_scale = decisions(space), bounds, distance_scale
        self.embedding = nn.Embedding(self.vocabulary.size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, layers, bias=False, batch_first=True)
        self.output = nn.Linear(hidden_size, self.vocabulary.size)
        self.of_key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.of_query = nn.Linear(hidden_size, hidden_size, bias=False)
        self.attention = nn.Linear(hidden_size, 1, bias=False)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_INITIAL_RANGE, _INITIAL_RANGE)
        favoured = _favoured(self.vocabulary)
        with torch.no_grad():
            self.output.bias.copy_(operation_bias * (favoured > 0))
        self.register_buffer("fixed", fixed_bias * favoured, persistent=False)

    @property
    def order(self) -> tuple[int, ...]:
        """Node by node, what refers to earlier ones first."""
        return tuple(index for cell in self.cells for node in cell.nodes for index in node.order)

    # Scoring.

    def logits(self, tokens: Ints, initial: State | None = None) -> Tensor:
        """See ``Controller``; from an initial state (zeros by default)."""
        return self._read(tokens, initial)[0]

    def encode(self, tokens: Ints) -> State:
        """See ``RecurrentController``."""
        return self._read(tokens, None)[1]

    def log_probability(self, tokens: Ints, initial: State) -> Tensor:
        """See ``RecurrentController``."""
        return self._scored(tokens, self.logits(tokens, initial))[0]

    def _read(self, tokens: Ints, initial: State | None) -> tuple[Tensor, State]:
        found: dict[int, Tensor] = {}

        def given(position: int, logits: Tensor) -> Ints:
            found[position] = nn.functional.pad(logits, (0, self.most_choices - logits.shape[1]))
            row: Ints = tokens[:, position]
            return row

        state = _Writing(self, len(tokens), initial).write(given)
        return torch.stack([found[index] for index in range(len(found))], dim=1), state

    # Writing.

    def sample(self, count: int, rng: np.random.Generator) -> list[Tokens]:
        """See ``Controller``."""
        return [tuple(row) for row in self._drawn(self._nothing(count), None, rng).tolist()]

    def decode(self, state: State, count: int, rng: np.random.Generator) -> Ints:
        """See ``RecurrentController``."""
        hidden, cell = (part.repeat_interleave(count, dim=1) for part in state)
        written = self._drawn(self._nothing(hidden.shape[1]), (hidden, cell), rng)
        return written.reshape(-1, count, self.vocabulary.length)

    def continued(self, decided: Ints, count: int, rng: np.random.Generator) -> Ints:
        """See ``RecurrentController``; the anchors of what was decided are part of what it goes on from."""
        written = self._drawn(decided.repeat(count, axis=0), None, rng)
        return written.reshape(len(decided), count, self.vocabulary.length)

    def _nothing(self, count: int) -> Ints:
        return np.zeros((count, 0), dtype=np.int64)

    @torch.no_grad()
    def _drawn(self, decided: Ints, initial: State | None, rng: np.random.Generator) -> Ints:
        """Whole sequences ``(N, T)`` that begin as decided ``(N, t)``, in the controller's order."""
        tokens = np.zeros((len(decided), self.vocabulary.length), dtype=np.int64)
        first = {position: decided[:, index] for index, position in enumerate(self.order[: decided.shape[1]])}

        def decide(position: int, logits: Tensor) -> Ints:
            if position in first:
                tokens[:, position] = first[position]
            else:
                tokens[:, position] = drawn(logits, self._valid(tokens, position), rng)
            row: Ints = tokens[:, position]
            return row

        _Writing(self, len(decided), initial).write(decide)
        return tokens

    def _valid(self, tokens: Ints, position: int) -> NDArray[np.bool_]:
        """Valid choices ``(N, choices)``: all of them where nodes are chosen; before others all is decided."""
        declared = self.space.positions[position]
        if declared.place is not None and declared.place.refers:
            return np.ones((len(tokens), len(declared.choices)), dtype=np.bool_)
        return self.space.choice_mask(tokens[:, :position])

    # Parts of a step.

    def start(self, count: int) -> Tensor:
        """The start word for each ``(N, D)``."""
        return self.embedding.weight[START].expand(count, -1)

    def reference_logits(self, keys: Tensor, output: Tensor, distances: Tensor | None) -> Tensor:
        """``(N, m)`` from mapped keys ``(N, m, D)`` and output ``(N, D)``; with distances ``(m,)`` in a tree."""
        logits: Tensor = self.attention((keys + self.of_query(output)[:, None]).tanh()).squeeze(-1)
        logits = self.bounds.references(logits)
        if distances is None or not self.distance_scale:
            return logits
        return logits - distances**2 / self.distance_scale

    def operation_logits(self, position: int, output: Tensor, *, tree: bool, first: bool) -> Tensor:
        """``(N, choices)``; without ``b`` in a tree, with the fixed bias in the first cell."""
        words = torch.from_numpy(self.vocabulary.choice_words(position))
        bias = None if tree else self.output.bias[words]
        logits = self.bounds.operations(nn.functional.linear(output, self.output.weight[words], bias))
        fixed = self.fixed
        assert isinstance(fixed, Tensor)
        return logits + fixed[words] if first else logits


class _Writing:
    """N architectures while they are decided: the LSTM's state, and what it reads next."""

    def __init__(self, controller: AnchorController, count: int, initial: State | None) -> None:
        self.controller, self.count, self.state = controller, count, initial
        self.next = controller.start(count)

    def write(self, decide: Decide) -> State:
        """All decisions; gives the state at the end."""
        for index, cell in enumerate(self.controller.cells):
            if not cell.placed:
                for node in cell.nodes:
                    self._operations(node, decide)
            elif cell.tree:
                self._tree(cell, decide)
            else:
                self._cell(cell, decide, first=not index)
        last = self.controller.cells[-1]
        if last.tree or not last.placed:
            self._step()
        assert self.state is not None
        return self.state

    def _cell(self, cell: CellDecisions, decide: Decide, *, first: bool) -> None:
        self.next = self.controller.start(self.count)
        keys = [self.controller.of_key(self._step()) for _ in range(cell.given)]
        anchors = [torch.zeros_like(self.next) for _ in range(cell.given)]
        for node in cell.nodes:
            for position in node.references:
                logits = self.controller.reference_logits(torch.stack(keys, dim=1), self._step(), None)
                self.next = _chosen(anchors, decide(position, logits))
            self._operations(node, decide, first=first)
            anchors.append(self._step())
            keys.append(self.controller.of_key(anchors[-1]))
            self.next = self.controller.start(self.count)

    def _tree(self, cell: CellDecisions, decide: Decide) -> None:
        self.next = self.controller.start(self.count)
        anchors = [self._step() for _ in range(cell.given)]
        keys = [self.controller.of_key(anchor) for anchor in anchors]
        for node in cell.nodes:
            output = self._step()
            distances = torch.arange(len(anchors), 0, -1, dtype=output.dtype)
            logits = self.controller.reference_logits(torch.stack(keys, dim=1), output, distances)
            chosen = decide(node.references[0], logits)
            away = distances[torch.from_numpy(chosen)]
            self.next = _chosen(anchors, chosen) / (_NEAR + away)[:, None]
            anchors.append(output)
            keys.append(self.controller.of_key(output))
            self._operations(node, decide, tree=True)

    def _operations(self, node: NodeDecisions, decide: Decide, *, tree: bool = False, first: bool = False) -> None:
        words = self.controller.vocabulary.words
        for position in node.operations:
            logits = self.controller.operation_logits(position, self._step(), tree=tree, first=first)
            chosen = decide(position, logits)
            self.next = self.controller.embedding(torch.from_numpy(words[position, chosen]))

    def _step(self) -> Tensor:
        """Reads the next input; gives the output ``(N, D)`` of the last layer."""
        output, self.state = self.controller.lstm(self.next[:, None], self.state)
        found: Tensor = output[:, 0]
        return found


def _chosen(anchors: list[Tensor], chosen: Ints) -> Tensor:
    """The anchors ``(N, D)`` of the chosen nodes ``(N,)``."""
    return torch.stack(anchors, dim=1)[torch.arange(len(chosen)), torch.from_numpy(chosen)]


def _favoured(vocabulary: Vocabulary) -> Tensor:
    """By word ``(words,)``: 1 for favoured operations, -1 for those that stand beside one, 0 for all else."""
    found = torch.zeros(vocabulary.size)
    for index, position in enumerate(vocabulary.space.positions):
        favoured = [choice.startswith(FAVOURED) for choice in position.choices]
        if any(favoured):
            words = torch.from_numpy(vocabulary.choice_words(index))
            found[words] = torch.where(torch.tensor(favoured), 1.0, -1.0)
    return found
