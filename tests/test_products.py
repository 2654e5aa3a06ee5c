from __future__ import annotations

import pytest
import torch

from naopt import products
from naopt.products import times_transposed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (3, 5, 2), (130, 120, 110), (64, 300, 600)])
@pytest.mark.parametrize("library", [True, False])
def test_products_of_all_kinds_of_views(
    n: int, k: int, m: int, dtype: torch.dtype, library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not library:
        monkeypatch.setattr(products, "_LINEAR", None)
    torch.manual_seed(0)
    a, b, bias = torch.randn(n, k, dtype=dtype), torch.randn(m, k, dtype=dtype), torch.randn(m, dtype=dtype)
    expected = a.double() @ b.double().t()
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    for left in (a, a.t().contiguous().t()):
        for right in (b, b.t().contiguous().t()):
            torch.testing.assert_close(times_transposed(left, right).double(), expected, rtol=0, atol=tolerance)
            shifted = times_transposed(left, right, bias)
            torch.testing.assert_close(shifted.double(), expected + bias.double(), rtol=0, atol=tolerance)
            assert shifted.dtype == dtype


def test_equal_products_have_equal_bits() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(64, 300), torch.randn(600, 300)
    assert torch.equal(times_transposed(a, b), times_transposed(a.clone(), b.clone()))


def test_without_onednn_there_is_no_such_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert products._onednn() is None
