"""Shortcuts in float arithmetic against what they stand for: values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from naopt.latent.attention import additive_scores
from naopt.latent.modules import lstm_of_words


def plain(query: Tensor, key: Tensor, energy: Tensor) -> Tensor:
    return (energy * torch.tanh(query.unsqueeze(2) + key.unsqueeze(1))).sum(dim=-1)


def example(scale: float, dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = ((3, 4, 6), (3, 5, 6), (6,))
    return [(scale * torch.randn(shape, dtype=dtype)).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0, 30.0, 200.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_additive_scores_and_their_gradients(scale: float, dtype: torch.dtype) -> None:
    """A scale of 30 and more has entries for which exponentials would overflow."""
    inputs = example(scale, dtype)
    found, expected = additive_scores(*inputs), plain(*inputs)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert torch.allclose(found, expected, rtol=tolerance, atol=tolerance * max(1, scale))
    weights = torch.randn_like(found)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=tolerance, atol=3 * tolerance * max(1, scale))


def test_additive_scores_have_the_gradients_of_their_differences() -> None:
    inputs = tuple(example(1.0, torch.float64))
    assert torch.autograd.gradcheck(additive_scores, inputs)


@pytest.mark.parametrize("words", [4, 9])
@pytest.mark.parametrize("given", [True, False])
def test_an_lstm_on_indicators_is_the_lstm_on_embeddings(words: int, given: bool) -> None:
    torch.manual_seed(1)
    embedding, lstm = torch.nn.Embedding(words, 5).double(), torch.nn.LSTM(10, 7, batch_first=True).double()
    sequences = torch.randint(words, (3, 6, 2))
    initial = (torch.randn(1, 3, 7).double(), torch.randn(1, 3, 7).double()) if given else None
    found = lstm_of_words(lstm, embedding, sequences, initial)
    expected = lstm(embedding(sequences).flatten(2), initial)[0]
    assert found.detach().numpy() == pytest.approx(expected.detach().numpy())
    parameters = [*embedding.parameters(), *lstm.parameters()]
    weights = torch.randn_like(found)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), parameters),
        torch.autograd.grad((expected * weights).sum(), parameters),
        strict=True,
    ):
        assert one.numpy() == pytest.approx(other.numpy())
