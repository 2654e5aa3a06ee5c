"""What recurrent language models cost for one word."""

from __future__ import annotations

from naopt.errors import InputError
from naopt.networks.costs.layers import BYTES, Totals
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.spaces import Architecture, EnumeratedSpace, RecurrentBaselineSpace, RecurrentCellSpace, SearchSpace
from naopt.spaces.recurrent_cell import RecurrentSpec


def language_totals(
    space: SearchSpace, architecture: Architecture, settings: LanguageNetworkSettings, words: int
) -> Totals:
    """Costs of the model that ``naopt.networks.language_model.build_language_model`` makes of the same arguments.

    Multiply-adds and activations are those of one step: embedding, cell and decoder, whose weight is the embedding's.
    Activations are the outputs of products, activation functions, gates and sums. At most all of a step's are
    alive at once, which is what ``peak_memory`` takes.

    Raises:
        InputError: no recurrent space, or a width that cannot be had.
    """
    whole = space.whole if isinstance(space, EnumeratedSpace) else space
    if not isinstance(whole, RecurrentCellSpace | RecurrentBaselineSpace):
        raise InputError("space", space.name, "its architectures are no recurrent cells, which language models need")
    cell = whole.cell(architecture)
    size = settings.hidden_size
    if settings.parameters is not None:
        from naopt.networks.language_model import model_width

        size = model_width(cell, settings, words)
    weights, biases, activations = _cell(cell, size, settings)
    params = words * (size + 1) + weights + biases
    activations += size + words
    return Totals(params, weights + words * size, activations, BYTES * (params + activations))


def _cell(cell: RecurrentSpec | str, size: int, settings: LanguageNetworkSettings) -> tuple[int, int, int]:
    """Weights of products, biases, and activations of a cell."""
    if isinstance(cell, RecurrentSpec):
        parts = 2 if settings.equation == "highway" else 1
        nodes = len(cell.nodes)
        outputs = nodes if settings.output == "all" else len(cell.loose_ends())
        # Each state: product, value, and of highways gate and state; the first has two products and their sum.
        states = (nodes + 1) * (parts + 1 + 2 * (parts - 1)) + 2 * parts
        return (nodes + 2) * parts * size * size, 0, (states + (outputs > 1)) * size
    if cell == "lstm":  # two products of 4 h and their sum, four gates, memory: two products, sum; tanh, output
        return 8 * size * size, 4 * size, (12 + 4 + 3 + 2) * size
    return 6 * size * size, 3 * size, (6 + 4 + 2 + 1) * size  # sums of gates, their sigmoids; reset, sum; tanh; state
