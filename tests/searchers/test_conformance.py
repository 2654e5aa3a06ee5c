"""Every registered searcher passes the suite that ships with the package, on several spaces."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from naopt.searchers import searchers
from naopt.spaces import ConvCellSpace, NASBench201Space, SearchSpace
from naopt.testing import SearcherCase, SearcherSuite
from tests.spaces.examples import awkward

SETTINGS: dict[str, dict[str, Any]] = {
    "bananas": {"initial": 6, "batch": 6, "candidates": 20, "layers": 2, "epochs": 3, "members": 2},
    "bohb": {"fewest": 4},
    "boosted-trees": {"initial": 6, "batch": 6, "trees": 5, "random": 5, "mutations": 10},
    "dppnet": {"epochs": 2, "hidden_size": 8},
    "evolution": {"population": 8, "sample": 3},
    "gp": {"initial": 6, "random": 5, "mutations": 10},
    "hierarchical": {"initial": 6, "initial_mutations": 20},
    "local-search": {"initial": 3},
    "monas": {"hidden_size": 8, "batch": 2, "weights": 2},
    "nao": {
        "initial": 8,
        "new_per_round": 4,
        "seeds": 3,
        "starts": 3,
        "steps": 2,
        "neighbours": 4,
        "pretraining_steps": 5,
        "unlabelled": 100,
        "decoder_size": 16,
    },
    "nsga2": {"population": 6},
    "npenas": {"initial": 6, "batch": 6, "candidates": 20, "epochs": 2, "width": 8},
    "pnas": {"epochs": 3, "members": 2},
    "reinforce": {"hidden_size": 8, "batch": 2},
    "seminas": {
        "initial": 8,
        "new_per_round": 8,
        "pseudo_labelled": 10,
        "seeds": 4,
        "steps": 3,
        "hidden_size": 8,
        "embedding_size": 4,
        "ensemble": 1,
        "pretraining_steps": 2,
        "unlabelled": 10,
        "max_steps": 4,
        "min_steps": 1,
    },
    "tnao": {
        "initial": 8,
        "new_per_round": 4,
        "particles": 6,
        "generations": 3,
        "hidden_size": 8,
        "embedding_size": 4,
        "layers": 1,
        "heads": 2,
        "feed_forward_size": 8,
        "ensemble": 1,
        "pretraining_steps": 2,
        "unlabelled": 10,
        "max_steps": 4,
    },
    "tpe": {"startup": 6},
}
"""What makes a searcher quick where its defaults are not; every other one runs with its defaults."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "nao-joint": (
        "nao",
        {
            "preset": "joint",
            "initial": 8,
            "new_per_round": 4,
            "seeds": 3,
            "starts": 2,
            "steps": 2,
            "hidden_size": 8,
            "embedding_size": 4,
            "ensemble": 1,
            "pretraining_steps": 2,
            "unlabelled": 10,
            "max_steps": 4,
        },
    ),
}
"""Searchers with settings that make others of them."""

SPACES: dict[str, SearchSpace] = {
    "conv-cell": ConvCellSpace(2, "enas-5"),
    "nasbench201": NASBench201Space(),
    "generic": awkward(),
}


CASES = list(product([*searchers.names(), *VARIANTS], SPACES))


class TestSearchers(SearcherSuite):
    @pytest.fixture(params=CASES, ids="-".join)
    def case(self, request: pytest.FixtureRequest) -> SearcherCase:
        name, space = request.param
        name, settings = VARIANTS.get(name, (name, SETTINGS.get(name, {})))
        searcher = searchers.get(name)
        return SearcherCase(searcher, SPACES[space], searcher.settings_type.parse(settings), budget=16)
