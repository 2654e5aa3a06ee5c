"""Images with shared weights: what is trained on, and how paths are measured, against plain loops in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.evaluators.workloads import create_workload
from naopt.networks.build import build_network
from naopt.networks.supernet import path_norms
from naopt.one_shot.build import shared_data
from naopt.one_shot.images import SharedImages
from naopt.one_shot.settings import OneShotSettings
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space, SearchSpace
from naopt.training.images import Images, Normalisation
from naopt.training.settings import TrainingSettings

SPACE, CELLS = NASBench201Space(), ConvCellSpace(1, "enas-5")
TINY = {"filters": 2, "cells_per_stage": 1, "train_limit": 50, "valid_limit": 45, "batch_size": 16}
BROKEN, WHOLE = (
    SPACE.parse(f"|{operation}~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    for operation in ("nor_conv_1x1", "nor_conv_3x3")
)


def shared_images(space: SearchSpace = SPACE, trained: int = 4, **settings: Any) -> SharedImages:
    """Somewhat trained, so that paths differ."""
    torch.manual_seed(0)
    chosen = OneShotSettings(**settings)
    data, _ = shared_data(space, create_workload("digits", TINY), chosen, "cpu")
    assert isinstance(data, SharedImages)
    optimiser = torch.optim.SGD(data.network.parameters(), 0.05)
    for architecture in sampled(trained, space):
        data.network.choose(data.network.path(architecture))
        data.loss(data.next_train()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
    return data


def sampled(count: int, space: SearchSpace = SPACE) -> list[Architecture]:
    return [space.sample(np.random.default_rng(seed)) for seed in range(count)]


def child_of(data: SharedImages, architecture: Architecture) -> nn.Module:
    """The architecture's own network in float64, with the shared weights."""
    path = data.network.path(architecture)
    child = build_network(data.network.space, path.architecture, data.training, 1, 10)
    child.load_state_dict(data.network.child_state(path))
    child.double()
    return child


def mixed(images: Images) -> list[int]:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return [int(index) for index in order]


def inputs(images: Images, rows: list[int]) -> Tensor:
    return images.normalize(images.pixels[rows]).double()


def plain_measure(child: nn.Module, images: Images, groups: list[list[int]]) -> dict[str, float]:
    """Image by image within each group of a batch."""
    hits, losses = 0, []
    with torch.no_grad():
        for rows in groups:
            for logits, row in zip(child(inputs(images, rows)), rows, strict=True):
                label = int(images.labels[row])
                hits += int(logits.argmax()) == label
                losses.append(float(logits.logsumexp(0) - logits[label]))
    return {"acc": 100 * hits / len(losses), "loss": sum(losses) / len(losses)}


@pytest.mark.parametrize("space", [SPACE, CELLS], ids=["nasbench201", "conv-cell"])
def test_batch_statistics_are_those_of_the_child_on_the_same_batches(space: SearchSpace) -> None:
    data = shared_images(space, score_batch=20)
    groups = [part.tolist() for part in torch.tensor(mixed(data.valid)).tensor_split(3)]
    assert [len(rows) for rows in groups] == [15, 15, 15]
    for architecture in sampled(3, space):
        child = child_of(data, architecture).train()
        found = data.measure(data.shared.path(architecture))
        assert found == pytest.approx(plain_measure(child, data.valid, groups), rel=1e-4)


@pytest.mark.parametrize("space", [SPACE, CELLS], ids=["nasbench201", "conv-cell"])
def test_recalibrated_statistics_are_means_over_training_batches(space: SearchSpace) -> None:
    data = shared_images(space, statistics="recalibrated", recalibration_batches=3)
    order = mixed(data.train)
    batches = [inputs(data.train, order[16 * index : 16 * index + 16]) for index in range(3)]
    for architecture in sampled(3, space):
        child = child_of(data, architecture).train()
        norms = list(path_norms(child))
        seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {norm: [] for norm in norms}
        for norm in norms:

            def note(module: nn.Module, given: tuple[Tensor]) -> None:
                values = given[0].transpose(0, 1).flatten(1)
                seen[module].append((values.mean(1), values.var(1)))  # noqa: B023

            norm.register_forward_pre_hook(note)
        with torch.no_grad():
            for batch in batches:
                child(batch)
        for norm in norms:
            if seen[norm]:
                norm.running_mean = torch.stack([mean for mean, _ in seen[norm]]).mean(0)
                norm.running_var = torch.stack([var for _, var in seen[norm]]).mean(0)
        expected = plain_measure(child.eval(), data.valid, [list(range(len(data.valid)))])
        assert data.measure(data.shared.path(architecture)) == pytest.approx(expected, rel=1e-4)
    assert {norm.momentum for norm in path_norms(data.network)} == {0.1}
    assert all(module.training for module in data.network.modules())


