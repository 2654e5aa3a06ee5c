"""Conformance suite for evaluators; the contract is in ``naopt.evaluators.base``."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Mapping

import numpy as np

from naopt.evaluators.base import Evaluator
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import Architecture
from naopt.testing.suite import Suite

_PICKLE_LIMIT = 16 * 2**20
"""Bytes; what is larger is loaded in ``prepare``."""


def check_evaluator(evaluator: Evaluator, seed: int = 0) -> None:
    """Runs the whole suite on one evaluator. Raises ``AssertionError`` that says what breaks which rule."""
    EvaluatorSuite.check(evaluator, seed)


class EvaluatorSuite(Suite):
    """Checks of one evaluator; a pytest class derived from it gives a fixture ``evaluator``."""

    def _architectures(self, evaluator: Evaluator, count: int = 2) -> list[Architecture]:
        rng = np.random.default_rng(self.seed)
        return [evaluator.space.sample(rng) for _ in range(count)]

    def test_metrics_are_declared(self, evaluator: Evaluator) -> None:
        assert isinstance(evaluator.metrics, Mapping), "metrics must be a mapping"
        assert all(isinstance(info, MetricInfo) for info in evaluator.metrics.values()), "metrics need a MetricInfo"
        assert evaluator.default_metric in evaluator.metrics, f"{evaluator.default_metric!r} is not among the metrics"

    def test_measurements_are_well_formed(self, evaluator: Evaluator) -> None:
        evaluator.prepare()
        for architecture in self._architectures(evaluator):
            measurement = evaluator.evaluate(architecture, self.seed)
            assert isinstance(measurement, Measurement), f"evaluate gives {type(measurement).__name__}"
            unknown = set(measurement.metrics) - set(evaluator.metrics)
            assert not unknown, f"measured what is not declared: {sorted(unknown)}"
            assert math.isfinite(measurement.seconds), "seconds must be finite"
            assert measurement.seconds >= 0, "seconds must not be negative"
            if measurement.ok:
                assert evaluator.default_metric in measurement.metrics, "an ok measurement lacks the default metric"
            else:
                assert len(measurement.reason.splitlines()) == 1, f"a reason must be one line: {measurement.reason!r}"

    def test_seed_and_architecture_decide(self, evaluator: Evaluator) -> None:
        """Neither order, nor earlier calls, nor global random state, nor the process."""
        architectures = self._architectures(evaluator)
        fresh: Evaluator = pickle.loads(pickle.dumps(evaluator))  # noqa: S301 - just pickled
        evaluator.prepare()
        forward = [_outcome(evaluator.evaluate(a, self.seed)) for a in architectures]
        fresh.prepare()
        fresh.prepare()
        random.seed(self.seed + 1)
        np.random.seed(self.seed + 1)  # noqa: NPY002 - the global state is what must not matter
        backward = [_outcome(fresh.evaluate(a, self.seed)) for a in reversed(architectures)]
        assert forward == backward[::-1], "results depend on order, earlier calls or global random state"

    def test_equal_architectures_measure_alike(self, evaluator: Evaluator) -> None:
        """What counts as one query has one answer (checked where the evaluator is a lookup)."""
        if not evaluator.inline:
            return
        evaluator.prepare()
        rng = np.random.default_rng(self.seed)
        for architecture in self._architectures(evaluator):
            other = evaluator.space.architecture(evaluator.space.symmetric(architecture.tokens, rng))
            if other == architecture:
                same = _outcome(evaluator.evaluate(other, 0)) == _outcome(evaluator.evaluate(architecture, 0))
                assert same, f"{other.tokens} and {architecture.tokens} are equal and measure differently"

    def test_pickles_are_small(self, evaluator: Evaluator) -> None:
        size = len(pickle.dumps(evaluator))
        assert size <= _PICKLE_LIMIT, f"pickles to {size} bytes; load heavy things in prepare"


def _outcome(measurement: Measurement) -> tuple[dict[str, float], str]:
    """What must repeat: not the seconds, nor metrics that are seconds."""
    return {name: value for name, value in measurement.metrics.items() if "seconds" not in name}, measurement.status
