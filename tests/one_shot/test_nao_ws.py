"""NAO with weight sharing on the toy: when rounds are due, who is in the pool, and what is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.networks.path import Path
from naopt.one_shot.nao_ws import NAOSharing, NAOSharingSettings
from naopt.one_shot.trainer import SharedTrainer
from naopt.searchers import Proposal
from naopt.searchers.nao_joint import JointRounds
from naopt.spaces import Architecture, ConvCellSpace, GenericSpace, NASBench201Space, Position, Tokens
from naopt.training.trainer import DivergedError
from tests.one_shot.toy import ToyData, best, toy_space, toy_trainer

SPACE = toy_space()
SMALL: dict[str, Any] = {"pool": 10, "new": 4, "seeds": 3, "warmup": 0.0}


def searched(trainer: SharedTrainer) -> NAOSharing:
    assert isinstance(trainer.searcher, NAOSharing)
    return trainer.searcher


def due(trainer: SharedTrainer) -> list[int]:
    """Epochs, from 1, at whose end there was a round."""
    trainer.run()
    return [epoch for epoch, row in enumerate(trainer.history, 1) if "pool_best" in row]


class Uphill:
    """Instead of NAO: proposes given architectures, and remembers what it was fitted to."""

    def __init__(self, trainer: SharedTrainer, tokens: Sequence[Tokens]) -> None:
        self.proposals = [Proposal(SPACE.architecture(t), "ascent") for t in tokens]
        self.fitted: list[tuple[list[Architecture], NDArray[np.float64]]] = []
        searched(trainer)._ascend = self.ascend  # type: ignore[method-assign]

    def ascend(self, known: list[Architecture], scores: NDArray[np.float64], wanted: int) -> list[Proposal]:
        self.fitted.append((list(known), scores.copy()))
        return [p for p in self.proposals if p.architecture not in known][:wanted]


def outside(trainer: SharedTrainer, count: int) -> list[Tokens]:
    pool = set(searched(trainer).pool)
    return [a.tokens for a in SPACE.enumerate() if a not in pool][:count]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"epochs": 10}, [2, 4, 6, 8]),
        ({"epochs": 7, "every": 3}, [3, 6]),
        ({"epochs": 6, "every": 3}, [3]),
        ({"epochs": 8, "warmup": 0.5}, [4, 5, 6, 7]),
        ({"epochs": 9, "warmup": 0.4, "every": 3}, [3, 6]),
        ({"epochs": 1}, []),
        ({"epochs": 3, "every": 9}, []),
    ],
)
def test_rounds_are_due(settings: dict[str, Any], expected: list[int]) -> None:
    trainer = toy_trainer(NAOSharing, **{**SMALL, **settings})
    Uphill(trainer, outside(trainer, 2))
    assert due(trainer) == expected


def test_the_new_take_the_places_of_the_worst() -> None:
    trainer = toy_trainer(NAOSharing, **SMALL, epochs=2, every=1)
    searcher, uphill = searched(trainer), Uphill(trainer, outside(trainer, 20))
    before = list(searcher.pool)
    assert len(set(before)) == 10
    figures = trainer.train_epoch()
    scores = trainer.data.scores([trainer.path(a) for a in before])
    ((known, values),) = uphill.fitted
    assert known == before
    assert values.tolist() == scores.tolist()
    kept = sorted(range(10), key=lambda index: (-scores[index], index))[:6]
    assert searcher.pool == [before[index] for index in kept] + [p.architecture for p in uphill.proposals[:4]]
    assert figures["pool_best"] == pytest.approx(scores.max())
    assert figures["pool_mean"] == pytest.approx(scores.mean())
    assert figures["ascent"] == 4


def test_random_ones_come_beside_the_new() -> None:
    trainer = toy_trainer(NAOSharing, **{**SMALL, "random_new": 3}, epochs=2, every=1)
    searcher, uphill = searched(trainer), Uphill(trainer, outside(trainer, 4))
    before = set(searcher.pool)
    trainer.train_epoch()
    assert [a for a in searcher.pool if a not in before][:4] == [p.architecture for p in uphill.proposals]
    assert len(searcher.pool) == len(set(searcher.pool)) == 10
    assert sum(a in before for a in searcher.pool) == 3


def test_where_all_are_replaced_nao_learns_from_all_that_were_measured() -> None:
    trainer = toy_trainer(NAOSharing, **SMALL, epochs=3, every=1, replace="all")
    searcher = searched(trainer)
    first, others = list(searcher.pool), outside(trainer, 8)
    uphill = Uphill(trainer, others)
    trainer.train_epoch()
    trainer.epoch = 1
    assert [a.tokens for a in searcher.pool] == others[:4]
    trainer.train_epoch()
    assert [a.tokens for a in searcher.pool] == others[4:]
    now = first + [SPACE.architecture(t) for t in others[:4]]
    assert [known for known, _ in uphill.fitted] == [first, now]
    assert uphill.fitted[1][1].tolist() == trainer.data.scores([trainer.path(a) for a in now]).tolist()
    assert not np.allclose(uphill.fitted[1][1][:10], uphill.fitted[0][1]), "scores of weights that are no more"


def test_paths_are_of_the_pool_once_it_is_warm() -> None:
    trainer = toy_trainer(NAOSharing, **{**SMALL, "warmup": 0.5, "pool": 4, "outside": 0.0}, epochs=4)
    trained: list[Tokens] = []
    train_path = trainer.train_path
    trainer.train_path = lambda path: trained.append(path.tokens) or train_path(path)  # type: ignore[method-assign, func-returns-value]
    Uphill(trainer, [])
    trainer.run()
    pool = {a.identity for a in searched(trainer).pool}
    assert not set(trained[:12]) <= pool
    assert set(trained[12:]) <= pool


@pytest.mark.parametrize("sampling", ["uniform", "parameters"])
def test_how_often_an_architecture_is_trained(sampling: str) -> None:
    trainer = toy_trainer(NAOSharing, **SMALL, sampling=sampling)
    searcher = searched(trainer)
    chosen: list[Tokens] = []
    trainer.shared.choose = lambda path: chosen.append(path.tokens)  # type: ignore[method-assign]
    sizes = {a.identity: 1 + index for index, a in enumerate(searcher.pool)}
    trainer.shared.path_parameters = lambda: trainer.shared.weights[: sizes[chosen[-1]]]  # type: ignore[method-assign, attr-defined]
    searcher.begin(trainer)
    counts = Counter(searcher.sample().tokens for _ in range(20_000))
    total = sum(sizes.values()) if sampling == "parameters" else len(sizes)
    for tokens, size in sizes.items():
        share = (size if sampling == "parameters" else 1) / total
        assert counts[tokens] / 20_000 == pytest.approx(share, abs=0.012)


class SomeBroken(ToyData):
    """Paths that begin with some choice have no score; smaller losses are better."""

    metric, goal = "loss", "min"
    broken: tuple[int, ...] = ()

    def measure(self, path: Path) -> dict[str, float]:
        return {} if path.tokens[0] in self.broken else super().measure(path)


def partly_broken(*broken: int, **settings: Any) -> SharedTrainer:
    trainer = toy_trainer(NAOSharing, **{**SMALL, **settings})
    trainer.data.__class__ = SomeBroken
    assert isinstance(trainer.data, SomeBroken)
    trainer.data.broken = broken
    return trainer


def test_what_has_no_score_is_as_bad_as_the_worst() -> None:
    trainer = partly_broken(0, 1, epochs=2, every=1)
    searcher, uphill = searched(trainer), Uphill(trainer, [])
    pool = list(searcher.pool)
    assert 0 < sum(a.tokens[0] < 2 for a in pool) < 10
    figures = trainer.train_epoch()
    losses = [-value for value in trainer.data.scores([trainer.path(a) for a in pool])]
    worst = max(loss for loss in losses if np.isfinite(loss))
    filled = [loss if np.isfinite(loss) else worst for loss in losses]
    ((_, values),) = uphill.fitted
    assert values.tolist() == [-loss for loss in filled]
    assert figures["pool_best"] == pytest.approx(min(filled))
    assert figures["pool_mean"] == pytest.approx(np.mean(filled))


def test_a_pool_without_scores_has_diverged() -> None:
    trainer = partly_broken(0, 1, 2, 3, epochs=2, every=1, rollbacks=1)
    with pytest.raises(DivergedError, match="pool_mean nan in epoch 1 of 2"):
        trainer.train_epoch()
    found = searched(trainer).candidates(8, trainer)
    assert [p.origin for p in found] == ["pool"] * 4 + ["refill"] * 4, "nothing can be learned from them"


def test_half_of_the_candidates_are_the_best_of_the_pool() -> None:
    trainer = partly_broken(0, epochs=2)
    searcher = searched(trainer)
    others = [tokens for tokens in outside(trainer, 64) if tokens[0] == 0][:1] + outside(trainer, 20)[-4:]
    uphill = Uphill(trainer, others)
    scores = trainer.data.scores([trainer.path(a) for a in searcher.pool])
    order = sorted(range(10), key=lambda index: (-scores[index], index))
    found = searcher.candidates(9, trainer)
    assert [p.architecture for p in found[:5]] == [searcher.pool[index] for index in order[:5]]
    assert [p.origin for p in found] == ["pool"] * 5 + ["ascent"] * 4
    assert len({p.architecture for p in found}) == 9
    assert [len(known) for known, _ in uphill.fitted] == [10, 11, 12, 13], "one tenth of the candidates a round"
    _, values = uphill.fitted[1]
    assert values[-1] == values.min(), "what has no score is not the best"


def test_few_candidates() -> None:
    trainer = toy_trainer(NAOSharing, **SMALL)
    Uphill(trainer, [])
    assert len(searched(trainer).candidates(1, trainer)) == 1
    assert [p.origin for p in searched(trainer).candidates(8, trainer)] == ["pool"] * 4 + ["refill"] * 4


def test_it_finds_the_best_path() -> None:
    trainer = toy_trainer(NAOSharing, epochs=6, warmup=0.3, pool=12, new=6, every=2, seeds=4)
    trainer.run()
    found = searched(trainer).candidates(12, trainer)
    scores = trainer.data.scores([trainer.path(p.architecture) for p in found])
    assert found[int(scores.argmax())].architecture.tokens == best()
    assert {p.origin for p in found} >= {"pool"}


@pytest.mark.parametrize(("nao", "rounds"), [("default", "EmbeddingRounds"), ("joint", "JointRounds")])
def test_the_latent_model_is_a_setting(nao: str, rounds: str) -> None:
    searcher = searched(toy_trainer(NAOSharing, **SMALL, nao=nao))
    assert type(searcher._rounds()).__name__ == rounds


def test_presets_are_those_of_the_programs() -> None:
    tensorflow = NAOSharingSettings.parse({"preset": "tensorflow"})
    assert (tensorflow.epochs, tensorflow.pool, tensorflow.every, tensorflow.new) == (150, 1000, 30, 500)
    assert (tensorflow.random_new, tensorflow.warmup, tensorflow.weights) == (50, 0.0, "branch")
    pytorch = NAOSharingSettings.parse({"preset": "pytorch", "epochs": 3})
    assert (pytorch.epochs, pytorch.pool, pytorch.new, pytorch.sampling) == (3, 600, 300, "uniform")
    balanced = NAOSharingSettings.parse({"preset": "balanced"})
    assert (balanced.replace, balanced.sampling, balanced.every) == ("all", "parameters", 50)
    assert {p.nao for p in (tensorflow, pytorch, balanced)} == {"official"}
    assert NAOSharingSettings.parse({"preset": "recurrent"}).nao == "official-recurrent"
    assert {p.numbering for p in (tensorflow, pytorch, balanced)} == {"written"}
    assert NAOSharingSettings.parse({}).numbering == "canonical"


@pytest.mark.parametrize("preset", ["tensorflow", "pytorch", "balanced", "recurrent"])
def test_presets_renew_the_pool_with_the_published_model(preset: str) -> None:
    few: dict[str, Any] = {"pool": 8, "new": 3, "random_new": 0, "seeds": 3, "epochs": 3, "every": 1}
    trainer = toy_trainer(NAOSharing, preset=preset, **few)
    rounds = searched(trainer)._rounds()
    assert isinstance(rounds, JointRounds)
    assert rounds.model.settings.encoder == "lstm"
    assert (rounds.options.scale, rounds.options.choose) == ("raw", "all")


def test_spellings_stay_where_they_matter_and_no_two_compute_the_same() -> None:
    space = ConvCellSpace(2, "identity+conv3x3")
    pool = NAOSharing(space, NAOSharingSettings(pool=30, numbering="written"), seed=0).pool
    assert len({space.canonical(a.tokens) for a in pool}) == len(pool) == 30
    assert any(a.tokens != a.identity for a in pool)
    canonical = NAOSharing(space, NAOSharingSettings(pool=30), seed=0).pool
    assert all(a.tokens == a.identity for a in canonical)


def test_pools_of_small_spaces() -> None:
    four = GenericSpace([Position("p", ("a", "b", "c", "d"))], "four")
    assert len(NAOSharing(four, NAOSharingSettings(), seed=0).pool) == 4
    one = GenericSpace([Position("p", ("a",))], "one")
    with pytest.raises(InputError, match="space 'one': has too few architectures for a pool"):
        NAOSharing(one, NAOSharingSettings(), seed=0)


def test_a_pool_holds_no_architecture_twice_whatever_its_tokens() -> None:
    space = ConvCellSpace(1, "identity+conv3x3")
    pool = NAOSharing(space, NAOSharingSettings(pool=30), seed=0).pool
    assert len({space.canonical(a.tokens) for a in pool}) == len(pool) == 30


def test_no_two_of_the_pool_compute_the_same() -> None:
    space = NASBench201Space()
    searcher = NAOSharing(space, NAOSharingSettings(pool=60), seed=0)
    forms = [space.canonical(architecture.tokens) for architecture in searcher.pool]
    assert len(set(forms)) == len(forms) == 60
    scores = np.arange(60.0)
    found = searcher._ascend(searcher.pool, scores, 20)
    fresh = [space.canonical(proposal.architecture.tokens) for proposal in found]
    assert len(found) == 20
    assert len({*forms, *fresh}) == 80
    assert all(proposal.architecture.tokens == form for proposal, form in zip(found, fresh, strict=True))