@pytest.mark.parametrize("statistics", ["batch", "recalibrated"])
def test_what_was_measured_before_does_not_matter(statistics: str) -> None:
    data = shared_images(statistics=statistics)
    several = [data.shared.path(architecture) for architecture in sampled(4)]
    first = [data.measure(path) for path in several]
    torch.rand(3)
    again = [data.measure(path) for path in reversed(several)]
    assert first == again[::-1]
    assert len({values["loss"] for values in first}) > 1


@pytest.mark.parametrize("statistics", ["batch", "recalibrated"])
def test_a_broken_path_has_no_score_and_harms_no_other(statistics: str) -> None:
    """Also in normalisations that both use, which have seen what was not finite."""
    data = shared_images(statistics=statistics)
    before = data.measure(data.shared.path(WHOLE))
    data.network.choose(data.network.path(BROKEN))
    broken = {id(parameter) for parameter in data.network.path_parameters()}
    data.network.choose(data.network.path(WHOLE))
    both = {id(parameter) for parameter in data.network.path_parameters()} & broken
    own = [parameter for parameter in data.network.parameters() if id(parameter) in broken - both]
    assert own
    with torch.no_grad():
        for parameter in own:
            parameter.fill_(math.inf)
    assert data.measure(data.shared.path(BROKEN)) == {}
    data.network.choose(data.network.path(BROKEN))
    assert data.reward(data.next_valid()) == 0
    assert data.measure(data.shared.path(WHOLE)) == before
    scores = data.scores([data.shared.path(BROKEN), data.shared.path(WHOLE)])
    assert scores.tolist() == [-np.inf, -before["loss"]]


def test_scores_by_accuracy_are_accuracies() -> None:
    data = shared_images(score_by="accuracy")
    several = [data.shared.path(architecture) for architecture in sampled(3)]
    assert (data.metric, data.goal) == ("acc", "max")
    assert data.scores(several).tolist() == [data.measure(path)["acc"] for path in several]


@pytest.mark.parametrize("statistics", ["batch", "recalibrated"])
def test_a_reward_is_the_accuracy_on_its_batch(statistics: str) -> None:
    data = shared_images(statistics=statistics, score_batch=50)
    path = data.shared.path(sampled(1)[0])
    data.network.choose(path)
    rows = torch.tensor(mixed(data.valid))
    whole = (data.valid.normalize(data.valid.pixels[rows]), data.valid.labels[rows])
    expected = data.measure(path)["acc"] / 100
    assert data.reward(whole) == pytest.approx(expected)
    batch, labels = data.next_valid()
    assert len(batch) == len(labels) == 16
    assert all(module.training for module in data.network.modules())


def test_batches_are_mixed_and_the_same_for_every_path() -> None:
    """The task gives images class by class."""
    data = shared_images(score_batch=15)
    seen: list[Tensor] = []
    handle = data.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    first, second = (data.shared.path(architecture) for architecture in sampled(2))
    data.measure(first)
    data.measure(second)
    handle.remove()
    assert len(seen) == 6
    assert all(torch.equal(seen[index], seen[index + 3]) for index in range(3))
    assert all(len(set(labels.tolist())) > 5 for _, labels in data._scored)
    assert len(torch.cat(seen[:3])) == len(data.valid)


def test_a_pass_has_every_image_once_and_the_next_another_order() -> None:
    data = shared_images(trained=0)
    assert data.steps == 4
    passes = []
    for _ in range(2):
        batches = [data.next_train() for _ in range(data.steps)]
        assert [len(labels) for _, labels in batches] == [13, 13, 12, 12]
        passes.append(torch.cat([images for images, _ in batches]))
    assert not torch.equal(passes[0], passes[1])
    keys = [sorted(images.flatten(1).tolist()) for images in passes]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("batches", [0, 2, 4, 5])
