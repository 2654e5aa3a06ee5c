"""One vocabulary for all positions of a space."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.latent.vocabulary import START, Vocabulary
from naopt.spaces import GenericSpace, Position, create_space


@pytest.mark.parametrize("spec", ["conv-cell", "conv-cell:nodes=3,operations=enas-5", "nasbench201"])
def test_words_decode_back_to_tokens(spec: str) -> None:
    space, rng = create_space(spec), np.random.default_rng(0)
    vocabulary = Vocabulary(space)
    tokens = [space.sample(rng).tokens for _ in range(50)]
    words = vocabulary.encode(tokens)
    assert words.shape == (50, len(space.positions))
    assert (words != START).all()
    for sequence, row in zip(tokens, words, strict=True):
        back = [int(np.flatnonzero(vocabulary.choice_words(i) == word)[0]) for i, word in enumerate(row)]
        assert tuple(back) == sequence
        assert vocabulary.allowed[np.arange(vocabulary.length), row].all()


def test_positions_of_one_kind_share_words() -> None:
    vocabulary = Vocabulary(create_space("conv-cell"))
    # 1 start + inputs 0..5 + 4 types + 6 sizes: the official program's 21 words less those that nao-11 never uses.
    assert vocabulary.size == 1 + 6 + 4 + 6
    assert vocabulary.choice_words(0).tolist() == vocabulary.choice_words(3).tolist()
    assert set(vocabulary.choice_words(0)) < set(vocabulary.choice_words(27))


def test_positions_of_different_kinds_share_nothing() -> None:
    space = GenericSpace([Position("width", ("1", "2")), Position("depth", ("1", "2", "3"))])
    vocabulary = Vocabulary(space)
    assert not set(vocabulary.choice_words(0)) & set(vocabulary.choice_words(1))
    assert vocabulary.allowed.sum(axis=1).tolist() == [2, 3]
    assert not vocabulary.allowed[:, START].any()
