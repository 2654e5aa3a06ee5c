"""One step of a controller: what it changes, which gradient it follows, and what it learns where that is planted."""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.networks.build_supernet import build_supernet
from naopt.networks.costs.insta import OperationCosts, count_operations
from naopt.networks.instance import ImageController, repaired
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet_insta import InstaSupernet
from naopt.one_shot.instanas_settings import InstaNASSettings
from naopt.one_shot.instance_learner import ControllerLearner
from naopt.one_shot.instance_policy import explored, log_probability, prices, relative_costs
from naopt.spaces import InstaSpace

CLASSES = 4
REINFORCE = {"estimator": "reinforce", "samples": 3}
ESTIMATORS: list[dict[str, Any]] = [{}, REINFORCE, {"preset": "paper"}]


def learner_of(space: InstaSpace | None = None, **settings: Any) -> ControllerLearner:
    """On 8x8 images of one channel, with a meta-graph whose operations make a difference."""
    torch.manual_seed(0)
    space, options = space or InstaSpace(3, 2, "mb3e1+mb3e2"), InstaNASSettings.parse(settings)
    small = NetworkSettings(filters=4)
    network = build_supernet(space, small, 1, CLASSES)
    assert isinstance(network, InstaSupernet)
    with torch.no_grad():
        network.classifier.weight.mul_(3)
    classes = CLASSES if options.classifies else 0
    controller = ImageController(1, space.blocks, len(space.operations), classes=classes, width=4, layers=2, hidden=8)
    costs = count_operations(space, small, (1, 8, 8), CLASSES, controller.multiply_adds((1, 8, 8)) / 1e6)
    return ControllerLearner(network.eval(), controller, costs, options)


def batch_of(count: int = 12) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 1, 8, 8), torch.randint(CLASSES, (count,))


def bits(module: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, bytes]) -> set[str]:
    return {name for name, now in bits(module).items() if now != before[name]}


@pytest.mark.parametrize("settings", ESTIMATORS, ids=["gates", "reinforce", "paper"])
def test_the_meta_graph_stays_as_it_is(settings: dict[str, Any]) -> None:
    learner, batch = learner_of(**settings), batch_of()
    before, controller = bits(learner.network), bits(learner.controller)
    figures = [learner.learn(batch, done) for done in (0.0, 0.4, 0.8)]
    assert not changed(learner.network, before)
    assert all(parameter.grad is None for parameter in learner.network.parameters())
    assert {"hidden.weight", "logits.weight", "logits.bias", "slope"} <= changed(learner.controller, controller)
    assert all(0 < each["entropy"] <= 0.6932 for each in figures)


@pytest.mark.parametrize("settings", [{}, REINFORCE], ids=["gates", "reinforce"])
def test_what_classifies_learns_from_labels_alone(settings: dict[str, Any]) -> None:
    learner, batch = learner_of(controller_learning_rate=0.02, **settings), batch_of()
    before, losses = bits(learner.controller), []
    for _ in range(30):
        losses.append(float(F.cross_entropy(beliefs(learner, batch[0]), batch[1])))
        learner.classify(batch)
    assert losses[-1] < 0.7 * losses[0]
    assert {name.split(".")[0] for name in changed(learner.controller, before)} == {"features", "classifier"}
    before = bits(learner.controller)
    for _ in range(2):
        learner.learn(batch, 0.0)
    assert {name.split(".")[0] for name in changed(learner.controller, before)} == {"hidden", "logits", "slope"}
    before = bits(learner.controller)
    learner.classify(batch)
    assert {name.split(".")[0] for name in changed(learner.controller, before)} == {"features", "classifier"}


def beliefs(learner: ControllerLearner, images: Tensor) -> Tensor:
    learner.controller.eval()
    believed = learner.controller.beliefs(images)[1]
    assert believed is not None
    return believed.detach()


def test_a_controller_that_does_not_classify_learns_as_a_whole() -> None:
    learner = learner_of(classifies=False)
    before = bits(learner.controller)
    learner.learn(batch_of(), 0.0)
    kinds = {name.split(".")[0] for name in changed(learner.controller, before)}
    assert kinds == {"features", "hidden", "logits", "slope"}
    assert not learner.fuses


