import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.bench import Comparison, checkpoint_columns, compare, run_trial, searcher_settings, summarise_trials
from naopt.bench.parts import surrogates_of
from naopt.bench.trials import OriginCount, SearchTrial
from naopt.errors import InputError, UnknownNameError
from naopt.metrics import summarise
from tests.bench.stubs import cube, surrogate_cube

pytestmark = pytest.mark.usefixtures("stub_searchers")


def comparison(names: tuple[str, ...] = ("line",), sets: tuple[str, ...] = (), **changes: Any) -> Comparison:
    values: dict[str, Any] = {"table": cube(), "metric": "score", "report_metric": "test", "budget": 25, "trials": 2}
    return Comparison(settings=searcher_settings(names, sets), **(values | changes))


def timeless(trial: SearchTrial) -> SearchTrial:
    assert 0 <= trial.searcher_seconds <= trial.seconds
    return dataclasses.replace(trial, seconds=0.0, searcher_seconds=0.0)


def test_the_report_metric_is_that_of_the_best_by_search_metric() -> None:
    # Rows 0 .. 24 have a = 0, so row i of b = i // 5, c = i % 5 scores 5 b + c = i.
    trial = run_trial(comparison(), "line", 0)
    assert trial.search_metric == [9, 19, 24]
    assert trial.report_metric == [109, 119, 124]
    assert trial.queries == 25
    assert trial.queries_to_optimum is None
    assert trial.origins == {"first": OriginCount(7, 7), "later": OriginCount(18, 18)}


def test_test_values_do_not_select() -> None:
    table = cube()
    misleading = dataclasses.replace(table, metrics={**table.metrics, "test": 1000 - table.metrics["score"]})
    assert run_trial(comparison(table=misleading), "line", 0).report_metric == [991, 981, 976]


def test_goal_min_is_followed() -> None:
    trial = run_trial(comparison(table=cube("min")), "line", 0)
    assert trial.search_metric == [-9, -19, -24]
    assert trial.report_metric == [-109, -119, -124]
    whole = run_trial(comparison(table=cube("min"), budget=125), "line", 0)
    assert whole.queries_to_optimum == 125


def test_the_first_of_equals_stays() -> None:
    table = cube()
    flat = dataclasses.replace(table, metrics={"score": np.ones(125), "test": np.arange(125.0)})
    trial = run_trial(comparison(table=flat), "line", 0)
    assert trial.report_metric == [0, 0, 0]
    assert trial.queries_to_optimum == 1
    assert trial.origins["first"] == OriginCount(7, 1)


def test_a_searcher_that_ends_early_keeps_its_selection() -> None:
    trial = run_trial(comparison(sets=("line.stop_after=12",)), "line", 0)
    assert trial.queries == 12
    assert trial.search_metric == [9, 11, 11]
    nothing = run_trial(comparison(sets=("line.stop_after=0",)), "line", 0)
    assert (nothing.queries, nothing.search_metric, nothing.origins) == (0, [None] * 3, {})


def test_failed_lookups_are_queries_too() -> None:
    trial = run_trial(comparison(table=cube(missing=range(10))), "line", 0)
    assert trial.search_metric == [None, 19, 24]
    document = summarise_trials(comparison(trials=1), [trial])
    assert document["searchers"]["line"]["mean_report_metric"] == [None, 119, 124]
    assert document["searchers"]["line"]["ci95"][0] is None


def test_part_of_a_space_is_searched_without_leaving_it() -> None:
    trial = run_trial(comparison(("random",), table=cube(rows=30), budget=30), "random", 0)
    assert trial.queries == 30
    assert trial.search_metric[-1] == cube(rows=30).values("score").max()
    assert trial.queries_to_optimum is not None


def test_checkpoints_are_every_ten_and_the_budget() -> None:
    assert comparison(budget=40).checkpoints == [10, 20, 30, 40]
    assert comparison(budget=7).checkpoints == [7]


def test_workers_change_nothing() -> None:
    compared = comparison(("random",), trials=3)
    seen: list[SearchTrial] = []
    two = compare(compared, 2, on_trial=seen.append)
    assert len(seen) == 3
    assert [timeless(t) for t in two] == [timeless(run_trial(compared, "random", k)) for k in range(3)]
    assert len({tuple(t.search_metric) for t in two}) > 1


@pytest.mark.parametrize("name", ["random", "evolution", "local-search", "hierarchical"])
def test_a_process_does_not_remember_its_trials(name: str) -> None:
    compared = comparison((name,), budget=40)
    alone = timeless(run_trial(compared, name, 1))
    again = comparison((name,), budget=40)
    run_trial(again, name, 0)
    assert timeless(run_trial(again, name, 1)) == alone


