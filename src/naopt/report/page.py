"""The report's page: one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from naopt._version import __version__
from naopt.baselines.table import read_baselines
from naopt.errors import InputError
from naopt.files import write_text
from naopt.metrics.rank import kendall_tau, pairwise_accuracy
from naopt.one_shot.evaluator import PREFIX
from naopt.ranking.result import read_ranking
from naopt.report import charts
from naopt.report.baseline_section import baseline_section
from naopt.report.best_section import best_section, error_of
from naopt.report.elements import asset, duration, flat, json_block, number, rows_table, section
from naopt.report.finalist_section import finalist_section
from naopt.report.front_section import front_section
from naopt.report.instance_section import instance_section
from naopt.report.page_data import report_data
from naopt.report.ranking_section import ranking_section
from naopt.report.shared_training import shared_training_section
from naopt.report.summary import cost, finite, origin_statistics, round_summaries, value_of
from naopt.report.trials_table import trials_table
from naopt.run.fidelities import done_of
from naopt.run.priors import prior_weights
from naopt.spaces.drawing import STYLE, draw_graph

if TYPE_CHECKING:
    from naopt.execution.trial import Trial
    from naopt.run.record import RunRecord

_LOG = {
    "train_size": "fitted on",
    "pairwise_accuracy": "pairwise accuracy",
    "kendall_tau": "Kendall tau",
    "spearman": "Spearman",
    "hamming": "Hamming",
    "exact_match": "exact match",
    "changed": "changed",
    "valid": "valid",
    "novel": "novel",
    "from_ascent": "from ascent",
    "from_neighbour": "from neighbours",
    "from_refill": "from refill",
    "loss": "loss",
    "loss_performance": "performance loss",
    "loss_reconstruction": "reconstruction loss",
    "fit_seconds": "fit, s",
    "ascent_seconds": "ascent, s",
}


def write_report(record: RunRecord, path: Path, against: RunRecord | None = None) -> None:
    """Writes the report of a run, finished or not.

    Args:
        record: the run.
        path: the file to write; it is replaced.
        against: a run to compare the trajectory with: a random search of equal budget.

    Raises:
        InputError: the other run optimises another metric, or the run's ranking or learning curve is damaged.
        OSError: the file cannot be written.
    """
    write_text(path, render(record, against))


def render(record: RunRecord, against: RunRecord | None = None) -> str:
    """The report as HTML text."""
    if against is not None and against.problem.objectives != record.problem.objectives:
        theirs, ours = (
            ", ".join(f"{one.metric} ({one.goal})" for one in run.problem.objectives) for run in (against, record)
        )
        rule = f"optimises {theirs}, the reported run {ours}"
        raise InputError("run to compare with", str(against.directory), rule)
    sections = [
        _header(record),
        front_section(record) if len(record.problem.objectives) > 1 else best_section(record),
        _figures(record, against),
        finalist_section(record),
        instance_section(record),
        shared_training_section(record.directory),
        _baselines(record),
        _ranking(record),
        _origins(record),
        _rounds(record),
        _cost(record),
        _failures(record),
        trials_table(record),
        _settings(record, against),
    ]
    title = f"naopt · {record.config.searcher} on {record.space.name}"
    pictures = [draw_graph(record.space.graph(t.architecture), styled=False) for t in record.evaluated]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{asset('report.css')}{STYLE}</style></head><body>"
        + "".join(sections)
        + f"<footer>Written by naopt {escape(__version__)}.</footer>"
        + json_block("data", report_data(record, against))
        + json_block("pictures", pictures)
        + f"<script>{asset('report.js')}</script></body></html>\n"
    )


def _header(record: RunRecord) -> str:
    best, failed, spent = record.best(), len(record.failed), cost(record)
    facts = [
        (f"best {record.objective.metric}", _value(record, best)),
        ("queries", done_of(record)),
        ("failed", f"{failed:,}"),
        (f"time of all {_measured(record)[1]}", duration(spent.children)),
        ("seed", str(record.config.seed)),
    ]
    created = str(record.meta.get("created", ""))
    warning = ""
    if not record.finished:
        warning = (
            f'<p class="warn">This run is not finished: {len(record.evaluated):,} of {record.config.budget:,} queries '
            f"are measured. <code>naopt {'ask' if record.config.elsewhere else 'resume'}</code> goes on with it.</p>"
        )
    if not record.problem.ordinary:
        warning += f'<p class="note">Wanted: {escape(str(record.problem))}.</p>'
    if weights := prior_weights(record.rounds):
        shown = ", ".join(f"{name} {weight:.0%}" for name, weight in weights.items())
        warning += f'<p class="note">Known before: {escape(shown)} of the weight in the latest fit.</p>'
    warning += "".join(f'<p class="note">Data: {escape(remark)}.</p>' for remark in record.remarks)
    return (
        f"<header><h1>{escape(record.config.searcher)} on {escape(record.space.name)}</h1>"
        f"<p>{escape(record.directory.name)} · {escape(_source(record))} · {escape(charts.metric_label(record))}"
        f"{' · ' + escape(created) if created else ''}</p>{warning}"
        '<dl class="facts">'
        + "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)
        + "</dl></header>"
    )


def _measured(record: RunRecord) -> tuple[str, str]:
    """What an evaluation is about, one and many: with shared weights no child is trained."""
    shared = record.objective.metric.startswith(PREFIX)
    return ("measurement", "measurements") if shared else ("child", "children")


def _value(record: RunRecord, best: Trial | None) -> str:
    """The objective's metric of a trial with its standard error."""
    if best is None or best.measurement is None:
        return number(None)
    return number(value_of(record, best)) + error_of(best.measurement.metrics, record.objective.metric)


