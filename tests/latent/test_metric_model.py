"""Processes that see what serves their metric: the embedding, or what is written as well."""

from __future__ import annotations

import numpy as np

from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.metric_model import MetricModel, WrittenModel
from naopt.latent.pretraining import pretrained
from naopt.metrics import kendall_tau
from naopt.spaces import Architecture, NASBench201Space

SPACE = NASBench201Space()
SETTINGS = EmbeddingSettings(unlabelled=100, pretraining_steps=1, decoder_size=8)
WEIGHTS = np.array([0.0, 0.1, 1.0, 9.0, 0.3])


def cost(architecture: Architecture) -> float:
    """Of all operations, whether anybody reads them or not."""
    return -float(WEIGHTS[list(architecture.tokens)].sum())


def drawn(count: int, seed: int) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(SPACE.sample(rng) for _ in range(count)))


def fitted(told: list[Architecture]) -> MetricModel:
    model = MetricModel(SPACE, SETTINGS, pretrained(SPACE, SETTINGS))
    model.fit(told, np.array([cost(a) for a in told]))
    return model


def test_a_sum_of_costs_is_seen_where_it_is_written_and_goes_on_beyond_what_was_measured() -> None:
    every = sorted(drawn(300, 0), key=cost)
    told, beyond = every[40:240:4], every[:40]
    model = fitted(told)
    assert isinstance(model.model, WrittenModel)
    mean, deviation = model.moments(beyond)
    assert kendall_tau(np.array([cost(a) for a in beyond]), mean) > 0.7
    assert (mean < np.sort(model.moments(told)[0])[5]).all()
    assert (mean < model.moments(told)[0].min()).sum() > len(beyond) / 3
    assert (deviation > 0).all()
    unseen = every[41:240:4]
    assert kendall_tau(np.array([cost(a) for a in unseen]), model.moments(unseen)[0]) > 0.95


def test_what_is_pending_is_believed() -> None:
    model, pending = fitted(drawn(30, 1)), drawn(3, 2)
    before, spread = model.moments(pending)
    after, less = model.moments(pending, pending)
    np.testing.assert_allclose(after, before, atol=1e-3)
    assert (less < spread).all()
    assert model.moments([], pending)[0].shape == (0,)


def test_a_fit_depends_on_nothing_but_what_it_is_given() -> None:
    told, others = drawn(40, 3), drawn(5, 4)
    scores = np.array([cost(a) for a in told])
    grown, fresh = MetricModel(SPACE, SETTINGS, pretrained(SPACE, SETTINGS)), fitted(told)
    for count in (5, 9, 17, 30, len(told)):
        grown.fit(told[:count], scores[:count])
    assert [m.tolist() for m in grown.moments(others)] == [m.tolist() for m in fresh.moments(others)]