def test_a_pass_goes_on_where_it_was_stopped(batches: int) -> None:
    data, other = shared_images(trained=0), shared_images(trained=3)
    for _ in range(batches):
        data.next_train()
    memory, generator = data.memory(), torch.get_rng_state()
    expected = [data.next_train() for _ in range(6)]
    other.restore(memory)
    torch.set_rng_state(generator)
    for (images, labels), (others, other_labels) in zip(expected, [other.next_train() for _ in range(6)], strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, other_labels)


def test_the_loss_is_smoothed_and_has_the_auxiliary_head() -> None:
    data = shared_images()
    data.training = TrainingSettings.parse({**TINY, "label_smoothing": 0.2, "auxiliary_weight": 0.5})
    images, labels = data.next_train()
    logits = torch.randn(len(images), 10, dtype=torch.float64)

    class Heads(nn.Module):
        def outputs(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
            return logits, 2 * logits

    data.network = Heads()  # type: ignore[assignment]

    def smoothed(values: Tensor) -> float:
        targets = 0.8 * F.one_hot(labels, 10) + 0.02
        return float(-(targets * values.log_softmax(1)).sum(1).mean())

    assert float(data.loss((images, labels))) == pytest.approx(smoothed(logits) + 0.5 * smoothed(2 * logits))


def test_streamed_images_are_refused() -> None:
    data = shared_images(trained=0)
    with pytest.raises(InputError, match="stream 'true': weight sharing keeps its images in memory"):
        SharedImages(data.network, {"train": object(), "valid": data.valid}, data.training, data.settings)  # type: ignore[dict-item]


def test_what_is_held_out_is_in_no_pass_and_all_of_it_alone_is_asked_for() -> None:
    """Images are told apart by a number that is all of their pixels."""
    data = shared_images(trained=0)
    count = len(data.train)
    numbers = torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand_as(data.train.pixels)
    data.train = Images(numbers.clone(), data.train.labels, Normalisation(torch.zeros(()), torch.ones(())))
    data.training = data.training.model_copy(update={"crop_padding": 0, "flip": False})
    first = data.next_train()
    data.hold_out(0.3)
    rest = [data.next_train() for _ in range(data.steps - 1)]
    assert seen([first, *rest]) == list(range(count))  # a pass goes on as it began
    passes = [seen([data.next_train() for _ in range(data.steps)]) for _ in range(2)]
    held = sorted({*range(count)} - {*passes[0]})
    assert passes[0] == passes[1] == sorted({*range(count)} - {*held})
    assert len(held) == round(0.3 * count) == 15
    assert sorted({number for _ in range(30) for number in seen([data.next_held_out()])}) == held
    images, labels = data.next_held_out()
    assert len(images) == data.training.batch_size - 1 == 15
    assert torch.equal(labels, data.train.labels[images[:, 0, 0, 0].long()])
    data.hold_out(0.8)
    assert len(data.next_held_out()[0]) == 16
    for share in (0.02, 0.9):
        with pytest.raises(InputError, match=f"held_out .{share}.: leaves too few of 50 training images on one side"):
            data.hold_out(share)
    data.hold_out(0.0)
    assert seen([data.next_train() for _ in range(data.steps)]) == list(range(count))


def seen(batches: list[tuple[Tensor, Tensor]]) -> list[int]:
    return sorted(int(number) for images, _ in batches for number in images[:, 0, 0, 0])


def test_logits_beside_those_of_the_network_are_added() -> None:
    data = shared_images()
    data.network.choose(data.network.path(sampled(1)[0]))
    images, labels = batch = data.next_train()
    beside = torch.randn(len(labels), 10)
    with torch.no_grad():
        logits = data.network(images)
        assert float(data.loss(batch)) == pytest.approx(float(F.cross_entropy(logits, labels)))
        alone, together = (float(F.cross_entropy(those, labels)) for those in (logits, logits + beside))
        for share in (0.0, 0.25):
            found = float(data.loss(batch, beside, share))
            assert found == pytest.approx(share * alone + (1 - share) * together)
