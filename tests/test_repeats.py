"""Several measurements of one architecture: what they say together, and when one more is worth a query."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import naopt
from naopt.bench import Comparison, run_trial, searcher_settings
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.evaluators.seeds import evaluation_seed
from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.measurement import Measurement, MetricInfo
from naopt.problem import Objective, Problem
from naopt.repeats import pooled
from naopt.run import RunConfig, load_run, resume_run, start_run
from naopt.run.setup import prepare
from naopt.searchers.base import Proposal
from naopt.searchers.nao import NAOSearcher
from naopt.searchers.nao_repeats import learned_first, with_repeats
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, GenericSpace, Position
from naopt.store.history import read_history
from naopt.tables import Table, save_table
from tests.run.toys import Stop

SPACE = GenericSpace([Position(f"p{index}", tuple("abcd")) for index in range(4)], "repeats")
TOKENS = np.array(list(np.ndindex(4, 4, 4, 4)), dtype=np.int64)
TRUTH = TOKENS @ np.array([7.0, 5.0, 3.0, 1.0])
DRAWN = TRUTH[:, None] + np.random.default_rng(0).normal(scale=6.0, size=(256, 8))
TABLE = Table("toy", SPACE, TOKENS, {"score": DRAWN}, {"score": MetricInfo()})
A, B, C = (SPACE.architecture(tuple(row)) for row in TOKENS[[0, 100, 200]].tolist())


def one(score: float, error: float | None = None, **more: float) -> Measurement:
    return Measurement({"score": score, **({} if error is None else {"score_se": error}), **more}, seconds=2.0)


def test_measurements_of_one_architecture_are_their_mean_with_its_error() -> None:
    told = [(A, one(1, 0.3, size=7)), (B, one(5, 0.3)), (A, one(2, 0.4, size=7))]
    (first, both), (second, single) = pooled(told, ["score"])
    assert (first, second) == (A, B)
    assert both.metrics == {"score": 1.5, "score_se": pytest.approx(0.25), "size": 7}
    assert both.seconds == 4
    assert single == one(5, 0.3)


def test_errors_that_nobody_states_are_learned_from_repeats() -> None:
    assert pooled([(A, one(1)), (B, one(2))], ["score"]) == [(A, one(1)), (B, one(2))]
    told = [(A, one(1)), (B, one(7)), (A, one(3)), (B, one(8)), (B, one(9)), (C, one(0))]
    found = dict(pooled(told, ["score"]))
    deviation = np.sqrt((2 * 1 + 2 * 1) / (1 + 2))
    assert found[A].error("score") == pytest.approx(deviation / np.sqrt(2))
    assert found[B].error("score") == pytest.approx(deviation / np.sqrt(3))
    assert found[C].error("score") == pytest.approx(deviation)


def test_errors_that_are_stated_too_small_are_corrected_by_enough_repeats() -> None:
    values = [0.0, 4.0, 1.0, 5.0, 2.0, 6.0]
    few = dict(pooled([(A, one(value, 0.1)) for value in values[:4]], ["score"]))
    assert few[A].error("score") == pytest.approx(0.05)
    many = dict(pooled([(A, one(value, 0.1)) for value in values], ["score"]))
    assert many[A].error("score") == pytest.approx(np.std(values, ddof=1) / np.sqrt(6))
    large = dict(pooled([(A, one(value, 9.0)) for value in values], ["score"]))
    assert large[A].error("score") == pytest.approx(9 / np.sqrt(6))


def test_failures_count_only_where_nothing_else_is_known() -> None:
    failed = Measurement(status="failed", reason="no")
    assert pooled([(A, failed), (A, one(3)), (B, failed)], ["score"]) == [(A, one(3)), (B, failed)]


def test_errors_are_learned_from_three_that_were_measured_twice_well() -> None:
    seen = [SPACE.architecture(tuple(row)) for row in TOKENS[:9].tolist()]
    counts = Counter(seen)
    assert learned_first(counts, Counter(), seen) == seen[0]
    counts.update(seen[:3])
    assert learned_first(counts, Counter(), seen) is None
    assert learned_first(counts, Counter(seen[:1]), seen) == seen[3]
    assert learned_first(counts + Counter(seen[3:6]), Counter(seen[:6]), seen) is None


@pytest.mark.parametrize("fails", [False, True])
def test_errors_are_learned_while_workers_are_busy_and_in_spite_of_failures(fails: bool) -> None:
    """Where every ask has something pending, and where the first repeats fail."""
    searcher = NAOSearcher(SPACE, Problem((Objective("score"),), repeats=3), NAOSettings(), seed=0, budget=30)
    out = [proposal.architecture for proposal in searcher.ask(2)]
    again = 0
    for step in range(30):
        proposals = searcher.ask(1, out[1:])
        again += sum(proposal.repeat > 0 for proposal in proposals)
        failed = fails and again < 3 and out[0] in searcher.seen
        score = float(DRAWN[np.ravel_multi_index(out[0].tokens, (4,) * 4), step % 8])
        searcher.tell(out.pop(0), Measurement(status="failed", reason="no") if failed else one(score))
        out += [proposal.architecture for proposal in proposals]
    assert again > 3


def test_what_another_measurement_is_worth_is_what_it_raises_the_best_mean_by() -> None:
    """The closed form against draws from the process: of a repeat, and of something new, which counts in full."""
    rng = np.random.default_rng(3)
    rows = rng.choice(256, 12, replace=False)
    told = [SPACE.architecture(tuple(row)) for row in TOKENS[rows].tolist()]
    scores, errors = DRAWN[rows, 0], np.full(12, 6.0)
    model = EmbeddingModel(SPACE, EmbeddingSettings())
    model.fit(told, scores, errors)
    new = [Proposal(SPACE.architecture(tuple(row)), "ascent") for row in TOKENS[[255, 3]].tolist()]
    counts = dict.fromkeys(told, 1)
    chosen = with_repeats(new, model, told, scores, errors, counts, 5, [], 14)
    order = [proposal.architecture for proposal in chosen]
    assert set(order) == {*told, *(proposal.architecture for proposal in new)}

    mean, variance = model.own()
    noise = model.targets.variances(model.targets.inverse(mean), errors)
    draws = rng.standard_normal((200_000, 1))
    worth: dict[Architecture, float] = {}
    for index, architecture in enumerate(told):
        moved = mean[index] + variance[index] / np.sqrt(variance[index] + noise[index]) * draws[:, 0]
        worth[architecture] = float(np.maximum(moved, np.delete(mean, index).max()).mean() - mean.max())
    for proposal in new:
        expected, deviation = (float(values[0]) for values in model.moments(model.encode([proposal.architecture])))
        moved = expected + np.sqrt(deviation**2 + model.noise) * draws[:, 0]
        worth[proposal.architecture] = float(np.maximum(moved, mean.max()).mean() - mean.max())
    values = np.array([worth[architecture] for architecture in order])
    assert (values[:-1] >= values[1:] - 0.01 * values.max()).all()
    assert [proposal.repeat for proposal in chosen if proposal.origin == "repeat"] == [1] * 12
    out = with_repeats(new, model, told, scores, errors, {**counts, order[0]: 5}, 5, [order[1]], 14)
    assert not {order[0], order[1]} & {proposal.architecture for proposal in out if proposal.origin == "repeat"}


@pytest.fixture
def file(tmp_path: Path) -> str:
    save_table(TABLE, tmp_path / "t.npz")
    return str(tmp_path / "t.npz")


def test_a_search_measures_what_is_good_again_and_shows_the_mean(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a"
    command = [
        "search",
        "--table",
        file,
        "--noise",
        "repeat",
        "--remeasure",
        "3",
        "--budget",
        "30",
        "--run",
        str(place),
    ]
    assert run(command) == 0
    record = load_run(place)
    times: dict[Architecture, list[int]] = {}
    for trial in record.trials:
        times.setdefault(trial.architecture, []).append(trial.repeat)
    assert all(found == list(range(len(found))) for found in times.values())
    assert 1 < max(map(len, times.values())) <= 3
    assert len({evaluation_seed(0, A, repeat) for repeat in range(9)}) == 9
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    own = [t.measurement.metrics["score"] for t in record.trials
           if t.architecture == best.architecture and t.measurement]  # fmt: skip
    assert best.measurement.metrics["score"] == pytest.approx(np.mean(own))
    assert len(record.ranked()) == len(times)
    assert len(read_history([str(place)], record.space, record.objective)) == len(times)
    assert "repeat" in capsys.readouterr().out
    assert run(["show", str(place), "--json"]) == 0
    whole = record.trials
    for results in (7, 21):
        config = RunConfig(table=file, noise="repeat", remeasure=3, budget=30)
        with pytest.raises(KeyError, match="killed"):
            start_run(tmp_path / str(results), config, observers=[Stop(results)])
        assert resume_run(tmp_path / str(results)).trials == whole


def test_python_and_comparisons_repeat_too() -> None:
    rng = np.random.default_rng(1)

    def noisy(values: dict[str, str]) -> float:
        return float(sum("abcd".index(value) for value in values.values()) + rng.normal())

    found = naopt.search(SPACE, noisy, remeasure=2, budget=20)
    assert len(found.trials) == 20
    assert len({str(trial.architecture) for trial in found.trials}) < 20
    comparison = Comparison(
        TABLE, "score", "score", searcher_settings(["nao", "random"]), budget=24, trials=1, every=12, noise="repeat",
        remeasure=4,
    )  # fmt: skip
    assert run_trial(comparison, "nao", 0).origins["repeat"].queries > 0
    assert "repeat" not in run_trial(comparison, "random", 0).origins


def test_what_another_search_measured_is_measured_again_too(file: str, tmp_path: Path) -> None:
    """The best of its history is worth another look, and that goes on after a stop."""
    config = RunConfig(table=file, noise="repeat", remeasure=3, budget=20)
    before = start_run(tmp_path / "before", config)
    known = {trial.architecture for trial in before.trials}
    later = config.model_copy(update={"history": (str(tmp_path / "before"),), "seed": 1})
    whole = start_run(tmp_path / "whole", later)
    assert any(trial.repeat and trial.architecture in known for trial in whole.trials)
    with pytest.raises(KeyError, match="killed"):
        start_run(tmp_path / "killed", later, observers=[Stop(9)])
    assert resume_run(tmp_path / "killed").trials == whole.trials


def test_repeats_are_refused_where_they_mean_nothing(file: str) -> None:
    def refused(rule: str, **changes: object) -> None:
        with pytest.raises(InputError, match=rule):
            prepare(RunConfig.parse({"table": file, "noise": "repeat", "remeasure": 2, **changes}, "option"))

    refused("would all be the same; of a table take --noise repeat", noise="mean")
    refused("measures nothing twice", searcher_settings={"preset": "joint"})
    refused("greater than or equal to 1", remeasure=0)
    with pytest.raises(InputError, match="would all be measured on the same data"):
        prepare(RunConfig(task="digits", remeasure=2, training={"folds": 2}))
    with pytest.raises(InputError, match="would all be the same"):
        Comparison(TABLE, "score", "score", searcher_settings(["nao"]), budget=4, trials=1, remeasure=2)
