"""Encoder, performance predictor and decoder (NAO, section 3.2).

Shapes: N architectures, T tokens, S encoder steps (T / tokens per step), D hidden size, V words.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from naopt.latent.attention import additive_scores, product, tanh_product, unit_length
from naopt.latent.settings import LatentSettings
from naopt.latent.transformer import TransformerDecoder, TransformerEncoder
from naopt.latent.vocabulary import START, Vocabulary, tokens_per_step


def lstm_of_words(
    lstm: nn.LSTM, embedding: nn.Embedding, words_NSP: Tensor, initial: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """States ``(N, S, D)`` of a one-layer LSTM over the joined embeddings of ``P`` words a step.

    Where words are fewer than the numbers of their embedding, it is run on the words' indicators, with the product of
    its input weights and the embeddings in the place of these weights: the same function, with less to multiply.
    """
    words, per_step = embedding.num_embeddings, words_NSP.shape[-1]
    # cuDNN wants the weights in one piece of memory, and warns if they are not.
    if words >= embedding.embedding_dim or words_NSP.device.type != "cpu":
        states_NSD: Tensor = lstm(embedding(words_NSP).flatten(2), initial)[0]
        return states_NSD
    inputs, *others = lstm.parameters()
    table = inputs.view(-1, per_step, embedding.embedding_dim) @ embedding.weight.T
    indicators = torch.eye(words, dtype=table.dtype)[words_NSP].flatten(2)
    if initial is None:
        zero = table.new_zeros(1, len(words_NSP), lstm.hidden_size)
        initial = (zero, zero)
    parameters = [table.flatten(1), *others]
    result: Tensor = torch.lstm(indicators, initial, parameters, True, 1, 0.0, lstm.training, False, True)[0]
    return result


class Encoder(nn.Module):
    """One-layer LSTM over token embeddings; its states are scaled to unit length.

    The paper prints ``h / ||h||^2`` and says "unit length"; program and we divide by ``||h||``.
    """

    def __init__(self, vocabulary: Vocabulary, settings: LatentSettings) -> None:
        super().__init__()
        self.tokens_per_step = tokens_per_step(vocabulary, settings)
        self.embedding = nn.Embedding(vocabulary.size, settings.embedding_size)
        self.lstm = nn.LSTM(self.tokens_per_step * settings.embedding_size, settings.hidden_size, batch_first=True)
        self.dropout = settings.dropout

    def forward(self, words_NT: Tensor) -> Tensor:
        """States ``(N, S, D)`` of unit length."""
        words_NSP = words_NT.view(len(words_NT), -1, self.tokens_per_step)
        if self.dropout and self.training:
            states_NSD, _ = self.lstm(F.dropout(self.embedding(words_NSP), self.dropout).flatten(2))
        else:
            states_NSD = lstm_of_words(self.lstm, self.embedding, words_NSP)
        return unit_length(states_NSD)


class Predictor(nn.Module):
    """An ensemble of feed-forward networks on the pooled states.

    All members are one batched matrix product; their weights differ from the start and stay independent.
    """

    def __init__(self, settings: LatentSettings) -> None:
        super().__init__()
        self.pooling, self.output, self.dropout = settings.pooling, settings.predictor_output, settings.dropout
        self.calibration: tuple[Tensor, Tensor] | None = None
        """What each member's output is multiplied by, and what is added then, ``(members, 1)`` each."""
        sizes = (settings.hidden_size, *settings.predictor_layers, 1)
        members = settings.ensemble
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = inputs**-0.5
            self.weights.append(nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound)))

    def pool(self, states_NSD: Tensor) -> Tensor:
        """Architecture embedding ``(N, D)``: the mean state, scaled to unit length if the settings say so."""
        mean_ND = states_NSD.mean(dim=1)
        return F.normalize(mean_ND, dim=-1) if self.pooling == "mean-normalised" else mean_ND

    def members(self, states_NSD: Tensor) -> Tensor:
        """Targets ``(members, N)`` as each member predicts them."""
        x = self.pool(states_NSD).unsqueeze(0)
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight + bias
            if index < last:
                x = F.dropout(F.relu(x), self.dropout, self.training)
        x = x.squeeze(-1)
        x = torch.sigmoid(x) if self.output == "sigmoid" else x
        return x if self.calibration is None else self.calibration[0] * x + self.calibration[1]

    def forward(self, states_NSD: Tensor) -> Tensor:
        """Predicted targets ``(N,)``: the members' mean."""
        return self.members(states_NSD).mean(dim=0)


