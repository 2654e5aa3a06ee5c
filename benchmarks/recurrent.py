"""Training speed of NAO's recurrent cell: ours, the straightforward version, the matrix products alone, a supernet.

``python -m benchmarks.recurrent [--json] [--threads 2] [--sizes 128,300] [--repeats 10] [--cpu-time]``

One training step is forward, backward, clipping and SGD on 64 sequences of 35 words from a vocabulary of 10,000, for
the cell that NAO published for PTB, with the dropouts of its final training. What is compared is timed in turn, in one
process; of each the shortest time counts, as other work on the machine only ever makes it longer.

Products alone: those of the straightforward version, each by ``torch.mm`` into memory that is there already; and those
that ours really does, recorded from a step and repeated on random factors of the same shapes and strides.

Supernet: a step on the path of the same cell with shared weights, whose nodes are numbered otherwise in every step, so
that each step is on another path, as in a search.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor

from benchmarks.reference_recurrent import chunk_loss
from naopt.memory import keep_freed_memory
from naopt.networks import language_loss, recurrent_chunk
from naopt.networks.language_loss import decoder_loss
from naopt.networks.language_model import LanguageModel
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.recurrent_cells import TreeCell
from naopt.networks.supernet_recurrent import build_shared_language_model
from naopt.one_shot.optimiser import PathSGD
from naopt.products import times_transposed
from naopt.spaces.recurrent_cell import RecurrentCellSpace, RecurrentSpec

BATCH, STEPS, WORDS = 64, 35, 10_000
NAO_PTB = RecurrentSpec(
    (
        (0, "relu"), (0, "relu"), (1, "relu"), (3, "tanh"), (4, "relu"), (4, "relu"), (5, "relu"), (1, "relu"),
        (7, "relu"), (1, "relu"), (1, "identity"),
    )
)  # fmt: skip
DROPOUTS = {"embedding_dropout": 0.2, "input_dropout": 0.75, "state_dropout": 0.25, "output_dropout": 0.75}
CLIP, RATE = 0.25, 20.0


class Subject:
    """A model of one width with a chunk of text, and everything of it that is timed."""

    def __init__(self, size: int) -> None:
        torch.manual_seed(0)
        settings = LanguageNetworkSettings.parse(DROPOUTS)
        self.model = LanguageModel(TreeCell(NAO_PTB, size, settings), WORDS, settings)
        self.tokens, self.targets = (torch.randint(WORDS, (STEPS, BATCH)) for _ in range(2))
        self.state = self.model.begin(BATCH)
        self.parameters = list(self.model.parameters())
        self.optimizer = torch.optim.SGD(self.parameters, RATE, fused=True)
        self.size = size
        self.plain = Plain(self.model)
        self.gaps = self.difference()
        with recorded() as products:
            self.step()
        self.decoder_products = [p for p in products if WORDS in (*p[0].shape, *p[1].shape)]
        self.cell_products = [p for p in products if WORDS not in (*p[0].shape, *p[1].shape)]
        self.embedded = torch.randn(STEPS, BATCH, size)
        self.mask = torch.empty(BATCH, size).bernoulli_(0.75).div_(0.75)
        self.hidden = torch.randn(STEPS * BATCH, size, requires_grad=True)
        self.upstream = torch.randn(STEPS, BATCH, size)
        space = RecurrentCellSpace()
        self.supernet = build_shared_language_model(space, settings.model_copy(update={"hidden_size": size}), WORDS)
        self.shared_optimizer = PathSGD(self.supernet.parameters(), RATE, fused=True)
        self.supernet.numbering = "written"  # so that each spelling is another path
        spellings = islice(space.symmetries(space.from_cell(NAO_PTB).tokens), 7)
        self.paths = cycle([self.supernet.path(space.architecture(tokens)) for tokens in spellings])

    def step(self) -> None:
        """One training step of ours."""
        self.optimizer.zero_grad()
        self.model.loss(self.tokens, self.targets, self.state).cross_entropy.backward()  # type: ignore[no-untyped-call]
        self.update()

    def supernet_step(self) -> None:
        """One training step of the supernet."""
        self.supernet.choose(next(self.paths))
        self.supernet.loss(self.tokens, self.targets, self.state).cross_entropy.backward()  # type: ignore[no-untyped-call]
        path = self.supernet.path_parameters()
        torch.nn.utils.clip_grad_norm_(path, CLIP, foreach=True)
        self.shared_optimizer.step_on(path)

    def update(self) -> None:
        """Clipping and SGD."""
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP, foreach=True)
        self.optimizer.step()

    def plain_step(self) -> None:
        """One training step of the straightforward version."""
        self.plain.step(self.tokens, self.targets)

    def cell(self) -> None:
        """Forward and backward pass of the cell."""
        outputs = self.model.cell(self.embedded, self.state, None, self.mask)[0]
        torch.autograd.grad(outputs, list(self.model.cell.parameters()), self.upstream)

    def decoder(self) -> None:
        """Decoder with softmax and cross entropy, gradients included."""
        loss = decoder_loss(self.hidden, self.model.embedding, self.model.bias, self.targets.flatten())
        torch.autograd.grad(loss, [self.hidden, self.model.embedding, self.model.bias])

    def own_cell_products(self) -> None:
        """The products that the cell does."""
        for factors in self.cell_products:
            times_transposed(*factors)

    def own_decoder_products(self) -> None:
        """The products that decoder and loss do."""
        for factors in self.decoder_products:
            times_transposed(*factors)

    def timed(self) -> dict[str, Callable[[], None]]:
        """Everything, by name."""
        return {
            "ours": self.step,
            "reference": self.plain_step,
            "supernet": self.supernet_step,
            "reference_products": self.plain.products(),
            "cell": self.cell,
            "cell_products": self.own_cell_products,
            "decoder": self.decoder,
            "decoder_products": self.own_decoder_products,
            "update": self.update,
        }

    def difference(self) -> tuple[float, float]:
        """Between the two versions, in evaluation: of the loss in nats, and of gradients relative to the largest."""
        self.model.eval()
        ours = self.model.loss(self.tokens, self.targets, self.state).cross_entropy
        own = torch.autograd.grad(ours, [self.model.embedding, self.model.bias])
        plain = Plain(self.model)
        theirs = plain.loss(self.tokens, self.targets, masked=False)
        others = torch.autograd.grad(theirs, [plain.embedding, plain.bias])
        self.model.train()
        gaps = [float((a - b).abs().max() / b.abs().max()) for a, b in zip(own, others, strict=True)]
        return abs(float(ours.detach()) - float(theirs.detach())), max(gaps)


class Plain:
    """The straightforward version with a model's weights."""

    def __init__(self, model: LanguageModel) -> None:
        cell = model.cell
        assert isinstance(cell, TreeCell)
        self.size = cell.size

        def leaf(weight: Tensor) -> Tensor:
            return weight.detach().clone().requires_grad_()

        self.embedding, self.bias = leaf(model.embedding), leaf(model.bias)
        self.first = leaf(torch.cat([cell.input_weight, cell.state_weight]))
        self.nodes = [leaf(cell.node_weight(node)) for node in range(1, len(NAO_PTB.nodes) + 1)]
        self.parameters = [self.embedding, self.bias, self.first, *self.nodes]
        self.optimizer = torch.optim.SGD(self.parameters, RATE)

    def loss(self, tokens: Tensor, targets: Tensor, *, masked: bool) -> Tensor:
        """Mean cross entropy of a chunk."""

        def mask(*shape: int, dropout: float) -> Tensor | None:
            return torch.empty(shape).bernoulli_(1 - dropout) / (1 - dropout) if masked else None

        masks = (
            mask(1, BATCH, self.size, dropout=DROPOUTS["embedding_dropout"]),
            mask(1, BATCH, self.size, dropout=DROPOUTS["output_dropout"]),
            mask(BATCH, self.size, dropout=DROPOUTS["input_dropout"]),
            mask(BATCH, self.size, dropout=DROPOUTS["state_dropout"]),
        )
        everything = tuple(range(1, len(NAO_PTB.nodes) + 1))
        hidden = torch.zeros(BATCH, self.size)
        weights = self.embedding, self.bias, self.first, self.nodes
        return chunk_loss(NAO_PTB.nodes, everything, True, tokens, targets, hidden, masks, *weights)[0]

    def step(self, tokens: Tensor, targets: Tensor) -> None:
        """One training step."""
        self.optimizer.zero_grad()
        self.loss(tokens, targets, masked=True).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimizer.step()

    def products(self) -> Callable[[], None]:
        """All products of a step, forward and backward, and nothing else."""
        size, nodes = self.size, len(NAO_PTB.nodes)
        # Rows of the first factor, its columns, columns of the second; and how often.
        shapes = [(BATCH, 2 * size, 2 * size, STEPS), (BATCH, size, 2 * size, STEPS * nodes)]
        shapes.append((STEPS * BATCH, size, WORDS, 1))
        kinds = []
        for rows, inner, columns, count in shapes:
            x, w, y = torch.rand(rows, inner), torch.rand(inner, columns), torch.rand(rows, columns)
            out = torch.empty_like(y), torch.empty_like(x), torch.empty_like(w)
            kinds.append((x, w, y, out, count))

        def run() -> None:
            for x, w, y, (forward, of_x, of_w), count in kinds:
                for _ in range(count):
                    torch.mm(x, w, out=forward)
                    torch.mm(y, w.t(), out=of_x)
                    torch.mm(x.t(), y, out=of_w)

        return run


