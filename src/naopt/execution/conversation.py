"""What a loop and a searcher say to each other, checked on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from naopt.errors import NaoptError
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement, error_name, missing
from naopt.searchers.base import Proposal, Searcher
from naopt.searchers.forbidden import Forbidden, Seen
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.spaces import Architecture

_SPENT = 1e-9
"""Less is left over by rounding."""


class SearcherError(NaoptError):
    """A searcher broke its contract: a bug in the searcher, not in the input."""


@dataclass(frozen=True)
class Start:
    """Where a search begins.

    Attributes:
        past: trials of an earlier part of this search, by index; what is not yet measured is measured first.
        prior: what other searches measured, told before anything is asked; no part of the budget.
        enqueued: architectures to be measured before the searcher is asked; part of the budget.
    """

    past: Sequence[Trial] = ()
    prior: Sequence[tuple[Architecture, Measurement]] = ()
    enqueued: Sequence[Architecture] = ()


class Conversation:
    """Asks a searcher for trials and tells it what they gave.

    Args:
        searcher: fresh.
        budget: how many trials there may be in all; what costs less than a full evaluation counts as that. One that was
            begun before it was spent counts.
        observer: is told about every proposal and result as they come.
        start: where the search begins; ``prior`` is told at once.

    Attributes:
        trials: all of them, by index.
    """

    def __init__(self, searcher: Searcher, budget: int, observer: Observer, start: Start) -> None:
        self.searcher, self.budget, self.observer = searcher, budget, observer
        self.trials = list(start.past)
        self.results = 1 + max((trial.place for trial in self.trials if trial.place is not None), default=-1)
        self._problem = searcher.problem
        self._forbidden = _forbidden(searcher)
        self._fidelity = self._problem.fidelity
        self._levels: dict[Architecture, int] = {}
        self._times: dict[Architecture, int] = {}
        for trial in self.trials:
            self._levels[trial.architecture] = self._number(trial.level)
            self._times[trial.architecture] = self._times.get(trial.architecture, 0) + 1
        self._paid = dict(self._levels)
        self._spent = sum(trial.cost for trial in self.trials)
        self._round = self.trials[-1].round + 1 if self.trials else 0
        for architecture, measurement in start.prior:
            self._times[architecture] = self._times.get(architecture, 0) + 1
            searcher.tell(architecture, self._visible(self._complete(architecture, measurement)))
        self._enqueued = [a for a in dict.fromkeys(start.enqueued) if a not in self._levels]

    @property
    def left(self) -> int:
        """How many more trials there may be, if they cost least."""
        rest = self.budget - self._spent
        several = self._fidelity is not None and isinstance(self.searcher, MultiFidelitySearcher)
        least = self._fidelity.least if self._fidelity is not None and several else 1.0
        return max(0, math.ceil(rest / least - _SPENT))

    def _number(self, level: int | None) -> int:
        return 0 if self._fidelity is None else self._fidelity.number(level)

    def ask(self, count: int, pending: Sequence[Architecture] = (), at_least: int = 1) -> list[Trial]:
        """New trials of one round, ``count`` at most; none if the searcher has none to give.

        Args:
            count: at most ``left``.
            pending: architectures that the searcher proposed and was not told about.
            at_least: a smaller round is enlarged to so many: the searcher is asked again, with what it proposed as
                pending.

        Raises:
            SearcherError: the searcher proposed something invalid, twice, or too much.
        """
        log: dict[str, Any]
        self.observer.asking(self._round)
        passed_over = self._forbidden
        passed_over.forget()
        if self._enqueued:
            proposals = [Proposal(architecture, "enqueued") for architecture in self._enqueued[:count]]
            self._enqueued, log = self._enqueued[count:], {}
            self._check(proposals, count)
        else:
            proposals, log = self._proposals(count, pending, at_least)
        trials: list[Trial] = []
        for proposal in proposals:
            if self.budget - self._spent < _SPENT:
                break
            trials.append(self._trial(proposal, len(self.trials) + len(trials)))
        if trials:
            if passed_over:
                log = {**log, "passed_over": passed_over.refused}
            self._round += 1
            self.trials += trials
            self.observer.proposed(trials, log)
        return trials

    def _proposals(
        self, count: int, pending: Sequence[Architecture], at_least: int
    ) -> tuple[list[Proposal], dict[str, Any]]:
        proposals: list[Proposal] = []
        log: dict[str, Any] = {}
        wanted = count
        pending_levels = [self._levels[architecture] for architecture in pending]
        while wanted > 0:
            others = [*pending, *(proposal.architecture for proposal in proposals)]
            more = self._more(wanted, others, [*pending_levels, *(self._number(p.level) for p in proposals)])
            if not more:
                break
            self._check(more, wanted)
            log = log or self.searcher.round_log()
            proposals += more
            wanted = min(at_least, count) - len(proposals)
        return proposals, log

    def _more(self, wanted: int, others: Sequence[Architecture], levels: Sequence[int]) -> Sequence[Proposal]:
        if not others:
            return self.searcher.ask(wanted)
        if isinstance(self.searcher, MultiFidelitySearcher):
            return self.searcher.ask(wanted, others, levels)
        return self.searcher.ask(wanted, others)

    def _check(self, proposals: Sequence[Proposal], count: int) -> None:
        name = type(self.searcher).__name__
        if len(proposals) > count:
            raise SearcherError(f"{name} was asked for {count} architectures and proposed {len(proposals)}")
        space = self.searcher.space
        for proposal in proposals:
            architecture = proposal.architecture
            shown = " ".join(map(str, architecture.tokens))
            if architecture.space != space.name:
                raise SearcherError(f"{name} proposed an architecture of {architecture.space}, not {space.name}")
            reason = space.explain_invalid(architecture.tokens)
            if reason is not None:
                raise SearcherError(f"{name} proposed an invalid architecture ({shown}): {reason}")
            level = self._number(proposal.level)
            if proposal.level is not None and (self._fidelity is None or not 0 <= level < self._fidelity.full):
                raise SearcherError(
                    f"{name} proposed level {proposal.level}, which is none below the full one ({shown})"
                )
            times = self._times.get(architecture, 0)
            again = 0 < proposal.repeat == times < self._problem.repeats and architecture in self.searcher.seen
            if not again and (proposal.repeat or level <= self._levels.get(architecture, -1)):
                raise SearcherError(f"{name} proposed an architecture twice ({shown})")
            self._levels[architecture] = level
            self._times[architecture] = times + 1
            if architecture in self._forbidden:
                limits = ", ".join(map(str, self._problem.known))
                raise SearcherError(f"{name} proposed what is in its seen, because of {limits} ({shown})")

    def _trial(self, proposal: Proposal, index: int) -> Trial:
        predicted = None if proposal.predicted is None else float(proposal.predicted)
        text = self.searcher.space.format(proposal.architecture)
        architecture, level, cost = proposal.architecture, self._number(proposal.level), 1.0
        if self._fidelity is not None:
            cost = self._fidelity.step(level, self._paid.get(architecture, -1))
        self._paid[architecture] = level
        self._spent += cost
        return Trial(
            index, self._round, architecture, text, proposal.origin, proposal.parent, predicted,
            level=proposal.level, cost=cost, repeat=proposal.repeat,
        )  # fmt: skip

    def measured(self, index: int, measurement: Measurement) -> Trial:
        """Takes a result: it has its place among the others, and the observer hears of it. The searcher does not.

        What is known without an evaluation is added. One that lacks an objective, or what a limit is on, has failed.
        """
        measurement = self._complete(self.trials[index].architecture, measurement)
        lacking = _lacking(self._needed(self.trials[index].level), measurement)
        if measurement.ok and lacking:
            reason = "; ".join(filter(None, (missing(lacking, measurement.metrics), measurement.reason)))
            measurement = replace(measurement, status="failed", reason=reason)
        trial = replace(self.trials[index], measurement=measurement, place=self.results)
        self.trials[index] = trial
        self.results += 1
        self.observer.measured(trial)
        return trial

    def tell(self, trials: Iterable[Trial]) -> None:
        """Tells the searcher about measured trials, in this order."""
        for trial in trials:
            if trial.measurement is not None:
                self.searcher.tell(trial.architecture, self._visible(trial.measurement, trial.level))

    def _complete(self, architecture: Architecture, measurement: Measurement) -> Measurement:
        """With the metrics of the problem that are known without an evaluation, where it did not give them."""
        costs = self._problem.costs
        names = [] if costs is None else [name for name in self._problem.metrics if name in costs.metrics]
        names = [name for name in names if name not in measurement.metrics]
        if costs is None or not names:
            return measurement
        found = costs.of([architecture])
        known = {name: float(found[name][0]) for name in names if name in found}
        known = {name: value for name, value in known.items() if not math.isnan(value)}
        return replace(measurement, metrics={**measurement.metrics, **known})

    def _needed(self, level: int | None) -> list[str]:
        """Metrics that a measurement at a level has to have."""
        metrics = list(self._problem.metrics)
        if level is not None and self._fidelity is not None:
            metrics[0] = self._fidelity.metrics[level]
        return metrics

    def _visible(self, measurement: Measurement, level: int | None = None) -> Measurement:
        """What the searcher may see: the metrics of the problem and their standard errors.

        A table's test metrics are for the record only.

        To a searcher that knows nothing of limits, what breaks one could not be measured.
        """
        problem = self._problem
        needed = self._needed(level)
        lacking = _lacking(needed, measurement)
        if measurement.ok and lacking:
            reason = missing(lacking, measurement.metrics)
            return Measurement({}, measurement.seconds, "failed", reason, level=level)
        broken = problem.broken(measurement.metrics) if measurement.ok else ()
        if broken and not self.searcher.limited:
            reason = f"breaks {broken[0]}: {measurement.metrics[broken[0].metric]:g}"
            return Measurement({}, measurement.seconds, "invalid", reason, level=level)
        names = {*needed, *map(error_name, needed)}
        seen = {metric: value for metric, value in measurement.metrics.items() if metric in names}
        return replace(measurement, metrics=seen, level=level)


def _lacking(needed: Sequence[str], measurement: Measurement) -> str:
    """The first metric of those that are needed that was not measured; empty if all were."""
    return next((name for name in needed if name not in measurement.metrics), "")


def _forbidden(searcher: Searcher) -> Forbidden:
    """Where a searcher looks up what limits forbid."""
    return searcher.seen.forbidden if isinstance(searcher.seen, Seen) else Forbidden(searcher.problem)
