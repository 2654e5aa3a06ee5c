"""What is expected from measurements of another task, in memory and in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from naopt.errors import InputError
from naopt.latent.belief_files import read_beliefs, save_beliefs
from naopt.latent.beliefs import MOST_ROWS, Belief, Beliefs
from naopt.latent.priors import Priors, Promises
from naopt.metrics import spearman
from naopt.spaces import Architecture, GenericSpace, NASBench201Space, Position

SPACE = GenericSpace([Position(name, tuple("abcd")) for name in "xyz"], "letters")
ALIKE = (
    "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|skip_connect~2|",
    "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
)
EVERY = list(SPACE.enumerate())


def scores(architectures: list[Architecture]) -> dict[Architecture, float]:
    return {a: 3.0 * a.tokens[0] - a.tokens[1] + 0.1 * a.tokens[2] for a in architectures}


@pytest.fixture(scope="module")
def belief() -> Belief:
    return Belief.fit("one", SPACE, scores(EVERY[1::3]), metric="acc", task="digits")


def test_what_was_never_measured_is_expected(belief: Belief) -> None:
    others = [architecture for architecture in EVERY if architecture not in belief.rows]
    assert spearman(belief(others), np.array(list(scores(others).values()))) > 0.9
    best = max(scores(EVERY), key=scores(EVERY).__getitem__)
    assert best not in belief.rows
    assert best in belief.promising[:4]


def test_the_mean_is_that_of_the_textbook(belief: Belief) -> None:
    """Rasmussen & Williams 2006, Eq. 2.25, from the process' own covariances."""
    points = belief.embedding.encode(belief.rows)
    process = belief._process
    start, count = belief.embedding.together.start, len(belief.embedding.blocks)
    assert (start, count) == (1, 4), "a kernel for all tokens, one for the three positions"
    weights, lengths, noise = np.split(np.exp(belief.parameters), [2, 2 + count])

    def covariance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        squares = [
            ((first[:, None, block] - second[None, :, block]) ** 2).sum(axis=2) / scale / length**2
            for block, length, scale in zip(belief.embedding.blocks.values(), lengths, process._scales, strict=True)
        ]
        total: np.ndarray = weights[0] * np.exp(-0.5 * squares[0]) + weights[1] * np.exp(-0.5 * sum(squares[1:]))
        return total

    there = belief.embedding.encode(EVERY)
    inner = covariance(points, points) + (noise + 1e-6) * np.eye(len(points))
    assert np.allclose(belief(EVERY), covariance(there, points) @ np.linalg.solve(inner, belief.targets), atol=1e-6)


def test_no_bit_depends_on_what_else_is_asked(belief: Belief) -> None:
    def again() -> Belief:
        return Belief("one", SPACE, belief.rows, belief.targets, belief.parameters)

    at_once, shuffled, alone = again()(EVERY), again(), again()
    order = np.random.default_rng(0).permutation(len(EVERY))
    assert np.array_equal(shuffled([EVERY[at] for at in order]), at_once[order])
    assert np.array_equal([alone([architecture])[0] for architecture in EVERY], at_once)


def test_only_the_order_of_scores_matters() -> None:
    given = scores(EVERY[1::3])
    bent = Belief.fit("one", SPACE, {architecture: score**3 + 7 for architecture, score in given.items()})
    assert np.array_equal(bent(EVERY), Belief.fit("one", SPACE, given)(EVERY))