def test_trials_that_are_done_are_not_run_again() -> None:
    compared = comparison(("broken",), trials=1)
    done = dataclasses.replace(run_trial(comparison(), "line", 0), searcher="broken")
    assert compare(compared, 1, [done]) == [done]


def test_trials_have_the_same_seed_for_every_searcher() -> None:
    seeds = [comparison().trial_seed(k) for k in range(50)]
    assert len(set(seeds)) == 50
    assert comparison(("random",)).trial_seed(3) == seeds[3]
    assert comparison(seed=1).trial_seed(3) != seeds[3]


def test_documents_hold_what_scripts_read() -> None:
    compared = comparison(("line", "random"), trials=3)
    trials = [run_trial(compared, name, k) for name in ("line", "random") for k in range(3)]
    document = summarise_trials(compared, trials)
    assert document["checkpoints"] == [10, 20, 25]
    found = document["searchers"]["random"]
    last = [trial.report_metric[-1] for trial in trials[3:]]
    assert None not in last
    assert found["mean_report_metric"][-1] == pytest.approx(np.mean(np.array(last, dtype=float)))
    assert found["std"][-1] == pytest.approx(np.std(np.array(last, dtype=float), ddof=1))
    assert found["ci95"][-1] == pytest.approx(summarise(np.array(last, dtype=float)).ci95)
    assert found["queries_to_optimum"] == [trial.queries_to_optimum for trial in trials[3:]]
    assert len(found["seconds_per_trial"]) == 3
    assert found["origins"]["random"]["queries"] == 75
    pair = document["paired"]["line"]
    assert "random" not in document["paired"]
    assert pair["better"][-1] + pair["equal"][-1] + pair["worse"][-1] == 3
    assert pair["mean_difference"][-1] == pytest.approx(124 - np.mean(np.array(last, dtype=float)))
    assert pair["worse"][-1] == sum(value > 124 for value in last if value is not None)


def test_better_than_random_is_lower_where_lower_is_better() -> None:
    compared = comparison(("line", "random"), table=cube("min"), trials=1)
    good = run_trial(compared, "line", 0)
    bad = dataclasses.replace(good, searcher="random", report_metric=[0.0, 0.0, None])
    pair = summarise_trials(compared, [good, bad])["paired"]["line"]
    assert (pair["better"], pair["worse"]) == ([1, 1, None], [0, 0, None])


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 124)), unique_by=lambda pair: pair[0], max_size=8),
    st.integers(1, 12),
)
def test_checkpoints_hold_the_latest_selection(selected: list[tuple[int, int]], every: int) -> None:
    compared = comparison(budget=30, every=every)
    blank = SearchTrial("line", 0, [], [], 30, None, 0.0, 0.0, {}, sorted(selected))
    noted = compared.at_checkpoints(blank)
    for point, value in zip(compared.checkpoints, noted.search_metric, strict=True):
        before = [row for query, row in sorted(selected) if query <= point]
        assert value == (compared.searched[before[-1]] if before else None)
    assert compared.checkpoints[-1] == 30
    assert len(noted.report_metric) == len(compared.checkpoints)


def test_comparisons_are_packed_without_what_they_have_worked_out() -> None:
    compared = comparison(every=5)
    run_trial(compared, "line", 0)
    again = pickle.loads(pickle.dumps(compared))
    assert again.checkpoints == compared.checkpoints
    assert timeless(run_trial(again, "line", 1)) == timeless(run_trial(compared, "line", 1))
    assert "evaluator" in vars(compared)
    assert "evaluator" not in vars(pickle.loads(pickle.dumps(compared)))


@pytest.mark.parametrize("goal", ["max", "min"])
def test_regret_is_the_distance_to_the_best_that_can_be_searched(goal: str) -> None:
    table = cube(goal, missing=[124])
    compared = comparison(("line", "random"), table=table, trials=4)
    trials = [run_trial(compared, name, k) for name in ("line", "random") for k in range(4)]
    found = summarise_trials(compared, trials)
    sign = 1 if goal == "max" else -1
    # Row 124 is the best, and without a search metric; row 123 comes next.
    assert found["optimum"] == {"search_metric": sign * 63, "report_metric": sign * 163}
    assert found["searchers"]["line"]["search_regret"]["mean"] == [54, 44, 39]
    own = found["searchers"]["random"]
    values = np.array([t.report_metric for t in trials[4:]], dtype=float)
    assert own["report_regret"]["mean"] == pytest.approx(abs(sign * 163 - values.mean(axis=0)))
    for point in range(3):
        low, high = summarise(abs(sign * 163 - values[:, point])).ci95
        assert own["report_regret"]["ci95"][point] == pytest.approx((max(0.0, low), high))


