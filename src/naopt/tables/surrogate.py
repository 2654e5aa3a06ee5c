"""What a table says of metrics that were predicted rather than measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings


class CrossValidation(Settings):
    """How well a surrogate predicts measured rows that it was not fitted to.

    Attributes:
        folds: into so many parts the measured rows were divided; each was predicted by a model fitted to the others.
        kendall_tau: tau-b between measured (mean of the repeats) and predicted values, all parts together.
        spearman: rank correlation.
        r2: coefficient of determination, 1 - squared errors / squared deviations from the mean.
        mae: mean absolute error, in the metric's unit.
    """

    folds: int = Field(ge=2)
    kendall_tau: float
    spearman: float
    r2: float
    mae: float = Field(ge=0)


class NoiseModel(Settings):
    """How single repeats scatter about the prediction: normally, with a deviation that depends on the prediction.

    Attributes:
        origin: ``repeats``: from the scatter of the measured rows' repeats; ``residuals``: from the errors of the cross
            validation, which hold the model's error too and so are an upper bound.
        edges: borders between the ranges of predicted values, ascending.
        deviations: standard deviation of one repeat in each range; one more than edges.
        repeats: how many were drawn for each predicted row.
    """

    origin: Literal["repeats", "residuals"]
    edges: tuple[float, ...]
    deviations: tuple[float, ...]
    repeats: int = Field(ge=1)


class Surrogate(Settings):
    """Where a metric's values come from in a table that a surrogate completed.

    Attributes:
        model: its name.
        seed: of the folds, the models and the noise.
        measured: rows that it was fitted to.
        predicted: rows whose values it predicted.
        kept: whether the measured rows hold what was measured; else their predictions.
        cv: cross-validated quality.
        noise: of the repeats of predicted rows.
    """

    model: str
    seed: int
    measured: int
    predicted: int
    kept: bool
    cv: CrossValidation
    noise: NoiseModel