def test_a_window_slides_where_the_controller_is_not_told() -> None:
    """The reward hears how much of the search is done, and the controller hears nothing."""
    learner, (images, _) = learner_of(conditioned=False), batch_of()
    with torch.no_grad():
        decided = [learner.decide(images, learner.thrifts(images, done), drawn=False)[0] for done in (0.0, 0.7)]
    assert torch.equal(*decided)
    assert [set(learner.thrifts(images, done).tolist()) for done in (0.0, 0.5, 1.0)] == [{0.0}, {0.5}, {1.0}]
    told = learner_of()
    thrifts = told.thrifts(torch.zeros(1000, 1, 1, 1), 0.7)
    assert float(thrifts.min()) < 0.05
    assert float(thrifts.max()) > 0.95
    with torch.no_grad():
        spent, saved = (told.decide(images, torch.full((12,), thrift), drawn=False)[0] for thrift in (0.0, 1.0))
    assert spent.sum() > saved.sum()


@pytest.mark.parametrize("fuses", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {"baseline": "others"},
        {"baseline": "greedy"},
        {"baseline": "greedy", "reward": "window", "window_first": 0.7, "window_last": 0.6, "window_width": 0.9},
    ],
    ids=["price", "greedy", "window"],
)
def test_samples_follow_the_gradient_of_the_expected_reward(settings: dict[str, Any], *, fuses: bool) -> None:
    """Against the enumeration of the eight paths of a block, each of them judged by itself."""
    count = 3000
    learner = learner_of(
        InstaSpace(1, 1, "mb3e1+mb3e2+mb5e3"),
        estimator="reinforce",
        samples=count,
        entropy_weight=0,
        fuses=fuses,
        **settings,
    )
    options, (images, labels) = learner.options, batch_of(3)
    logits, thrift = torch.randn(3, 1, 3, requires_grad=True), torch.tensor([0.1, 0.5, 0.8])
    believed = 2 * torch.randn(3, CLASSES) if fuses else None
    every = torch.tensor(list(itertools.product([False, True], repeat=3))).view(8, 1, 3)
    price = prices(thrift, options)
    expected = torch.zeros(())
    for path in every:
        learner.network.choose_each(path.expand(3, 1, 3))
        with torch.no_grad():
            said = learner.network(images) + (0 if believed is None else believed)
        cost = relative_costs(path, learner.costs)
        if options.reward == "price":
            worth = -F.cross_entropy(said, labels, reduction="none").clamp_max(4) - price * cost
            worth = worth if options.baseline == "greedy" else worth / (1 + price)
        else:
            middle = 0.7 - 0.1 * thrift
            worth = 30 * (1 - ((cost - middle) / 0.45) ** 2).clamp_min(0) * (said.argmax(1) == labels)
        expected = expected + (log_probability(path, explored(logits, options.exploration)).exp() * worth).mean()
    (exact,) = torch.autograd.grad(expected, logits)
    loss, reward = learner._by_samples(logits, believed, (images, labels), thrift)
    (found,) = torch.autograd.grad(loss, logits)
    assert float(F.cosine_similarity(-found.flatten(), exact.flatten(), 0)) > 0.995
    if options.baseline == "greedy":
        assert reward == pytest.approx(float(expected.detach()), rel=0.1)


@pytest.mark.parametrize("fuses", [False, True])
def test_gates_are_judged_by_what_the_paths_say_and_cost(*, fuses: bool) -> None:
    """Where nothing is left to chance."""
    learner, (images, labels) = learner_of(entropy_weight=0), batch_of(5)
    thrift, masks = torch.rand(5), repaired(torch.rand(5, 3, 2) < 0.5, learner.needed)
    believed = 2 * torch.randn(5, CLASSES) if fuses else None
    with torch.no_grad():
        loss, reward = learner._by_gates(100.0 * masks - 50, believed, (images, labels), thrift)
        learner.network.choose_each(masks)
        said = learner.network(images) + (0 if believed is None else believed)
    price = prices(thrift, learner.options)
    worth = -F.cross_entropy(said, labels, reduction="none").clamp_max(4) - price * relative_costs(masks, learner.costs)
    assert reward == pytest.approx(float(worth.mean()), rel=1e-5)
    assert float(loss) == pytest.approx(-float((worth / (1 + price)).mean()), rel=1e-5)


