import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.bench import QualityStudy, QualityTrial, measure_quality, quality, summarise_quality
from naopt.bench.quality import measure_model
from naopt.errors import InputError, UnknownNameError
from naopt.latent import LatentModel, PerformanceModel, create_model, models
from naopt.spaces import Architecture, SearchSpace, Tokens
from naopt.tables import Table
from tests.bench.stubs import cube, run_inline


class Oracle(PerformanceModel):
    """Knows the cube; decodes the first token of every second architecture wrongly, out of the space."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.scores: NDArray[np.float64] = np.zeros(0)

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        self.scores = scores
        return {}

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        return np.array([float(np.dot(a.tokens, [10, 5, 1])) for a in architectures])

    def reconstruct(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        return [(a.tokens[0] if i % 2 else 9, *a.tokens[1:]) for i, a in enumerate(architectures)]


@pytest.fixture(autouse=True)
def oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_objects", {**models._objects, "oracle": Oracle})


def study(**changes: Any) -> QualityStudy:
    values: dict[str, Any] = {
        "table": cube(), "metric": "score", "models": ["boosted-trees"], "train_sizes": [20, 60], "trials": 2,
    }  # fmt: skip
    return QualityStudy(**(values | changes))


def test_an_oracle_is_perfect_on_rows_it_was_not_fitted_on() -> None:
    found = measure_model(study(models=["oracle"], held_out=40), "oracle", 20, 0)
    assert found.pop("fit_seconds") >= 0
    assert found.pop("predict_seconds") >= 0
    assert math.isnan(found.pop("precision_at_50"))
    assert found == {
        "kendall_tau": pytest.approx(1),
        "pairwise_accuracy": 1.0,
        "spearman": pytest.approx(1),
        "precision_at_10": 1.0,
        "best_rank_at_10": 1.0,
        "hamming": 0.5,
        "exact_match": 0.5,
        "valid": 0.5,
    }


def test_a_smaller_is_better_metric_is_turned() -> None:
    found = measure_model(study(models=["oracle"], table=cube("min")), "oracle", 20, 0)
    assert found["pairwise_accuracy"] == 1.0


def test_splits_are_disjoint_nested_and_leave_unmeasured_rows_out() -> None:
    some = study(table=cube(missing=[0, 7]), held_out=30)
    small, test = some.split(20, 1)
    large, same_test = some.split(60, 1)
    assert len(small) == 20
    assert len(test) == 30
    np.testing.assert_array_equal(test, same_test)
    np.testing.assert_array_equal(large[:20], small)
    assert not set(large) & set(test)
    assert not {0, 7} & {*large, *test}
    everything = study().split(20, 0)
    assert len(everything[1]) == 105
    assert set(everything[0]) | set(everything[1]) == set(range(125))
    assert not np.array_equal(study().split(20, 0)[0], study().split(20, 1)[0])


def test_documents_hold_what_scripts_read() -> None:
    seen: list[QualityTrial] = []
    some = study(trials=1)
    trials = measure_quality(some, 1, on_trial=seen.append)
    assert sorted((t.size, t.trial) for t in seen) == [(20, 0), (60, 0)]
    assert measure_quality(some, 1, done=trials) == trials
    document = summarise_quality(some, trials)
    assert document["ceiling"] is None
    sizes = document["models"]["boosted-trees"]
    assert list(sizes) == ["20", "60"]
    assert set(sizes["20"]) == {
        "kendall_tau", "pairwise_accuracy", "spearman", "precision_at_10", "precision_at_50", "best_rank_at_10",
        "fit_seconds", "predict_seconds",
    }  # fmt: skip
    here = measure_model(some, "boosted-trees", 60, 0)["kendall_tau"]
    assert sizes["60"]["kendall_tau"] == {"mean": here, "ci95": [here, here], "trials": [here]}
    assert sizes["60"]["pairwise_accuracy"]["mean"] > sizes["20"]["pairwise_accuracy"]["mean"] > 0.7


def test_the_ceiling_of_the_repeats_stands_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "run_jobs", run_inline)
    whole = cube()
    noise = np.random.default_rng(0).normal(size=(125, 2))
    repeats = whole.metrics["score"][:, None] + 10 * noise
    table = Table("cube", whole.space, whole.tokens, {"score": repeats}, {"score": whole.infos["score"]})
    some = study(table=table, train_sizes=[20], trials=1)
    document = summarise_quality(some, measure_quality(some))
    assert 0.6 < document["ceiling"]["pairwise_accuracy"] < document["ceiling"]["perfect_against_mean"] < 1


def test_what_is_not_defined_is_null() -> None:
    some = study(train_sizes=[20])
    trials = [QualityTrial("boosted-trees", 20, k, {"spearman": value}) for k, value in enumerate([None, 1.0])]
    found = summarise_quality(some, trials)["models"]["boosted-trees"]["20"]
    assert found == {"spearman": {"mean": None, "ci95": None, "trials": [None, 1.0]}}


def test_models_are_compared_on_the_same_rows() -> None:
    some = study(models=["boosted-trees", "oracle"], train_sizes=[20], trials=3)
    measures = [
        ("boosted-trees", [0.5, 0.6, 0.7], [3.0, 2.0, 1.0]),
        ("oracle", [0.6, 0.6, 0.6], [2.0, 2.0, 2.0]),
    ]
    trials = [
        QualityTrial(
            name,
            20,
            k,
            {"kendall_tau": tau, "fit_seconds": seconds, "valid": 1.0}
            if name == "oracle"
            else {"kendall_tau": tau, "fit_seconds": seconds},
        )
        for name, taus, times in measures
        for k, (tau, seconds) in enumerate(zip(taus, times, strict=True))
    ]
    document = summarise_quality(some, trials)
    assert document["against"] == "boosted-trees"
    assert set(document["paired"]) == {"oracle"}
    pair = document["paired"]["oracle"]["20"]
    assert set(pair) == {"kendall_tau", "fit_seconds"}
    assert pair["kendall_tau"]["mean_difference"] == pytest.approx(0)
    assert [pair["kendall_tau"][key] for key in ("better", "equal", "worse")] == [1, 1, 1]
    assert [pair["fit_seconds"][key] for key in ("better", "equal", "worse")] == [1, 1, 1]
    assert pair["kendall_tau"]["p_wilcoxon"] == pair["kendall_tau"]["p_sign"] == 1
    turned = summarise_quality(some, trials, "oracle")["paired"]["boosted-trees"]["20"]["kendall_tau"]
    assert turned["mean_difference"] == pytest.approx(-pair["kendall_tau"]["mean_difference"])
    with pytest.raises(UnknownNameError, match="did you mean 'oracle'"):
        summarise_quality(some, trials, "oracel")
    alone = study(models=["oracle"], train_sizes=[20])
    assert summarise_quality(alone, trials[3:5])["against"] is None


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"models": []}, "models ''"),
        ({"models": ["oracle", "oracle"]}, "none twice"),
        ({"models": ["oracel"]}, "did you mean 'oracle'"),
        ({"models": ["oracel:augmentation=none"]}, "did you mean 'oracle'"),
        ({"models": ["oracle:augmentation=none"]}, "model 'oracle:augmentation=none': oracle has no settings"),
        ({"models": ["boosted-trees:trees=3"]}, "boosted-trees has no settings"),
        ({"models": ["paper:augmentatoin=none"]}, "model setting 'augmentatoin': .*did you mean 'augmentation'"),
        ({"models": ["paper:trade_off=2"]}, "model setting trade_off '2'"),
        ({"models": ["paper:trade_off"]}, "setting 'trade_off': must be KEY=VALUE"),
        ({"train_sizes": []}, "train sizes"),
        ({"train_sizes": [0]}, "train size '0': must be at least 1"),
        ({"train_sizes": [20, 124]}, "train size '124': table cube has 125 rows with score, of which 2"),
        ({"held_out": 66}, "train size '60': .* of which 66 are for the test"),
        ({"held_out": 1}, "held-out '1': must be at least 2"),
        ({"trials": 0}, "trials '0'"),
        ({"seed": -1}, "seed '-1'"),
        ({"metric": "skore"}, "did you mean 'score'"),
    ],
)
def test_studies_that_make_no_sense_are_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        study(**changes)


def test_a_name_may_bring_settings() -> None:
    space = cube().space
    plain, other = create_model("paper", space, 0), create_model("paper:augmentation=none,trade_off=0.5", space, 0)
    assert isinstance(plain, LatentModel)
    assert isinstance(other, LatentModel)
    assert (plain.settings.augmentation, plain.settings.trade_off) == ("pair", 0.9)
    assert other.settings == plain.settings.model_copy(update={"augmentation": "none", "trade_off": 0.5})
    for name in ("nao:noise_share=1", "joint:ensemble=2", "official:epochs=3", "tnao:layers=1"):
        if name.startswith("nao"):
            with pytest.raises(UnknownNameError, match="noise_share"):
                create_model(name, space, 0)
        else:
            assert isinstance(create_model(name, space, 0), LatentModel)


def test_settings_of_a_model_change_what_it_learns() -> None:
    some = study(models=["joint:epochs=1,min_steps=1,pretraining_steps=0,trade_off=0.0,unlabelled=0"], train_sizes=[20])
    taught = "joint:epochs=60,min_steps=60,pretraining_steps=0,trade_off=1.0,unlabelled=0"
    ignorant, wise = (measure_model(some, name, 20, 0) for name in (some.models[0], taught))
    assert wise["kendall_tau"] > ignorant["kendall_tau"] + 0.3


def test_workers_must_be_there() -> None:
    with pytest.raises(InputError, match="workers '0'"):
        measure_quality(study(), 0)
