"""Joint fitting, and the moves in what was fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.latent import GradientAscent, LatentModel, LatentSettings, models
from naopt.spaces import Architecture, GenericSpace, Position, SearchSpace, create_space

FAST: dict[str, Any] = {
    "hidden_size": 24,
    "embedding_size": 8,
    "pretraining_steps": 15,
    "unlabelled": 60,
    "epochs": 10,
    "min_steps": 10,
}


def pool(space: SearchSpace, count: int, seed: int = 0) -> tuple[list[Architecture], NDArray[np.float64]]:
    """Distinct architectures; the score is a plain function of the tokens."""
    rng = np.random.default_rng(seed)
    found: dict[Architecture, float] = {}
    while len(found) < count:
        architecture = space.sample(rng)
        found[architecture] = float(sum(t * (i + 1) for i, t in enumerate(space.canonical(architecture.tokens))))
    return list(found), np.array(list(found.values()))


def test_it_learns_to_order_and_to_decode_what_it_has_not_seen() -> None:
    space = GenericSpace([Position(f"p{i}", ("a", "b", "c")) for i in range(5)])
    architectures, scores = pool(space, 200)
    learn = {"pretraining_steps": 150, "unlabelled": 200, "epochs": 40}
    model = LatentModel(space, LatentSettings(**FAST | learn), 0)
    log = model.fit(architectures[:100], scores[:100])
    from naopt.metrics.rank import kendall_tau

    assert kendall_tau(scores[100:], model.predict(architectures[100:])) > 0.6
    exact = [a.tokens == b for a, b in zip(architectures[100:], model.reconstruct(architectures[100:]), strict=True)]
    assert np.mean(exact) > 0.9
    assert log["train_size"] == 90
    assert log["held_out"] == 10
    assert log["loss"] == pytest.approx(0.3 * log["loss_performance"] + 0.7 * log["loss_reconstruction"])
    assert set(log) >= {"pairwise_accuracy", "kendall_tau", "spearman", "hamming", "exact_match", "fit_seconds"}


def test_a_fit_depends_on_nothing_but_its_input_and_the_seed() -> None:
    space = create_space("nasbench201")
    architectures, scores = pool(space, 30)
    fresh = LatentModel(space, LatentSettings(**FAST), 3)
    fresh.fit(architectures, scores)
    used = LatentModel(space, LatentSettings(**FAST), 3)
    used.fit(architectures[:7], -scores[:7])
    torch.manual_seed(99)
    used.fit(architectures, scores)
    assert used.predict(architectures).tolist() == fresh.predict(architectures).tolist()
    other = LatentModel(space, LatentSettings(**FAST), 4)
    other.fit(architectures, scores)
    assert other.predict(architectures).tolist() != fresh.predict(architectures).tolist()


def test_a_fit_leaves_the_global_random_state_alone() -> None:
    space = create_space("nasbench201")
    architectures, scores = pool(space, 5)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    LatentModel(space, LatentSettings(**FAST, dropout=0.1), 0).fit(architectures, scores)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("preset", ["default", "paper", "official"])
@pytest.mark.parametrize("kind", ["constant", "outlier", "two", "one"])
def test_difficult_pools_give_finite_predictions(preset: str, kind: str) -> None:
    space = create_space("conv-cell:nodes=2")
    architectures, scores = pool(space, {"two": 2, "one": 1}.get(kind, 12))
    if kind == "constant":
        scores[:] = 97.0
    if kind == "outlier":
        scores[3] = -1e6
    settings = LatentSettings.parse({"preset": preset} | FAST | {"epochs": 3, "min_steps": 1})
    model = LatentModel(space, settings, 0)
    log = model.fit(architectures, scores)
    assert all(np.isfinite(value) for value in log.values())
    predicted = model.predict(architectures)
    assert np.isfinite(predicted).all()
    if kind in ("constant", "one"):
        assert predicted == pytest.approx(scores)
    assert torch.isfinite(model.gradient(model.encode(architectures))).all()


@pytest.mark.parametrize("augmentation", ["none", "pair", "replace"])
def test_augmentation_shows_symmetric_counterparts(augmentation: str) -> None:
    space = create_space("conv-cell:nodes=3")
    architectures, _ = pool(space, 8)
    settings = LatentSettings.parse({"augmentation": augmentation, "form": "given"} | FAST)
    model = LatentModel(space, settings, 0)
    tokens = model.presented(architectures)
    epoch, index, counts = model._augment(tokens, np.random.default_rng(0))
    assert len(epoch) == len(index) == len(counts) == len(set(epoch))
    assert counts.sum() == (16 if augmentation == "pair" else 8)
    for sample, at in zip(epoch, index.tolist(), strict=True):
        assert space.architecture(sample) == architectures[at]
    own = sum(sample == tokens[at] for sample, at in zip(epoch, index.tolist(), strict=True))
    assert own == 8 if augmentation != "replace" else own < 8


def test_a_counterpart_that_is_the_sample_itself_counts_without_being_computed() -> None:
    space = create_space("nasbench101")
    architectures, _ = pool(space, 20)
    model = LatentModel(space, LatentSettings(**FAST | {"augmentation": "pair", "form": "given"}), 0)
    tokens = model.presented(architectures)
    samples, index, counts = model._augment(tokens, np.random.default_rng(0))
    counterparts = [space.symmetric(sample, rng) for rng in [np.random.default_rng(0)] for sample in tokens]
    same = [sample == counterpart for sample, counterpart in zip(tokens, counterparts, strict=True)]
    assert 0 < sum(same) < 20
    assert counts.tolist() == [2.0 if equal else 1.0 for equal in same] + [1.0] * (20 - sum(same))
    words, states = model._words(samples), model.network.encoder(model._words(samples))
    every = model._words(tokens + counterparts)
    expected = model.network.reconstruction_loss(every, model.network.encoder(every))
    found = model.network.reconstruction_loss(words, states, counts)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert index.tolist()[20:] == [at for at, equal in enumerate(same) if not equal]


def test_the_reconstruction_loss_may_be_summed_over_tokens() -> None:
    space = create_space("nasbench201")
    architectures, _ = pool(space, 4)
    losses = []
    for reconstruction in ("mean", "sum"):
        model = LatentModel(space, LatentSettings.parse(FAST | {"reconstruction": reconstruction}), 0)
        words = model._words(model.presented(architectures))
        losses.append(model.network.reconstruction_loss(words, model.network.encoder(words)).item())
    assert losses[1] == pytest.approx(6 * losses[0])


def test_canonical_form_gives_isomorphic_architectures_one_embedding() -> None:
    space = create_space("conv-cell:nodes=3")
    architectures, scores = pool(space, 10)
    rng = np.random.default_rng(0)
    swapped = [space.architecture(space.symmetric(a.tokens, rng)) for a in architectures]
    assert [a.tokens for a in swapped] != [a.tokens for a in architectures]
    model = LatentModel(space, LatentSettings(**FAST), 0)
    model.fit(architectures, scores)
    assert model.predict(swapped).tolist() == model.predict(architectures).tolist()
    given = LatentModel(space, LatentSettings(**FAST, form="given"), 0)
    given.fit(architectures, scores)
    assert given.predict(swapped).tolist() != given.predict(architectures).tolist()


def test_unlabelled_architectures_are_optional() -> None:
    space = create_space("nasbench201")
    architectures, scores = pool(space, 20)
    model = LatentModel(space, LatentSettings(**FAST | {"unlabelled": 0, "held_out": 0, "schedule": "constant"}), 0)
    log = model.fit(architectures, scores)
    assert "held_out" not in log
    assert log["train_size"] == 20


def test_the_gradient_is_that_of_the_prediction() -> None:
    space = create_space("nasbench201")
    architectures, scores = pool(space, 12)
    model = LatentModel(space, LatentSettings(**FAST), 0)
    model.fit(architectures, scores)
    model.network.double()
    states = model.encode(architectures[:2])
    gradient = model.gradient(states)
    assert gradient.shape == states.shape
    for at in [(0, 0, 0), (0, 5, 3), (1, 2, 23)]:
        moved = states.clone()
        moved[at] += 1e-6
        difference = (model.network.predictor(moved) - model.network.predictor(states)).sum() / 1e-6
        assert gradient[at].item() == pytest.approx(difference.item(), rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("scale", ["raw", "unit"])
def test_ascent_moves_uphill_on_the_sphere_in_growing_steps(scale: Any) -> None:
    space = create_space("nasbench201")
    architectures, scores = pool(space, 40)
    model = LatentModel(space, LatentSettings(**FAST), 0)
    model.fit(architectures, scores)
    states = model.encode(architectures)
    path = list(GradientAscent(0.05, 0.025, 3, scale).path(model, states))
    assert [step for step, _ in path] == pytest.approx([0.05, 0.075, 0.1])
    before = model.network.predictor(states)
    distances = []
    for _, moved in path:
        assert moved.norm(dim=-1) == pytest.approx(1.0, abs=1e-5)
        assert (model.network.predictor(moved) > before - 1e-6).all()
        distances.append((moved - states).norm().item())
    assert distances == sorted(distances)
    if scale == "unit":
        # A step is measured in state lengths; the part of it that points along the state is undone by the scaling.
        assert 0.02 < distances[0] / (40 * 6) ** 0.5 < 0.051


def test_ascent_stays_where_the_prediction_is_flat() -> None:
    space = create_space("nasbench201")
    architectures, scores = pool(space, 6)
    model = LatentModel(space, LatentSettings(**FAST), 0)
    model.fit(architectures, scores)
    for weight in model.network.predictor.weights:
        torch.nn.init.zeros_(weight)
    states = model.encode(architectures)
    for _, moved in GradientAscent(1.0, 1.0, 2).path(model, states):
        assert torch.allclose(moved, states, atol=1e-6)


def test_predict_needs_a_fit() -> None:
    space = create_space("nasbench201")
    model = LatentModel(space, LatentSettings(**FAST), 0)
    with pytest.raises(RuntimeError, match="needs a fit"):
        model.predict([space.architecture([0] * 6)])


def test_presets_follow_the_published_choices() -> None:
    paper, official = LatentSettings.parse({"preset": "paper"}), LatentSettings.parse({"preset": "official"})
    assert (paper.trade_off, official.trade_off) == (0.9, 0.8)
    assert (paper.decoder_state, official.decoder_state) == ("last", "mean")
    assert (paper.predictor_output, official.predictor_output) == ("linear", "sigmoid")
    assert (paper.pooling, official.pooling) == ("mean", "mean-normalised")
    assert (paper.augmentation, official.augmentation) == ("pair", "none")
    assert (paper.tokens_per_step, official.tokens_per_step) == (1, None)
    assert (paper.batch_size, official.batch_size) == (100, 50)
    assert (paper.normalisation, official.normalisation) == ("standard", "min-max")
    assert (paper.reconstruction, official.reconstruction) == ("sum", "mean")
    for settings in (paper, official):
        assert (settings.attention, settings.decoder_output) == ("additive", "concatenated")
        # Algorithm 1 fits on all of X in the end.
        assert settings.finishing > 0
    assert paper.unlabelled == official.unlabelled == 0
    assert LatentSettings.parse({"preset": "paper", "trade_off": 0.5}).trade_off == 0.5
    recurrent = LatentSettings.parse({"preset": "paper-recurrent"})
    assert (recurrent.embedding_size, recurrent.hidden_size, recurrent.predictor_layers) == (64, 128, (200,))
    assert (recurrent.trade_off, recurrent.attention, recurrent.decoder_state) == (0.8, "additive", "last")
    official = LatentSettings.parse({"preset": "official-recurrent"})
    assert (official.embedding_size, official.hidden_size, official.predictor_layers) == (96, 96, (200, 200, 200))
    assert (official.tokens_per_step, official.predictor_output) == (1, "sigmoid")
    assert (official.attention, official.decoder_output, official.batch_size) == ("dot", "combined", 50)
    with pytest.raises(InputError, match="preset"):
        LatentSettings.parse({"preset": "papers"})


@pytest.mark.parametrize("name", ["joint", "paper", "official"])
def test_registered_models_carry_their_preset(name: str) -> None:
    model = models.get(name)(create_space("nasbench201"), 0)
    assert isinstance(model, LatentModel)
    assert model.settings.preset == {"joint": "default"}.get(name, name)
    assert model.settings.held_out == 0