def _figures(record: RunRecord, against: RunRecord | None) -> str:
    drawn = [
        (
            charts.trajectory_chart(record, against),
            "Best so far",
            "Each dot is a query; what is far from the best lies outside the axis.",
        ),
        (charts.prediction_chart(record), "Predicted against measured", _agreement(record)),
        (
            charts.quality_chart(record),
            "Quality of the model",
            "On architectures held out of the fit, after each round (Fig. 2a of the NAO paper).",
        ),
        (
            charts.rounds_chart(record),
            "Measured and predicted mean of each round",
            "Grey: the random pool (Fig. 2b of the NAO paper).",
        ),
    ]
    figures = "".join(
        f"<figure>{svg}<figcaption><b>{title}.</b> {escape(said)}</figcaption></figure>"
        for svg, title, said in drawn
        if svg is not None
    )
    return section("The search", f'<div class="figures">{figures}</div>') if figures else ""


def _agreement(record: RunRecord) -> str:
    pairs = [
        (value, expected)
        for t in record.evaluated
        if (value := value_of(record, t)) is not None and (expected := finite(t.predicted)) is not None
    ]
    measured, predicted = [value for value, _ in pairs], [expected for _, expected in pairs]
    said = f"{len(pairs):,} queries that were predicted before they were measured"
    if len(set(measured)) > 1 and len(set(predicted)) > 1:
        said += f"; Kendall tau {kendall_tau(measured, predicted):.2f}"
        said += f", pairwise accuracy {pairwise_accuracy(measured, predicted):.2f}"
    return said + ". A dot leads to its row."


def _baselines(record: RunRecord) -> str:
    found = read_baselines(record.directory)
    return "" if found is None else baseline_section(found)


def _ranking(record: RunRecord) -> str:
    found = read_ranking(record.directory)
    return "" if found is None else ranking_section(found)


def _origins(record: RunRecord) -> str:
    rows = [
        (o.origin, f"{o.queries:,}", f"{o.measured:,}", number(o.mean), number(o.best), f"{o.improvements:,}")
        for o in origin_statistics(record)
    ]
    if not rows:
        return ""
    metric = record.objective.metric
    columns = ("origin", "queries", "ended well", f"mean {metric}", f"best {metric}", "times a new best")
    return section("Where the queries came from", rows_table(columns, rows, numeric=(1, 2, 3, 4, 5)))


def _rounds(record: RunRecord) -> str:
    rounds = round_summaries(record)
    logged = [name for name in _LOG if any(r.number(name) is not None for r in rounds)]
    if not logged:
        return ""
    columns = ("round", "queries so far", "measured mean", "predicted mean", *(_LOG[name] for name in logged))
    rows = [
        (
            str(r.round),
            f"{r.architectures:,}",
            number(r.measured_mean),
            number(r.predicted_mean),
            *(number(r.number(name)) for name in logged),
        )
        for r in rounds
    ]
    return section("Rounds", rows_table(columns, rows, numeric=range(len(columns))))


def _cost(record: RunRecord) -> str:
    spent, (one, many) = cost(record), _measured(record)
    rows = [
        (f"all {many} together", duration(spent.children)),
        (f"one {one}, mean", duration(spent.mean)),
        (f"one {one}, median", duration(spent.median)),
        ("searcher: fits and ascents", duration(spent.searcher)),
        ("wall time of the search", duration(spent.wall)),
    ]
    return section("Cost", rows_table(("what", "time"), rows, numeric=(1,)))


def _failures(record: RunRecord) -> str:
    rows = [(status, reason, f"{count:,}") for (status, reason), count in record.failures().items()]
    return (
        section("Failures", rows_table(("status", "reason", "queries"), rows, numeric=(2,), wide=(1,))) if rows else ""
    )


def _settings(record: RunRecord, against: RunRecord | None) -> str:
    settings = flat(record.config.to_values())
    versions = flat(record.meta.get("versions", {}))
    body = (
        f'<div class="two">{rows_table(("setting", "value"), settings, wide=(1,))}'
        f"{rows_table(('software', 'version'), versions) if versions else ''}</div>"
    )
    if against is not None:
        compared = f"{against.directory.name}: {against.config.searcher}, seed {against.config.seed}"
        body += f'<p class="note">Compared with {escape(compared)}, {len(against.evaluated):,} queries.</p>'
    return section("Configuration", body)


def _source(record: RunRecord) -> str:
    config = record.config
    if config.task:
        return f"task {config.task}"
    if config.elsewhere:
        return "measured elsewhere"
    if config.function:
        return config.function if config.function.startswith("table ") else f"function {config.function}"
    return f"table {Path(config.table).stem}" if config.table else f"supernet {Path(config.supernet).name}"
