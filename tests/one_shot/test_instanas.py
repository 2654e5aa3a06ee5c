"""InstaNAS: its stages, what each of them sees and changes, and a search whose right decisions are planted."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.errors import InputError
from naopt.networks.supernet_insta import InstaSupernet
from naopt.one_shot import InstaNASSearcher
from naopt.one_shot.images import SharedImages
from naopt.one_shot.instanas_settings import InstaNASSettings
from naopt.one_shot.instance_policy import relative_costs
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import InstaSpace, NASBench201Space
from naopt.testing import OneShotCase
from naopt.training.images import Images, Normalisation
from naopt.training.settings import TrainingSettings

CLASSES = 4
SPACE = InstaSpace(1, 1, "mb3e1+mb5e6")
STAGES = ("pretraining", "joint", "tuning")
EPOCHS = {"pretraining": 0.05, "joint": 0.9, "epochs": 40}


@pytest.mark.parametrize(
    ("values", "begins"),
    [
        ({"epochs": 3}, (1, 2)),
        ({"epochs": 4}, (2, 3)),
        ({"epochs": 5}, (2, 3)),
        ({"epochs": 60}, (30, 39)),
        ({"preset": "paper"}, (300, 800)),
        ({"epochs": 3, "pretraining": 0.98, "joint": 0.01}, (1, 2)),
        ({"epochs": 5, "pretraining": 0.01, "joint": 0.98}, (1, 4)),
        ({"epochs": 60, "pretraining": 0.01, "joint": 0.01}, (1, 2)),
    ],
)
def test_each_stage_has_at_least_an_epoch(values: dict[str, Any], begins: tuple[int, int]) -> None:
    settings = InstaNASSettings.parse(values)
    assert settings.begins == begins
    found = [settings.stage(epoch) for epoch in range(settings.epochs)]
    lengths = [len(list(some)) for _, some in itertools.groupby(found, lambda pair: pair[0])]
    assert [stage for stage, _ in itertools.groupby(found, lambda pair: pair[0])] == list(STAGES)
    assert lengths == [begins[0], begins[1] - begins[0], settings.epochs - begins[1]]
    for length, stage in zip(lengths, STAGES, strict=True):
        assert [done for name, done in found if name == stage] == pytest.approx([k / length for k in range(length)])
    assert settings.stage(settings.epochs) == ("tuning", 1.0)


def test_the_learning_rate_at_the_borders() -> None:
    """It begins anew in each stage, and falls to nothing in each."""
    settings = InstaNASSettings.parse({"epochs": 60, "joint": 0.25, "joint_rate": 0.5, "tuning_rate": 0.2})
    searcher, little = InstaNASSearcher(SPACE, settings, seed=0), 1e-6
    for border, first in ((0.0, 1.0), (0.5, 0.5), (0.75, 0.2)):
        assert searcher.rate(border) == pytest.approx(first)
        assert searcher.rate(border + 0.125 * (1 + (border == 0))) == pytest.approx(first / 2)
    assert [searcher.rate(border - little) for border in (0.5, 0.75, 1.0)] == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epochs": 2}, "epochs '2': Input should be greater than or equal to 3"),
        ({"pretraining": 0.7, "joint": 0.3}, "must be below 1: fine-tuning needs the rest"),
        ({"estimator": "reinforce", "samples": 1}, "baseline=others needs at least 2 samples of each image"),
        ({"reward": "window"}, "estimator=gates needs a reward with a derivative: reward=price"),
        ({"baseline": "greedy"}, "baseline=greedy is for estimator=reinforce: gates need none"),
        ({"price_high": 0.001}, "price_high must be at least price_low"),
        ({"window_last": 0.9}, "window_last must be at most window_first"),
        ({"exploration": 0.5}, "exploration '0.5': Input should be greater than 0.5"),
        ({"learns_from": "test"}, "learns_from 'test': Input should be 'held-out', 'train' or 'valid'"),
        ({"tuned_for": 0.5, "conditioned": False}, "tuned_for needs conditioned: without it there is one"),
        ({"tuned_for": 0}, "tuned_for '0': Input should be greater than 0"),
        ({"held_out": 1}, "held_out '1': Input should be less than 1"),
    ],
)
def test_settings_that_make_no_sense(values: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as refused:
        InstaNASSettings.parse(values)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("space", "values", "line"),
    [
        (NASBench201Space(), {}, "has no blocks of which any subset may be active; instanas searches insta"),
        (SPACE, {"held_out": 0.001}, "held_out '0.001': leaves too few of 60 training images on one side"),
    ],
)
def test_searches_that_cannot_be(space: Any, values: dict[str, Any], line: str) -> None:
    case = OneShotCase(InstaNASSearcher, InstaNASSettings.parse({"epochs": 3, **values}), space)
    with pytest.raises(InputError, match=line):
        case.create(0)


def test_a_controller_that_learns_from_validation_images_needs_two() -> None:
    torch.manual_seed(0)
    settings, training = InstaNASSettings.parse({"learns_from": "valid"}), TrainingSettings.parse({"filters": 2})
    network = InstaSupernet(SPACE, training, 1, CLASSES)
    data = SharedImages(network, {"train": planted(20), "valid": planted(1)}, training, settings)
    searcher = InstaNASSearcher(SPACE, settings, seed=0)
    with pytest.raises(InputError, match="learns_from 'valid': needs at least 2 validation images"):
        SharedTrainer(data, searcher, learning_rate=0.01, momentum=0.9, device=torch.device("cpu"))


class Planted(InstaSupernet):
    """Beside what it computes it knows the labels; of images with a bright corner it does if the dear operation is on.

    A corner of each image has the label, as a number too small for others to read.
    """

    masks: Tensor

    def choose_each(self, masks: Tensor) -> None:
        super().choose_each(masks)
        self.masks = masks

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, auxiliary = super().outputs(images)
        return logits + self.known(images, self.masks.float()), auxiliary

    def gated(self, images: Tensor, gates: Tensor) -> Tensor:
        return super().gated(images, gates) + self.known(images, gates)

    def known(self, images: Tensor, gates: Tensor) -> Tensor:
        labels = (images[:, 0, 7, 7] * 1000).round().long()
        how = torch.where(bright(images), gates[:, 0, 1], 1.0)
        return 5 * how[:, None] * F.one_hot(labels, CLASSES)


def bright(images: Tensor) -> Tensor:
    return images[:, 0, 0, 0] > 0


def planted(count: int) -> Images:
    pixels, labels = 0.1 * torch.randn(count, 1, 8, 8), torch.randint(CLASSES, (count,))
    pixels[:, 0, :3, :3] += torch.where(torch.rand(count) < 0.5, 2.0, -2.0)[:, None, None]
    pixels[:, 0, 7, 7] = labels / 1000
    return Images(pixels, labels, Normalisation(torch.zeros(()), torch.ones(())))


@dataclass
class Search:
    """A search that was carried out, with all that was seen and all that was changed."""

    trainer: SharedTrainer
    searcher: InstaNASSearcher
    trained: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    taught: set[bytes] = field(default_factory=set)
    controllers: list[dict[str, bytes]] = field(default_factory=list)

    def changed(self, first: int, last: int) -> set[str]:
        """Parts of the controller that are not after ``last`` epochs what they were after ``first``."""
        before, after = self.controllers[first], self.controllers[last]
        return {name.split(".")[0] for name in before if before[name] != after[name]}


def searched(**values: Any) -> Search:
    torch.manual_seed(0)
    settings = InstaNASSettings.parse({**EPOCHS, "controller_learning_rate": 0.03, "controller_width": 4, **values})
    training = TrainingSettings.parse({"filters": 2, "batch_size": 40, "crop_padding": 0, "flip": False})
    network = Planted(SPACE, training, 1, CLASSES)
    data = SharedImages(network, {"train": planted(120), "valid": planted(100)}, training, settings)
    searcher = InstaNASSearcher(SPACE, settings, seed=0)
    trainer = SharedTrainer(data, searcher, learning_rate=0.01, momentum=0.9, device=torch.device("cpu"))
    found = Search(trainer, searcher)
    loss, learn = data.loss, searcher.learner.learn

    def noted_loss(batch: tuple[Tensor, Tensor], beside: Tensor | None = None, alone: float = 0.0) -> Tensor:
        found.trained[settings.stage(trainer.step / data.steps)[0]] |= {image.numpy().tobytes() for image in batch[0]}
        return loss(batch, beside, alone)

    def noted_learn(batch: tuple[Tensor, Tensor], done: float) -> dict[str, float]:
        found.taught |= {image.numpy().tobytes() for image in batch[0]}
        return learn(batch, done)

    def note() -> None:
        state = searcher.learner.controller.state_dict()
        found.controllers.append({name: value.numpy().tobytes() for name, value in state.items()})

    data.loss, searcher.learner.learn = noted_loss, noted_learn  # type: ignore[method-assign]
    note()
    trainer.run(on_epoch=lambda _: note())
    return found


@pytest.fixture(scope="module")
def search() -> Search:
    return searched()


def test_who_needs_the_dear_operation_gets_it(search: Search) -> None:
    data = search.trainer.data
    assert isinstance(data, SharedImages)
    deployed, images = search.searcher.deployed(0.5).eval(), data.valid.pixels
    with torch.no_grad():
        logits = deployed(images)
    costs, dear = relative_costs(deployed.masks, search.searcher.costs), bright(images)
    assert float(costs[dear].mean()) > float(costs[~dear].mean()) + 0.3
    assert float((logits.argmax(1) == data.valid.labels).float().mean()) > 0.9


def test_the_controller_is_taught_what_the_meta_graph_does_not_see(search: Search) -> None:
    train = search.trainer.data
    assert isinstance(train, SharedImages)
    every = {image.numpy().tobytes() for image in train.train.pixels}
    assert len(search.taught) == 36
    assert search.trained["pretraining"] == search.trained["joint"] == every - search.taught
    assert search.trained["tuning"] == every


def test_what_each_stage_changes(search: Search) -> None:
    first, second = search.searcher.options.begins
    assert search.changed(0, first) == {"features", "classifier"}
    assert search.changed(first, second) == {"hidden", "logits", "slope"}
    assert not search.changed(second, search.trainer.epochs)
    assert [figures["stage"] for figures in search.trainer.history] == [1] * first + [2] * (second - first) + [3] * (
        search.trainer.epochs - second
    )


def test_it_is_tuned_for_the_operating_point_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thrift is where the mean cost of training images crosses that; no image is tuned at another."""
    trainer = OneShotCase(InstaNASSearcher, InstaNASSettings(epochs=3), InstaSpace(3, 1, "mb3e1+mb3e2")).create(0)
    searcher, asked = trainer.searcher, []
    assert isinstance(searcher, InstaNASSearcher)
    assert isinstance(trainer.data, SharedImages)
    decide = searcher.learner.decide
    for _ in range(2):
        trainer.train_epoch()
    assert searcher.memory().facts["tuned"] is None
    train, little = trainer.data.train, 2.0**-11
    wanted = (searcher.learner.mean_cost(train, 0.0) + searcher.learner.mean_cost(train, 1.0)) / 2
    searcher.options = InstaNASSettings(epochs=3, tuned_for=wanted)

    def noted(inputs: Tensor, thrift: Tensor, *, drawn: bool) -> tuple[Tensor, Tensor | None]:
        asked.append(thrift)
        return decide(inputs, thrift, drawn=drawn)

    monkeypatch.setattr(searcher.learner, "decide", noted)
    trainer.train_epoch()
    tuned = searcher.memory().facts["tuned"]
    steps = torch.cat(asked[-trainer.data.steps :])
    assert torch.equal(steps, torch.full_like(steps, tuned))
    below, above = (searcher.learner.mean_cost(train, tuned + side) for side in (little, -little))
    assert below <= wanted <= above
    assert below < above


