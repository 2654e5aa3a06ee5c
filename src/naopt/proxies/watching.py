"""Sees what networks compute, whether they write it as modules, functions or methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

_RELU = frozenset({"relu", "relu_", "relu6"})


class Codes(TorchFunctionMode):
    """Inside, counts for each pair of images the rectified units that are active for both or for neither.

    A unit counts once for each convolution that reads it, and once if none does: in published networks each
    convolution has a ReLU of its own, where ours share the ReLU of a state.
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: list[list[Any]] = []
        self._alive: WeakIdKeyDictionary = WeakIdKeyDictionary()

    @property
    def kernel(self) -> Tensor | None:
        """``(n, n)`` float64; ``None`` if nothing was rectified."""
        counted: list[Tensor] = [max(1, readers) * agree for agree, readers in self._found]
        return torch.stack(counted).sum(0) if counted else None

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Carries out, and looks at what was rectified, and who reads it."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "conv2d" and args and args[0] in self._alive:
            self._alive[args[0]][1] += 1
        out = func(*args, **kwargs)
        if name in _RELU or (name == "hardtanh" and (*args[1:2], kwargs.get("min_val"))[0] == 0):
            active = out.detach().flatten(1).gt(0).to(torch.float32)
            both = (active @ active.T).double()  # whole numbers below 2^24: exact in any order
            alone = both.diagonal()
            agree = active.shape[1] - alone[:, None] - alone[None, :] + 2 * both
            self._alive[out] = entry = [agree, 0]
            self._found.append(entry)
        return out


class GlobalPool(TorchFunctionMode):
    """Inside, keeps what the last global average pool reads.

    Attributes:
        read: ``(n, c, h, w)``; ``None`` as long as nothing was pooled globally.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read: Tensor | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Carries out, and looks at what was pooled."""
        kwargs = kwargs or {}
        name, (over,) = getattr(func, "__name__", ""), args[1:2] or (kwargs.get("dim"),)
        pooled = name == "mean" and isinstance(over, tuple | list) and {dim % 4 for dim in over} == {2, 3}
        if (pooled and args[0].dim() == 4) or (name == "adaptive_avg_pool2d" and over in (1, (1, 1))):
            self.read = args[0]
        return func(*args, **kwargs)