@contextmanager
def recorded() -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Inside, the factors of our products are noted, as random ones of the same shapes and strides."""
    products: list[tuple[Tensor, Tensor]] = []

    def note(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
        first, second = (torch.empty_strided(x.shape, x.stride()).uniform_(-0.1, 0.1) for x in (a, b))
        products.append((first, second))
        return times_transposed(a, b, bias)

    modules: tuple[Any, ...] = recurrent_chunk, language_loss
    for module in modules:
        module.times_transposed = note
    try:
        yield products
    finally:
        for module in modules:
            module.times_transposed = times_transposed


def shortest(functions: dict[str, Callable[[], None]], repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Shortest time in seconds of each, called in turn."""
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            start = clock()
            function()
            best[name] = min(best[name], clock() - start)
    return best


def measure(size: int, repeats: int, clock: Callable[[], float]) -> dict[str, Any]:
    """All figures of one width."""
    subject = Subject(size)
    seconds = shortest(subject.timed(), repeats, clock)
    loss_gap, gradient_gap = subject.gaps
    own_products = seconds["cell_products"] + seconds["decoder_products"]
    parts = {
        "products of the cell": seconds["cell_products"],
        "rest of the cell": seconds["cell"] - seconds["cell_products"],
        "products of the decoder": seconds["decoder_products"],
        "softmax and cross entropy": seconds["decoder"] - seconds["decoder_products"],
        "clipping and SGD": seconds["update"],
        "embedding, masks, autograd": seconds["ours"] - seconds["cell"] - seconds["decoder"] - seconds["update"],
    }
    words = BATCH * STEPS
    return {
        "hidden_size": size,
        "words_per_second": {name: words / seconds[name] for name in ("ours", "reference", "supernet")},
        "words_per_second_of_products_alone": {
            "reference": words / seconds["reference_products"],
            "ours": words / own_products,
        },
        "times_as_fast_as_reference": seconds["reference"] / seconds["ours"],
        "supernet_rate_over_ours": seconds["ours"] / seconds["supernet"],
        "time_over_reference_products": seconds["ours"] / seconds["reference_products"],
        "time_over_own_products": seconds["ours"] / own_products,
        "reference_time_over_its_products": seconds["reference"] / seconds["reference_products"],
        "milliseconds": {name: 1e3 * value for name, value in seconds.items()},
        "breakdown_milliseconds": {name: 1e3 * value for name, value in parts.items()},
        "largest_difference": {"loss": loss_gap, "gradient_relative": gradient_gap},
    }


