"""What predictors learn from, and what they choose among."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.latent.encoding import encoded, features_of
from naopt.latent.features import one_hot
from naopt.measurement import Goal, Measurement
from naopt.searchers import Objective, searchers
from naopt.searchers import scan as scan_module
from naopt.searchers.candidates import CandidateKind, Candidates, best_first, mutants, scored
from naopt.searchers.scan import Scan
from naopt.spaces import ConvCellSpace, NASBench201Space
from tests.searchers.driving import create, grid

SPACE = NASBench201Space()


def test_failures_that_an_architecture_causes_count_as_the_worst() -> None:
    space = grid(4, 4, 4, 4)
    architectures = [space.architecture((0, 0, 0, token)) for token in range(4)]
    told = [
        Measurement({"score": 3.0}),
        Measurement({}, 0.0, "diverged", "loss is not finite"),
        Measurement({}, 0.0, "failed", "no such file"),
        Measurement({"score": 1.0}),
    ]
    kept, scores = scored(list(zip(architectures, told, strict=True)), Objective("score"))
    assert kept == [architectures[0], architectures[1], architectures[3]]
    assert scores.tolist() == [3, 1, 1]
    assert best_first(kept, scores) == kept
    _, turned = scored(list(zip(architectures, told, strict=True)), Objective("score", "min"))
    assert turned.tolist() == [-3, -3, -1]
    assert scored([(architectures[1], told[1])], Objective("score"))[0] == []


def test_mutants_are_new_near_and_from_each_parent_in_turn() -> None:
    space, rng = grid(4, 4, 4, 4, 4, 4), np.random.default_rng(0)
    parents = [space.architecture((0,) * 6), space.architecture((3,) * 6)]
    known = {next(space.neighbours(parents[0]))}
    found = mutants(space, parents, 11, known, rng)
    assert len(found) == 11
    assert not known & found.keys()
    assert [list(found.values()).count(parent) for parent in parents] == [6, 5]
    for child, parent in found.items():
        assert sum(a != b for a, b in zip(child.tokens, parent.tokens, strict=True)) == 1
    far = mutants(space, parents[:1], 60, set(), rng, changes=3)
    assert {sum(token > 0 for token in child.tokens) for child in far} >= {1, 2, 3}


def test_mutants_end_where_the_neighbourhood_does() -> None:
    space = grid(3, 3)
    centre = space.architecture((0, 0))
    found = mutants(space, [centre], 100, {centre}, np.random.default_rng(0))
    assert found.keys() == set(space.neighbours(centre))
    assert mutants(space, [], 5, set(), np.random.default_rng(0)) == {}


def test_scan_describes_every_architecture() -> None:
    scan = Scan(SPACE, ("tokens", "paths"))
    assert len(scan.architectures) == 15625
    assert len(scan.groups[0]) < 15625, "isomorphic cells share a row"
    rng = np.random.default_rng(0)
    some = [SPACE.sample(rng) for _ in range(50)]
    expected = encoded(SPACE, some, ("tokens", "paths"))
    for group, values in zip(scan.groups, expected.values(), strict=True):
        np.testing.assert_array_equal(group[scan.rows[[scan.index[a] for a in some]]], values)
    (total,) = scan.predict(lambda groups: (groups[0].sum(axis=1),))
    assert total.tolist() == [6.0] * 15625
    left = scan.unseen(some)
    assert len(left) == 15625 - len(set(some))
    assert not {scan.architectures[index] for index in left} & set(some)


@pytest.mark.parametrize("kept", [2**27, 5000])
def test_a_scan_keeps_distances_and_gives_the_same_bits_without(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_KEPT_BYTES", kept)
    space, names = grid(4, 4, 4, 4), ("tokens", "numbers")
    told = [space.architecture(tokens) for tokens in [(0, 1, 2, 3), (3, 3, 0, 1), (0, 0, 0, 0)]]
    step_by_step, at_once = Scan(space, names), Scan(space, names)

    def asked(scan: Scan, count: int) -> list[np.ndarray]:
        return [*scan.predict_near(lambda squares, _: tuple(np.concatenate(squares)), told[:count])]

    for count in (1, 2, 3):
        last = asked(step_by_step, count)
    for first, second in zip(last, asked(at_once, 3), strict=True):
        np.testing.assert_array_equal(first, second)
    every = encoded(space, at_once.architectures, names)
    expected = [((group[at_once.index[a]] - group) ** 2).sum(axis=1) for group in every.values() for a in told]
    np.testing.assert_allclose(last, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "origins"), [("auto", {"scan"}), ("scan", {"scan"}), ("local", {"random", "mutation"})]
)
def test_candidates_are_new_and_say_where_they_come_from(kind: CandidateKind, origins: set[str]) -> None:
    rng = np.random.default_rng(0)
    seen = {SPACE.sample(rng) for _ in range(30)}
    parents = sorted(seen, key=lambda a: a.tokens)[:3]
    found = Candidates(
        SPACE,
        ("tokens",),
        parents,
        seen,
        rng,
        kind=kind,
        random=20,
        mutations=30,
        changes=1,
    )
    proposals = [found.proposal(index, 0.5) for index in range(len(found))]
    assert {proposal.origin for proposal in proposals} == origins
    assert not seen & {proposal.architecture for proposal in proposals}
    assert all((proposal.parent in parents) == (proposal.origin == "mutation") for proposal in proposals)
    (rows,) = found.predict(lambda groups: (groups[0] @ np.arange(30.0),))
    tokens = [SPACE.canonical(proposal.architecture.tokens) for proposal in proposals]
    np.testing.assert_array_equal(rows, one_hot(SPACE, tokens) @ np.arange(30.0))


def test_large_spaces_are_not_enumerated() -> None:
    space, rng = ConvCellSpace(), np.random.default_rng(0)
    found = Candidates(
        space, ("tokens",), [space.sample(rng)], set(), rng, kind="auto", random=5, mutations=7, changes=2
    )
    assert len(found) == 12
    for name in ("gp", "boosted-trees"):
        with pytest.raises(InputError, match="take local"):
            create(searchers.get(name), space, 20, candidates="scan")


def test_encoding_falls_back_on_tokens() -> None:
    space = grid(4, 4, 4, 4)
    row = [space.architecture((0, 1, 2, 3))]
    assert encoded(space, row, ("paths",)).keys() == {"tokens"}
    assert encoded(SPACE, [SPACE.architecture((3,) * 6)], ("paths",)).keys() == {"paths"}
    assert features_of(SPACE) is features_of(SPACE)


PREDICTORS = ["bananas", "boosted-trees", "gp", "npenas", "pnas"]


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("goal", ["max", "min"])
def test_predictions_are_in_the_metrics_unit(name: str, goal: Goal) -> None:
    """Told 1000 plus the sum of tokens, nobody expects anything outside 950 and 1080."""
    space = grid(3, 3, 3, 3, 3, 3)
    search = create(searchers.get(name), space, 100, goal=goal)
    rng = np.random.default_rng(0)
    for architecture in {space.sample(rng): None for _ in range(60)}:
        search.tell(architecture, Measurement({"score": 1000.0 + sum(architecture.tokens)}))
    predicted: list[float] = []
    while not predicted:
        for proposal in search.ask(5):
            predicted += [proposal.predicted] if proposal.predicted is not None else []
            search.tell(proposal.architecture, Measurement({"score": 1000.0 + sum(proposal.architecture.tokens)}))
    assert all(950 < value < 1080 for value in predicted)
    assert searchers.get(name).settings_type.model_fields.keys() >= {"preset"}