def test_an_operating_point_out_of_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    settings = InstaNASSettings(epochs=3, tuned_for=0.001)
    trainer = OneShotCase(InstaNASSearcher, settings, InstaSpace(3, 1, "mb3e1+mb3e2")).create(0)
    for _ in range(3):
        trainer.train_epoch()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "naopt.one_shot.instanas"]
    assert line.startswith("tuned_for 0.001 is out of reach: the network is fine-tuned for 0.")


@pytest.mark.parametrize("permuted", [False, True])
def test_policies_are_permuted_over_the_batch(monkeypatch: pytest.MonkeyPatch, *, permuted: bool) -> None:
    settings = InstaNASSettings.parse({"epochs": 3, "permuted": permuted})
    trainer = OneShotCase(InstaNASSearcher, settings, InstaSpace(3, 1, "mb3e1+mb3e2")).create(0)
    searcher, chosen = trainer.searcher, []
    assert isinstance(searcher, InstaNASSearcher)
    trainer.train_epoch()
    decided = torch.rand(14, 3, 2) < 0.5
    monkeypatch.setattr(searcher.learner, "decide", lambda *_, **__: (decided, None))
    monkeypatch.setattr(searcher.learner, "learn", lambda *_: {"reward": 0.0, "entropy": 0.0})
    monkeypatch.setattr(trainer.network, "choose_each", lambda masks: chosen.append(masks))
    searcher.step(trainer)
    (masks,) = chosen
    assert torch.equal(masks, decided) != permuted
    assert sorted(masks.flatten(1).tolist()) == sorted(decided.flatten(1).tolist())
