"""The Gaussian process's choice against brute force over the space, and what it reaches on NAS-Bench-201."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from naopt.latent.embedding import Embedding
from naopt.latent.encoding import encoded
from naopt.latent.gaussian_process import GaussianProcess
from naopt.measurement import Measurement
from naopt.searchers import GPSearcher
from naopt.spaces import Architecture, NASBench201Space, SearchSpace
from naopt.tables import load_table
from tests.searchers.driving import create, data, drive, grid, needs_data, scored

SPACE = NASBench201Space()


def worth(architecture: Architecture) -> float:
    weights = np.array([1.0, 3.0, -2.0, 0.5, 2.0, -1.0])[: len(architecture.tokens)]
    return float(np.sin(weights * np.asarray(architecture.tokens)).sum())


def measure(architecture: Architecture) -> Measurement:
    return scored(worth(architecture))


def groups(space: SearchSpace, architectures: list[Architecture], names: tuple[str, ...]) -> list[Any]:
    return list(encoded(space, architectures, names).values())


@pytest.mark.parametrize(("space", "encoding"), [(grid(4, 4, 4, 4), "both"), (SPACE, "tokens")])
def test_it_asks_for_the_largest_expected_improvement_of_all(space: SearchSpace, encoding: str) -> None:
    """Closed form of the improvement, for every architecture that is left, one by one in slices."""
    search = create(GPSearcher, space, 40, encoding=encoding)
    drive(search, measure, 20)
    told = [architecture for architecture, _ in search.history]
    scores = np.array([worth(architecture) for architecture in told])
    y = norm.ppf((rankdata(scores) - 0.5) / len(scores))
    process = GaussianProcess().fit(groups(space, told, ("tokens",)), y)
    left = [architecture for architecture in space.enumerate() if architecture not in search.seen]
    improvement = []
    for at in range(0, len(left), 1000):
        mean, variance = process.predict(groups(space, left[at : at + 1000], ("tokens",)))
        z = (mean - y.max()) / np.sqrt(variance)
        improvement += ((mean - y.max()) * norm.cdf(z) + np.sqrt(variance) * norm.pdf(z)).tolist()
    (proposal,) = search.ask(5)
    assert proposal.origin == "scan"
    assert improvement[left.index(proposal.architecture)] == pytest.approx(max(improvement))
    assert search.round_log()["candidates"] == len(left)


def test_a_batch_believes_its_own_predictions() -> None:
    space = grid(4, 4, 4, 4)
    search = create(GPSearcher, space, 60, batch=3, acquisition="mean")
    drive(search, measure, 30)
    first, second, third = search.ask(10)
    told = [architecture for architecture, _ in search.history]
    y = norm.ppf((rankdata([worth(architecture) for architecture in told]) - 0.5) / len(told))
    names = ("tokens", "numbers", "positions")
    process = GaussianProcess(product=range(2, 6)).fit(groups(space, told, names), y)
    for believed in (first, second):
        mean, _ = process.predict(groups(space, [believed.architecture], names))
        told, y = [*told, believed.architecture], np.append(y, mean)
        process = process.unfitted().fit(groups(space, told, names), y, process.parameters)
        following = second if believed is first else third
        left = [a for a in space.enumerate() if a not in told]
        mean, _ = process.predict(groups(space, left, names))
        assert mean[left.index(following.architecture)] == pytest.approx(mean.max())


def test_by_default_it_sees_what_nao_embeds() -> None:
    search = create(GPSearcher, SPACE)
    rng = np.random.default_rng(0)
    cells = [SPACE.sample(rng) for _ in range(50)]
    seen = search.fitted(cells, np.linspace(-1, 1, 50), rng).process
    assert len(Embedding.learn(SPACE, cells).blocks) == 5
    assert len(seen.parameters) == 2 * 5 + 1, "a weight and a length for each group, and the noise"


def test_large_spaces_have_local_candidates() -> None:
    search = create(GPSearcher, SPACE, 40, candidates="local", random=30, mutations=20)
    proposals = drive(search, measure, 30)
    assert {proposal.origin for proposal in proposals} <= {"random", "mutation"}
    assert "mutation" in {proposal.origin for proposal in proposals[10:]}
    assert search.round_log()["candidates"] == 50


@pytest.mark.parametrize("options", [{"kernel": "matern"}, {"acquisition": "ucb"}, {"normalisation": "standard"}])
def test_smooth_optima_are_found_in_few_queries(options: dict[str, Any]) -> None:
    """Of 1,024 architectures the best is measured among the first 60, from every start."""
    space = grid(4, 4, 4, 4, 4)
    best = max(map(worth, space.enumerate()))
    for seed in range(3):
        search = create(GPSearcher, space, 60, seed, **options)
        assert max(worth(p.architecture) for p in drive(search, measure, 60)) == best


@needs_data
def test_it_is_as_strong_as_reported_on_nasbench201() -> None:
    """An independent program: scanning all cells reaches the CIFAR-10 optimum after 40 queries (median)."""
    table = load_table(data("nasbench201.npz"))
    accuracy = table.values("valid_acc/cifar10")

    def look_up(architecture: Architecture) -> Measurement:
        row = table.row(architecture)
        assert row is not None
        return scored(float(accuracy[row]))

    best = []
    for seed in range(2):
        drive(search := create(GPSearcher, SPACE, 55, seed), look_up, 55)
        best.append(max(m.metrics["score"] for _, m in search.history))
    assert max(best) == accuracy.max()
    assert min(best) > np.sort(accuracy)[-20]
