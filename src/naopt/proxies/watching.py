"""Sees what networks compute, however they write it: modules, functions and methods end in the same operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_RELU = {_aten.relu.default, _aten.relu_.default}
_CLAMPED = {_aten.hardtanh.default, _aten.hardtanh_.default}
"""ReLU6 is one, with a lower bound of 0."""


class Codes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, counts for each pair of images the rectified units that are active for both or for neither.

    A unit that several branches read counts once.

    Attributes:
        kernel: ``(n, n)`` float64; ``None`` as long as nothing was rectified.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernel: Tensor | None = None

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Carries out, and looks at what was rectified."""
        out = func(*args, **(kwargs or {}))
        if func in _RELU or (func in _CLAMPED and args[1:2] == (0,)):
            active = out.flatten(1).gt(0).to(torch.float32)
            both = (active @ active.T).double()  # whole numbers below 2^24: exact in any order
            alone = both.diagonal()
            agree = active.shape[1] - alone[:, None] - alone[None, :] + 2 * both
            self.kernel = agree if self.kernel is None else self.kernel + agree
        return out


class GlobalPool(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, keeps what the last global average pool reads.

    Attributes:
        read: ``(n, c, h, w)``; ``None`` as long as nothing was pooled globally.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.read: Tensor | None = None

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Carries out, and looks at what was pooled."""
        if func is _aten.mean.dim and args[0].dim() == 4 and {dim % 4 for dim in args[1]} == {2, 3}:
            self.read = args[0]
        return func(*args, **(kwargs or {}))