def test_medians_know_of_trials_that_did_not_arrive() -> None:
    compared = comparison(trials=3)
    trials = [
        dataclasses.replace(run_trial(compared, "line", k), queries_to_optimum=q) for k, q in enumerate([5, None, 9])
    ]
    own = summarise_trials(compared, trials)["searchers"]["line"]
    assert own["queries_to_optimum"] == [5, None, 9]
    assert (own["optimum_found"], own["median_queries_to_optimum"]) == (2, 9)
    assert own["median_queries_to_optimum_ci95"] == [5, None]


def test_any_searcher_can_be_what_others_are_measured_by() -> None:
    compared = comparison(("line", "random"), trials=2)
    trials = [run_trial(compared, name, k) for name in ("line", "random") for k in range(2)]
    document = summarise_trials(compared, trials, "line")
    assert list(document["paired"]) == ["random"]
    assert document["paired"]["random"]["p_sign"][-1] in (0.5, 1.0)
    with pytest.raises(UnknownNameError, match="did you mean 'line'"):
        summarise_trials(compared, trials, "lime")
    alone = summarise_trials(comparison(trials=2), trials[:2])
    assert (alone["against"], alone["paired"]) == (None, {})


def test_a_table_that_a_surrogate_filled_says_so() -> None:
    trials = [run_trial(comparison(), "line", k) for k in range(2)]
    assert summarise_trials(comparison(), trials)["surrogate"] is None
    found = summarise_trials(comparison(table=surrogate_cube()), trials)["surrogate"]
    assert list(found) == ["score"]
    assert found["score"]["model"] == "gbdt"
    assert surrogates_of(surrogate_cube(), ["test"]) is None


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"budget": 0}, "budget '0': must be at least 1"),
        ({"budget": 126}, "budget '126': table cube has 125 rows"),
        ({"trials": 0}, "trials '0'"),
        ({"seed": -1}, "seed '-1'"),
        ({"every": 0}, "every '0': must be at least 1"),
        ({"metric": "scor"}, "did you mean 'score'"),
        ({"report_metric": "tests"}, "did you mean 'test'"),
        ({"table": cube(missing=range(125))}, "metric 'score': is measured in no row"),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        comparison(**changes)


def test_a_report_metric_must_be_there_where_the_search_metric_is() -> None:
    table = cube()
    test = table.metrics["test"].copy()
    test[5] = np.nan
    with pytest.raises(InputError, match="report metric 'test': is missing in row 5"):
        comparison(table=dataclasses.replace(table, metrics={**table.metrics, "test": test}))


def test_workers_must_be_there() -> None:
    with pytest.raises(InputError, match="workers '0'"):
        compare(comparison(), 0)


def test_settings_are_given_by_name_or_to_all_that_have_them() -> None:
    found = searcher_settings(["line", "random"], ["searcher.step=2", "line.stop_after = 9", "step=3"])
    assert found["line"].model_dump() == {"stop_after": 9, "step": 3}
    assert found["random"].model_dump() == {}


@pytest.mark.parametrize(
    ("names", "text", "rule"),
    [
        ([], "", "name at least one"),
        (["line", "line"], "", "none twice"),
        (["lime"], "", "did you mean 'line'"),
        (["line"], "line.step", "must read NAME.KEY=VALUE"),
        (["line"], "line.=3", "must read NAME.KEY=VALUE"),
        (["line"], "lin.step=3", "did you mean 'line'"),
        (["line"], "searcher.stop=3", "did you mean 'step'"),
        (["line"], "line.stepp=3", "did you mean 'step'"),
        (["line"], "line.step=far", "setting of line step 'far'"),
    ],
)
def test_bad_settings_are_refused(names: list[str], text: str, rule: str) -> None:
    with pytest.raises((InputError, UnknownNameError), match=rule):
        searcher_settings(names, [text] if text else [])


def test_columns_to_print_are_few_and_end_with_the_budget() -> None:
    points = list(range(10, 160, 10))
    assert [points[i] for i in checkpoint_columns(points)] == [50, 100, 150]
    assert checkpoint_columns([7]) == [0]
    assert checkpoint_columns([10, 20, 30, 40]) == [1, 3]
