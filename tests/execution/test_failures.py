from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.base import Evaluator
from naopt.execution import FailureGuard, FailurePolicy, InlineEngine, Job, RetryingEngine, Trial
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import Architecture
from tests.execution.functions import job
from tests.run.toys import SPACE, toy


class Batched(Evaluator):
    """Runs out of memory with a batch of more than ``room``; otherwise as a function of the seed says."""

    space, default_metric = SPACE, "score"

    def __init__(self, room: int, batch: int = 64, fate: Callable[[int], Measurement] | None = None) -> None:
        self.room, self.size, self.batch, self.fate = room, batch, batch, fate
        self.metrics = {"score": MetricInfo()}
        self.seeds: list[int] = []

    def smaller(self, halvings: int) -> Batched | None:
        smaller = self.size >> halvings
        return Batched(self.room, smaller, self.fate) if smaller >= 4 else None

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        self.seeds.append(seed)
        if self.size > self.room:
            raise MemoryError("too\nmuch")
        return self.fate(seed) if self.fate is not None else Measurement({"score": float(self.size)}, 1.0)


def result(evaluator: Batched, policy: FailurePolicy, asked: Job | None = None) -> Measurement:
    asked = asked or job(1, seed=5)
    with RetryingEngine(InlineEngine(evaluator), policy, evaluator) as engine:
        assert engine.workers == 1
        engine.submit(asked)
        found = engine.next_done()
    assert found is not None
    assert found[0] == asked
    return found[1]


def test_a_batch_is_halved_until_it_fits_and_the_result_says_so() -> None:
    found = result(Batched(room=20), FailurePolicy(smaller_batch=True))
    assert (found.status, found.metrics) == ("ok", {"score": 16.0})
    assert found.reason == "batch 16 instead of 64: out of memory"


def test_a_batch_that_cannot_be_smaller_fails() -> None:
    found = result(Batched(room=2), FailurePolicy(smaller_batch=True))
    assert (found.status, found.reason) == ("oom", "out of memory: too much")
    found = result(Batched(room=2, batch=10_000), FailurePolicy(smaller_batch=True))
    assert found.status == "oom", "halved more than five times"


def test_without_the_policy_nothing_is_halved() -> None:
    evaluator = Batched(room=20)
    assert result(evaluator, FailurePolicy()).status == "oom"
    assert evaluator.seeds == [5]


def test_attempts_have_seeds_of_their_own_which_never_change() -> None:
    evaluator = Batched(room=20, batch=16, fate=lambda seed: Measurement(status="diverged", reason=f"at {seed}"))
    found = result(evaluator, FailurePolicy(retries=2))
    assert evaluator.seeds == [5, 3767054407, 3210010690]
    assert found.status == "diverged"
    assert found.reason == "at 3210010690; attempt 3, before: at 3767054407"


def test_a_later_attempt_that_succeeds_says_what_went_before() -> None:
    def fate(seed: int) -> Measurement:
        return Measurement(status="failed", reason="bad start") if seed == 5 else Measurement({"score": 1.0})

    found = result(Batched(room=20, batch=16, fate=fate), FailurePolicy(retries=2))
    assert (found.status, found.reason) == ("ok", "attempt 2, before: bad start")


def test_halving_and_attempts_go_together() -> None:
    def fate(seed: int) -> Measurement:
        return Measurement(status="diverged", reason="loss") if seed == 5 else Measurement({"score": 1.0})

    found = result(Batched(room=20, fate=fate), FailurePolicy(retries=1, smaller_batch=True))
    assert found.status == "ok"
    assert found.reason == ("batch 16 instead of 64: out of memory; attempt 2, before: batch 16 instead of 64: loss")


@pytest.mark.parametrize("status", ["invalid", "interrupted"])
def test_what_is_nobodys_failure_is_not_done_again(status: str) -> None:
    evaluator = Batched(20, 16, lambda seed: Measurement(status=status, reason="why"))  # type: ignore[arg-type]
    assert result(evaluator, FailurePolicy(retries=3)).reason == "why"
    assert len(evaluator.seeds) == 1


def test_time_that_is_up_is_told() -> None:
    evaluator = Batched(room=20)

    class Slow(InlineEngine):
        def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement]:
            assert seconds == 0.0
            return None  # type: ignore[return-value]

    assert RetryingEngine(Slow(evaluator), FailurePolicy(retries=1), evaluator).next_done(0.0) is None


def test_policies_are_checked() -> None:
    assert not FailurePolicy(stop_after=2).acts
    with pytest.raises(InputError, match="retries '-1': must not be negative"):
        FailurePolicy(retries=-1)
    with pytest.raises(InputError, match="stop_after '-1': must not be negative"):
        FailurePolicy(stop_after=-1)
    with pytest.raises(InputError, match="stop_alike '-1': must not be negative"):
        FailurePolicy(stop_alike=-1)


def trial(measurement: Measurement | None) -> Trial:
    return Trial(0, 0, toy("fine"), "", "random", measurement=measurement)


@pytest.mark.parametrize("before", [None, Measurement({"score": 1.0}), Measurement(status="invalid", reason="wide")])
def test_a_run_of_which_all_fail_alike_stops(before: Measurement | None) -> None:
    guard = FailureGuard(0, 3)
    alike = [trial(Measurement(status="failed", reason=f"KeyError: line {line}")) for line in (1, 22, 3)]
    for one in [trial(before), *alike[:2]]:
        guard.measured(one)
    if before is not None:
        return guard.measured(alike[2])
    line = "^all 3 evaluations failed alike: failed: KeyError: line 3 .stop_alike=0 goes on all the same.$"
    with pytest.raises(RunStoppedError, match=line):
        guard.measured(alike[2])
    known = FailureGuard(0, 3, [trial(Measurement({"score": 1.0}))])
    for one in alike:
        known.measured(one)
    return None


def test_a_run_stops_after_failures_in_a_row() -> None:
    ok, failed = Measurement({"score": 1.0}), Measurement(status="failed", reason="no disk")
    invalid = replace(failed, status="invalid")
    guard = FailureGuard(2)
    for measurement in (failed, ok, failed, invalid, None):
        guard.measured(trial(measurement))
    with pytest.raises(RunStoppedError, match="2 evaluations in a row failed, the last one with failed: no disk"):
        guard.measured(trial(failed))
    apart = FailureGuard(0, 3)
    for reason in ("line 1", "line 22", "no disk", "line 1", "line 1", "line 1"):
        apart.measured(trial(replace(failed, reason=reason)))
    unlimited = FailureGuard(0)
    for _ in range(5):
        unlimited.measured(trial(failed))
