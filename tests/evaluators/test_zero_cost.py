"""Zero-cost proxies of real networks: what they depend on, what is kept of them, and the evaluator."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch

from naopt.errors import InputError
from naopt.evaluators import TrainingEvaluator, ZeroCostEvaluator, create_workload, evaluators
from naopt.evaluators.proxy_costs import DEFAULT_PROXIES, ProxyCosts
from naopt.evaluators.proxy_meter import ProxyMeter
from naopt.evaluators.seeds import evaluation_seed
from naopt.networks.costs import COST_METRICS
from naopt.proxies import ProxySettings, proxies, proxies_for
from naopt.spaces import ConvCellSpace, InstaSpace, NASBench201Space, RecurrentCellSpace, SearchSpace
from naopt.testing import EvaluatorSuite

TINY = {"train_limit": 60, "valid_limit": 20, "filters": 2, "cells_per_stage": 1}
DROPPED = {"dropout": 0.5, "drop_path_keep": 0.5, "auxiliary_weight": 0.4}
SMALL = ProxySettings(batch_size=6)
NASBENCH201 = NASBench201Space()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("the cat sat on a mat and saw a rat\n" * 300, encoding="utf-8")
    return f"text:{path}"


def meter(
    space: SearchSpace = NASBENCH201,
    settings: ProxySettings = SMALL,
    training: Mapping[str, object] = MappingProxyType({}),
) -> ProxyMeter:
    return ProxyMeter(space, create_workload("digits", {**TINY, **training}), settings)


def costs(names: Sequence[str] = ("naswot", "zico", "macs"), seed: int = 0, **settings: object) -> ProxyCosts:
    chosen = ProxySettings.parse({"batch_size": 6, **settings})
    return ProxyCosts(NASBENCH201, create_workload("digits", TINY), names, seed, settings=chosen)


@pytest.mark.parametrize("space", [ConvCellSpace(2), NASBENCH201, InstaSpace(3)], ids=lambda space: space.name)
def test_a_proxy_depends_on_architecture_and_seed_alone(space: SearchSpace) -> None:
    rng, names = np.random.default_rng(1), proxies_for("images")
    one, other = space.sample(rng), space.sample(rng)
    same = space.architecture(space.symmetric(one.tokens, rng))
    same = same if same == one else one
    first = meter(space, training=DROPPED)
    together = first.measure(one, names, 5)
    torch.manual_seed(99)
    assert all(map(math.isfinite, together.values()))
    assert first.measure(other, names[:3], 5) != {name: together[name] for name in names[:3]}
    assert meter(space, training=DROPPED).measure(same, names[::-1], 5) == together, "equal architectures differ"


def test_a_proxy_does_not_depend_on_others_beside_it() -> None:
    one, names, first = NASBENCH201.sample(np.random.default_rng(1)), proxies_for("images"), meter()
    together = first.measure(one, names, 5)
    assert {name: value for name, (value, _) in first.timed(one, names, 5).items()} == together
    again = first.measure(one, names, 6)
    assert [name for name in names if again[name] == together[name]] == ["macs", "params"]


def test_sizes_are_those_of_the_network_that_is_trained() -> None:
    """An edge that leads nowhere is built, though the canonical form has none there."""
    one = NASBENCH201.parse("|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|")
    assert NASBENCH201.canonical(one.tokens) != one.tokens
    trained = TrainingEvaluator(NASBENCH201, "digits", {**TINY, "epochs": 1}).evaluate(one, 0)
    assert meter().measure(one, ["params"], 0)["params"] == trained.metrics["params"]


def test_text_has_the_proxies_that_make_sense(text: str) -> None:
    space = RecurrentCellSpace(2)
    work = create_workload(text, {"hidden_size": 4, "batch_size": 4, "word_dropout": 0.3, "output_dropout": 0.3})
    names = proxies_for("text")
    assert names == ["grad_norm", "l2", "macs", "params", "snip", "zico"]
    one = space.sample(np.random.default_rng(0))
    found = []
    for inputs in ("data", "noise"):
        settings = ProxySettings.parse({"batch_size": 4, "inputs": inputs})
        found.append(ProxyMeter(space, work, settings).measure(one, names, 1))
    assert all(value > 0 for value in found[0].values())
    assert found[0]["snip"] != found[1]["snip"]
    assert found[0]["l2"] == found[1]["l2"]
    with pytest.raises(InputError, match="proxy 'naswot': is not for text, which has grad_norm, l2"):
        ProxyCosts(space, work, ["naswot"])
    assert set(DEFAULT_PROXIES["text"]) <= set(names)
    assert set(DEFAULT_PROXIES["images"]) <= set(proxies_for("images"))


def test_batches_are_of_the_training_images() -> None:
    plain = {"crop_padding": 0, "flip": False, "rotation": 0.0, "zoom": 0.0, "train_limit": None}
    found = meter(training=plain)
    found.prepare()
    assert found._loaded is not None
    (inputs, labels), (others, _) = found._batches
    images = {tuple(image.flatten().tolist()): int(label) for part in found._loaded.parts["train"].batches(99)
              for image, label in zip(*part, strict=True)}  # fmt: skip
    drawn = [tuple(image.flatten().tolist()) for image in torch.cat([inputs, others])]
    assert [images[image] for image in drawn[:6]] == labels.tolist()
    assert len(set(drawn)) == 12, "no image twice"
    noise = meter(settings=ProxySettings(batch_size=6, inputs="noise"))
    noise.prepare()
    assert noise._batches[0][0].shape == inputs.shape
    assert noise.fingerprint() != meter().fingerprint() == meter().fingerprint()


def test_few_images_are_drawn_again() -> None:
    few = meter(settings=ProxySettings(batch_size=50, batches=3))
    few.prepare()
    assert [len(labels) for _, labels in few._batches] == [50, 50, 50]


def test_costs_do_not_depend_on_what_else_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path))
    rng = np.random.default_rng(2)
    some = [NASBENCH201.sample(rng) for _ in range(3)]
    whole = costs().of(some)
    assert list(whole) == ["naswot", "zico", "macs"]
    for path in tmp_path.iterdir():
        path.write_text("{broken", encoding="utf-8")
    for index, one in enumerate(some):
        alone = costs(("macs", "naswot")).of([one])
        assert [alone["naswot"][0], alone["macs"][0]] == [whole["naswot"][index], whole["macs"][index]]
        expected = costs().meter.measure(one, ["naswot"], evaluation_seed(0, one))
        assert alone["naswot"][0] == expected["naswot"]
    assert (costs(seed=1).of(some)["naswot"] != whole["naswot"]).all()
    assert (costs(inputs="noise").of(some)["naswot"] != whole["naswot"]).all()
    assert costs(()).of(some) == {}


def test_costs_are_kept_for_other_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAOPT_CACHE", str(tmp_path))
    one = NASBENCH201.sample(np.random.default_rng(3))
    first = costs(("naswot",))
    found = first.of([one])["naswot"]
    computed: list[list[str]] = []
    measure = ProxyMeter.measure

    def watch(self: ProxyMeter, architecture: object, names: Sequence[str], seed: int) -> dict[str, float]:
        computed.append(list(names))
        return {**measure(self, architecture, names, seed), **({"l2": math.nan} if "l2" in names else {})}  # type: ignore[arg-type]

    monkeypatch.setattr(ProxyMeter, "measure", watch)
    assert first.of([one])["naswot"] == costs(("naswot",)).of([one])["naswot"] == found
    assert computed == []
    for _ in range(2):
        more = costs(("l2", "naswot")).of([one])
        assert more["naswot"] == found
        assert np.isnan(more["l2"]).all()
    assert computed == [["l2"]]
    assert len(pickle.dumps(first)) < 20_000
    assert (pickle.loads(pickle.dumps(first)).of([one])["naswot"] == found).all()


class TestSuite(EvaluatorSuite):
    @pytest.fixture
    def evaluator(self) -> ZeroCostEvaluator:
        return ZeroCostEvaluator(NASBENCH201, "digits", TINY, names=("naswot", "synflow"), settings=SMALL)


def test_the_evaluator_measures_what_is_named() -> None:
    assert evaluators.get("zero-cost") is ZeroCostEvaluator
    one = NASBENCH201.parse("|nor_conv_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|")
    every = ZeroCostEvaluator(NASBENCH201, "digits", TINY, settings=SMALL)
    assert every.default_metric == "naswot"
    found = every.evaluate(one, evaluation_seed(0, one))
    assert found.ok
    assert set(found.metrics) == set(every.metrics) == set(proxies_for("images"))
    assert {name for name, info in every.metrics.items() if info.goal == "min"} == {"params", "macs"} < {*COST_METRICS}
    few = ZeroCostEvaluator(NASBENCH201, "digits", TINY, names=("zico",), settings=SMALL)
    assert few.default_metric == "zico"
    assert few.evaluate(one, evaluation_seed(0, one)).metrics == {"zico": found.metrics["zico"]}
    with pytest.raises(InputError, match="did you mean 'naswot'"):
        ZeroCostEvaluator(NASBENCH201, "digits", names=("nasworth",))


def test_what_is_not_finite_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = ZeroCostEvaluator(NASBENCH201, "digits", TINY, names=("naswot", "l2"), settings=SMALL)
    one = NASBENCH201.sample(np.random.default_rng(0))
    known = evaluator.evaluate(one, 0).metrics["l2"]
    (field,) = [name for name, proxy in proxies._objects.items() if proxy.source.endswith("NASWOT")]
    infinite = type(proxies.get(field))("", "", lambda _: math.inf)
    monkeypatch.setitem(proxies._objects, "naswot", infinite)
    found = evaluator.evaluate(one, 0)
    assert (found.status, found.reason, found.metrics) == ("diverged", "naswot is not finite", {"l2": known})


def test_proxies_beside_training_are_known_before_it() -> None:
    known = costs(("synflow",))
    trained = TrainingEvaluator(NASBENCH201, "digits", {**TINY, "epochs": 1}, proxies=known)
    assert trained.metrics["synflow"].goal == "max"
    found = trained.costs()
    assert found is not None
    assert set(found.metrics) == {*COST_METRICS, "synflow"}
    one = NASBENCH201.sample(np.random.default_rng(0))
    assert found.of([one])["synflow"] == known.of([one])["synflow"]
