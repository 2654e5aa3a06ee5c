"""What searchers make of priors: a good one leads them, a useless one does not lead them astray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers import make_searcher, searchers
from naopt.searchers.base import Searcher
from naopt.searchers.scalarised import Scalarisation
from naopt.spaces import Architecture
from tests.latent.test_priors import Known
from tests.searchers.driving import drive, grid

SPACE = grid(5, 5, 5, name="prior-grid")
SCORES = dict(zip(SPACE.enumerate(), np.random.default_rng(0).standard_normal(125).tolist(), strict=True))
GOOD = set(sorted(SCORES, key=lambda architecture: -SCORES[architecture])[:10])
INFORMED = ("bananas", "boosted-trees", "gp", "nao", "npenas")
FAST: dict[str, dict[str, Any]] = {
    "nao": {"unlabelled": 100, "pretraining_steps": 5, "decoder_size": 16},
    "npenas": {"epochs": 60},
    "bananas": {"epochs": 60, "batch": 10, "members": 2, "layers": 2},
    "boosted-trees": {"trees": 30, "round_share": 0.3},
}


def measure(architecture: Architecture) -> Measurement:
    """Scores without any structure, and a cost."""
    return Measurement({"score": SCORES[architecture], "cost": float(sum(architecture.tokens))})


def make(name: str, known: Known | None, *, slow: bool = False, several: bool = False, budget: int = 40) -> Searcher:
    objectives = (Objective("score"), Objective("cost", "min")) if several else (Objective("score"),)
    problem = Problem(objectives, priors=known, slow_priors=slow)
    settings = searchers.get(name).settings_type.parse(FAST.get(name, {}))
    kind = searchers.get(name)
    one = several and not kind.several
    scalarisation = Scalarisation.parse("weights") if one else None
    return make_searcher(name, SPACE, problem, settings, seed=3, budget=budget, scalarisation=scalarisation)


@pytest.mark.parametrize("name", INFORMED)
def test_a_prior_that_knows_leads_to_the_good_ones(name: str) -> None:
    """Nothing else could: the scores are random. The sign of a prior means nothing."""
    found = drive(make(name, Known(told=lambda a: -np.exp(SCORES[a])), budget=30), measure, 30)
    assert len(GOOD.intersection(proposal.architecture for proposal in found)) >= 5


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(("name", "several"), [("nao", False), ("nao", True), ("gp", False), ("gp", True)])
def test_a_search_that_goes_on_comes_to_the_same(name: str, slow: bool, several: bool) -> None:
    known = Known(told=lambda a: SCORES[a], other=lambda a: sum(a.tokens))
    whole = make(name, known, slow=slow, several=several, budget=16)
    asked = [proposal.architecture for proposal in drive(whole, measure, 16)]
    fresh = make(name, Known(told=lambda a: SCORES[a], other=lambda a: sum(a.tokens)), slow=slow, several=several,
                 budget=16)  # fmt: skip
    for architecture in asked[:-1]:
        fresh.tell(architecture, measure(architecture))
    assert [proposal.architecture for proposal in drive(fresh, measure, 1)] == asked[-1:]
    assert any(key.startswith("prior_weight/") for key in fresh.round_log())


@pytest.mark.parametrize("name", ["nao", "gp", "boosted-trees"])
def test_slow_priors_are_looked_at_for_few(name: str) -> None:
    known = Known(told=lambda a: SCORES[a])
    search = make(name, known, slow=True, budget=12)
    drive(search, measure, 11)
    before = set(known.asked)
    (proposal, *_) = search.ask(1)
    assert 0 < len(set(known.asked) - before) <= 18
    assert proposal.architecture in set(known.asked)


def test_priors_change_neither_problems_nor_searchers_that_take_none() -> None:
    known = Known(told=lambda a: SCORES[a])
    assert Problem((Objective("score"),), priors=known) == Problem((Objective("score"),))
    with_them, without = (drive(make("local-search", each), measure, 20) for each in (known, None))
    assert with_them == without
    assert not known.asked


def test_the_joint_model_says_that_it_takes_none() -> None:
    settings = searchers.get("nao").settings_type.parse({"preset": "joint"})
    problem = Problem((Objective("score"),), priors=Known(told=lambda _: 0.0))
    with pytest.raises(InputError, match="takes no prior knowledge"):
        make_searcher("nao", SPACE, problem, settings, seed=0, budget=9)
