"""What enters a product is in row order, wherever it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.latent import pretraining
from naopt.latent.embedding import Embedding
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.layout import row_major
from naopt.latent.mlp_ensemble import MLPEnsemble
from naopt.latent.pretraining import Pretrained, pretrained
from naopt.spaces import NASBench201Space


def layouts(array: np.ndarray) -> list[np.ndarray]:
    """The same numbers in row order, in column order, and as a part of a larger array."""
    padded = np.pad(array, [(0, 0), (1, 2)])
    return [np.ascontiguousarray(array), np.asfortranarray(array), padded[:, 1:-2]]


def test_row_order_is_kept_or_made() -> None:
    array = np.arange(12.0).reshape(3, 4)
    assert row_major(array) is array
    for other in (array.T, array[:, 1:3], array[::2], array.astype(np.float32), [[1, 2], [3, 4]]):
        made = row_major(other)
        assert made.flags.c_contiguous
        assert made.dtype == np.float64
        np.testing.assert_array_equal(made, other)


def arrays(made: Pretrained) -> dict[str, np.ndarray]:
    return {**made.embedding.arrays, **{f"decoder/{name}": array for name, array in made.decoder.weights.items()}}


def test_what_was_learned_and_what_was_read_have_one_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path))
    monkeypatch.setattr(pretraining, "_memory", {})
    settings = EmbeddingSettings(unlabelled=60, pretraining_steps=3, decoder_size=8)
    learned = arrays(pretrained(NASBench201Space(), settings))
    pretraining._memory.clear()
    read = arrays(pretrained(NASBench201Space(), settings))
    assert learned.keys() == read.keys()
    for name, array in learned.items():
        assert array.flags.c_contiguous, name
        assert array.strides == read[name].strides, name
        np.testing.assert_array_equal(array, read[name])


def test_an_embedding_takes_arrays_of_any_layout() -> None:
    space, rng = NASBench201Space(), np.random.default_rng(0)
    sample = [space.sample(rng) for _ in range(40)]
    embedding = Embedding.learn(space, sample)
    columns = {name: np.asfortranarray(array) for name, array in embedding.arrays.items()}
    np.testing.assert_array_equal(
        Embedding(space, embedding.names, columns).encode(sample), embedding.encode(sample), strict=True
    )


def test_a_process_does_not_ask_how_its_data_lie() -> None:
    rng = np.random.default_rng(0)
    groups, others = ([rng.standard_normal((count, 9)), rng.standard_normal((count, 17))] for count in (25, 40))
    targets = rng.standard_normal(25)

    def answers(kind: int) -> list[Any]:
        known, asked = ([layouts(group)[kind] for group in given] for given in (groups, others))
        process = GaussianProcess().fit(known, targets)
        mean, variance, *slopes = process.slopes(asked)
        return [process.parameters, *process.predict(asked), mean, variance, *slopes[0], *slopes[1]]

    for kind in (1, 2):
        for found, expected in zip(answers(kind), answers(0), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_distances_to_oneself_are_those_to_a_copy() -> None:
    """numpy has another routine for a matrix times itself."""
    rows = np.random.default_rng(0).standard_normal((30, 11))
    process = GaussianProcess(steps=1).fit([rows], rows[:, 0])
    for found, expected in zip(process.predict([rows]), process.predict([rows.copy()]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_an_ensemble_does_not_ask_how_its_rows_lie() -> None:
    rng = np.random.default_rng(0)
    rows, targets = rng.standard_normal((20, 6)), rng.standard_normal(20)
    found = [MLPEnsemble(epochs=2).fit(x, targets, 0).predict(x) for x in layouts(rows)]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
