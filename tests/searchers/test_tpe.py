"""TPE: what it proposes is what a study proposes that is driven directly."""

from __future__ import annotations

import importlib.util
import logging
import warnings

import numpy as np
import optuna
import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.searchers.tpe import TPESearcher
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from naopt.testing.searchers import score
from tests.searchers.driving import FAILED, create, drive, grid, scored


def toy(architecture: Architecture) -> Measurement:
    return scored(score(architecture))


def driven_directly(sizes: tuple[int, ...], told: list[tuple[int, ...]], seed: int, candidates: int) -> tuple[int, ...]:
    """The next parameters of a study in Optuna's own terms."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = grid(*sizes)
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=10, n_ei_candidates=candidates, multivariate=False, constant_liar=False, seed=seed
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    choices: dict[str, optuna.distributions.BaseDistribution] = {
        f"p{i}": optuna.distributions.CategoricalDistribution(range(size)) for i, size in enumerate(sizes)
    }
    for tokens in told:
        params = {f"p{i}": token for i, token in enumerate(tokens)}
        value = score(space.architecture(tokens))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=choices, value=value))
    trial = study.ask()
    return tuple(trial.suggest_categorical(f"p{i}", range(size)) for i, size in enumerate(sizes))


@pytest.mark.parametrize("seed", range(3))
def test_as_a_study_driven_directly(seed: int) -> None:
    sizes = (4, 3, 5, 4, 6)
    search = create(TPESearcher, grid(*sizes), seed=seed)
    found = [p.architecture.tokens for p in drive(search, toy, 30)]
    for count in range(10, 30):
        rng = np.random.default_rng([seed, count])
        candidates = 24
        while True:
            expected = driven_directly(sizes, found[:count], int(rng.integers(2**32)), candidates)
            if expected not in found[:count]:
                break
            candidates = max(1, candidates // 2)
        assert found[count] == expected


def test_first_architectures_are_uniform_until_so_many_have_a_score() -> None:
    search = create(TPESearcher, NASBench201Space(), startup=5)
    found = drive(search, lambda a: FAILED if a.tokens[0] == 3 else toy(a), 25)
    good = [i for i, p in enumerate(found) if p.architecture.tokens[0] != 3]
    fifth = good[4]
    assert {p.origin for p in found[: fifth + 1]} == {"random"}
    assert {p.origin for p in found[fifth + 1 :]} == {"tpe"}
    assert len(search.study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) == len(good)


def test_it_finds_good_choices() -> None:
    search = create(TPESearcher, grid(*[4] * 8), budget=80)
    values = [sum(t == 0 for t in p.architecture.tokens) for p in drive(search, zeros, 80)]
    assert np.mean(values[-20:]) > np.mean(values[:10]) + 2


def zeros(architecture: Architecture) -> Measurement:
    return scored(float(sum(token == 0 for token in architecture.tokens)))


def test_parameters_are_positions_with_their_valid_choices() -> None:
    space = ConvCellSpace(1, "identity+dil_conv3x3+max_pool3x3+max_pool5x5")
    search = create(TPESearcher, space, startup=3)
    drive(search, toy, 25)
    trial = search.study.get_trials(states=[optuna.trial.TrialState.COMPLETE])[-1]
    tokens = search.history[-1][0].tokens
    assert list(trial.params.values()) == list(tokens)
    for index, (name, distribution) in enumerate(trial.distributions.items()):
        valid = space.choices(tokens[:index])
        assert distribution == optuna.distributions.CategoricalDistribution(valid)
        assert name.partition(" among ")[0] == space.positions[index].name
        assert (" among " in name) == (len(valid) < len(space.positions[index].choices))


def test_where_the_estimate_finds_nothing_new_random_ones_take_over() -> None:
    space = grid(2, 3)
    found = drive(create(TPESearcher, space, startup=2, attempts=1), toy, 20)
    assert len(found) == space.size
    assert "refill" in {p.origin for p in found}


@pytest.mark.parametrize("multivariate", [False, True])
def test_rounds(multivariate: bool) -> None:
    search = create(TPESearcher, NASBench201Space(), startup=3, batch=4, multivariate=multivariate)
    drive(search, toy, 3)
    assert len({p.architecture for p in search.ask(10)}) == 4
    assert len(search.ask(2)) == 2


def test_optuna_says_nothing_and_keeps_its_verbosity(caplog: pytest.LogCaptureFixture) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.enable_propagation()
    try:
        optuna.logging.set_verbosity(optuna.logging.INFO)
        with caplog.at_level(logging.INFO), warnings.catch_warnings():
            warnings.simplefilter("error")
            drive(create(TPESearcher, NASBench201Space(), startup=2, multivariate=True), toy, 12)
        assert caplog.records == []
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(before)
        optuna.logging.disable_propagation()


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naopt.searchers.tpe.find_spec", lambda _: None)
    assert importlib.util.find_spec("optuna") is not None
    with pytest.raises(InputError, match=r"searcher 'tpe': needs Optuna.*pip install 'naopt\[optuna\]'"):
        create(TPESearcher, NASBench201Space())