def test_of_many_the_best_and_others_of_all_ranks_are_taken() -> None:
    space = GenericSpace([Position("x", tuple(map(str, range(1200))))], "line")
    every = list(space.enumerate())
    parameters = np.zeros(2 * len(Belief("", space, every[:1], np.zeros(1)).embedding.blocks) + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("naopt.latent.gaussian_process.likeliest", lambda *_: parameters)
        found = Belief.fit("many", space, {architecture: float(architecture.tokens[0]) for architecture in every})
    ranks = [1199 - architecture.tokens[0] for architecture in found.rows]
    assert len(ranks) == MOST_ROWS
    assert ranks[:251] == list(range(251))
    assert ranks[-1] == 1199
    assert set(np.diff(ranks[250:]).tolist()) == {3, 4}
    assert found.targets[0] == pytest.approx(NormalDist().inv_cdf(1 - 0.5 / 1200))


def test_architectures_of_one_canonical_form_count_as_one() -> None:
    space = NASBench201Space()
    one, same = space.parse(ALIKE[0]), space.parse(ALIKE[1])
    assert space.canonical(one.tokens) == space.canonical(same.tokens)
    assert one != same
    given = {one: 1.0, same: 3.0, space.parse(ALIKE[2]): 2.0}
    low, middle, high = (NormalDist().inv_cdf(share) for share in (1 / 6, 1 / 2, 5 / 6))
    found = Belief.fit("alike", space, given)
    assert found.targets == pytest.approx([(low + high) / 2, middle], abs=1e-12)
    assert len(found.rows) == 2


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0]])
def test_what_ranks_nothing_is_refused(values: list[float]) -> None:
    rule = f"has {len(set(values))} different values, which rank nothing"
    with pytest.raises(InputError, match=rule):
        Belief.fit("flat", SPACE, dict(zip(EVERY, values, strict=False)))


def test_several_sources_beside_other_knowledge(belief: Belief) -> None:
    class Sizes:
        metrics = ("size",)

        def of(self, architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
            return {"size": np.array([float(sum(a.tokens)) for a in architectures])}

    other = Belief.fit("two", SPACE, {a: -score for a, score in scores(EVERY[1::3]).items()})
    known = Beliefs([belief, other], Sizes())
    assert isinstance(known, Promises)
    assert list(known.metrics) == ["one", "two", "size"]
    values = known.of(EVERY)
    assert np.array_equal(values["one"], belief(EVERY))
    assert np.allclose(values["two"], -values["one"], atol=0.05)
    assert values["size"][1] == 1.0
    assert {name: listed[0] for name, listed in known.promising.items()} == {
        "one": EVERY[values["one"].argmax()],
        "two": EVERY[values["two"].argmax()],
    }


def test_normal_scores_are_a_prior_as_they_are(belief: Belief) -> None:
    def describe(architectures: Sequence[Architecture]) -> np.ndarray:
        return np.array([a.tokens for a in architectures], dtype=np.float64)

    assert np.array_equal(Priors(SPACE, Beliefs([belief]), describe)(EVERY)[:, 0], belief(EVERY))


# Files.


@pytest.fixture
def path(belief: Belief, tmp_path: Path) -> Path:
    save_beliefs([belief], tmp_path / "one.safetensors")
    return tmp_path / "one.safetensors"


def test_a_file_has_all_of_it(belief: Belief, path: Path) -> None:
    (found,) = read_beliefs(path, SPACE)
    assert (found.name, found.metric, found.task, found.rows) == ("one", "acc", "digits", belief.rows)
    assert np.array_equal(found(EVERY), belief(EVERY))
    assert {name: array.shape for name, array in load_file(path).items()} == {
        "0/tokens": (21, 3),
        "0/targets": (21,),
        "0/parameters": belief.parameters.shape,
    }


def rewritten(path: Path, **changes: str) -> None:
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata = dict(file.metadata())
    save_file(load_file(path), path, metadata | changes)


def test_files_that_cannot_be_used(path: Path, tmp_path: Path) -> None:
    other = GenericSpace([Position(name, tuple("abc")) for name in "xyz"], "fewer")
    with pytest.raises(InputError, match="is of space letters, not fewer"):
        read_beliefs(path, other)
    rewritten(path, beliefs=json.dumps([{"name": "one", "metric": "loss", "task": ""}]))
    with pytest.raises(InputError, match="is damaged: its checksum is another"):
        read_beliefs(path, SPACE)
    rewritten(path, version="2")
    with pytest.raises(InputError, match="is of version 2, not 1; make it anew: naopt prior save"):
        read_beliefs(path, SPACE)
    save_file({"a": np.zeros(1)}, path)
    with pytest.raises(InputError, match="holds no beliefs"):
        read_beliefs(path, SPACE)
    path.write_bytes(b"short")
    with pytest.raises(InputError, match="cannot be read"):
        read_beliefs(path, SPACE)
    with pytest.raises(InputError, match="cannot be read"):
        read_beliefs(tmp_path / "none.safetensors", SPACE)
