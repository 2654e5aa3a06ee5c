"""The decoder of the default latent model: from any point of the embedding to a valid architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.choice_codes import columns_of, scale_of
from naopt.latent.embedding import Embedding
from naopt.latent.features import one_hot
from naopt.latent.layout import row_major
from naopt.latent.threads import one_thread, one_torch_thread
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_BATCH = 256
_RATE = 2e-3
_CLEAN_WEIGHT = 20.0
"""How much more a point without noise counts in the loss: the decoder must not correct what is rare but exact."""
_SHARPNESS = 12.0
"""Logits of the untrained decoder: a one-hot 1 stands so far above a 0."""


class Decoder:
    """``p(token | point, tokens before)``, decoded greedily among the valid choices.

    Logits are ``point A + relu(point W + w) B + tokens C + c`` for whitened points, with ``C`` letting a position see
    those before it only. ``A`` starts as the inverse of the embedding's token block, so decoding the point of an
    architecture is right from the start, and training on noisy points teaches what the other blocks say.

    A position with many choices on a scale (``scale_of``) has one logit, which stands for a rank, and the valid choice
    of the nearest rank is taken.

    Args:
        space: of the architectures.
        weights: from ``train_decoder``, arrays by name.
    """

    def __init__(self, space: SearchSpace, weights: Mapping[str, Array]) -> None:
        self.space = space
        self.weights = {name: row_major(array) for name, array in weights.items()}
        self._at = choice_slices(space)
        self._scales = [scale_of(position) for position in space.positions]

    @one_thread()
    def decode(self, points: Array) -> list[Tokens]:
        """The architecture of each point ``(n, dimensions)``; every one is valid."""
        w = self.weights
        scaled = row_major(points) / w["spread"]
        logits = scaled @ w["direct"] + np.maximum(scaled @ w["inner"] + w["inner_bias"], 0) @ w["outer"] + w["bias"]
        tokens = np.zeros((len(points), len(self._at)), dtype=np.int64)
        for position, columns in enumerate(self._at):
            valid = self.space.choice_mask(tokens[:, :position])
            scale = self._scales[position]
            scores = logits[:, columns]
            if scale is not None:
                scores = -np.abs(scores / _SHARPNESS - scale)
            token = np.where(valid, scores, -np.inf).argmax(axis=1)
            tokens[:, position] = token
            if columns.stop < logits.shape[1]:
                later = w["before"][:, columns.stop :]
                logits[:, columns.stop :] += (
                    later[columns.start + token] if scale is None else scale[token, None] * later[columns]
                )
        return [tuple(row) for row in tokens.tolist()]


def choice_slices(space: SearchSpace) -> list[slice]:
    """Where in a row of ``one_hot`` each position's columns stand."""
    stops = list(accumulate(map(columns_of, space.positions)))
    return [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False)]


def train_decoder(
    embedding: Embedding, sample: Sequence[Architecture], hidden: int, steps: int, noise: float
) -> dict[str, Array]:
    """Trains a decoder without a label.

    Half of each batch are points as they are, half get normal noise, so the decoder learns which architecture a point
    between architectures stands for. Always from the same random numbers, in one thread. The loss of a rank on a scale
    is that of a Cauchy distribution as wide as the step from one choice to the next.

    Args:
        embedding: whose points are decoded.
        sample: architectures to learn from.
        hidden: rectified units.
        steps: of Adam, with a learning rate that falls to 0 in half a cosine; at 0 the decoder is the embedding's
            linear inverse.
        noise: its standard deviation is drawn uniformly up to so many of the embedding's.

    Returns:
        Arrays by name: ``spread``, ``direct``, ``inner``, ``inner_bias``, ``outer``, ``before``, ``bias``.
    """
    with one_thread(), one_torch_thread():
        return _train(embedding, sample, hidden, steps, noise)


def _train(
    embedding: Embedding, sample: Sequence[Architecture], hidden: int, steps: int, noise: float
) -> dict[str, Array]:
    import torch
    from torch.nn import functional as F

    space, at = embedding.space, choice_slices(embedding.space)
    tokens = embedding.features.canonical(sample)
    target = torch.tensor(np.asarray(tokens))
    hot = torch.tensor(one_hot(space, tokens), dtype=torch.float32)
    spread = np.maximum(embedding.spread, 1e-3 * embedding.spread.max(initial=0.0))
    points = torch.tensor(embedding.encode(sample) / spread, dtype=torch.float32)
    last = [0 if scale_of(position) is None else len(position.choices) - 1 for position in space.positions]
    columns, dimensions = hot.shape[1], points.shape[1]
    earlier = torch.zeros(columns, columns)
    for part in at:
        earlier[: part.start, part] = 1.0
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        drawn: torch.Tensor = torch.randn(*shape, generator=generator) * max(shape[0], 1) ** -0.5
        return drawn

    start, offset = _inverse(embedding, spread)
    weights = {
        "direct": torch.tensor(_SHARPNESS * start, dtype=torch.float32),
        "inner": random(dimensions, hidden),
        "inner_bias": torch.zeros(hidden),
        "outer": torch.zeros(hidden, columns),
        "before": torch.zeros(columns, columns),
        "bias": torch.tensor(_SHARPNESS * offset, dtype=torch.float32),
    }
    for array in weights.values():
        array.requires_grad_()
    weight = torch.ones(_BATCH)
    weight[: _BATCH // 2] = _CLEAN_WEIGHT
    optimiser = torch.optim.Adam(weights.values(), lr=_RATE, fused=True)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * (1 + np.cos(np.pi * step / steps)) / 2
        chosen = torch.randint(len(points), (_BATCH,), generator=generator)
        level = noise * torch.rand(_BATCH, 1, generator=generator)
        level[: _BATCH // 2] = 0
        x = points[chosen] + level * torch.randn(_BATCH, dimensions, generator=generator)
        inner = F.relu(x @ weights["inner"] + weights["inner_bias"])
        logits = x @ weights["direct"] + inner @ weights["outer"] + weights["bias"]
        logits = logits + hot[chosen] @ (weights["before"] * earlier)
        losses = [
            F.cross_entropy(logits[:, part], target[chosen, index], reduction="none")
            if not last[index]
            else torch.log1p((last[index] * (logits[:, part.start] / _SHARPNESS - hot[chosen, part.start])) ** 2)
            for index, part in enumerate(at)
        ]
        loss = (torch.stack(losses).mean(dim=0) * weight).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    found = {name: weight.detach().double().numpy() for name, weight in weights.items()}
    return found | {"before": found["before"] * earlier.double().numpy(), "spread": spread}


def _inverse(embedding: Embedding, spread: Array) -> tuple[Array, Array]:
    """The linear map ``(dimensions, columns)`` and offset that give one-hot tokens back from whitened points."""
    block = embedding.blocks.get("tokens")
    columns = sum(map(columns_of, embedding.space.positions))
    back, offset = np.zeros((embedding.dimensions, columns)), np.zeros(columns)
    if block is not None:
        components = embedding.arrays["components/tokens"]
        back[block] = np.linalg.pinv(components) * spread[block, None]
        offset = embedding.arrays["mean/tokens"]
    return back, offset
