"""Transformer encoder and decoder (Vaswani et al. 2017) in the place of NAO's LSTMs, for TNAO (He et al. 2023).

TNAO's abstract says "improved Transformer auto-encoder" and no more; everything here is our choice: pre-norm layers
(Xiong et al. 2020), learned positions, few narrow heads. Shapes: N architectures, T tokens, S encoder steps, D hidden
size, H heads, K = D / H, V words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from naopt.latent.vocabulary import START, Vocabulary, tokens_per_step

if TYPE_CHECKING:
    from naopt.latent.settings import LatentSettings


_ALIGNMENT = 3.0
"""Scale of the positions that a token and its step share at first, in those of an embedding."""


class Attention(nn.Module):
    """Multi-head scaled dot-product attention of ``x`` to a memory."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, size // heads
        self.query = nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.output = nn.Linear(size, size)

    def keys(self, memory_NSD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a memory, each ``(N, H, S, K)``."""
        key, value = self.key_value(memory_NSD).chunk(2, dim=-1)
        return self._split(key), self._split(value)

    def forward(self, x_NTD: Tensor, key_NHSK: Tensor, value_NHSK: Tensor, *, causal: bool = False) -> Tensor:
        """``(N, T, D)``; with ``causal`` position ``t`` sees the memory up to step ``t``."""
        mixed = F.scaled_dot_product_attention(self._split(self.query(x_NTD)), key_NHSK, value_NHSK, is_causal=causal)
        result: Tensor = self.output(mixed.transpose(1, 2).reshape(x_NTD.shape))
        return result

    def _split(self, x_NTD: Tensor) -> Tensor:
        return x_NTD.view(*x_NTD.shape[:-1], self.heads, self.width).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two linear maps with a GELU between them."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__(nn.Linear(size, width), nn.GELU(), nn.Linear(width, size))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each after a layer norm and around a residual."""

    def __init__(self, settings: LatentSettings) -> None:
        super().__init__()
        size = settings.hidden_size
        self.dropout = settings.dropout
        self.norm, self.norm_forward = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attention = Attention(size, settings.heads)
        self.feed_forward = FeedForward(size, settings.feed_forward_size)

    def forward(self, x_NSD: Tensor) -> Tensor:
        """``(N, S, D)``."""
        normed = self.norm(x_NSD)
        mixed = self.attention(normed, *self.attention.keys(normed))
        x_NSD = x_NSD + F.dropout(mixed, self.dropout, self.training)
        changed = self.feed_forward(self.norm_forward(x_NSD))
        return x_NSD + F.dropout(changed, self.dropout, self.training)


class TransformerEncoder(nn.Module):
    """Embeddings of the tokens of a step, joined, plus a learned position; layers; states of unit length."""

    def __init__(self, vocabulary: Vocabulary, settings: LatentSettings) -> None:
        super().__init__()
        self.tokens_per_step = tokens_per_step(vocabulary, settings)
        steps, size = vocabulary.length // self.tokens_per_step, settings.hidden_size
        self.dropout = settings.dropout
        self.embedding = nn.Embedding(vocabulary.size, settings.embedding_size)
        self.join = nn.Linear(self.tokens_per_step * settings.embedding_size, size)
        self.position = nn.Parameter(torch.randn(steps, size))
        self.layers = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(size)

    def forward(self, words_NT: Tensor) -> Tensor:
        """States ``(N, S, D)`` of unit length."""
        embedded = self.embedding(words_NT)
        steps = embedded.reshape(len(words_NT), -1, self.tokens_per_step * embedded.shape[-1])
        x_NSD = F.dropout(self.join(steps) + self.position, self.dropout, self.training)
        for layer in self.layers:
            x_NSD = layer(x_NSD)
        return F.normalize(self.norm(x_NSD), dim=-1)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder's states, feed-forward; each normed first, around a residual."""

    def __init__(self, settings: LatentSettings) -> None:
        super().__init__()
        size = settings.hidden_size
        self.dropout = settings.dropout
        self.norm, self.norm_memory, self.norm_forward = (nn.LayerNorm(size) for _ in range(3))
        self.attention, self.to_memory = (Attention(size, settings.heads) for _ in range(2))
        self.feed_forward = FeedForward(size, settings.feed_forward_size)

    def forward(self, x_NTD: Tensor, memory: tuple[Tensor, Tensor]) -> Tensor:
        """All positions at once, ``(N, T, D)``; ``memory`` holds the keys and values of the states."""
        normed = self.norm(x_NTD)
        return self._rest(x_NTD, self.attention(normed, *self.attention.keys(normed), causal=True), memory)

    def step(self, x_N1D: Tensor, past: tuple[Tensor, Tensor], at: int, memory: tuple[Tensor, Tensor]) -> Tensor:
        """Position ``at`` alone, ``(N, 1, D)``; its key and value are written into ``past``, each ``(N, H, T, K)``."""
        normed = self.norm(x_N1D)
        for held, new in zip(past, self.attention.keys(normed), strict=True):
            held[:, :, at] = new[:, :, 0]
        seen = (past[0][:, :, : at + 1], past[1][:, :, : at + 1])
        return self._rest(x_N1D, self.attention(normed, *seen), memory)

    def _rest(self, x_NTD: Tensor, mixed_NTD: Tensor, memory: tuple[Tensor, Tensor]) -> Tensor:
        x_NTD = x_NTD + F.dropout(mixed_NTD, self.dropout, self.training)
        read = self.to_memory(self.norm_memory(x_NTD), *memory)
        x_NTD = x_NTD + F.dropout(read, self.dropout, self.training)
        changed = self.feed_forward(self.norm_forward(x_NTD))
        return x_NTD + F.dropout(changed, self.dropout, self.training)


class TransformerDecoder(nn.Module):
    """Writes one token after the other; a softmax over what may stand at each position.

    The architecture embedding, or the last state, is added to the first input, where the LSTM has it as its initial
    state. The states are normed and get learned positions before they are attended to. At first a token and the step
    that it belongs to have the same position, and queries are made as keys are, so that attention to the states starts
    out along the diagonal; from an even start long sequences take several times the steps to align.
    """

    def __init__(self, vocabulary: Vocabulary, settings: LatentSettings) -> None:
        super().__init__()
        size = settings.hidden_size
        self.vocabulary, self.start, self.heads = vocabulary, settings.decoder_state, settings.heads
        per_step = tokens_per_step(vocabulary, settings)
        shared = _ALIGNMENT * torch.randn(vocabulary.length // per_step, size)
        self.embedding = nn.Embedding(vocabulary.size, size)
        self.position = nn.Parameter(shared.repeat_interleave(per_step, dim=0) + torch.randn(vocabulary.length, size))
        self.memory_norm = nn.LayerNorm(size)
        self.memory_position = nn.Parameter(shared)
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.layers))
        with torch.no_grad():
            for layer in self._decoder_layers():
                layer.to_memory.key_value.weight[:size] = layer.to_memory.query.weight
        self.norm = nn.LayerNorm(size)
        self.vote = nn.Linear(size, vocabulary.size)
        self.register_buffer("forbidden", torch.from_numpy(~vocabulary.allowed), persistent=False)
        self.forbidden: Tensor

    def forward(self, words_NT: Tensor, states_NSD: Tensor, pooled_ND: Tensor) -> Tensor:
        """Teacher forcing: log-likelihood loss per token ``(N, T)`` of words under the model."""
        shifted = F.pad(words_NT[:, :-1], (1, 0), value=START)
        first_NTD = F.pad(self._first(states_NSD, pooled_ND).unsqueeze(1), (0, 0, 0, words_NT.shape[1] - 1))
        x_NTD = self.embedding(shifted) + self.position + first_NTD
        for layer, memory in zip(self.layers, self._memories(states_NSD), strict=True):
            x_NTD = layer(x_NTD, memory)
        logits = self.vote(self.norm(x_NTD)).masked_fill(self.forbidden, -torch.inf)
        loss_NT: Tensor = F.cross_entropy(logits.transpose(1, 2), words_NT, reduction="none")
        return loss_NT

    @torch.no_grad()
    def greedy(self, states_NSD: Tensor, pooled_ND: Tensor) -> Tensor:
        """Most likely valid choice at each position in turn: tokens ``(N, T)``, on the CPU."""
        vocabulary, device = self.vocabulary, states_NSD.device
        count, length, size = len(states_NSD), vocabulary.length, states_NSD.shape[-1]
        tokens = torch.zeros(count, length, dtype=torch.long)
        memories = self._memories(states_NSD)
        shape = (count, self.heads, length, size // self.heads)
        past = [(states_NSD.new_empty(shape), states_NSD.new_empty(shape)) for _ in self.layers]
        word_N = torch.full((count,), START, device=device)
        first_ND = self._first(states_NSD, pooled_ND)
        for at in range(length):
            x_ND = self.embedding(word_N) + self.position[at]
            x_N1D = (x_ND if at else x_ND + first_ND).unsqueeze(1)
            for layer, held, memory in zip(self._decoder_layers(), past, memories, strict=True):
                x_N1D = layer.step(x_N1D, held, at, memory)
            choices = torch.from_numpy(vocabulary.choice_words(at)).to(device)
            valid = torch.from_numpy(vocabulary.space.choice_mask(tokens[:, :at].numpy())).to(device)
            scores = self.vote(self.norm(x_N1D[:, 0]))[:, choices]
            token_N = scores.masked_fill(~valid, -torch.inf).argmax(dim=1)
            word_N = choices[token_N]
            tokens[:, at] = token_N.cpu()
        return tokens

    def _first(self, states_NSD: Tensor, pooled_ND: Tensor) -> Tensor:
        return states_NSD[:, -1] if self.start == "last" else pooled_ND

    def _memories(self, states_NSD: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of the states for each layer."""
        memory_NSD = self.memory_norm(states_NSD) + self.memory_position
        return [layer.to_memory.keys(memory_NSD) for layer in self._decoder_layers()]

    def _decoder_layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]
