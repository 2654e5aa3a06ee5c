"""The second order of DARTS: how far its ways are from the exact gradient, and what they cost.

``python -m benchmarks.hypergradient [--space nasbench201] [--filters 4] [--epochs 2] [--batch 64] [--seconds 5]
[--json]``

A mixture is trained on ``digits``. Then the gradient of the validation loss for its logits is computed on one pair of
batches, with a virtual step as long as the learning rate: without unrolling (``first``), exactly in float32, and by
finite differences of several lengths, of which 0.01 is the published one. The reference is the exact gradient in
float64. Errors are norms of differences: as shares of the reference, and of what the second order adds to the first.
Times are the shortest of calls that take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.timing import shortest
from naopt.evaluators.workloads import create_workload
from naopt.one_shot.build import shared_data, shared_trainer
from naopt.one_shot.darts import DARTSSearcher, DARTSSettings
from naopt.one_shot.mixture_gradient import difference_gradient, exact_gradient, gradients, repeatable
from naopt.spaces import create_space

LENGTHS = (0.01, 0.001, 0.0001)
RATE = 0.025
"""The learning rate at the first step (Liu et al. 2019)."""


def trained(space: str, filters: int, epochs: int, batch: int) -> tuple[DARTSSearcher, Any]:
    """A searcher after its epochs, and its trainer."""
    torch.manual_seed(0)
    training = {"filters": filters, "cells_per_stage": 1, "batch_size": batch, "learning_rate": RATE}
    work, device = create_workload("digits", training), torch.device("cpu")
    found, settings = create_space(space), DARTSSettings(epochs=max(epochs, 1))
    data, _ = shared_data(found, work, settings, "cpu")
    searcher = DARTSSearcher(found, settings, seed=0)
    trainer = shared_trainer(data, searcher, work, device)
    if epochs:
        trainer.run()
    return searcher, trainer


def ways(
    searcher: DARTSSearcher, trainer: Any, batches: Sequence[tuple[Tensor, Tensor]]
) -> dict[str, Callable[[], list[Tensor]]]:
    """Gradients for the logits by name, at weights and logits as they stand."""
    train, valid = (partial(searcher.mixed_loss, trainer, batch) for batch in batches)
    weights = [weight for weight in trainer.network.parameters() if weight.requires_grad]
    rest = (train, valid, searcher.logits, weights, RATE, repeatable(torch.device("cpu")))
    found: dict[str, Callable[[], list[Tensor]]] = {
        "first": lambda: gradients(valid(), searcher.logits),
        "exact": partial(exact_gradient, *rest),
    }
    return found | {f"difference {length:g}": partial(difference_gradient, *rest, length=length) for length in LENGTHS}


def compare(space: str, filters: int, epochs: int, batch: int, seconds: float) -> dict[str, dict[str, float]]:
    """By way: ``error`` and ``term_error``, shares, and ``ms``."""
    searcher, trainer = trained(space, filters, epochs, batch)
    batches = [trainer.data.next_train(), trainer.data.next_valid()]
    calls = ways(searcher, trainer, batches)
    found = {name: _flat(call()) for name, call in calls.items()}
    times = shortest(calls.items, seconds, least=3)
    trainer.network.double()
    searcher.logits = [logits.detach().double().requires_grad_() for logits in searcher.logits]  # type: ignore[misc]
    precise = ways(searcher, trainer, [(images.double(), labels) for images, labels in batches])
    first, exact = (_flat(precise[name]()) for name in ("first", "exact"))
    return {
        name: {
            "error": float((value - exact).norm() / exact.norm()),
            "term_error": float((value - exact).norm() / (exact - first).norm()),
            "ms": 1000 * times[name],
        }
        for name, value in found.items()
    }


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.detach().double().flatten() for part in parts])


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nasbench201")
    for name, default in (("filters", 4), ("epochs", 2), ("batch", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = compare(options.space, options.filters, options.epochs, options.batch, options.seconds)
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    lines = ["| gradient | error | error of what the second order adds | ms |", "|---|---|---|---|"]
    for name, row in found.items():
        lines.append(f"| {name} | {row['error']:.2g} | {row['term_error']:.2g} | {row['ms']:.0f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
