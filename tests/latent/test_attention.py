"""Shortcuts in float arithmetic against what they stand for: values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from naopt.latent.attention import additive_scores, product, tanh_product, unit_length
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


@pytest.mark.parametrize("squashed", [False, True])
@pytest.mark.parametrize("outputs", [2, 9])
def test_products_and_their_gradients(squashed: bool, outputs: int) -> None:
    torch.manual_seed(2)
    x, weight = torch.randn(3, 4, 6).double().requires_grad_(), torch.randn(outputs, 6).double().requires_grad_()
    function = tanh_product if squashed else product
    expected = x @ weight.T
    assert torch.allclose(function(x, weight), torch.tanh(expected) if squashed else expected)
    assert torch.autograd.gradcheck(function, (x, weight))
    assert torch.autograd.gradcheck(function, (x.detach(), weight))


def test_products_of_float32_are_those_of_float64() -> None:
    """Large enough for the library that small products do not use; inputs are a view, as an LSTM's states are."""
    torch.manual_seed(3)
    x, weight = torch.randn(40, 120, 70).transpose(0, 1), torch.randn(50, 70)
    found = [tensor.requires_grad_() for tensor in (x.clone(), weight.clone())]
    expected = [tensor.double().requires_grad_() for tensor in (x, weight)]
    upstream = torch.randn(120, 40, 50)
    for one, other in zip(
        torch.autograd.grad((tanh_product(*found) * upstream).sum(), found),
        torch.autograd.grad((torch.tanh(expected[0] @ expected[1].T) * upstream.double()).sum(), expected),
        strict=True,
    ):
        assert (one.double() - other).abs().max() < 1e-5 * other.abs().max()


def test_unit_length_is_torchs_normalisation() -> None:
    x = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(unit_length(x), torch.nn.functional.normalize(x, dim=-1))
    assert torch.autograd.gradcheck(unit_length, x)
    assert not unit_length(torch.zeros(2, 3)).any()
