"""The suite for spaces accepts what keeps the contract, and says what is wrong with what does not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.spaces import (
    Architecture,
    ConvCellSpace,
    GenericSpace,
    Graph,
    Place,
    Position,
    SearchSpace,
    Tokens,
)
from naopt.testing import check_space
from tests.spaces.examples import mlp

SWITCHES = [Position(name, ("off", "on")) for name in "abc"]


class Switches(GenericSpace):
    """A good space, of which each class below breaks one rule."""

    def __init__(self) -> None:
        super().__init__(SWITCHES, "switches")

    def __reduce__(self) -> tuple[type[Switches], tuple[()]]:
        return type(self), ()


class NoName(Switches):
    def __init__(self) -> None:
        super().__init__()
        self.name = ""


class OddSteps(Switches):
    tokens_per_step = 2


class LongDescription(Switches):
    def describe(self) -> str:
        return "switches\nthree of them"


class Undecided(Switches):
    def choices(self, prefix: Sequence[int]) -> Tokens:
        return (1, 0)


class DeadEnd(Switches):
    def choices(self, prefix: Sequence[int]) -> Tokens:
        return () if tuple(prefix) == (1, 1) else (0, 1)

    def sample(self, rng: np.random.Generator) -> Architecture:
        return self._trusted((0, int(rng.integers(2)), int(rng.integers(2))))


class WrongMask(Switches):
    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.eye(len(prefixes), 2, dtype=np.bool_)


class TooLenient(Switches):
    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        return None


class WrongSize(Switches):
    size = 9


class InvalidSamples(Switches):
    def sample(self, rng: np.random.Generator) -> Architecture:
        return self._trusted((int(rng.integers(2)), 5, 0))


class HiddenRandomness(Switches):
    def sample(self, rng: np.random.Generator) -> Architecture:
        return self._trusted([random.randrange(2) for _ in range(3)])


class SkewedSamples(Switches):
    def sample(self, rng: np.random.Generator) -> Architecture:
        return self._trusted([int(rng.random() < 0.7) for _ in range(3)])


class RestlessCanonical(Switches):
    def canonical(self, tokens: Sequence[int]) -> Tokens:
        return (*tokens[1:], tokens[0])

    def identity(self, tokens: Sequence[int]) -> Tokens:
        return tuple(tokens)


class AsymmetricCounterparts(Switches):
    def symmetric(self, tokens: Sequence[int], rng: np.random.Generator) -> Tokens:
        return tuple(1 - token for token in tokens)


class UnfinishedSymmetries(Switches):
    def symmetries(self, tokens: Sequence[int]) -> Iterator[Tokens]:
        yield tuple(tokens)
        yield tuple(tokens)


class OneWayNeighbours(Switches):
    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        return (other for other in super().neighbours(architecture) if other.tokens > architecture.tokens)


class ItsOwnNeighbour(Switches):
    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        yield architecture


class FarMutation(Switches):
    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        return self.sample(rng)


class LossyText(Switches):
    def format(self, architecture: Architecture) -> str:
        return "a=on,b=on,c=on"


class VagueParser(Switches):
    def parse(self, text: str) -> Architecture:
        try:
            return super().parse(text)
        except InputError as error:
            raise InputError("architecture", text, "is wrong somewhere") from error


class ChangingGraph(Switches):
    def graph(self, architecture: Architecture) -> Graph:
        return super().graph(self.sample(np.random.default_rng()))


class NoPicture(Switches):
    def draw(self, architecture: Architecture) -> str:
        return "<p>a picture</p>"


class LostInPickling(Switches):
    def __reduce__(self) -> Any:
        return GenericSpace, (SWITCHES[:2], "switches")


CELL = [
    Position("1/input", ("0",), "input", place=Place("cell", 1, refers=True)),
    Position("1/operation", ("a", "b"), place=Place("cell", 1)),
    Position("2/input", ("0", "1"), "input", place=Place("cell", 2, refers=True)),
]


class ScatteredCell(GenericSpace):
    """Positions of another cell stand between those of one."""

    def __init__(self) -> None:
        other = Position("other", ("a", "b"), place=Place("other", 1))
        super().__init__([*CELL[:2], other, CELL[2]], "scattered")


class SkippedNode(GenericSpace):
    def __init__(self) -> None:
        super().__init__([*CELL[:2], Position("3/operation", ("a", "b"), place=Place("cell", 3))], "skipped")


class BoundReference(GenericSpace):
    """Which earlier node may be taken depends on the operation before."""

    def __init__(self) -> None:
        super().__init__(CELL, "bound")

    def choices(self, prefix: Sequence[int]) -> Tokens:
        return (1,) if tuple(prefix) == (0, 1) else super().choices(prefix)

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        return SearchSpace.choice_mask(self, prefixes)

    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        return "no" if tuple(tokens) == (0, 1, 0) else super().explain_invalid(tokens)


class BranchSwapsOnly(ConvCellSpace):
    """Neighbours that depend on how the nodes happen to be numbered."""

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        return SearchSpace.neighbours(self, architecture)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (NoName(), "a space needs a name"),
        (OddSteps(), "tokens_per_step must divide"),
        (ScatteredCell(), "must stand together"),
        (SkippedNode(), "not numbered through"),
        (BoundReference(), "refers to nodes, but is not free"),
        (LongDescription(), "describe must be one line"),
        (Undecided(), "choices must ascend"),
        (DeadEnd(), "prefix .* cannot be extended"),
        (WrongMask(), "choice_mask"),
        (TooLenient(), "must not be valid"),
        (WrongSize(), "size is 9, choices spell 8"),
        (InvalidSamples(), "token"),
        (HiddenRandomness(), "equal generators must give equal samples"),
        (SkewedSamples(), "samples are not uniform"),
        (RestlessCanonical(), "canonical is not idempotent"),
        (AsymmetricCounterparts(), "gives what symmetries does not"),
        (UnfinishedSymmetries(), "repeat"),
        (OneWayNeighbours(), "is no neighbour of its neighbour"),
        (ItsOwnNeighbour(), "is its own neighbour"),
        (FarMutation(), "is no neighbour"),
        (LossyText(), "parses to"),
        (VagueParser(), "expected a syntax error"),
        (ChangingGraph(), "graph must be a function"),
        (NoPicture(), "draw gives <p>"),
        (LostInPickling(), "pickle changes it"),
        (BranchSwapsOnly(3, "conv3x3"), "neighbour"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SearchSpace) else "",
)
def test_a_space_that_breaks_a_rule(space: SearchSpace, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_space(space)


def test_good_spaces() -> None:
    check_space(Switches())
    check_space(mlp(), seed=7)