def test_the_price_that_gates_pay_is_exact() -> None:
    """Where no operation makes a difference, nothing but the price and the entropy is left."""
    learner, batch = learner_of(InstaSpace(1, 1, "mb3e1+mb3e2+mb5e3"), entropy_weight=0.3), batch_of(5)
    with torch.no_grad():
        learner.network.classifier.weight.zero_()
    logits, thrift = torch.randn(5, 1, 3, requires_grad=True), torch.rand(5)
    loss, _ = learner._by_gates(logits, None, batch, thrift)
    (found,) = torch.autograd.grad(loss, logits)
    p, price = torch.sigmoid(logits.detach()), prices(thrift, learner.options)[:, None, None]
    costs = torch.tensor(learner.costs.operations) / learner.costs.whole
    of_price = price / (1 + price) * costs * p * (1 - p) / 5
    of_entropy = -logits.detach() * p * (1 - p) / 15
    assert torch.allclose(found, of_price - 0.3 * of_entropy, atol=1e-7)


@pytest.mark.parametrize("settings", ESTIMATORS, ids=["gates", "reinforce", "paper"])
def test_what_is_judged_are_valid_paths(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is drawn a block that cannot be skipped has its cheapest operation, on the way to the reward."""
    learner, seen = learner_of(**settings), []
    with torch.no_grad():
        learner.controller.logits.bias.fill_(-50)
        learner.controller.slope.zero_()
    gated, choose = learner.network.gated, learner.network.choose_each

    def noted(masks: Tensor) -> Tensor:
        seen.append(masks.detach().float())
        return masks

    monkeypatch.setattr(learner.network, "gated", lambda images, gates: gated(images, noted(gates)))
    monkeypatch.setattr(learner.network, "choose_each", lambda masks: choose(noted(masks)))
    learner.options = learner.options.model_copy(update={"exploration": 1.0})
    learner.learn(batch_of(), 0.0)
    (masks,) = seen
    expected = [[0.0, 0.0] if index is None else [1.0, 0.0] for index in learner.needed]
    assert torch.allclose(masks, torch.tensor(expected).expand_as(masks))
    assert learner.needed.count(None) == 2


class Planted(nn.Module):
    """Knows the labels, which are in a corner; of images that are bright in another it needs the dear operation."""

    space = InstaSpace(1, 1, "mb3e1+mb5e6")
    masks: Tensor

    def choose_each(self, masks: Tensor) -> None:
        self.masks = masks

    def forward(self, images: Tensor) -> Tensor:
        return self.gated(images, self.masks.float())

    def gated(self, images: Tensor, gates: Tensor) -> Tensor:
        known = torch.where(images[:, 0, 0, 0] > 0, gates[:, 0, 1], 1.0)
        return 4 * known[:, None] * F.one_hot(images[:, 0, 7, 7].long(), CLASSES)


@pytest.mark.parametrize(
    "settings",
    [{}, {"classifies": False}, {"estimator": "reinforce", "classifies": False}],
    ids=["gates", "plain", "reinforce"],
)
def test_who_needs_the_dear_operation_gets_it(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    options = InstaNASSettings.parse({"controller_learning_rate": 0.02, "fuses": False, **settings})
    costs = OperationCosts("MMAC", 1.0, 0.0, ((1.0, 8.0),))
    controller = ImageController(1, 1, 2, classes=CLASSES if options.classifies else 0, width=4, layers=2, hidden=8)
    learner = ControllerLearner(cast("InstaSupernet", Planted()), controller, costs, options)
    for _ in range(150):
        learner.learn(planted(32)[:2], 0.5)
    images, _, bright = planted(200)
    with torch.no_grad():
        masks, _ = learner.decide(images, torch.full((200,), 0.5), drawn=False)
    assert float(masks[bright, 0, 1].float().mean()) > 0.9
    assert float(masks[~bright, 0, 1].float().mean()) < 0.1
    assert not masks[:, 0, 0].any()  # needed by nobody
    spent = relative_costs(masks, costs)
    assert float(spent[bright].mean()) > float(spent[~bright].mean()) + 0.5


def planted(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels, and which are bright."""
    images, labels = 0.1 * torch.randn(count, 1, 8, 8), torch.randint(CLASSES, (count,))
    bright = torch.rand(count) < 0.5
    images[:, 0, :3, :3] += torch.where(bright, 2.0, -2.0)[:, None, None]
    images[:, 0, 7, 7] = labels.float()
    return images, labels, bright
