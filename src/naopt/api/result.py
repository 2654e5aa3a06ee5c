"""What a search has found, as one looks at it in Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from naopt.api.trials import ResultTrial, view_of
from naopt.errors import NaoptError
from naopt.problem import Objective
from naopt.run.finalist_figures import FinalistFigures, finalist_figures
from naopt.run.instances import Instances
from naopt.run.pick import Pick
from naopt.run.record import RunRecord
from naopt.spaces import SearchSpace

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from naopt.execution.trial import Trial

_LETTERS = 100


class Result:
    """What a search has found so far, or in all. Shows itself in notebooks.

    Args:
        record: of the search.
        directory: where it lies; ``None`` for a search in memory.

    Attributes:
        record: the same as reports see it.
        directory: where it lies; ``None`` for a search in memory.
        latest: in a callback, the evaluation that has just ended.
    """

    def __init__(self, record: RunRecord, directory: Path | None = None) -> None:
        self.record, self.directory = record, directory
        self.latest: ResultTrial | None = None

    @property
    def space(self) -> SearchSpace:
        """Where was searched."""
        return self.record.space

    @property
    def objective(self) -> Objective:
        """What is optimised."""
        return self.record.objective

    @property
    def trials(self) -> list[ResultTrial]:
        """All evaluations that have ended, failed ones included, in the order of their indices."""
        return list(map(self._view, self.record.evaluated))

    @property
    def failures(self) -> list[ResultTrial]:
        """Those of ``trials`` that did not succeed."""
        return list(map(self._view, self.record.failed))

    @property
    def best(self) -> ResultTrial:
        """The best evaluation; of equal ones that of less loss, then the smaller, then the earlier.

        Raises:
            NaoptError: none has succeeded.
        """
        found = self.record.best()
        if found is None:
            failed = self.failures
            if self.record.beyond:
                raise NaoptError(self.record.why_none())
            why = failed[0].reason if failed else "nothing was measured"
            raise NaoptError(f"no evaluation has succeeded; {len(failed)} failed, the first: {why}")
        return self._view(found)

    @property
    def best_value(self) -> float | None:
        """Its metric that is optimised; ``None`` if none has succeeded."""
        found = self.record.best()
        return None if found is None else self._view(found).value

    @property
    def finished(self) -> bool:
        """Whether the budget is spent, time is up, or the searcher finds nothing new."""
        return self.record.finished

    @property
    def seconds(self) -> float:
        """Wall time of the search, all its parts together."""
        return self.record.seconds

    def ranked(self, count: int | None = None) -> list[ResultTrial]:
        """The best ``count`` evaluations that succeeded, the best first; all of them by default."""
        return list(map(self._view, self.record.ranked()[:count]))

    @property
    def front(self) -> list[ResultTrial]:
        """What no other evaluation beats in every objective, the best by the first one first; empty if none succeeded.

        With one objective these are the best.
        """
        return list(map(self._view, self.record.front()))

    @property
    def finalists(self) -> FinalistFigures | None:
        """What the search measured of its finalists against what longer training gave; ``None`` without any.

        The best of ``finalists.rows`` is ``best``, whose metrics are those of the search.
        """
        return finalist_figures(self.record)

    @property
    def instances(self) -> Instances | None:
        """What a network does that decides for each image; ``None`` if the search gives none, or is not finished.

        ``instances.default`` is the operating point that is taken where none is named.
        """
        return self.record.instances

    def pick(self, which: str = "knee") -> ResultTrial:
        """One evaluation: ``"knee"``, ``"index=12"``, or the best by a metric: ``"max:valid_acc,latency_ms<=5"``.

        Raises:
            InputError: other text, no such evaluation or metric, or limits that no evaluation keeps.
        """
        return self._view(Pick.parse(which, "pick").of(self.record, "pick"))

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each of ``trials``: index, round, origin, status, reason, seconds, architecture, choices, metrics.

        Choices of a generic space have a column each, under the position's name, with their values as they were given.
        A name that is taken is prefixed with ``position:`` or ``metric:``.

        Raises:
            NaoptError: pandas is not installed; ``naopt[pandas]`` has it.
        """
        from naopt.api.frames import trials_frame

        return trials_frame(self.trials, self.space, self.objective.metric)

    def plot(self) -> Figure:
        """The best value so far over evaluations, and every value as a dot."""
        from naopt.api.figures import trajectory_figure

        return trajectory_figure(self.record)

    def _view(self, trial: Trial) -> ResultTrial:
        return view_of(trial, self.space, self.objective)

    @property
    def progress(self) -> tuple[int, int]:
        """How many evaluations have ended, and how many there may be."""
        return len(self.record.evaluated), self.record.config.budget

    def headline(self) -> str:
        """How far the search has come, in one line."""
        (done, budget), failed = self.progress, len(self.record.failed)
        state = "finished" if self.finished else "not finished"
        if self.record.exhausted:
            state += ": there is nothing new to be found"
        line = f"{done} of {budget} evaluations by {self.record.config.searcher}, {failed} failed, {state}"
        if failed and failed == done:
            line += f"; the first failed with: {self.failures[0].reason}"
        return line

    def __repr__(self) -> str:
        lines = [f"Result: {self.headline()}"]
        if self.best_value is not None:
            best = self.best
            text = best.text if len(best.text) <= _LETTERS else f"{best.text[:_LETTERS]}..."
            lines += [f"best {self.objective.metric}: {best.value:.6g}, evaluation {best.index} ({best.origin})", text]
        if len(self.record.problem.objectives) > 1 and (knee := self.record.knee()) is not None:
            lines.append(f"front of {len(self.record.front())}, the knee is evaluation {knee.index}")
        if (found := self.instances) is not None:
            point = found.default
            lines.append(f"for each image: accuracy {point.accuracy:.2f} % at latency {point.latency:.3f}")
        if self.record.beyond:
            lines.append(f"{len(self.record.beyond)} evaluations break a limit")
        if self.directory is not None:
            lines.append(f"in {self.directory}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from naopt.api.html import BEST, result_html

        best = self.ranked(BEST)
        drawing = self.space.draw(best[0].architecture) if best else ""
        return result_html(self.headline(), best, drawing, self.objective.metric)
