"""Conformance suite for search spaces; the contract is in ``naopt.spaces.base``."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np
from scipy.stats import chi2

from naopt.errors import ArchitectureSyntaxError, InputError
from naopt.spaces import Architecture, SearchSpace, Tokens
from naopt.testing.suite import Suite

_SAMPLES = 12
_COUNTED = 20_000
"""Up to this size a space's sequences are counted one by one."""
_UNIFORM = 300
"""Up to this size a space's samples are tested for uniformity."""
_SYMMETRIES = 256
"""How many symmetric counterparts are looked at."""


def check_space(space: SearchSpace, seed: int = 0) -> None:
    """Runs the whole suite on one space. Raises ``AssertionError`` that says what breaks which rule."""
    SpaceSuite.check(space, seed)


def sequences(space: SearchSpace, prefix: Tokens = ()) -> Iterator[Tokens]:
    """All valid sequences, lazily, in ascending order, as ``choices`` spells them."""
    if len(prefix) == len(space.positions):
        yield prefix
    else:
        for choice in space.choices(prefix):
            yield from sequences(space, (*prefix, choice))


class SpaceSuite(Suite):
    """Checks of one space; a pytest class derived from it gives a fixture ``space``."""

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _samples(self, space: SearchSpace, count: int = _SAMPLES) -> list[Architecture]:
        rng = self._rng()
        return [space.sample(rng) for _ in range(count)]

    # Positions and validity.

    def test_positions_are_named(self, space: SearchSpace) -> None:
        names = [position.name for position in space.positions]
        assert space.name, "a space needs a name"
        assert names, "a space needs positions"
        assert len(set(names)) == len(names), f"position names must differ: {names}"
        assert space.tokens_per_step >= 1, "tokens_per_step must be positive"
        assert len(names) % space.tokens_per_step == 0, "tokens_per_step must divide the number of positions"

    def test_places_are_those_of_cells(self, space: SearchSpace) -> None:
        places = [position.place for position in space.positions if position.place is not None]
        ordered = {part: [place.node for place in places if place.part == part] for part in {p.part for p in places}}
        runs = [place.part for index, place in enumerate(places) if not index or places[index - 1].part != place.part]
        assert len(runs) == len(set(runs)), f"a cell's positions must stand together: {runs}"
        for part, nodes in ordered.items():
            assert sorted(nodes) == nodes, f"nodes of {part} must stand in order: {nodes}"
            assert len(set(nodes)) == nodes[-1] - nodes[0] + 1, f"nodes of {part} are not numbered through: {nodes}"
        for architecture in self._samples(space, 4):
            for index, position in enumerate(space.positions):
                if position.place is not None and position.place.refers:
                    valid = space.choices(architecture.tokens[:index])
                    assert len(valid) == len(position.choices), f"{position.name} refers to nodes, but is not free"

    def test_describe_is_one_line(self, space: SearchSpace) -> None:
        described = space.describe()
        assert space.name in described, f"describe must name the space: {described}"
        assert len(described.splitlines()) == 1, f"describe must be one line: {described!r}"

    def test_choices_agree_with_validity_and_mask(self, space: SearchSpace) -> None:
        rng = self._rng()
        for architecture in self._samples(space, 4):
            for index, position in enumerate(space.positions):
                prefix = architecture.tokens[:index]
                valid = space.choices(prefix)
                assert valid, f"no choice at position {index} after {prefix}"
                assert list(valid) == sorted(set(valid)), f"choices must ascend and differ: {valid}"
                assert architecture.tokens[index] in valid, f"a sampled token is not among the choices after {prefix}"
                assert 0 <= valid[0] <= valid[-1] < len(position.choices), f"choices out of range: {valid}"
                mask = space.choice_mask(np.array([prefix, prefix], dtype=np.int64).reshape(2, index))
                assert mask.shape == (2, len(position.choices)), f"choice_mask has shape {mask.shape} at {index}"
                assert mask.dtype == np.bool_, f"choice_mask has type {mask.dtype}"
                for row in mask:
                    assert tuple(np.flatnonzero(row).tolist()) == valid, f"choice_mask disagrees after {prefix}"
                for token in range(len(position.choices)):
                    tokens = _completed(space, (*prefix, token), rng) if token in valid else None
                    if tokens is not None:
                        assert space.contains(tokens), f"choices lead to {tokens}: {space.explain_invalid(tokens)}"
                        continue
                    refused = (*prefix, token, *architecture.tokens[index + 1 :])
                    assert not space.contains(refused), f"token {token} is no choice after {prefix}, yet valid"

    def test_choice_mask_of_different_prefixes(self, space: SearchSpace) -> None:
        samples = self._samples(space, 6)
        for index in range(len(space.positions)):
            prefixes = np.array([a.tokens[:index] for a in samples], dtype=np.int64).reshape(len(samples), index)
            for row, architecture in zip(space.choice_mask(prefixes), samples, strict=True):
                expected = space.choices(architecture.tokens[:index])
                assert tuple(np.flatnonzero(row).tolist()) == expected, f"choice_mask mixes rows at position {index}"

    def test_invalid_tokens_are_explained(self, space: SearchSpace) -> None:
        tokens = self._samples(space, 1)[0].tokens
        last = len(space.positions[-1].choices)
        for wrong in (tokens[:-1], (*tokens, 0), (*tokens[:-1], last), (*tokens[:-1], -1), ()):
            reason = space.explain_invalid(wrong)
            assert reason, f"{wrong} must not be valid"
            assert len(reason.splitlines()) == 1, f"a reason must be one line: {reason!r}"
            assert not space.contains(wrong), f"contains and explain_invalid disagree about {wrong}"
            _refuses(space, wrong)

    def test_size_is_the_number_of_sequences(self, space: SearchSpace) -> None:
        assert space.size >= 1, "a space holds at least one architecture"
        if space.size <= _COUNTED:
            every = list(islice(sequences(space), space.size + 1))
            assert len(every) == space.size, f"size is {space.size}, choices spell {len(every)} sequences or more"
            assert all(map(space.contains, every[:: max(1, len(every) // 500)])), "choices spell invalid sequences"

    # Sampling.

    def test_samples_are_valid(self, space: SearchSpace) -> None:
        for architecture in self._samples(space):
            assert architecture.space == space.name, f"a sample's space is {architecture.space!r}"
            reason = space.explain_invalid(architecture.tokens)
            assert reason is None, f"sampled {architecture.tokens}: {reason}"
            assert all(type(token) is int for token in architecture.tokens), "tokens must be plain integers"
            again = space.architecture(architecture.tokens)
            assert again.tokens == architecture.tokens, "architecture changes valid tokens"
            assert again == architecture, "architecture and sample disagree about identity"

    def test_samples_are_deterministic(self, space: SearchSpace) -> None:
        first, second = ([a.tokens for a in self._samples(space)] for _ in range(2))
        assert first == second, "equal generators must give equal samples"

    def test_samples_are_uniform(self, space: SearchSpace) -> None:
        if not 1 < space.size <= _UNIFORM:
            return
        draws = max(15 * space.size, 600)
        seen = Counter(a.tokens for a in self._samples(space, draws))
        expected = draws / space.size
        statistic = sum((seen[tokens] - expected) ** 2 / expected for tokens in sequences(space))
        bound = float(chi2.isf(1e-6, space.size - 1))
        assert statistic < bound, f"samples are not uniform: chi-square {statistic:.0f} >= {bound:.0f} ({draws} draws)"

    # Symmetry and identity.

    def test_canonical_form(self, space: SearchSpace) -> None:
        for tokens in (a.tokens for a in self._samples(space)):
            canonical = space.canonical(tokens)
            assert space.explain_invalid(canonical) is None, (
                f"canonical {canonical}: {space.explain_invalid(canonical)}"
            )
            assert space.canonical(canonical) == canonical, f"canonical is not idempotent at {tokens}"
            identity = space.identity(tokens)
            assert space.identity(identity) == identity, f"identity is not idempotent at {tokens}"
            assert space.canonical(identity) == canonical, f"equal identity must mean equal canonical form: {tokens}"

    def test_symmetries(self, space: SearchSpace) -> None:
        rng = self._rng()
        for tokens in (a.tokens for a in self._samples(space, 4)):
            some = list(islice(space.symmetries(tokens), _SYMMETRIES))
            assert some[0] == tokens, "symmetries must start with the sequence itself"
            assert len(set(some)) == len(some), f"symmetries of {tokens} repeat"
            drawn = [space.symmetric(tokens, rng) for _ in range(8)]
            if len(some) < _SYMMETRIES:
                assert set(drawn) <= set(some), f"symmetric({tokens}) gives what symmetries does not"
            for other in some[:: max(1, len(some) // 32)] + drawn:
                assert space.explain_invalid(other) is None, f"counterpart {other}: {space.explain_invalid(other)}"
                assert space.canonical(other) == space.canonical(tokens), (
                    f"{other} and {tokens}: canonical forms differ"
                )

    def test_symmetric_is_deterministic(self, space: SearchSpace) -> None:
        tokens = self._samples(space, 1)[0].tokens
        first, second = (space.symmetric(tokens, self._rng()) for _ in range(2))
        assert first == second, "equal generators must give equal counterparts"

    def test_equality_goes_by_identity(self, space: SearchSpace) -> None:
        rng = self._rng()
        for architecture in self._samples(space):
            other = space.architecture(space.symmetric(architecture.tokens, rng))
            assert (other == architecture) == (other.identity == architecture.identity), "equality must go by identity"
            if other == architecture:
                assert hash(other) == hash(architecture), "equal architectures must have equal hashes"
            assert architecture.identity == space.identity(architecture.tokens), "identity differs from the space's"
            elsewhere = Architecture(f"{space.name}-elsewhere", architecture.tokens, architecture.identity)
            assert elsewhere != architecture, "architectures of two spaces must differ"

    # Change.

    def test_neighbours(self, space: SearchSpace) -> None:
        rng = self._rng()
        for architecture in self._samples(space, 3):
            neighbours = list(space.neighbours(architecture))
            assert neighbours == list(space.neighbours(architecture)), "neighbours must come in a fixed order"
            assert len(set(neighbours)) == len(neighbours), f"neighbours of {architecture.tokens} repeat"
            assert architecture not in neighbours, f"{architecture.tokens} is its own neighbour"
            for neighbour in neighbours:
                reason = space.explain_invalid(neighbour.tokens)
                assert reason is None, f"neighbour {neighbour.tokens}: {reason}"
            for index in rng.permutation(len(neighbours))[:3]:
                back = space.neighbours(neighbours[index])
                assert architecture in back, f"{architecture.tokens} is no neighbour of its neighbour"
            same = space.architecture(space.canonical(space.symmetric(architecture.tokens, rng)))
            if same == architecture:
                assert set(space.neighbours(same)) == set(neighbours), f"{same.tokens}: equal, but other neighbours"

    def test_mutation(self, space: SearchSpace) -> None:
        for architecture in self._samples(space, 3):
            neighbours = set(space.neighbours(architecture))
            rng, again = self._rng(), self._rng()
            for _ in range(20):
                mutant = space.mutate(architecture, rng)
                assert mutant.tokens == space.mutate(architecture, again).tokens, "equal generators, other mutants"
                assert space.contains(mutant.tokens), f"mutant {mutant.tokens} is not valid"
                if neighbours:
                    assert mutant in neighbours, f"mutant {mutant.tokens} of {architecture.tokens} is no neighbour"

    # Text, graph, picture, pickle.

    def test_text_parses_back(self, space: SearchSpace) -> None:
        for architecture in self._samples(space):
            text = space.format(architecture)
            assert text == text.strip(), f"text has space around it: {text!r}"
            assert len(text.splitlines()) == 1, f"text must be one line: {text!r}"
            parsed = space.parse(text)
            assert parsed.tokens == architecture.tokens, f"{text!r} parses to {parsed.tokens}"
            assert space.parse(f"  {text}\n").tokens == parsed.tokens, "space around the text must not matter"

    def test_broken_text_is_refused_with_a_position(self, space: SearchSpace) -> None:
        text = space.format(self._samples(space, 1)[0])
        for broken in ("", "?", f"{text}?", f"?{text}", text[: len(text) // 2] + "\x00" + text[len(text) // 2 :]):
            error = _parse_error(space, broken)
            assert isinstance(error, ArchitectureSyntaxError), f"{broken!r}: expected a syntax error, got {error!r}"
        for at in range(len(text)):
            for broken in (text[:at], text[:at] + text[at + 1 :], f"{text[:at]}@{text[at + 1 :]}"):
                error = _parse_error(space, broken)
                if isinstance(error, ArchitectureSyntaxError):
                    assert 0 <= error.position <= len(error.text), f"{broken!r}: position {error.position} is outside"

    def test_graph(self, space: SearchSpace) -> None:
        for architecture in self._samples(space):
            graph = space.graph(architecture)
            assert graph.nodes, "a graph needs nodes"
            assert graph == space.graph(architecture), "graph must be a function of the architecture"
            assert all(level >= 0 for level in graph.levels()), "a graph must have no cycle"

    def test_drawing_is_svg(self, space: SearchSpace) -> None:
        for architecture in self._samples(space, 3):
            picture = space.draw(architecture)
            root = ET.fromstring(picture)  # noqa: S314 - the space's own output
            assert root.tag.endswith("svg"), f"draw gives <{root.tag}>"
            assert picture == space.draw(architecture), "draw must be a function of the architecture"

    def test_pickling(self, space: SearchSpace) -> None:
        copy = pickle.loads(pickle.dumps(space))  # noqa: S301 - just pickled
        assert (copy.name, copy.positions, copy.size) == (space.name, space.positions, space.size), "pickle changes it"
        for architecture, again in zip(self._samples(space), self._samples(copy), strict=True):
            assert again.tokens == architecture.tokens, "a pickled space samples otherwise"
            assert pickle.loads(pickle.dumps(architecture)) == architecture, "pickle changes equality"  # noqa: S301


def _completed(space: SearchSpace, prefix: Tokens, rng: np.random.Generator) -> Tokens:
    while len(prefix) < len(space.positions):
        valid = space.choices(prefix)
        assert valid, f"prefix {prefix} cannot be extended"
        prefix = (*prefix, valid[int(rng.integers(len(valid)))])
    return prefix


def _refuses(space: SearchSpace, tokens: Tokens) -> None:
    try:
        space.architecture(tokens)
    except InputError:
        return
    raise AssertionError(f"architecture must refuse {tokens}")


def _parse_error(space: SearchSpace, text: str) -> InputError | None:
    """The error that the text meets; ``None`` if it happens to be an architecture, which then is valid."""
    try:
        architecture = space.parse(text)
    except InputError as error:
        return error
    assert space.contains(architecture.tokens), f"{text!r} parses to {architecture.tokens}, which is not valid"
    return None
