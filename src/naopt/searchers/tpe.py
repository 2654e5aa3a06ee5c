"""Tree-structured Parzen estimator (Bergstra et al. 2011), as Optuna computes it; extra ``naopt[optuna]``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import Field

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, sample_new, searchers
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler


class TPESettings(Settings):
    """Settings of TPE; defaults are Optuna's where not said otherwise."""

    startup: int = Field(10, ge=1)
    """Random architectures with a score before the first estimate."""
    candidates: int = Field(24, ge=1)
    """Draws from the estimate of good choices, of which the one with the best ratio of densities is taken; half as
    many after each draw that was measured before."""
    multivariate: bool = False
    """One estimate for all positions together; else, as published, one for each position."""
    attempts: int = Field(20, ge=1)
    """Draws in a row without a new architecture after which a uniform random one is taken."""
    batch: int = Field(1, ge=1)
    """Architectures of one round; more than 1 keeps several workers busy."""


@searchers.register("tpe")
class TPESearcher(Searcher):
    """Tree-structured Parzen estimator through Optuna: good and other choices, position by position.

    Bergstra, Bardenet, Bengio, Kegl 2011, "Algorithms for hyper-parameter optimization", section 4. The best share of
    the measured architectures gives a density l of each position's choices, the others a density g; of draws from l
    the one with the largest l / g is taken.

    Every position is a categorical parameter. Where only some choices are valid after those before, the parameter is
    the position together with these choices: it draws among them, and learns from architectures that had the same ones
    to choose from (the tree of the name). Departures: the first architectures are uniform over the space; failed
    measurements are in neither density, and what hardly can be measured (``Feasible``) is drawn again; and one that was
    measured is drawn again, from half as many candidates each time. With all of them TPE soon insists on a handful of
    architectures; a single candidate is a draw from l itself.

    Raises:
        InputError: Optuna is not installed.
    """

    settings_type = TPESettings

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: TPESettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        if find_spec("optuna") is None:
            raise InputError("searcher", "tpe", "needs Optuna, which is not installed; pip install 'naopt[optuna]'")
        self.options = settings
        self.feasible = Feasible(space)
        self._study: Study | None = None
        self._told = self._scored = 0

    @property
    def study(self) -> Study:
        """Optuna's study, in memory, told about the whole history."""
        import optuna

        if self._study is None:
            self._study = optuna.create_study(direction="maximize")
        for architecture, measurement in self.history[self._told :]:
            score = self.objective.score(measurement)
            if score is not None:
                values, distributions = self._parameters(architecture)
                self._study.add_trial(
                    optuna.trial.create_trial(params=values, distributions=distributions, value=score)
                )
                self._scored += 1
        self._told = len(self.history)
        return self._study

    @property
    def round_size(self) -> int:
        """The setting ``batch``."""
        return self.options.batch

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of the random architectures, or ``batch`` draws of the estimate; with something pending, ``count``.

        What is pending stands among the others, not the good ones, until it is told (Optuna's ``constant_liar``).
        """
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        with _quiet():
            study = self.study
            missing = self.options.startup - self._scored - len(pending)
            if missing > 0 or not self._scored:
                wanted = min(count, missing) if missing > 0 else count
                return [Proposal(a, "random") for a in sample_new(self.space, known, wanted, rng)]
            unlikely = Unlikely(self.feasible.learn(self.history))
            wanted, misses = count if pending else min(count, self.options.batch), 0
            found: dict[Architecture, Proposal] = {}
            with self._running(study, pending):
                while len(found) < wanted and misses < self.options.attempts:
                    most = max(1, self.options.candidates >> misses)
                    study.sampler = self._sampler(int(rng.integers(2**32)), most, bool(pending))
                    architecture = self._draw(study)
                    if architecture in known or architecture in found or architecture in unlikely:
                        misses += 1
                    else:
                        found[architecture], misses = Proposal(architecture, "tpe"), 0
        chosen = list(found.values())
        if len(chosen) < wanted:
            missing = wanted - len(chosen)
            others = sample_likely(self.space, Known(known, found), unlikely, missing, rng)
            chosen += [Proposal(a, "refill") for a in others]
        return chosen

    @contextmanager
    def _running(self, study: Study, pending: Sequence[Architecture]) -> Iterator[None]:
        """What is pending is known to the study in here, as running trials."""
        from optuna.trial import TrialState, create_trial

        first = len(study.get_trials(deepcopy=False))
        for architecture in pending:
            values, distributions = self._parameters(architecture)
            study.add_trial(create_trial(state=TrialState.RUNNING, params=values, distributions=distributions))
        try:
            yield
        finally:
            for number in range(first, first + len(pending)):
                study.tell(number, state=TrialState.FAIL)

    def _sampler(self, seed: int, candidates: int, is_believing: bool) -> BaseSampler:
        """A fresh sampler for each draw, so that draws depend on the history and not on earlier draws."""
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.options.startup,
            n_ei_candidates=candidates,
            multivariate=self.options.multivariate,
            constant_liar=is_believing,
            seed=seed,
        )

    def _draw(self, study: Study) -> Architecture:
        """One architecture from the estimate. The trial is closed at once: what is measured comes by ``tell``."""
        from optuna.trial import TrialState

        trial = study.ask()
        tokens: list[int] = []
        for _ in self.space.positions:
            tokens.append(self._suggest(trial, tokens))
        study.tell(trial, state=TrialState.FAIL)
        return self.space.architecture(tokens)

    def _suggest(self, trial: Trial, prefix: Sequence[int]) -> int:
        name, _ = self._parameter(prefix)
        token: int = trial.suggest_categorical(name, self.space.choices(prefix))
        return token

    def _parameters(self, architecture: Architecture) -> tuple[dict[str, int], dict[str, BaseDistribution]]:
        """Values and distributions of an architecture's parameters."""
        pairs = [self._parameter(architecture.tokens[:index]) for index in range(len(self.space.positions))]
        return dict(zip((name for name, _ in pairs), architecture.tokens, strict=True)), dict(pairs)

    def _parameter(self, prefix: Sequence[int]) -> tuple[str, BaseDistribution]:
        """Name and distribution of what is chosen after ``prefix``."""
        from optuna.distributions import CategoricalDistribution

        position, valid = self.space.positions[len(prefix)], self.space.choices(prefix)
        every = len(valid) == len(position.choices)
        name = position.name if every else f"{position.name} among {' '.join(map(str, valid))}"
        return name, CategoricalDistribution(valid)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna logs only errors in here, and does not call ``multivariate`` experimental (versions before 5 do)."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
