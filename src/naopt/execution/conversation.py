"""What a loop and a searcher say to each other, checked on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from naopt.errors import NaoptError
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement, missing
from naopt.searchers.base import Proposal, Searcher
from naopt.spaces import Architecture


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
        budget: how many trials there may be in all.
        observer: is told about every proposal and result as they come.
        start: where the search begins; ``prior`` is told at once.

    Attributes:
        trials: all of them, by index.
    """

    def __init__(self, searcher: Searcher, budget: int, observer: Observer, start: Start) -> None:
        self.searcher, self.budget, self.observer = searcher, budget, observer
        self.trials = list(start.past)
        self.results = 1 + max((trial.place for trial in self.trials if trial.place is not None), default=-1)
        self._known = {trial.architecture for trial in self.trials}
        self._round = self.trials[-1].round + 1 if self.trials else 0
        for architecture, measurement in start.prior:
            searcher.tell(architecture, _visible(measurement, searcher.objective.metric))
        self._enqueued = [a for a in dict.fromkeys(start.enqueued) if a not in self._known]

    @property
    def left(self) -> int:
        """How many more trials there may be."""
        return self.budget - len(self.trials)

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
        if self._enqueued:
            proposals = [Proposal(architecture, "enqueued") for architecture in self._enqueued[:count]]
            self._enqueued, log = self._enqueued[count:], {}
            self._check(proposals, count)
        else:
            proposals, log = self._proposals(count, pending, at_least)
        trials = [self._trial(proposal, index) for index, proposal in enumerate(proposals, start=len(self.trials))]
        if trials:
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
        while wanted > 0:
            others = [*pending, *(proposal.architecture for proposal in proposals)]
            more = self.searcher.ask(wanted, others) if others else self.searcher.ask(wanted)
            if not more:
                break
            self._check(more, wanted)
            log = log or self.searcher.round_log()
            proposals += more
            wanted = min(at_least, count) - len(proposals)
        return proposals, log

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
            if architecture in self._known:
                raise SearcherError(f"{name} proposed an architecture twice ({shown})")
            self._known.add(architecture)

    def _trial(self, proposal: Proposal, index: int) -> Trial:
        predicted = None if proposal.predicted is None else float(proposal.predicted)
        text = self.searcher.space.format(proposal.architecture)
        return Trial(index, self._round, proposal.architecture, text, proposal.origin, proposal.parent, predicted)

    def measured(self, index: int, measurement: Measurement) -> Trial:
        """Takes a result: it has its place among the others, and the observer hears of it. The searcher does not.

        One that lacks the metric that is optimised has failed.
        """
        metric = self.searcher.objective.metric
        if measurement.ok and metric not in measurement.metrics:
            reason = missing(metric, measurement.metrics)
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
                self.searcher.tell(trial.architecture, _visible(trial.measurement, self.searcher.objective.metric))


def _visible(measurement: Measurement, metric: str) -> Measurement:
    """What the searcher may see: the metric it searches by. A table's test metrics are for the record only."""
    if metric in measurement.metrics or not measurement.ok:
        return replace(measurement, metrics={m: v for m, v in measurement.metrics.items() if m == metric})
    return Measurement({}, measurement.seconds, "failed", missing(metric, measurement.metrics))