class Decoder(nn.Module):
    """One-layer LSTM with attention over the encoder's states.

    The word's distribution is a softmax over what may stand at its position. Its logits are linear in ``[state;
    context]`` (paper) or in ``tanh(W [context; state])`` (PyTorch programs). The TensorFlow program feeds the context
    into the next step instead.
    """

    def __init__(self, vocabulary: Vocabulary, settings: LatentSettings) -> None:
        super().__init__()
        size = settings.hidden_size
        self.vocabulary, self.start, self.attention = vocabulary, settings.decoder_state, settings.attention
        self.embedding = nn.Embedding(vocabulary.size, size)
        steps = vocabulary.length // tokens_per_step(vocabulary, settings)
        positions = settings.decoder_positions
        self.position = nn.Parameter(torch.zeros(vocabulary.length, size), requires_grad=positions)
        self.location = nn.Parameter(torch.zeros(vocabulary.length, steps), requires_grad=positions)
        self.lstm = nn.LSTM(size, size, batch_first=True)
        compared = (settings.attention_size or size) if self.attention == "additive" else size
        if self.attention != "dot":
            self.query = nn.Linear(size, compared, bias=False)
        if self.attention == "additive":
            self.key = nn.Linear(size, compared, bias=False)
            self.energy = nn.Linear(compared, 1, bias=False)
        else:
            self.sharpness = nn.Parameter(torch.tensor(size**0.5 if self.attention == "dot" else 1.0))
        self.combine = nn.Linear(2 * size, size, bias=False) if settings.decoder_output == "combined" else None
        self.vote = nn.Linear(size if self.combine else 2 * size, vocabulary.size)
        free = np.flatnonzero(vocabulary.allowed.sum(axis=1) > 1)
        self.learnt = int(free[-1]) + 1 if len(free) else 1
        """How many positions there are to learn: behind them each has one word, which costs no loss."""
        self.register_buffer("forbidden", torch.from_numpy(~vocabulary.allowed), persistent=False)
        self.forbidden: Tensor

    def initial(self, states_NSD: Tensor, pooled_ND: Tensor) -> tuple[Tensor, Tensor]:
        """Initial hidden and cell state, each ``(1, N, D)``."""
        start = (states_NSD[:, -1] if self.start == "last" else pooled_ND).unsqueeze(0).contiguous()
        return start, start

    def forward(self, words_NT: Tensor, states_NSD: Tensor, pooled_ND: Tensor) -> Tensor:
        """Teacher forcing: log-likelihood loss per token ``(N, T)`` of words under the model."""
        positions, count = words_NT.shape[1], self.learnt
        words_NT = words_NT[:, :count]
        shifted = F.pad(words_NT[:, :-1], (1, 0), value=START)
        initial = self.initial(states_NSD, pooled_ND)
        if self.position.requires_grad:
            hidden_NTD, _ = self.lstm(self.embedding(shifted) + self.position[:count], initial)
        else:
            hidden_NTD = lstm_of_words(self.lstm, self.embedding, shifted.unsqueeze(-1), initial)
        biases_TV = self.vote.bias.masked_fill(self.forbidden[:count], -torch.inf)
        logits = self._logits(hidden_NTD, states_NSD, self.location[:count]) + biases_TV
        losses = F.cross_entropy(logits.flatten(0, 1), words_NT.flatten(), reduction="none")
        return F.pad(losses.view(words_NT.shape), (0, positions - count))

    @torch.no_grad()
    def greedy(self, states_NSD: Tensor, pooled_ND: Tensor) -> Tensor:
        """Most likely valid choice at each position in turn: tokens ``(N, T)``, on the CPU."""
        vocabulary = self.vocabulary
        count = len(states_NSD)
        tokens = torch.zeros(count, vocabulary.length, dtype=torch.long)
        state = self.initial(states_NSD, pooled_ND)
        word_N = torch.full((count,), START, device=states_NSD.device)
        for at in range(vocabulary.length):
            hidden, state = self.lstm((self.embedding(word_N) + self.position[at]).unsqueeze(1), state)
            choices = torch.from_numpy(vocabulary.choice_words(at)).to(word_N.device)
            valid = torch.from_numpy(vocabulary.space.choice_mask(tokens[:, :at].numpy())).to(word_N.device)
            logits = self._logits(hidden, states_NSD, self.location[at]).squeeze(1) + self.vote.bias
            scores = logits[:, choices]
            token_N = scores.masked_fill(~valid, -torch.inf).argmax(dim=1)
            word_N = choices[token_N]
            tokens[:, at] = token_N.cpu()
        return tokens

    def _logits(self, hidden_NTD: Tensor, states_NSD: Tensor, location_TS: Tensor) -> Tensor:
        """Logits ``(N, T, V)`` without their biases."""
        if self.combine is not None:
            scores_NTS = self._scores(hidden_NTD, states_NSD)
            context_NTD = (scores_NTS + location_TS).softmax(dim=-1) @ states_NSD
            mixed_NTD = tanh_product(torch.cat([context_NTD, hidden_NTD], dim=-1), self.combine.weight)
            return product(mixed_NTD, self.vote.weight)
        # Linear in the context, which is a mean of states: what each state votes for is averaged instead.
        of_state_VD, of_context_VD = self.vote.weight.chunk(2, dim=1)
        if self.attention == "additive":
            sizes = [len(self.query.weight), len(of_state_VD)]
            of_hidden, of_states = (
                torch.cat([self.query.weight, of_state_VD]),
                torch.cat([self.key.weight, of_context_VD]),
            )
            query_NTA, own_NTV = torch.split(product(hidden_NTD, of_hidden), sizes, dim=-1)
            key_NSA, votes_NSV = torch.split(product(states_NSD, of_states), sizes, dim=-1)
            scores_NTS = additive_scores(query_NTA, key_NSA, self.energy.weight[0])
        else:
            own_NTV, votes_NSV = hidden_NTD @ of_state_VD.t(), states_NSD @ of_context_VD.t()
            scores_NTS = self._scores(hidden_NTD, states_NSD)
        logits_NTV: Tensor = own_NTV + (scores_NTS + location_TS).softmax(dim=-1) @ votes_NSV
        return logits_NTV

    def _scores(self, hidden_NTD: Tensor, states_NSD: Tensor) -> Tensor:
        """What each step's attention says of each state, ``(N, T, S)``, before the softmax."""
        if self.attention == "additive":
            query_NTA, key_NSA = product(hidden_NTD, self.query.weight), product(states_NSD, self.key.weight)
            return additive_scores(query_NTA, key_NSA, self.energy.weight[0])
        query_NTD = hidden_NTD if self.attention == "dot" else product(hidden_NTD, self.query.weight)
        scores_NTS: Tensor = self.sharpness * (query_NTD @ states_NSD.transpose(1, 2))
        return scores_NTS


