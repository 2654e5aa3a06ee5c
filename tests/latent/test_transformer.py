"""The Transformer encoder and decoder against plain references, and the latent model that is made of them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from naopt.errors import InputError
from naopt.latent import LatentModel, LatentSettings, models
from naopt.latent.modules import AutoEncoder
from naopt.latent.settings import TNAOLatentSettings
from naopt.latent.transformer import Attention, DecoderLayer, EncoderLayer, TransformerDecoder, TransformerEncoder
from naopt.latent.vocabulary import START, Vocabulary
from naopt.metrics.rank import kendall_tau
from naopt.spaces import EnumeratedSpace, GenericSpace, Position, SearchSpace, create_space

SMALL: dict[str, Any] = {"encoder": "transformer", "hidden_size": 12, "embedding_size": 5, "feed_forward_size": 20}


def build(space: SearchSpace, **options: Any) -> tuple[Vocabulary, TransformerEncoder, TransformerDecoder]:
    torch.manual_seed(0)
    vocabulary = Vocabulary(space)
    network = AutoEncoder(vocabulary, LatentSettings(**SMALL | options)).double().eval()
    assert isinstance(network.encoder, TransformerEncoder)
    assert isinstance(network.decoder, TransformerDecoder)
    for parameter in (network.encoder.position, network.decoder.position, network.decoder.memory_position):
        torch.nn.init.normal_(parameter)
    return vocabulary, network.encoder, network.decoder


def sample_words(space: SearchSpace, vocabulary: Vocabulary, count: int) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.from_numpy(vocabulary.encode([space.sample(rng).tokens for _ in range(count)]))


def attend(attention: Attention, x: torch.Tensor, memory: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attention of one sequence ``(T, D)`` to one memory ``(S, D)``, head by head and step by step."""
    width = x.shape[1] // attention.heads
    query, key_value = attention.query(x), attention.key_value(memory)
    key, value = key_value[:, : x.shape[1]], key_value[:, x.shape[1] :]
    rows = []
    for t in range(len(x)):
        heads = []
        for h in range(attention.heads):
            part = slice(h * width, (h + 1) * width)
            seen = t + 1 if causal else len(memory)
            scores = torch.stack([query[t, part] @ key[s, part] / math.sqrt(width) for s in range(seen)])
            heads.append(sum(p * value[s, part] for s, p in enumerate(scores.softmax(dim=0))))
        rows.append(attention.output(torch.cat(heads)))
    return torch.stack(rows)


def test_the_encoder_is_pre_norm_attention_and_gives_states_of_unit_length() -> None:
    space = create_space("conv-cell:nodes=2")
    vocabulary, encoder, _ = build(space)
    words = sample_words(space, vocabulary, 3)
    states = encoder(words)
    assert states.shape == (3, vocabulary.length // 3, 12)
    assert states.norm(dim=-1).detach().numpy() == pytest.approx(1.0)
    for row in range(3):
        joined = encoder.embedding(words[row]).reshape(states.shape[1], -1)
        x = encoder.join(joined) + encoder.position
        for layer in encoder.layers:
            assert isinstance(layer, EncoderLayer)
            normed = layer.norm(x)
            x = x + attend(layer.attention, normed, normed, causal=False)
            x = x + layer.feed_forward(layer.norm_forward(x))
        assert torch.allclose(states[row], F.normalize(encoder.norm(x), dim=-1))


@pytest.mark.parametrize("start", ["mean", "last"])
def test_teacher_forcing_is_the_likelihood_of_the_words_before(start: str) -> None:
    space = create_space("conv-cell:nodes=2")
    vocabulary, encoder, decoder = build(space, decoder_state=start)
    words = sample_words(space, vocabulary, 2)
    states = encoder(words)
    together = decoder(words, states, states.mean(dim=1))
    for row in range(2):
        first = states[row, -1] if start == "last" else states[row].mean(dim=0)
        memory = decoder.memory_norm(states[row]) + decoder.memory_position
        shown = torch.cat([torch.tensor([START]), words[row, :-1]])
        x = decoder.embedding(shown) + decoder.position
        x = torch.cat([x[:1] + first, x[1:]])
        for layer in decoder.layers:
            assert isinstance(layer, DecoderLayer)
            normed = layer.norm(x)
            x = x + attend(layer.attention, normed, normed, causal=True)
            x = x + attend(layer.to_memory, layer.norm_memory(x), memory, causal=False)
            x = x + layer.feed_forward(layer.norm_forward(x))
        for at in range(vocabulary.length):
            logits = decoder.vote(decoder.norm(x[at]))
            logits[~torch.from_numpy(vocabulary.allowed[at])] = -torch.inf
            loss = F.cross_entropy(logits, words[row, at])
            assert together[row, at].item() == pytest.approx(loss.item())


def small_spaces() -> list[SearchSpace]:
    generic = GenericSpace([Position("a", ("x",)), Position("b", ("x", "y", "z")), Position("c", ("x", "y"))])
    cells = create_space("conv-cell:nodes=2,operations=nao-11")
    rng = np.random.default_rng(3)
    rows = [cells.sample(rng).tokens for _ in range(9)]
    return [generic, cells, create_space("nasbench201"), EnumeratedSpace(cells, rows)]


@pytest.mark.parametrize("space", small_spaces(), ids=["generic", "conv-cell", "nasbench201", "rows"])
def test_whatever_is_decoded_is_valid(space: SearchSpace) -> None:
    vocabulary, _, decoder = build(space)
    states = F.normalize(torch.randn(100, len(decoder.memory_position), 12, dtype=torch.float64), dim=-1)
    decoded = decoder.greedy(states, states.mean(dim=1))
    assert decoded.shape == (100, vocabulary.length)
    for tokens in decoded.tolist():
        assert space.explain_invalid(tokens) is None


def test_greedy_takes_the_likeliest_choice_at_every_position() -> None:
    """Steps with kept keys and values give what the whole sequence gives at once."""
    space = GenericSpace([Position("a", ("p", "q", "r")), Position("b", ("s", "t")), Position("c", ("u", "v"))])
    vocabulary, encoder, decoder = build(space)
    states = encoder(sample_words(space, vocabulary, 6))
    for row, tokens in enumerate(decoder.greedy(states, states.mean(dim=1)).tolist()):
        for at in range(3):
            completions = [
                (*tokens[:at], choice, *rest)
                for choice in range(len(space.positions[at].choices))
                for rest in itertools.product(*(range(len(p.choices)) for p in space.positions[at + 1 :]))
            ]
            words = torch.from_numpy(vocabulary.encode(completions))
            many = states[row : row + 1].expand(len(words), -1, -1)
            losses = decoder(words, many, many.mean(dim=1))[:, at]
            assert completions[int(losses.argmin())][at] == tokens[at]


FAST: dict[str, Any] = {
    "hidden_size": 24,
    "embedding_size": 8,
    "feed_forward_size": 32,
    "layers": 1,
    "unlabelled": 200,
    "pretraining_steps": 150,
    "epochs": 30,
    "min_steps": 10,
    "learning_rate": 5e-3,
}


@pytest.mark.parametrize("loss", ["logistic", "listmle"])
def test_it_learns_to_order_and_to_decode_what_it_has_not_seen(loss: str) -> None:
    space = GenericSpace([Position(f"p{i}", ("a", "b", "c")) for i in range(5)])
    rng = np.random.default_rng(0)
    architectures = list(dict.fromkeys(space.sample(rng) for _ in range(600)))[:180]
    scores = np.array([50.0 + sum(t * (i + 1) for i, t in enumerate(a.tokens)) for a in architectures])
    model = LatentModel(space, TNAOLatentSettings.parse(FAST | {"loss": loss}), 0)
    log = model.fit(architectures[:100], scores[:100])
    predicted = model.predict(architectures)
    assert kendall_tau(scores[100:], predicted[100:]) > 0.6
    assert np.mean([a.tokens == b for a, b in zip(architectures, model.reconstruct(architectures), strict=True)]) > 0.9
    assert log["loss_performance"] > 0
    # Scores of a predictor that learned the order are in the metric's own unit all the same.
    assert predicted[:100].mean() == pytest.approx(scores[:100].mean(), abs=1.5)
    assert predicted[:100].std() == pytest.approx(scores[:100].std(), rel=0.25)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "listmle", "bpr"])
