"""What competes beside the ascents of ``nao`` in spaces without a graph."""

from __future__ import annotations

import numpy as np

from naopt.searchers import NAOSearcher, Proposal
from naopt.searchers.nao_embedding import EmbeddingRounds
from naopt.spaces import Architecture
from tests.searchers.driving import create, grid, scored


def test_random_architectures_compete_where_nothing_flows() -> None:
    space = grid(5, 5, 5, 5)
    search = create(NAOSearcher, space, 60, initial=30, unlabelled=100, pretraining_steps=10)
    for proposal in search.ask(30):
        search.tell(proposal.architecture, scored(float(sum(proposal.architecture.tokens))))
    search.ask(5)
    assert isinstance(search.rounds, EmbeddingRounds)
    found: dict[Architecture, Proposal] = {}
    search.rounds._add_far(found, np.random.default_rng(0))
    assert len(found) == 500
    assert {proposal.origin for proposal in found.values()} == {"random"}
    assert not [architecture for architecture in found if architecture in search.rounds.known]
    assert found.keys() <= set(space.enumerate())