class AutoEncoder(nn.Module):
    """Encoder, predictor and decoder as one module."""

    def __init__(self, vocabulary: Vocabulary, settings: LatentSettings) -> None:
        super().__init__()
        transformer = settings.encoder == "transformer"
        self.summed = settings.reconstruction == "sum"
        self.encoder: Encoder | TransformerEncoder = (TransformerEncoder if transformer else Encoder)(
            vocabulary, settings
        )
        self.predictor = Predictor(settings)
        self.decoder: Decoder | TransformerDecoder = (TransformerDecoder if transformer else Decoder)(
            vocabulary, settings
        )

    def reconstruction_loss(self, words_NT: Tensor, states_NSD: Tensor, counts_N: Tensor | None = None) -> Tensor:
        """Mean negative log-likelihood of an architecture's token, or of all its tokens (Eq. 1, second term).

        The first samples count as often as ``counts_N`` says, those behind them once.
        """
        loss_NT: Tensor = self.decoder(words_NT, states_NSD, self.predictor.pool(states_NSD))
        scale = words_NT.shape[1] if self.summed else 1
        if counts_N is None:
            return scale * loss_NT.mean()
        counts_N = F.pad(counts_N, (0, len(loss_NT) - len(counts_N)), value=1.0)
        return scale * (counts_N @ loss_NT.mean(dim=1)) / counts_N.sum()
