"""The report's section on baselines: what people would use instead, beside the pick."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from naopt.report.elements import duration, json_block, number, rows_table, section

if TYPE_CHECKING:
    from naopt.baselines.table import BaselineTable, Figure


def baseline_section(found: BaselineTable) -> str:
    """Sentence and table, as HTML."""
    said = (
        f"Networks that people would use instead, on {found.task}: each of at most {found.parameters:,} parameters, "
        f"trained alike on the training data for {found.epochs:,} epochs (preset {found.preset}). {found.sentence}"
    )
    left_out = [(row.name, row.reason) for row in found.rows if row.reason]
    return section(
        "Baselines",
        f'<p class="note">{escape(said)}</p>'
        + rows_table(baseline_columns(found), baseline_rows(found), numeric=range(1, 7))
        + (rows_table(("what failed", "reason"), left_out, wide=(1,)) if left_out else "")
        + json_block("baselines", found.document()),
    )


def baseline_columns(found: BaselineTable) -> tuple[str, ...]:
    """Heads of the columns."""
    unit = f", {found.unit}" if found.unit else ""
    valid, test = f"valid_{found.metric}{unit}", f"test_{found.metric}{unit}"
    return "network", "parameters", "multiply-adds", valid, test, "trainings", "time of one"


def baseline_rows(found: BaselineTable) -> list[tuple[str, ...]]:
    """A row a network, as text; figures with their standard errors."""
    return [
        (
            row.name,
            number(row.parameters),
            number(row.multiply_adds),
            _figure(row.valid),
            _figure(row.test),
            str(row.seeds),
            duration(row.seconds),
        )
        for row in found.rows
    ]


def _figure(found: Figure | None) -> str:
    if found is None:
        return number(None)
    return f"{found.value:.2f}" + ("" if found.error is None else f" +- {found.error:.2f}")
