"""Supernets: the networks of all architectures of a space, with shared weights (Pham et al. 2018, ENAS).

A supernet computes one path at a time: that of the chosen architecture. What it computes then is, bit for bit up to
rounding, what the architecture's own network computes with the same weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal

from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.base import ChildNetwork
from naopt.networks.operations import BatchNorm
from naopt.networks.path import Numbering, Path, path_of
from naopt.spaces import Architecture, SearchSpace, Tokens

WeightSharing = Literal["edge", "branch", "node"]
"""What has operations with weights of its own: each input of a node (``edge``), each of either branch of a node
(``branch``; the official programs), or each node whatever its input (``node``)."""


class SharedWeights(ABC):
    """What every supernet offers, whatever it works on; a subclass is a ``torch.nn.Module`` too.

    Attributes:
        space: whose architectures it holds.
        numbering: how an architecture becomes a path; set before the first one is made, if at all.
    """

    space: SearchSpace
    numbering: Numbering = "canonical"

    def path(self, architecture: Architecture) -> Path:
        """The path of an architecture: what is trained, rewarded, measured and inherited for it."""
        return path_of(architecture, self.numbering)

    def choose(self, path: Path) -> None:
        """Fixes the path that is computed from now on. Raises ``ValueError`` for one of another numbering."""
        self._check(path)
        self._follow(path.tokens)

    def _check(self, path: Path) -> None:
        if path.numbering != self.numbering:
            raise ValueError(f"a path numbered as {path.numbering} in a supernet numbered as {self.numbering}")

    @abstractmethod
    def _follow(self, tokens: Tokens) -> None:
        """Computes from now on the path with these valid tokens."""

    @abstractmethod
    def path_parameters(self) -> Sequence[nn.Parameter]:
        """Every parameter of the chosen path, each once; those that are fixed are among them, and get no gradient."""


class Mixable(SharedWeights):
    """A supernet whose operations can be mixed (Liu et al. 2019, DARTS, Eq. 2).

    Mixing weights are tables, one for each decision; ``mixing_shapes`` gives their shapes. A mixture is computed
    instead of a path until the next ``choose``.

    Attributes:
        twice_differentiable: its loss has second derivatives.
    """

    twice_differentiable = True

    @abstractmethod
    def mixing_shapes(self) -> Sequence[tuple[int, ...]]:
        """Shapes of the logits, the last dimension being what a softmax is taken over."""

    @abstractmethod
    def mix(self, weights: Sequence[Tensor]) -> None:
        """Computes mixtures from now on, with these weights (softmaxes of logits of ``mixing_shapes``)."""

    @abstractmethod
    def derive(self, weights: Sequence[Tensor]) -> Tokens:
        """Tokens of the architecture that is left when each mixture keeps its strongest operations."""


class Supernet(ChildNetwork, SharedWeights):
    """A supernet that classifies images."""

    @abstractmethod
    def child_state(self, path: Path) -> dict[str, Tensor]:
        """State dict of the network that ``build_network`` makes of ``path.architecture``, with the shared weights.

        Raises:
            InputError: the path has a normalisation that the child lacks (``CellNorms.pools``).
        """


def no_inheritance(space: SearchSpace, path: Path) -> InputError:
    """What is said of an architecture whose pools are normalised in the supernet."""
    rule = "has a pool, which this supernet normalises and its own network does not: it cannot inherit its weights"
    return InputError("architecture", space.format(path.architecture), f"{rule} (normalise_pools=false trains without)")


def path_norms(network: nn.Module) -> Iterator[BatchNorm]:
    """All batch normalisations of a network."""
    return (module for module in network.modules() if isinstance(module, BatchNorm))


def unique(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Each parameter once, in order."""
    return list({id(parameter): parameter for parameter in parameters}.values())