@pytest.mark.parametrize("kind", ["constant", "outlier", "one"])
def test_difficult_pools_give_finite_predictions(loss: str, kind: str) -> None:
    space = create_space("nasbench201")
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(1 if kind == "one" else 9)]
    scores = np.arange(len(architectures), dtype=np.float64) if kind == "outlier" else np.full(len(architectures), 97.0)
    if kind == "outlier":
        scores[3] = -1e9
    tiny = {"pretraining_steps": 2, "max_steps": 3, "min_steps": 1, "loss": loss, "hidden_size": 8, "heads": 2}
    model = LatentModel(space, TNAOLatentSettings.parse(tiny), 0)
    assert all(np.isfinite(value) for value in model.fit(architectures, scores).values())
    predicted = model.predict(architectures)
    assert np.isfinite(predicted).all()
    if kind != "outlier":
        assert predicted == pytest.approx(scores)
    assert torch.isfinite(model.gradient(model.encode(architectures))).all()


def test_a_fit_depends_on_nothing_but_its_input_and_the_seed() -> None:
    space = create_space("nasbench201")
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(20)]
    scores = rng.normal(size=20)
    settings = TNAOLatentSettings.parse(FAST | {"pretraining_steps": 3, "max_steps": 5, "loss": "bpr", "dropout": 0.1})
    fresh, used = (LatentModel(space, settings, 3) for _ in range(2))
    fresh.fit(architectures, scores)
    used.fit(architectures[:7], -scores[:7])
    used.fit(architectures, scores)
    assert used.predict(architectures).tolist() == fresh.predict(architectures).tolist()


def test_heads_divide_the_width() -> None:
    with pytest.raises(InputError, match="hidden_size 30 is not a multiple of 4 heads"):
        TNAOLatentSettings.parse({"hidden_size": 30})
    assert LatentSettings.parse({"hidden_size": 30}).hidden_size == 30


def test_the_registered_model_is_tnaos() -> None:
    model = models.get("tnao")(create_space("nasbench201"), 0)
    assert isinstance(model, LatentModel)
    assert isinstance(model.network.encoder, TransformerEncoder)
    assert (model.settings.loss, model.settings.held_out) == ("logistic", 0)


def test_the_decoder_attends_to_its_own_step_before_it_has_learned_anything() -> None:
    space = create_space("conv-cell")
    vocabulary = Vocabulary(space)
    torch.manual_seed(0)
    network = AutoEncoder(vocabulary, TNAOLatentSettings()).eval()
    decoder = network.decoder
    assert isinstance(decoder, TransformerDecoder)
    states = network.encoder(sample_words(space, vocabulary, 4))
    memory = decoder.memory_norm(states) + decoder.memory_position
    for layer in decoder.layers:
        assert isinstance(layer, DecoderLayer)
        queries = layer.to_memory.query(layer.norm_memory(decoder.position)).view(60, 4, 16)
        keys = layer.to_memory.keys(memory)[0]
        scores = torch.einsum("thk,nhsk->nhts", queries, keys).mean(dim=(0, 1))
        assert (scores.argmax(dim=1) == torch.arange(60) // 3).float().mean() > 0.9
