"""The shipped suites accept what keeps the contract, and say what is wrong with what does not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators import Evaluator
from naopt.measurement import Measurement, MetricInfo
from naopt.searchers import Proposal, Searcher
from naopt.searchers.base import sample_new
from naopt.searchers.random_search import RandomSearcher
from naopt.spaces import (
    Architecture,
    ConvCellSpace,
    GenericSpace,
    Graph,
    NASBench201Space,
    Position,
    SearchSpace,
    Tokens,
)
from naopt.tasks import Dataset, Limits, Split, Task, create_task
from naopt.testing import SearcherCase, check_evaluator, check_searcher, check_space, check_task
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


class BranchSwapsOnly(ConvCellSpace):
    """Neighbours that depend on how the nodes happen to be numbered."""

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        return SearchSpace.neighbours(self, architecture)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (NoName(), "a space needs a name"),
        (OddSteps(), "tokens_per_step must divide"),
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


class Forgetful(RandomSearcher):
    """Proposes what was told before."""

    def ask(self, count: int) -> list[Proposal]:
        return [Proposal(a, "random") for a in sample_new(self.space, set(), count, np.random.default_rng(0))]


class Greedy(RandomSearcher):
    """Gives more than it is asked for."""

    def ask(self, count: int) -> list[Proposal]:
        return super().ask(count + 1)


class Stateful(RandomSearcher):
    """Counts its asks."""

    asks = 0

    def ask(self, count: int) -> list[Proposal]:
        self.asks += 1
        rng = np.random.default_rng([self.seed, self.asks])
        return [Proposal(a, "random") for a in sample_new(self.space, self.seen, count, rng)]


class Unseeded(RandomSearcher):
    """Asks the system for randomness."""

    def ask(self, count: int) -> list[Proposal]:
        rng = np.random.default_rng()
        return [Proposal(a, "random") for a in sample_new(self.space, self.seen, count, rng)]


class SameForAllSeeds(RandomSearcher):
    """Does not use its seed."""

    def generator(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng(len(self.history))


class Anonymous(RandomSearcher):
    """Says no origin."""

    def ask(self, count: int) -> list[Proposal]:
        return [Proposal(p.architecture, "") for p in super().ask(count)]


class GivesUp(RandomSearcher):
    """Ends early."""

    def ask(self, count: int) -> list[Proposal]:
        return super().ask(count) if len(self.history) < 5 else []


class WrongSign(RandomSearcher):
    """Takes the raw metric for the score."""

    def generator(self, *purpose: int) -> np.random.Generator:
        raw = [m.metrics.get("score", 0.0) > 0 for _, m in self.history]
        return np.random.default_rng([self.seed, len(raw), sum(raw)])


@pytest.mark.parametrize(
    ("searcher", "message"),
    [
        (Forgetful, "a proposal was told before"),
        (Greedy, "proposals, got"),
        (Stateful, "ask must depend on what was told"),
        (Unseeded, "equal|what was told"),
        (SameForAllSeeds, "two seeds propose the same"),
        (Anonymous, "must say its origin"),
        (GivesUp, "ended after|nothing is proposed"),
        (WrongSign, "minimising -x"),
    ],
)
def test_a_searcher_that_breaks_a_rule(searcher: type[Searcher], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_searcher(SearcherCase(searcher, ConvCellSpace(2, "enas-5")))


def test_good_searchers() -> None:
    check_searcher(SearcherCase(RandomSearcher, NASBench201Space(), Settings()))
    check_searcher(SearcherCase(RandomSearcher, mlp(), budget=3), seed=3)


class Toy(Evaluator):
    """A good evaluator, of which each class below breaks one rule."""

    def __init__(self) -> None:
        self.space = ConvCellSpace(1, "enas-5")
        self.metrics = {"score": MetricInfo()}
        self.default_metric = "score"
        self.inline = True

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        if sum(architecture.identity) % 2:
            return Measurement({}, 0.1, "diverged", "loss is not finite")
        return Measurement({"score": float(sum(architecture.identity) + seed)}, 0.1)


class Undeclared(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": 1.0, "other": 2.0})


class NoDefault(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.default_metric = "accuracy"


class GlobalRandomness(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": float(np.random.random())})  # noqa: NPY002


class Counting(Toy):
    calls = 0

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        self.calls += 1
        return Measurement({"score": float(self.calls)})


class TellsEqualsApart(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": float(np.dot(architecture.tokens, np.arange(len(architecture.tokens))))})


class Heavy(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.contents = bytes(17 * 2**20)


class TwoLineReason(Toy):
    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({}, 0.0, "failed", "first line\nsecond line")


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (Undeclared, "measured what is not declared"),
        (NoDefault, "is not among the metrics"),
        (GlobalRandomness, "global random state"),
        (Counting, "depend on order"),
        (TellsEqualsApart, "are equal and measure differently"),
        (Heavy, "load heavy things in prepare"),
        (TwoLineReason, "a reason must be one line"),
    ],
)
def test_an_evaluator_that_breaks_a_rule(evaluator: type[Toy], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_evaluator(evaluator())


def test_good_evaluators() -> None:
    toy = Toy()
    check_evaluator(toy)
    check_evaluator(toy, seed=1)
    toy.inline = False
    check_evaluator(toy, seed=2)


class Stripes(Task):
    """A good task, of which each class below breaks one rule."""

    def load(self, limits: Limits = Limits()) -> Dataset:  # noqa: B008
        def split(start: int, limit: int | None) -> Split:
            images = np.arange(start, start + 30, dtype=np.float32).reshape(30, 1, 1, 1)[:limit]
            return Split(images.copy(), np.arange(30, dtype=np.int64)[:limit] % 3)

        return self.changed(split(0, limits.train), split(100, limits.valid), split(200, limits.test))

    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b", "c"))


class Leaking(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, train, test, ("a", "b", "c"))


class LabelsOutOfRange(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b"))


class AbsentClass(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(train, valid, test, ("a", "b", "c", "d"))


class NotFinite(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        return Dataset(Split(np.full_like(train.images, np.nan), train.labels), valid, test, ("a", "b", "c"))


class Unlimited(Stripes):
    def load(self, limits: Limits = Limits()) -> Dataset:  # noqa: B008
        return super().load()


class Shuffled(Stripes):
    def changed(self, train: Split, valid: Split, test: Split) -> Dataset:
        order = np.random.default_rng().permutation(len(train))
        return Dataset(Split(train.images[order], train.labels[order]), valid, test, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Leaking, "images are both in train and in valid"),
        (LabelsOutOfRange, r"train: labels 0..2, 2 classes"),
        (AbsentClass, r"no training image of \['d'\]"),
        (NotFinite, "train: pixels must be finite"),
        (Unlimited, "images in"),
        (Shuffled, "other images when loaded again"),
    ],
)
def test_a_task_that_breaks_a_rule(task: type[Task], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_task(task())


def test_good_tasks() -> None:
    check_task(Stripes())
    check_task(create_task("digits"))
