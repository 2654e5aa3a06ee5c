"""InstaNAS: a controller decides for each image which operations of a meta-graph it needs (Cheng et al. 2020)."""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.errors import InputError
from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.instanas_settings import InstaNASSettings
from naopt.searchers.base import Proposal
from naopt.values import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from naopt.networks.costs.insta import OperationCosts
    from naopt.networks.instance import InstanceNetwork
    from naopt.networks.supernet_insta import InstaSupernet
    from naopt.one_shot.images import SharedImages
    from naopt.one_shot.instance_learner import ControllerLearner
    from naopt.one_shot.path_trainer import PathTrainer
    from naopt.spaces import SearchSpace

_HALVINGS = 12
_NEAR = 0.1
_log = logging.getLogger(__name__)
_THRIFTS = 5
"""Operating points at which children are collected."""


@one_shot.register("instanas")
class InstaNASSearcher(OneShotSearcher):
    """InstaNAS: not one network, but a controller that gives each image a child of its own.

    Cheng et al. 2020, "InstaNAS: instance-aware neural architecture search", in three stages:

    1. *pretraining* of the meta-graph on random paths, one for each image, operations dropped;
    2. *joint* search. A step of the meta-graph under the controller's policies, in the paper permuted over the batch,
       so that it cannot adapt to who gets which; then a step of the controller, in the paper along
       ``mean((R(u) - b) grad log p(u)) + beta grad H``, ``u ~ p``, with the meta-graph fixed;
    3. *tuning* of the meta-graph with the controller frozen, each image on the path that it will get: at all operating
       points, or at the one that was asked for (``tuned``, a thrift).

    Departures: nothing ever sees test images, which monitor the authors' program; and advantages are divided by their
    deviation, which is the unit of beta. Of the default only: the controller learns from training images that the
    meta-graph has not seen; the reward is the log-likelihood less a price for what the path costs, so that all images
    pay alike; its gradient goes through gates, and that of the cost's expectation is exact; the controller classifies
    too, and adds what it believes; policies are not permuted; and the controller is told how thrifty to be, so that one
    search serves all operating points.

    The candidates are the children in use, the most frequent first.
    """

    settings_type = InstaNASSettings

    def __init__(self, space: SearchSpace, settings: InstaNASSettings, *, seed: int) -> None:
        super().__init__(space, settings, seed=seed)
        self.options = settings
        self._learner: ControllerLearner | None = None
        self.tuned: float | None = None
        self._sums: dict[str, float] = {}
        self._children: set[bytes] = set()

    # Set-up.

    def begin(self, trainer: PathTrainer) -> None:
        """See ``OneShotSearcher``."""
        import torch

        from naopt.networks.instance import ImageController
        from naopt.networks.supernet_insta import InstaSupernet
        from naopt.one_shot.images import SharedImages
        from naopt.one_shot.instance_costs import counted_costs, measured_costs
        from naopt.one_shot.instance_learner import ControllerLearner

        super().begin(trainer)
        network, data = trainer.network, trainer.data
        if not isinstance(network, InstaSupernet) or not isinstance(data, SharedImages):
            rule = "has no blocks of which any subset may be active; instanas searches insta"
            raise InputError("space", self.space.name, rule)
        channels, height, width = data.train.pixels.shape[1:]
        options = self.options
        if options.learns_from == "held-out":
            data.hold_out(options.held_out)
        if options.learns_from == "valid" and len(data.valid) < 2:
            raise InputError("learns_from", "valid", "needs at least 2 validation images")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            controller = ImageController(
                channels,
                network.space.blocks,
                len(network.space.operations),
                classes=network.classifier.out_features if options.classifies else 0,
                width=options.controller_width,
                layers=options.controller_layers,
                hidden=options.controller_hidden,
            ).to(trainer.device)
        image = (int(channels), int(height), int(width))
        if options.costs == "measured":
            costs = measured_costs(network, controller, image, options.cost_batch, trainer.device)
        else:
            classes = network.classifier.out_features
            costs = counted_costs(network, controller, data.training, image, classes)
        self._learner = ControllerLearner(network, controller, costs, options)

    @property
    def learner(self) -> ControllerLearner:
        """The controller, as it stands, and how it learns."""
        assert self._learner is not None, "begin comes first"
        return self._learner

    @property
    def costs(self) -> OperationCosts:
        """The table by which paths are judged."""
        return self.learner.costs

    @property
    def _network(self) -> InstaSupernet:
        return self.learner.network

    def deployed(self, thrift: float = 0.0) -> InstanceNetwork:
        """Controller and meta-graph as one network, which shares their weights."""
        from naopt.networks.instance import InstanceNetwork

        return InstanceNetwork(
            self._network, self.learner.controller, self.learner.needed, thrift, fuses=self.learner.fuses
        )

    # Training.

    def rate(self, done: float) -> float:
        """A cosine in each stage, from 1 and from ``joint_rate`` and ``tuning_rate``."""
        options = self.options
        stage, of_stage = options.stage(done * options.epochs)
        return {"pretraining": 1.0, "joint": options.joint_rate, "tuning": options.tuning_rate}[stage] * super().rate(
            of_stage
        )

    def step(self, trainer: PathTrainer) -> float:
        """One step of the meta-graph, and in the joint search one of the controller."""
        import torch

        from naopt.one_shot.instance_policy import relative_costs

        stage, done = self.options.stage(trainer.step / trainer.data.steps)
        data, learner = self._data(trainer), self.learner
        data.hold_out(self.options.held_out if stage != "tuning" and self.options.learns_from == "held-out" else 0.0)
        batch = inputs, _ = data.next_train()
        believed = None
        if stage == "pretraining":
            masks = self._dropped(inputs)
            if self.options.classifies:
                learner.classify(batch)
        else:
            with torch.no_grad():
                thrifts = learner.thrifts(inputs, done)
                if stage == "tuning" and self.options.tuned_for is not None:
                    thrifts = torch.full_like(thrifts, self._tuned_thrift(trainer, self.options.tuned_for))
                masks, believed = learner.decide(inputs, thrifts, drawn=stage == "joint")
            self._add(steps=1, cost=float(relative_costs(masks, self.costs).mean()))
            self._children |= {mask.tobytes() for mask in masks.flatten(1).cpu().numpy()}
        if stage == "joint" and self.options.permuted:
            masks = masks[torch.randperm(len(masks), device=masks.device)]
        self._network.choose_each(masks)
        loss = data.loss(batch, believed, self.options.alone)
        loss.backward()  # type: ignore[no-untyped-call]
        trainer.apply(self._network.path_parameters())
        if stage == "joint":
            with data.fixed():
                self._add(**learner.learn(self._taught(trainer, batch), done))
        return float(loss.detach())

    def _data(self, trainer: PathTrainer) -> SharedImages:
        from naopt.one_shot.images import SharedImages

        assert isinstance(trainer.data, SharedImages)
        return trainer.data

    def _tuned_thrift(self, trainer: PathTrainer, latency: float) -> float:
        """At which the training images' mean relative cost is what is wanted, or as near as thrifts come to it."""
        if self.tuned is None:
            low, high, middle, cost = 0.0, 1.0, 0.0, math.inf
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                cost = self.learner.mean_cost(self._data(trainer).train, middle)
                low, high = (middle, high) if cost > latency else (low, middle)
            if abs(cost - latency) > _NEAR * latency:
                _log.warning("tuned_for %g is out of reach: the network is fine-tuned for %.3g", latency, cost)
            self.tuned = middle
        return self.tuned

    def _dropped(self, inputs: Tensor) -> Tensor:
        """Random paths ``(n, blocks, operations)``."""
        import torch

        from naopt.networks.instance import repaired

        blocks, operations = self.learner.controller.shape
        device = inputs.device
        drop = torch.rand(len(inputs), 1, 1, device=device) * self.options.operation_drop
        return repaired(torch.rand(len(inputs), blocks, operations, device=device) >= drop, self._spread(device))

    def _spread(self, device: Any) -> tuple[int | None, ...]:
        """What repairs random paths: an operation at random, that all of them may learn."""
        import torch

        skippable, operations = self._network.space.skippable, self.learner.controller.shape[1]
        found = torch.randint(operations, (len(skippable),), device=device).tolist()
        return tuple(None if skips else index for skips, index in zip(skippable, found, strict=True))

    def _taught(self, trainer: PathTrainer, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """What the controller learns from next."""
        if self.options.learns_from == "held-out":
            return self._data(trainer).next_held_out()
        return batch if self.options.learns_from == "train" else self._data(trainer).next_valid()

    def _add(self, **figures: float) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:
        """Which ``stage`` it was, 1 to 3; of the latter two the mean relative ``cost`` of the paths.

        Also how many distinct ``children``; in the joint search the mean ``reward``, and the mean ``entropy`` of a
        decision in nats.
        """
        stages = ("pretraining", "joint", "tuning")
        figures = {"stage": float(1 + stages.index(self.options.stage(trainer.epoch)[0]))}
        steps = self._sums.pop("steps", 0)
        if not steps:
            return figures
        figures |= {name: value / steps for name, value in self._sums.items()}
        figures["children"] = float(len(self._children))
        self._sums, self._children = {}, set()
        return figures

    # The end.

    def candidates(self, count: int, trainer: PathTrainer) -> Sequence[Proposal]:
        """The children of the validation images at five operating points, the most frequent first."""
        import torch

        data, found = self._data(trainer), Counter[tuple[int, ...]]()
        images = data.valid
        with torch.no_grad():
            for thrift in np.linspace(0, 1, _THRIFTS) if self.options.conditioned else (0.0,):
                for inputs, _ in images.batches(data.settings.score_batch):
                    asked = torch.full((len(inputs),), float(thrift), device=inputs.device)
                    masks, _ = self.learner.decide(inputs, asked, drawn=False)
                    found.update(map(tuple, masks.flatten(1).int().tolist()))
        return [Proposal(self.space.architecture(tokens), "instances") for tokens, _ in found.most_common(count)]

    # What is remembered.

    def memory(self) -> Memory:
        """Controller, optimiser, the table of costs, and the figures of the epoch so far."""
        from naopt.one_shot.learner import learner_tensors

        controller, optimizer = self.learner.controller, self.learner.optimizer
        tensors = {f"controller.{name}": value for name, value in controller.state_dict().items()}
        tensors |= learner_tensors(list(controller.parameters()), optimizer)
        facts = {
            "costs": plain(asdict(self.costs)),
            "tuned": self.tuned,
            "sums": dict(self._sums),
            "children": sorted(child.hex() for child in self._children),
        }
        return Memory(tensors, facts)

    def restore(self, memory: Memory) -> None:
        """See ``OneShotSearcher``."""
        from naopt.networks.costs.insta import OperationCosts
        from naopt.one_shot.learner import restore_learner

        controller, optimizer = self.learner.controller, self.learner.optimizer
        restore_learner(list(controller.parameters()), optimizer, memory.tensors)
        controller.load_state_dict(memory.below("controller"))
        self.learner.costs = OperationCosts.read(memory.facts["costs"])
        self.tuned = memory.facts.get("tuned")
        self._sums = dict(memory.facts["sums"])
        self._children = {bytes.fromhex(child) for child in memory.facts["children"]}
