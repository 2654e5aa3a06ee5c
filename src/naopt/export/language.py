"""What the PyTorch files of all language models have in common, and those of LSTM and GRU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from naopt.export.facts import LanguageFacts, names_json
from naopt.export.source import NetworkSource
from naopt.networks.language_model import LanguageModel
from naopt.networks.recurrent_cells import GRU, LSTM, TreeCell
from naopt.spaces import RecurrentBaselineSpace

_NETWORK = '''\
class Network(nn.Module):
    """Embedding, one recurrent layer, and the embedding again as decoder."""

    words: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, SIZE)
        self.cell = Cell(SIZE)
        self.bias = nn.Parameter(torch.zeros(WORDS))

    def begin(self, batch: int) -> Tensor:
        """The state (n, SHAPE) before the first word."""
        return self.bias.new_zeros(batch, SIZES)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, t, words) of the word after each of (n, t), and the last state."""
        logits = []
        for x in self.embedding(tokens).unbind(1):
            state = self.cell(x, state)
            logits.append(F.linear(OUTPUT, self.embedding.weight, self.bias))
        return torch.stack(logits, 1), state'''

_USAGE = '''\
def predict(network: Network, text: str, count: int = 5) -> list[tuple[str, float]]:
    """The likeliest words after a text; what the network does not know is "<unk>"."""
    known = {word: index for index, word in enumerate(network.words)}
    words = [word if word in known else "<unk>" for word in text.split()]
    tokens = torch.tensor([[known[word] for word in words or ["<eos>"]]])
    with torch.inference_mode():
        logits, _ = network(tokens, network.begin(1))
    probabilities, indices = logits[0, -1].softmax(0).topk(count)
    found = [network.words[index] for index in indices.tolist()]
    return list(zip(found, probabilities.tolist(), strict=True))'''

_LSTM = '''\
class Cell(nn.Module):
    """Long short-term memory; the state (n, 2, h) is the output and the memory."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gates = nn.Linear(2 * size, 4 * size)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """The state after an embedded word (n, h)."""
        h, memory = state.unbind(1)
        take, keep, show, new = self.gates(torch.cat((x, h), 1)).chunk(4, 1)
        memory = keep.sigmoid() * memory + take.sigmoid() * new.tanh()
        return torch.stack((show.sigmoid() * memory.tanh(), memory), 1)'''

_GRU = '''\
class Cell(nn.Module):
    """Gated recurrent unit; the reset gate comes after the product."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.of_input = nn.Linear(size, 3 * size)
        self.of_state = nn.Linear(size, 3 * size, bias=False)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """The output (n, h), from an embedded word and the output before."""
        reset, keep, new = self.of_input(x).chunk(3, 1)
        also_reset, also_keep, old = self.of_state(h).chunk(3, 1)
        new = torch.tanh(new + torch.sigmoid(reset + also_reset) * old)
        return torch.lerp(new, h, torch.sigmoid(keep + also_keep))'''


def language_source(facts: LanguageFacts, cell: str, *, tensors: int = 1) -> NetworkSource:
    """The source of a language model.

    Args:
        facts: what it is.
        cell: the class ``Cell``.
        tensors: how many ``(n, h)`` its state has; the first is the output.
    """
    shape, sizes, output = ("h", "SIZE", "state") if tensors == 1 else ("2, h", "2, SIZE", "state[:, 0]")
    network = _NETWORK.replace("SHAPE", shape).replace("SIZES", sizes).replace("OUTPUT", output)
    perplexity = facts.test_perplexity
    return NetworkSource(
        summary="Word-level language model",
        figure="" if perplexity is None else f"Test perplexity: {perplexity:.2f}.",
        example=("next_words = predict(network, text)",),
        constants=(f"WORDS = {len(facts.words)}", f"SIZE = {facts.hidden_size}  # of embedding and state"),
        code=f"{cell}\n\n\n{network}",
        usage=_USAGE,
        convert=language_weights,
        header={"words": names_json(facts.words)},
        loaded=("network.words = read_words(path)",),
    )


def write_baseline(space: RecurrentBaselineSpace, facts: LanguageFacts) -> NetworkSource:
    """LSTM or GRU."""
    if space.cell(facts.architecture) == "lstm":
        return language_source(facts, _LSTM, tensors=2)
    return language_source(facts, _GRU)


def language_weights(network: nn.Module) -> dict[str, Tensor]:
    """A language model's weights by their names in the file, matrices as ``(outputs, inputs)``."""
    assert isinstance(network, LanguageModel)
    cell = network.cell
    weights: dict[str, Tensor] = {"embedding.weight": network.embedding, "bias": network.bias}
    if isinstance(cell, TreeCell):
        weights["cell.node0.weight"] = torch.cat((cell.input_weight, cell.state_weight)).t()
        for node in range(1, len(cell.spec.nodes) + 1):
            weights[f"cell.node{node}.weight"] = cell.node_weight(node).t()
    elif isinstance(cell, LSTM):
        weights["cell.gates.weight"] = torch.cat((cell.input_weight, cell.state_weight)).t()
        weights["cell.gates.bias"] = cell.bias
    else:
        assert isinstance(cell, GRU)
        weights["cell.of_input.weight"], weights["cell.of_input.bias"] = cell.input_weight.t(), cell.bias
        weights["cell.of_state.weight"] = cell.state_weight.t()
    return {name: tensor.detach() for name, tensor in weights.items()}
