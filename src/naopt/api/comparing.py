"""``naopt.compare``: a benchmark of searchers from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt import bench
from naopt.api.arguments import Limits, parse_columns, parse_limits
from naopt.bench.choice import parse_choice
from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.table import parse_noise
from naopt.latent.threads import one_thread
from naopt.logs import show_logs
from naopt.searchers import Scalarisation
from naopt.tables import Table, load_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ComparisonResult:
    """What a comparison found. Shows itself in notebooks.

    Attributes:
        comparison: what was compared, and how.
        trials: every search, by searcher and number.
        summary: the document of ``naopt bench --json``.
    """

    comparison: bench.Comparison
    trials: Sequence[bench.SearchTrial]
    summary: Mapping[str, Any]

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each searcher, trial and checkpoint: searcher, trial, queries, search_metric, report_metric.

        Of several objectives the last two are hypervolume, igd_plus and front_found instead.

        Raises:
            NaoptError: pandas is not installed; ``naopt[pandas]`` has it.
        """
        from naopt.api.frames import frame

        points = [(t, at, q) for t in self.trials for at, q in enumerate(self.comparison.checkpoints)]
        columns: dict[str, list[Any]] = {
            "searcher": [t.searcher for t, _, _ in points],
            "trial": [t.trial for t, _, _ in points],
            "queries": [queries for _, _, queries in points],
        }
        if self.comparison.several:
            found = [self.comparison.front.progress(t.rows or (), self.comparison.checkpoints) for t in self.trials]
            columns["hypervolume"] = [value for one in found for value in one.hypervolume]
            columns["igd_plus"] = [value for one in found for value in one.igd_plus]
            columns["front_found"] = [value for one in found for value in one.found]
            return frame(columns)
        for name in ("search_metric", "report_metric"):
            values = [getattr(t, name)[at] for t, at, _ in points]
            columns[name] = [float("nan") if value is None else value for value in values]
        return frame(columns)

    def plot(self) -> Figure:
        """Mean regret of the report metric, or of hypervolume, over queries, with its 95 % interval."""
        from naopt.api.figures import regret_figure

        return regret_figure(self.summary)

    @cached_property
    def _columns(self) -> list[int]:
        return bench.checkpoint_columns(self.comparison.checkpoints)

    def __repr__(self) -> str:
        about = self.summary
        if self.comparison.several:
            lines = [
                f"Comparison on {about['table']}: share of the front's hypervolume, of {about['metric']} after "
                f"{about['budget']} queries, mean of {about['trials']} trials"
            ]
            shares = {name: found["hypervolume_share"]["mean"][-1] for name, found in about["searchers"].items()}
            return "\n".join([*lines, *(f"{name}: {share:.4f}" for name, share in shares.items())])
        lines = [
            f"Comparison on {about['table']}: {about['report_metric']} of what {about['metric']} selects after "
            f"{about['budget']} queries, mean of {about['trials']} trials"
        ]
        for name, found in about["searchers"].items():
            mean = found["mean_report_metric"][-1]
            lines.append(f"{name}: {'-' if mean is None else f'{mean:.6g}'}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from naopt.api.html import comparison_html

        return comparison_html(self.summary, self._columns)


def compare(
    table: Table | str | Path,
    searchers: Sequence[str] | Mapping[str, Mapping[str, Any] | Settings | None] = ("random", "nao"),
    *,
    budget: int = 100,
    trials: int = 10,
    metric: str | Sequence[str] | None = None,
    report_metric: str | None = None,
    seed: int = 0,
    workers: int = 1,
    noise: str = "mean",
    pick: str = "expected",
    every: int = 10,
    against: str | None = None,
    limits: Limits = (),
    known: Sequence[str] = (),
    prior_columns: Sequence[str] | str = (),
    history: Sequence[str] | str = (),
    fidelities: Sequence[str] | str = (),
    fidelity_costs: Sequence[float] = (),
    remeasure: int = 1,
    scalarise: str | Scalarisation | None = None,
    reference: Mapping[str, float] | None = None,
) -> ComparisonResult:
    """Searchers against each other on a table: same budget, same seeds.

    Args:
        table: a table, its file, or its built-in name.
        searchers: names, or settings by name.
        budget: queries of one trial.
        trials: of each searcher.
        metric: what is searched by; the table's first one by default. Several make a front, and are compared by its
            hypervolume.
        report_metric: what is reported of the architecture that ``metric`` selects; ``metric`` by default.
        seed: of the comparison.
        workers: with one, trials run in this process, one after the other; with more in as many processes.
        noise: ``"repeat"``: a query returns one of the metric's repeats, drawn at random, rather than their mean.
        pick: where ``metric`` has standard errors, ``"measured"``: what is reported is best by its own measurement,
            not by what all measurements together let one expect.
        every: queries between two checkpoints.
        against: the searcher that the others are compared with, trial by trial; ``random`` if it takes part.
        limits: that have to be kept: ``"latency_ms<=5"``, ``Limit("params", "max", 2e6)``, one or several.
        known: columns that cost no query; those that are called like a cost by default, ``["none"]`` for none.
        prior_columns: that searchers may look at before a query, and learn what they are worth.
        history: of other tasks or metrics (``"SOURCE:METRIC"``, files of ``naopt prior save``), that they learn from.
        fidelities: columns that are cheaper versions of the metric, the cheapest first, the metric last.
        fidelity_costs: what these cost, in any unit; by default the numbers in which their names differ.
        remeasure: with ``noise="repeat"``, how often an architecture may be measured; ``nao`` makes use of it.
        scalarise: how several objectives become one for searchers that take one: ``"chebyshev"``, ``"weights"``,
            ``"weights=0.7,0.3"``.
        reference: of several objectives, by metric, what hypervolume is measured from; by default a tenth of the
            table's range below its worst.

    Raises:
        InputError: an argument that cannot be used.
        JobError: a trial raised, in a process. In this process what it raises passes through.
    """
    show_logs()
    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    table = table if isinstance(table, Table) else load_table(table)
    metric = metric if isinstance(metric, str) else ",".join(metric or [])
    metric = metric or next(iter(table.infos))
    given = (
        searchers
        if isinstance(searchers, Mapping)
        else dict.fromkeys([searchers] if isinstance(searchers, str) else searchers)
    )
    if not isinstance(searchers, Mapping | str) and len(given) != len(searchers):
        raise InputError("searchers", ", ".join(searchers), "name at least one, none twice")
    settings = bench.searcher_settings(list(given))
    for name, values in given.items():
        if isinstance(values, Settings):
            values = values.model_dump(mode="json", exclude_unset=True)
        settings[name] = type(settings[name]).parse(dict(values or {}), f"setting of {name}")
    comparison = bench.Comparison(
        table=table,
        metric=metric,
        report_metric=report_metric or metric,
        settings=settings,
        budget=budget,
        trials=trials,
        seed=seed,
        noise=parse_noise(noise),
        pick=parse_choice(pick),
        every=every,
        limits=parse_limits(limits),
        known=tuple(known),
        prior_columns=parse_columns(prior_columns),
        fidelities=parse_columns(fidelities),
        fidelity_costs=tuple(fidelity_costs),
        remeasure=remeasure,
        history=(history,) if isinstance(history, str) else tuple(history),
        scalarisation=Scalarisation.parse(scalarise) if isinstance(scalarise, str) else scalarise,
        reference=dict(reference or {}),
    )
    found = _trials(comparison, workers)
    return ComparisonResult(comparison, found, bench.summarise_trials(comparison, found, against))


def _trials(comparison: bench.Comparison, workers: int) -> list[bench.SearchTrial]:
    if workers > 1:
        return bench.compare(comparison, workers)
    with one_thread():
        return [
            bench.run_trial(comparison, name, trial)
            for name in comparison.settings
            for trial in range(comparison.trials)
        ]
