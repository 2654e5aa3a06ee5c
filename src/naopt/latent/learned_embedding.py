"""A neural encoder of the default latent model: what a cell computes, denoised, without a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.embedding import Embedding, product
from naopt.latent.features import POSITION
from naopt.latent.threads import one_thread, one_torch_thread
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEARNED = "learned"

_MOST = 64
"""Dimensions of a code."""
_WIDTH, _HEAD = 256, 128
_BATCH = 256
_RATE = 2e-3
_NOISE = 0.3
_NOTHING = 1e-6
_LAYERS = ("first", "second", "codes")


class LearnedEmbedding(Embedding):
    """The tokens' principal components, and codes that a neural network learned, side by side.

    There is a code for each block of ``Embedding`` (tokens, paths, sizes, flow, neighbourhoods). The encoder is a
    residual network: to the first 64 components of a block it adds what two layers of rectified units, which all codes
    share, read from the tokens of the canonical form. It is trained as a denoising auto-encoder: for each code a head
    reconstructs all of its block, from the code and normal noise. So points near by stand for what computes about the
    same, and a code is what of a block the tokens tell beyond its linear part. Each has a total variance of 1.

    The tokens' components (and single positions) stay beside the codes, for the decoder and with a kernel of their own.
    An encoder that was not trained gives the first components.

    Args:
        space: of the architectures.
        names: as ``Embedding`` has them, and those of the codes under ``learned``; from ``learn``.
        arrays: likewise, and by block of the linear parts, by layer of weights and biases.
    """

    def __init__(self, space: SearchSpace, names: Mapping[str, list[str]], arrays: Mapping[str, Array]) -> None:
        super().__init__(space, names, arrays)
        for name in names[LEARNED]:
            begin, self.dimensions = self.dimensions, self.dimensions + arrays[f"linear/{name}"].shape[1]
            self.blocks[f"{LEARNED}/{name}"] = slice(begin, self.dimensions)

    @classmethod
    @one_thread()
    def train(cls, space: SearchSpace, sample: Sequence[Architecture], steps: int) -> LearnedEmbedding:
        """From unlabelled architectures of the space, at least 1; always from the same random numbers.

        Args:
            space: of the architectures.
            sample: what to learn from; what computes the same counts once.
            steps: of Adam on 256 architectures each.
        """
        plain = Embedding.learn(space, sample)
        distinct = list(dict(zip(plain.features.canonical(sample), sample, strict=True)).values())
        points = plain.encode(distinct)
        kept = ["tokens", *(name for name in plain.blocks if name.startswith(POSITION))]
        targets = {name: points[:, block] for name, block in plain.blocks.items() if name not in kept[1:]}
        arrays = dict(plain.arrays)
        if targets:
            with one_torch_thread():
                arrays |= _trained(plain.features(distinct)["tokens"], targets, steps)
        for name in targets:
            arrays[f"linear/{name}"] = arrays[f"components/{name}"][:, :_MOST] / arrays.pop(f"scale/{name}")
        blocks = [name for name in plain.names["blocks"] if name in kept]
        arrays = {name: array for name, array in arrays.items() if name[:11] != "components/" or name[11:] in blocks}
        names = {**plain.names, "blocks": blocks, LEARNED: list(targets)}
        made = cls(space, names, arrays)
        return cls(space, names, {**arrays, "spread": made.encode(sample).std(axis=0)})

    def _project(self, groups: Mapping[str, Array]) -> Array:
        beside = super()._project(groups)
        if not self.names[LEARNED]:
            return beside
        read = groups["tokens"]
        for layer in _LAYERS:
            read = product(read, self.arrays[f"weight/{layer}"]) + self.arrays[f"bias/{layer}"]
            read = read if layer == _LAYERS[-1] else np.maximum(read, 0)
        linear = [
            product(groups[name] - self.arrays[f"mean/{name}"], self.arrays[f"linear/{name}"])
            for name in self.names[LEARNED]
        ]
        return np.concatenate([beside, np.concatenate(linear, axis=1) + read], axis=1)


def _trained(rows: Array, targets: Mapping[str, Array], steps: int) -> dict[str, Array]:
    """Weights and biases of the encoder's layers, and what each code is divided by, by name.

    Args:
        rows: one-hot tokens ``(n, columns)``.
        targets: a block's principal components, largest first, by name; each ``(n, 1 or more)``.
        steps: of the optimiser.
    """
    import torch
    from torch.nn import functional as F

    generator = torch.Generator().manual_seed(0)

    def layer(inputs: int, outputs: int, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        drawn = torch.randn(inputs, outputs, generator=generator) * scale * inputs**-0.5
        return drawn.requires_grad_(), torch.zeros(outputs).requires_grad_()

    x = torch.tensor(rows, dtype=torch.float32)
    wanted = [torch.tensor(target, dtype=torch.float32) for target in targets.values()]
    linear = torch.cat([target[:, :_MOST] for target in wanted], dim=1)
    sizes = [min(_MOST, target.shape[1]) for target in wanted]
    widths = (x.shape[1], _WIDTH, _WIDTH)
    encoder = [*(layer(*pair) for pair in pairwise(widths)), layer(_WIDTH, sum(sizes), 0.0)]
    heads = [
        (*layer(size, _HEAD), *layer(_HEAD, target.shape[1]), *layer(size, target.shape[1]))
        for size, target in zip(sizes, wanted, strict=True)
    ]

    def read(some: torch.Tensor) -> torch.Tensor:
        for weight, bias in encoder[:-1]:
            some = F.relu(some @ weight + bias)
        return some @ encoder[-1][0] + encoder[-1][1]

    def code_loss(code: torch.Tensor, head: Sequence[torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        centred = code - code.mean(dim=0)
        unit = centred / centred.pow(2).sum(dim=1).mean().clamp_min(_NOTHING).sqrt()
        level = _NOISE * unit.shape[1] ** -0.5 * torch.rand(len(unit), 1, generator=generator)
        noisy = unit + level * torch.randn(unit.shape, generator=generator)
        guess = F.relu(noisy @ head[0] + head[1]) @ head[2] + head[3] + noisy @ head[4] + head[5]
        loss: torch.Tensor = (guess - target).pow(2).sum(dim=1).mean()
        return loss

    parameters = [array for part in (*encoder, *heads) for array in part]
    optimiser = torch.optim.Adam(parameters, lr=_RATE, fused=True)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * (1 + np.cos(np.pi * step / steps)) / 2
        chosen = torch.randint(len(x), (_BATCH,), generator=generator)
        codes = torch.split(linear[chosen] + read(x[chosen]), sizes, dim=1)
        each = zip(codes, heads, wanted, strict=True)
        loss = torch.stack([code_loss(code, head, target[chosen]) for code, head, target in each]).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        whole = linear + read(x)
        scales = [
            part.var(dim=0, correction=0).sum().clamp_min(_NOTHING).sqrt() for part in torch.split(whole, sizes, dim=1)
        ]
        weight, bias = encoder.pop()
        every = torch.cat([scale.expand(size) for scale, size in zip(scales, sizes, strict=True)])
        encoder.append((weight / every, (bias - whole.mean(dim=0)) / every))
    found = {f"scale/{name}": scale.double().numpy() for name, scale in zip(targets, scales, strict=True)}
    for name, (weight, bias) in zip(_LAYERS, encoder, strict=True):
        found |= {f"weight/{name}": weight.detach().double().numpy(), f"bias/{name}": bias.detach().double().numpy()}
    return found
