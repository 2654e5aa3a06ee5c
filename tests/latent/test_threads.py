"""Threads are limited for one piece of work, and given back after it."""

from __future__ import annotations

import threadpoolctl
import torch

from naopt.latent.threads import one_thread, one_torch_thread


def of_blas() -> list[int]:
    return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]


def test_blas_is_limited_inside() -> None:
    with threadpoolctl.threadpool_limits(2, "blas"):
        before = of_blas()
        with one_thread():
            assert set(of_blas()) == {1}
            with one_thread():
                assert set(of_blas()) == {1}
            assert set(of_blas()) == {1}
        assert of_blas() == before


def test_torch_is_limited_in_a_decorated_function() -> None:
    @one_torch_thread()
    def threads() -> int:
        return torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert [threads(), threads()] == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