def describe(found: dict[str, Any]) -> str:
    """The figures for people."""
    speed, alone = found["words_per_second"], found["words_per_second_of_products_alone"]
    gaps, step = found["largest_difference"], found["milliseconds"]["ours"]
    lines = [
        f"hidden size {found['hidden_size']}",
        f"  ours {speed['ours']:,.0f} words/s, straightforward {speed['reference']:,.0f}: "
        f"{found['times_as_fast_as_reference']:.2f} times as fast",
        f"  a path of the supernet {speed['supernet']:,.0f} words/s, {found['supernet_rate_over_ours']:.2f} of ours",
        f"  products alone: straightforward {alone['reference']:,.0f} words/s, ours {alone['ours']:,.0f}",
        f"  our step takes {found['time_over_reference_products']:.2f} times the straightforward products, "
        f"{found['time_over_own_products']:.2f} times its own "
        f"(straightforward: {found['reference_time_over_its_products']:.2f})",
        f"  difference: loss {gaps['loss']:.1e} nats, gradients {gaps['gradient_relative']:.1e} of the largest",
        "  where the time goes:",
        *(
            f"    {name:28} {value:7.1f} ms  {100 * value / step:5.1f} %"
            for name, value in found["breakdown_milliseconds"].items()
        ),
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recurrent", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", default="128,300", help="hidden sizes, joined by commas")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--cpu-time", action="store_true", help="processor time, for a busy machine; one thread")
    options = parser.parse_args(arguments)
    if options.cpu_time:
        options.threads = 1
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    clock = time.process_time if options.cpu_time else time.perf_counter
    found = [measure(int(size), options.repeats, clock) for size in options.sizes.split(",")]
    facts = {"threads": options.threads, "torch": torch.__version__, "batch": BATCH, "steps": STEPS, "words": WORDS}
    text = json.dumps({**facts, "sizes": found}, indent=1) if options.json else "\n".join(map(describe, found))
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
