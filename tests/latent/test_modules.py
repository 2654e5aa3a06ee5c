"""Encoder, predictor and decoder against plain references."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from naopt.latent.modules import AutoEncoder, Decoder
from naopt.latent.settings import LatentSettings
from naopt.latent.vocabulary import START, Vocabulary, tokens_per_step
from naopt.spaces import EnumeratedSpace, GenericSpace, Position, SearchSpace, create_space

ATTENTIONS = ["bilinear", "dot", "additive"]
FORCED = [Position("y", ("only",)), Position("z", ("end",))]


def build(space: SearchSpace, **options: Any) -> tuple[Vocabulary, AutoEncoder]:
    torch.manual_seed(0)
    vocabulary = Vocabulary(space)
    settings = LatentSettings(**{"hidden_size": 12, "embedding_size": 5, **options})
    return vocabulary, AutoEncoder(vocabulary, settings).double().eval()


def sample_words(space: SearchSpace, vocabulary: Vocabulary, count: int) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.from_numpy(vocabulary.encode([space.sample(rng).tokens for _ in range(count)]))


@pytest.mark.parametrize(("per_step", "steps"), [(None, 20), (1, 60), (3, 20), (7, 60)])
def test_states_have_unit_length_and_one_step_a_group_of_tokens(per_step: int | None, steps: int) -> None:
    space = create_space("conv-cell")
    vocabulary, network = build(space, tokens_per_step=per_step)
    states = network.encoder(sample_words(space, vocabulary, 4))
    assert states.shape == (4, steps, 12)
    assert states.norm(dim=-1).detach().numpy() == pytest.approx(1.0)
    assert tokens_per_step(vocabulary, LatentSettings(tokens_per_step=per_step)) == 60 // steps


def test_pooling() -> None:
    space = create_space("nasbench201")
    vocabulary, network = build(space)
    states = network.encoder(sample_words(space, vocabulary, 3))
    assert torch.equal(network.predictor.pool(states), states.mean(dim=1))
    _, normalised = build(space, pooling="mean-normalised")
    assert normalised.predictor.pool(states).norm(dim=-1).detach().numpy() == pytest.approx(1.0)


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_the_predictor_is_the_mean_of_its_members(output: str) -> None:
    space = create_space("nasbench201")
    vocabulary, network = build(space, ensemble=3, predictor_layers=(7, 4), predictor_output=output)
    states = network.encoder(sample_words(space, vocabulary, 5))
    expected = []
    for member in range(3):
        x = states.mean(dim=1)
        for layer, (weight, bias) in enumerate(zip(network.predictor.weights, network.predictor.biases, strict=True)):
            x = x @ weight[member] + bias[member]
            x = x.relu() if layer < 2 else x
        expected.append(torch.sigmoid(x[:, 0]) if output == "sigmoid" else x[:, 0])
    assert torch.allclose(network.predictor.members(states), torch.stack(expected))
    assert torch.allclose(network.predictor(states), torch.stack(expected).mean(dim=0))
    assert not torch.allclose(expected[0], expected[1])


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("start", ["mean", "last"])
@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("output", ["combined", "concatenated"])
def test_teacher_forcing_is_the_likelihood_of_one_step_at_a_time(
    attention: str, start: str, positions: bool, output: str
) -> None:
    space = create_space("conv-cell:nodes=2")
    chosen = {"attention": attention, "decoder_state": start, "decoder_positions": positions, "decoder_output": output}
    vocabulary, network = build(space, **chosen, attention_size=5)
    decoder = network.decoder
    assert isinstance(decoder, Decoder)
    if positions:
        torch.nn.init.normal_(decoder.position)
        torch.nn.init.normal_(decoder.location)
    words = sample_words(space, vocabulary, 3)
    states = network.encoder(words)
    pooled = network.predictor.pool(states)
    together = decoder(words, states, pooled)

    first = states[:, -1] if start == "last" else states.mean(dim=1)
    hidden, cell = first, first
    previous = torch.full((3,), START)
    lstm = torch.nn.LSTMCell(12, 12).double()
    lstm.load_state_dict({name.removesuffix("_l0"): value for name, value in decoder.lstm.state_dict().items()})
    for at in range(vocabulary.length):
        hidden, cell = lstm(decoder.embedding(previous) + decoder.position[at], (hidden, cell))
        scores = []
        for step in range(states.shape[1]):
            key = states[:, step]
            if attention == "additive":
                score = decoder.energy(torch.tanh(decoder.query(hidden) + decoder.key(key)))[:, 0]
            else:
                query = hidden if attention == "dot" else decoder.query(hidden)
                score = decoder.sharpness * (query * key).sum(dim=-1)
            scores.append(score + decoder.location[at, step])
        weights = torch.stack(scores, dim=1).softmax(dim=1)
        context = (weights.unsqueeze(-1) * states).sum(dim=1)
        if decoder.combine is None:
            logits = decoder.vote(torch.cat([hidden, context], dim=1))
        else:
            logits = decoder.vote(torch.tanh(decoder.combine(torch.cat([context, hidden], dim=1))))
        logits[:, ~torch.from_numpy(vocabulary.allowed[at])] = -torch.inf
        loss = F.cross_entropy(logits, words[:, at], reduction="none")
        assert together[:, at].detach().numpy() == pytest.approx(loss.detach().numpy())
        previous = words[:, at]


def small_spaces() -> list[SearchSpace]:
    generic = GenericSpace([Position("a", ("x",)), Position("b", ("x", "y", "z")), Position("c", ("x", "y"))])
    cells = create_space("conv-cell:nodes=2,operations=nao-11")
    rng = np.random.default_rng(3)
    rows = [cells.sample(rng).tokens for _ in range(9)]
    return [generic, cells, create_space("nasbench201"), EnumeratedSpace(cells, rows)]


@pytest.mark.parametrize("space", small_spaces(), ids=["generic", "conv-cell", "nasbench201", "rows"])
def test_whatever_is_decoded_is_valid(space: SearchSpace) -> None:
    vocabulary, network = build(space)
    assert isinstance(network.decoder, Decoder)
    states = F.normalize(torch.randn(200, network.decoder.location.shape[1], 12, dtype=torch.float64), dim=-1)
    decoded = network.decoder.greedy(states, network.predictor.pool(states))
    assert decoded.shape == (200, vocabulary.length)
    for tokens in decoded.tolist():
        assert space.explain_invalid(tokens) is None


def test_greedy_takes_the_likeliest_choice_at_every_position() -> None:
    space = GenericSpace([Position("a", ("p", "q", "r")), Position("b", ("s", "t")), Position("c", ("u", "v"))])
    vocabulary, network = build(space)
    states = network.encoder(sample_words(space, vocabulary, 6))
    pooled = network.predictor.pool(states)
    for row, tokens in enumerate(network.decoder.greedy(states, pooled).tolist()):
        for at in range(3):
            completions = [
                (*tokens[:at], choice, *rest)
                for choice in range(len(space.positions[at].choices))
                for rest in itertools.product(*(range(len(p.choices)) for p in space.positions[at + 1 :]))
            ]
            words = torch.from_numpy(vocabulary.encode(completions))
            many = states[row : row + 1].expand(len(words), -1, -1)
            losses = network.decoder(words, many, network.predictor.pool(many))[:, at]
            assert completions[int(losses.argmin())][at] == tokens[at]


def test_positions_with_one_word_at_the_end_cost_nothing() -> None:
    """Neither loss nor time: the decoder does not run over them."""
    space = GenericSpace([Position("a", ("p", "q")), Position("b", ("x",)), Position("c", ("s", "t")), *FORCED])
    vocabulary, network = build(space)
    assert isinstance(network.decoder, Decoder)
    assert network.decoder.learnt == 3
    words = sample_words(space, vocabulary, 5)
    states = network.encoder(words)
    losses = network.decoder(words, states, network.predictor.pool(states))
    assert losses.shape == (5, 5)
    assert (losses[:, [0, 2]] > 0).all()
    assert (losses[:, [1, 3, 4]] == 0).all()


def test_a_space_of_one_architecture_has_nothing_to_learn() -> None:
    vocabulary, network = build(GenericSpace(FORCED))
    states = network.encoder(sample_words(vocabulary.space, vocabulary, 2))
    loss = network.reconstruction_loss(sample_words(vocabulary.space, vocabulary, 2), states)
    assert loss.item() == 0
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())
