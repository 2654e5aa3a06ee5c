"""A learned encoder: what it is untrained, what training adds, and the purity of a point."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from naopt.latent import learned_embedding as module
from naopt.latent import pretraining
from naopt.latent.embedding import Embedding
from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.learned_embedding import LearnedEmbedding
from naopt.latent.pretraining import embedding_of, pretrained
from naopt.spaces import Architecture, NASBench201Space, SearchSpace
from tests.spaces.examples import SPACES


def drawn(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@cache
def learned(name: str, steps: int = 3) -> LearnedEmbedding:
    return LearnedEmbedding.train(SPACES[name], drawn(SPACES[name], 80), steps)


@pytest.mark.parametrize("name", ["recurrent-3", "mlp"])
def test_without_training_codes_are_the_first_components(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 4)
    sample = drawn(SPACES[name], 80)
    distinct = list({SPACES[name].canonical(a.tokens): a for a in sample}.values())
    plain, untrained = Embedding.learn(SPACES[name], sample), LearnedEmbedding.train(SPACES[name], sample, 0)
    alone = [block for block in plain.blocks if block.startswith("position/")]
    coded = [block for block in plain.blocks if block not in alone]
    assert list(untrained.blocks) == ["tokens", *alone, *(f"learned/{block}" for block in coded)]
    expected, found = plain.encode(distinct), untrained.encode(distinct)
    np.testing.assert_array_equal(found[:, untrained.blocks["tokens"]], expected[:, plain.blocks["tokens"]])
    for block in alone:
        np.testing.assert_array_equal(found[:, untrained.blocks[block]], expected[:, plain.blocks[block]])
    for block in coded:
        first = expected[:, plain.blocks[block]][:, :4]
        first = (first - first.mean(axis=0)) / np.sqrt(first.var(axis=0).sum())
        np.testing.assert_allclose(found[:, untrained.blocks[f"learned/{block}"]], first, atol=1e-5)


def test_a_trained_code_tells_apart_what_its_components_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle on a line: the first component is the cosine, which two angles share; a code must be told from noise."""
    monkeypatch.setattr(module, "_MOST", 1)
    angles = np.arange(12) * np.pi / 6
    circle = np.stack([1.1 * np.cos(angles), np.sin(angles)], axis=1)

    def mistaken(steps: int) -> float:
        """How far the point is whose code is nearest, or nearest but one, from a point."""
        found = module._trained(np.eye(12), {"circle": circle}, steps)
        read = np.eye(12)
        for layer in ("first", "second", "codes"):
            read = read @ found[f"weight/{layer}"] + found[f"bias/{layer}"]
            read = read if layer == "codes" else np.maximum(read, 0)
        code = circle[:, 0] / found["scale/circle"] + read[:, 0]
        assert code.mean() == pytest.approx(0, abs=1e-6)
        assert code.var() == pytest.approx(1)
        near = np.abs(code[:, None] - code).argsort(axis=1)[:, 1:3]
        return float(np.linalg.norm(circle[:, None] - circle[near], axis=2).mean())

    assert mistaken(300) < 0.8 * mistaken(0)


@pytest.mark.parametrize("name", ["enas-5-1", "nasbench101", "nasbench201", "mlp", "awkward", "listed-201"])
def test_a_point_depends_on_nothing_but_the_canonical_form(name: str) -> None:
    """Bit for bit: a search that is resumed encodes in other batches."""
    space, embedding = SPACES[name], learned(name)
    some, rng = drawn(space, 40, seed=2), np.random.default_rng(3)
    whole = embedding.encode(some)
    again = LearnedEmbedding(space, embedding.names, embedding.arrays)
    for row, architecture in zip(whole, some, strict=True):
        assert (again.encode([space.architecture(space.symmetric(architecture.tokens, rng))])[0] == row).all()
    sample = drawn(space, 80)
    np.testing.assert_allclose(embedding.encode(sample).std(axis=0), embedding.spread)


def test_training_depends_on_no_generator_and_no_number_of_threads() -> None:
    space, threads = SPACES["nasbench201"], torch.get_num_threads()
    expected = learned("nasbench201").arrays
    try:
        torch.set_num_threads(2)
        torch.manual_seed(5)
        state = torch.random.get_rng_state()
        found = LearnedEmbedding.train(space, drawn(space, 80), 3).arrays
        assert torch.equal(torch.random.get_rng_state(), state)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("name", ["single", "recurrent-only", "listed-one"])
def test_a_space_without_a_choice_has_no_dimension(name: str) -> None:
    embedding = learned(name)
    assert embedding.encode(drawn(SPACES[name], 3)).shape == (3, 0)


def test_it_is_kept_beside_the_other_embedding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path))
    for memory in ("_memory", "_alone"):
        monkeypatch.setattr(pretraining, memory, {})
    space, some = NASBench201Space(), drawn(NASBench201Space(), 5)
    fast = {"unlabelled": 60, "pretraining_steps": 3, "decoder_size": 8}
    settings = EmbeddingSettings(**fast, embedding="learned")
    alone = embedding_of(space, settings)
    made = pretrained(space, settings)
    assert type(pretrained(space, EmbeddingSettings(**fast)).embedding) is Embedding
    assert len(list(tmp_path.iterdir())) == 2
    pretraining._memory.clear()
    read = pretrained(space, settings)
    assert read is not made
    for embedding in (read.embedding, alone):
        assert type(embedding) is LearnedEmbedding
        np.testing.assert_array_equal(embedding.encode(some), made.embedding.encode(some))
    np.testing.assert_array_equal(
        read.decoder.decode(read.embedding.encode(some)), [space.canonical(a.tokens) for a in some]
    )


def test_intervals_of_the_process_on_it_hold_what_they_should() -> None:
    """A sum over the edges and one interaction: nine of ten are within 1.645 deviations, each predicted by the rest."""
    space = SPACES["nasbench201"]
    settings = EmbeddingSettings(embedding="learned", unlabelled=100, pretraining_steps=5, decoder_size=8)
    model = EmbeddingModel(space, settings)
    some = list(dict.fromkeys(drawn(space, 80, seed=6)))
    worth = np.random.default_rng(0).standard_normal((6, 5))
    scores = np.array([sum(worth[i, t] for i, t in enumerate(space.canonical(a.tokens))) for a in some])
    scores += np.array([a.tokens[0] == a.tokens[5] for a in some])
    model.fit(some, scores)
    mean, variance = model._fitted().left_out()
    assert 0.8 <= (np.abs(model._fitted().targets - mean) < 1.645 * np.sqrt(variance)).mean() <= 0.98
