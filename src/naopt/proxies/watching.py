"""Sees what networks compute, however they write it: modules, functions and methods end in the same operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

_aten = torch.ops.aten
_RELU = {_aten.relu.default, _aten.relu_.default}
_CLAMPED = {_aten.hardtanh.default, _aten.hardtanh_.default}
"""ReLU6 is one, with a lower bound of 0."""


class Codes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside, counts for each pair of images the rectified units that are active for both or for neither.

    A unit counts once for each convolution that reads it, and once if none does: in published networks each
    convolution has a ReLU of its own, where ours share the ReLU of a state.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found: list[list[Any]] = []
        self._alive: WeakIdKeyDictionary = WeakIdKeyDictionary()

    @property
    def kernel(self) -> Tensor | None:
        """``(n, n)`` float64; ``None`` if nothing was rectified."""
        counted = [max(1, readers) * agree for agree, readers in self._found]
        return sum(counted[1:], start=counted[0]) if counted else None

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Carries out, and looks at what was rectified, and who reads it."""
        if func is _aten.convolution.default and args[0] in self._alive:
            self._alive[args[0]][1] += 1
        out = func(*args, **(kwargs or {}))
        if func in _RELU or (func in _CLAMPED and args[1:2] == (0,)):
            active = out.flatten(1).gt(0).to(torch.float32)
            both = (active @ active.T).double()  # whole numbers below 2^24: exact in any order
            alone = both.diagonal()
            agree = active.shape[1] - alone[:, None] - alone[None, :] + 2 * both
            self._alive[out] = entry = [agree, 0]
            self._found.append(entry)
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
