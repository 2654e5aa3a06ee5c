"""Neural Architecture Optimization (Luo et al. 2018), Algorithm 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.latent.priors import Promises
from naopt.metrics.scale import mean
from naopt.problem import Objective, Problem
from naopt.repeats import pooled
from naopt.searchers.base import Known, Proposal, sample_new, searchers
from naopt.searchers.candidates import FEWEST_SCORES, fewest_scores, scored, standard_errors
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.searchers.first import first, first_count
from naopt.searchers.forbidden import Seen
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.searchers.nao_repeats import learned_first, with_repeats
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.searchers.nao_fidelities import FidelityRounds
    from naopt.searchers.nao_rounds import NAORounds

__all__ = ["NAOSearcher", "NAOSettings"]

_MOST_INITIAL, _MOST_INITIAL_SEVERAL, _INITIAL_SHARE = 5, 10, 1 / 6
_SEEDS, _NEW = 5, 2
_AT_LEVELS = 2
"""With fidelities a round has so many times more: most are cheap."""
_CHEAP_FIRST, _CHEAP_LEAST = 3, 8
"""And so many times more are random at first, but this many at least."""
_CHEAP_SHARE = 0.5
"""Of the budget, that these cost at most: something has to be measured in full."""


@searchers.register("nao")
class NAOSearcher(MultiFidelitySearcher):
    """Neural Architecture Optimization: embed architectures, fit a predictor, climb from the best, decode, measure.

    By default the embedding is learned from the space alone, once; a Gaussian process on it is fitted to all that was
    measured; ascents of its expected improvement start from the best; and of all architectures that decode from their
    paths, and some neighbours of the best, those are proposed whose own embedding promises most.
    ``preset=paper`` is Algorithm 1 with the jointly fitted LSTM auto-encoder. docs/searchers/nao.md compares them.

    Diverged architectures count as the worst score. From every failure it learns what can be measured (``Feasible``),
    and proposes by expected improvement times that probability.

    With ``Problem.fidelity`` what promises most is measured at the next level above its own (``FidelityRounds``).
    """

    settings_type = NAOSettings
    several = limited = informed = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: NAOSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self._check_joint()

        def count(given: int | None, share: float | None, default: int, least: int = 1) -> int:
            return given or (default if share is None else max(least, round(share * budget)))

        most = _MOST_INITIAL_SEVERAL if self._trades else _MOST_INITIAL
        few = max(FEWEST_SCORES, min(most, round(_INITIAL_SHARE * budget)))
        few = first_count(self.problem.priors, few)
        self.initial = count(settings.initial, settings.initial_share, few, FEWEST_SCORES)
        self.new_per_round = count(settings.new_per_round, settings.round_share, _NEW)
        self.seeds = count(settings.seeds, settings.seeds_share, _SEEDS)
        self._rounds: NAORounds | None = None
        self._feasible = Feasible(space)
        self._log: dict[str, Any] = {}
        self._staged = None if self.problem.fidelity is None else self._fidelity_rounds()

    @classmethod
    def check(cls, problem: Problem, settings: Settings) -> None:
        """Raises ``InputError`` for the joint model with fidelities or repeats."""
        if not isinstance(settings, NAOSettings) or settings.model != "joint":
            return
        if problem.repeats > 1:
            rule = "measures nothing twice; leave it and preset out, or --remeasure"
            raise InputError("setting model", "joint", rule)
        if problem.fidelity is not None:
            raise InputError("setting model", "joint", "knows no fidelities; leave it and preset out")

    def _check_joint(self) -> None:
        self.check(self.problem, self.options)
        if self.options.model == "joint" and self.problem.priors is not None:
            raise InputError("setting model", "joint", "takes no prior knowledge; leave it and preset out")
        if self.options.model == "joint" and self._trades:
            several, limits = len(self.problem.objectives) > 1, self.problem.measured
            what = "several objectives" if several else f"a limit that has to be measured ({limits[0]})"
            raise InputError("setting model", "joint", f"knows one objective, not {what}; leave it and preset out")

    @property
    def _trades(self) -> bool:
        """Whether there are several objectives, or limits that have to be measured."""
        return len(self.problem.objectives) > 1 or bool(self.problem.measured)

    @property
    def _limited(self) -> bool:
        """Whether there is one objective, and limits on nothing but known costs."""
        return bool(self.problem.known) and not self._trades

    @property
    def rounds(self) -> NAORounds:
        """What makes a round of proposals; made when first needed."""
        if self._rounds is None:
            if self.options.model == "joint":
                from naopt.searchers.nao_joint import JointRounds

                self._rounds = JointRounds(self.space, self.options, self.seeds, self.seed)
            else:
                self._rounds = self._new_rounds()
        return self._rounds

    def _new_rounds(self) -> NAORounds:
        if self._trades:
            from naopt.searchers.nao_trade_offs import TradeOffRounds

            given = self.options
            options = given.model_copy(
                update={"normalisation": given.normalisation or "rank", "mean": given.mean or "zero"}
            )
            return TradeOffRounds(self.space, options, self.seeds, self.seed, self.problem)
        from naopt.searchers.nao_embedding import EmbeddingRounds

        best = self.options.best or ("measured" if self._limited else "expected")
        # What other tasks say are normal scores of ranks: targets are a line of them if they are such scores, too.
        elsewhere = isinstance(self.problem.priors, Promises)
        normalisation = self.options.normalisation or ("rank" if elsewhere else None)
        options = self.options.model_copy(update={"best": best, "normalisation": normalisation})
        return EmbeddingRounds(self.space, options, self.seeds, self.seed, self.problem)

    def round_log(self) -> dict[str, Any]:
        """Quality of the latest fit and yields of the latest ascent; empty for a random round."""
        return self._log

    @property
    def round_size(self) -> int:
        """The setting ``new_per_round``, or its share of the budget."""
        return self.new_per_round

    def ask(self, count: int, pending: Sequence[Architecture] = (), levels: Sequence[int] = ()) -> list[Proposal]:
        """The rest of the random pool, or one round of Algorithm 1, lines 4 to 11; with something pending, ``count``.

        The Gaussian process believes that what is pending turns out as predicted. The joint model is fitted anew after
        every ``new_per_round`` results, as in rounds, and takes the next best architectures until then.
        """
        self._log = {}
        if self._staged is not None:
            return self._at_levels(self._staged, count, pending, levels)
        told, out = len(self.history), len(pending)
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        failed = sum(not measurement.ok for _, measurement in self.history)
        missing = self.initial + min(failed, self.initial) - told - out
        if missing > 0:
            return self._random(min(count, missing), known, rng, told + out)
        wanted = count if pending else min(count, self.new_per_round)
        if self.options.rounds is not None:
            done = (told + out - self.initial) // self.new_per_round
            if done >= self.options.rounds:
                return []
            wanted = min(wanted, self.initial + self.options.rounds * self.new_per_round - told - out)
        if pending and self.options.model == "joint":
            told = max(0, told - (told - self.initial) % self.new_per_round)
        history = self.history[:told]
        repeats = self.problem.repeats > 1
        told_once = pooled(history, [self.objective.metric]) if repeats else history
        architectures, scores = scored(told_once, self.objective)
        if len(scores) < fewest_scores(self.initial, pending):
            return self._random(wanted, known, rng, told + out)
        errors = standard_errors(told_once, self.objective)
        if repeats and errors is None:
            again = learned_first(self._counts(pending), self._failures(), architectures)
            if again is not None:
                return [Proposal(again, "repeat", repeat=1)]
        self.rounds.learn(told_once)
        chosen, log = self.rounds.propose(architectures, scores, known, pending, wanted, rng, errors)
        if repeats and errors is not None:
            chosen = self._or_repeats(chosen, architectures, scores, errors, pending, wanted)
        sign = self.objective.sign
        predicted = [p.predicted for p in chosen if p.predicted is not None]
        self._log = log | {f"from_{origin}": sum(p.origin == origin for p in chosen) for origin in _ORIGINS}
        if promising := sum(p.origin == "prior" for p in chosen):
            self._log["from_prior"] = promising
        self._log["predicted_mean"] = sign * mean(predicted) if predicted else None
        return [replace(p, predicted=None if p.predicted is None else sign * p.predicted) for p in chosen]

    def _counts(self, pending: Sequence[Architecture]) -> Counter[Architecture]:
        """How often each architecture was or is measured."""
        return Counter([*(architecture for architecture, _ in self.history), *pending])

    def _failures(self) -> Counter[Architecture]:
        """How often measurements of each architecture failed."""
        return Counter(architecture for architecture, measurement in self.history if not measurement.ok)

    def _or_repeats(
        self,
        new: Sequence[Proposal],
        architectures: Sequence[Architecture],
        scores: NDArray[np.float64],
        errors: NDArray[np.float64],
        pending: Sequence[Architecture],
        wanted: int,
    ) -> list[Proposal]:
        from naopt.searchers.nao_embedding import EmbeddingRounds

        assert isinstance(self.rounds, EmbeddingRounds)
        counts, most = self._counts(pending), self.problem.repeats
        well = self._counts(()) - self._failures()
        once = errors * np.sqrt([well[architecture] for architecture in architectures])
        return with_repeats(new, self.rounds.model, architectures, scores, once, counts, most, pending, wanted)

    def _fidelity_rounds(self) -> FidelityRounds:
        from naopt.searchers.nao_fidelities import FidelityRounds

        options = self.options.model_copy(update={"best": self.options.best or "expected"})
        return FidelityRounds(self.space, options, self.seeds, self.seed, self.problem, self.objectives)

    def _at_levels(
        self, staged: FidelityRounds, count: int, pending: Sequence[Architecture], levels: Sequence[int]
    ) -> list[Proposal]:
        """Random architectures at the cheapest level first; then what promises most, each at its next level.

        One that is to be measured in full ends a round: what it gives changes what the others promise.
        """
        rng = self.generator(pending=pending)
        most = max(1, int(_CHEAP_SHARE * self.budget / self.costs[0]))
        first, told = min(most, max(_CHEAP_LEAST, _CHEAP_FIRST * self.initial)), self.told_at[0]
        failed = sum(score is None for score in told.values())
        missing = first + min(failed, first) - len(told) - list(levels).count(0)
        drawn = sample_new(self.space, Known(self.seen, pending), min(count, missing), rng) if missing > 0 else []
        if drawn:
            return [self.proposal(architecture, 0, "random") for architecture in drawn]
        full = Seen(self.problem)
        full.update(self.told_at[-1])
        full.update(a for told in self.told_at for a, score in told.items() if score is None)
        wanted = count if pending else min(count, _AT_LEVELS * self.new_per_round)
        chosen, self._log = staged.propose(self.history, self.told_at, Known(full, pending), pending, wanted, rng)
        found = [replace(p, level=self.reached(p.architecture) + 1) for p in chosen]
        if not found:
            return self._one_step(Known(full, pending), pending, rng)
        if not pending:
            last = next((index for index, p in enumerate(found) if p.level == self.full), len(found))
            found = found[: max(1, last)]
        return [replace(p, level=None) if p.level == self.full else p for p in found]

    def _one_step(self, done: Known, pending: Sequence[Architecture], rng: np.random.Generator) -> list[Proposal]:
        """Where too little is known for a process: the best goes on, or else a random one is measured in full."""
        for level in range(self.full - 1, -1, -1):
            among = [a for a in self.told_at[level] if a not in done and self.reached(a) == level]
            if best := self.promotable(level, 1, among):
                return [self.proposal(best[0], level + 1, "promotion")]
        drawn = sample_new(self.space, Known(self.seen, pending), 1, rng)
        return [self.proposal(architecture, self.full, "random") for architecture in drawn]

    def _random(self, count: int, known: Known, rng: np.random.Generator, begun: int) -> list[Proposal]:
        unlikely = Unlikely(self._feasible.learn(self.history))
        drawn = [Proposal(a, "random") for a in sample_likely(self.space, known, unlikely, count, rng)]
        return first(self.problem.priors, known, begun, count, drawn)


_ORIGINS = ("ascent", "neighbour", "refill")
