"""A controller that learns which operations images need, with the meta-graph fixed (Cheng et al. 2020, InstaNAS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.networks.costs.insta import OperationCosts, needed_operations
from naopt.networks.instance import ImageController, repaired
from naopt.networks.supernet_insta import InstaSupernet
from naopt.one_shot.instance_policy import (
    explored,
    mean_entropy,
    policy_loss,
    prices,
    relative_costs,
    rewards,
    straight_through,
)

if TYPE_CHECKING:
    from naopt.one_shot.instanas_settings import InstaNASSettings
    from naopt.training.images import Images

_ACTIVE = 0.5
_MANY = 500


class ControllerLearner:
    """A controller, its optimiser, and one step of its learning.

    Args:
        network: the meta-graph; in evaluation mode whenever the controller learns.
        controller: what learns.
        costs: the table by which paths are judged.
        options: how.
    """

    def __init__(
        self, network: InstaSupernet, controller: ImageController, costs: OperationCosts, options: InstaNASSettings
    ) -> None:
        self.network, self.controller, self.costs, self.options = network, controller, costs, options
        self.optimizer = torch.optim.Adam(controller.parameters(), lr=options.controller_learning_rate)

    @property
    def needed(self) -> tuple[int | None, ...]:
        """What repairs paths: see ``repaired``."""
        return needed_operations(self.network.space, self.costs)

    def thrifts(self, inputs: Tensor, done: float) -> Tensor:
        """How thrifty to be ``(n,)``: anything if the controller is told, else as far as the window has slid."""
        if self.options.conditioned:
            return torch.rand(len(inputs), device=inputs.device)
        return torch.full((len(inputs),), done, device=inputs.device)

    @property
    def fuses(self) -> bool:
        """Whether what the controller believes is added to what paths say."""
        return self.options.classifies and self.options.fuses

    def decide(self, inputs: Tensor, thrift: Tensor, *, drawn: bool) -> tuple[Tensor, Tensor | None]:
        """Paths ``(n, blocks, operations)`` that the controller draws, or that are as probable as not.

        And the class logits ``(n, classes)`` that are added to those of the paths, if any.
        """
        self.controller.eval()
        logits, believed = self._logits(inputs, thrift)
        chosen = torch.bernoulli(explored(logits, self.options.exploration)) > 0 if drawn else logits >= 0
        return repaired(chosen, self.needed), believed

    def mean_cost(self, images: Images, thrift: float) -> float:
        """Mean relative cost of what images get at a thrift."""
        costs = []
        for inputs, _ in images.batches(_MANY):
            asked = torch.full((len(inputs),), thrift, device=inputs.device)
            costs.append(relative_costs(self.decide(inputs, asked, drawn=False)[0], self.costs).cpu())
        return float(torch.cat(costs).double().mean())

    def _logits(self, inputs: Tensor, thrift: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, believed = self.controller(inputs, thrift if self.options.conditioned else torch.zeros_like(thrift))
        return logits, believed if self.fuses else None

    def classify(self, batch: tuple[Tensor, Tensor]) -> None:
        """One step towards the labels of images."""
        inputs, labels = batch
        self.controller.train()
        _, believed = self.controller.beliefs(inputs)
        assert believed is not None
        self._step(F.cross_entropy(believed, labels))

    def learn(self, batch: tuple[Tensor, Tensor], done: float) -> dict[str, float]:
        """One step on images and labels. Gives the mean ``reward`` and the mean ``entropy`` of a decision, in nats."""
        inputs, _ = batch
        thrift = self.thrifts(inputs, done)
        self.controller.train(not self.options.classifies)
        logits, believed = self._logits(inputs, thrift)
        by_gates = self.options.estimator == "gates"
        loss, reward = (self._by_gates if by_gates else self._by_samples)(logits, believed, batch, thrift)
        self._step(loss)
        return {"reward": reward, "entropy": float(mean_entropy(torch.sigmoid(logits.detach())))}

    def _step(self, loss: Tensor) -> None:
        """Of the optimiser; the meta-graph gets no gradient."""
        parameters = list(self.controller.parameters())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()

    def _by_gates(
        self, logits: Tensor, believed: Tensor | None, batch: tuple[Tensor, Tensor], thrift: Tensor
    ) -> tuple[Tensor, float]:
        inputs, labels = batch
        gates = straight_through(logits)
        valid = repaired(gates.detach() > _ACTIVE, self.needed)
        gates = gates + (valid.float() - gates).detach()
        outputs = self.network.gated(inputs, gates)
        if believed is not None:
            outputs = outputs + believed
        probabilities = torch.sigmoid(logits)
        costs = relative_costs(probabilities, self.costs)
        worth = rewards(outputs, labels, costs, thrift, self.options, with_costs=True)
        loss = -(worth / (1 + prices(thrift, self.options))).mean() - self.options.entropy_weight * mean_entropy(
            probabilities
        )
        return loss, float(worth.detach().mean())

    def _by_samples(
        self, logits: Tensor, believed: Tensor | None, batch: tuple[Tensor, Tensor], thrift: Tensor
    ) -> tuple[Tensor, float]:
        inputs, labels = batch
        options, count = self.options, self.options.samples
        probabilities = explored(logits, options.exploration)
        greedy, priced = options.baseline == "greedy", options.reward == "price"
        with torch.no_grad():
            drawn = torch.bernoulli(probabilities.expand(count, *probabilities.shape)) > 0
            paths = repaired(drawn.clone().flatten(0, 1), self.needed)
            if greedy:
                paths = torch.cat((paths, repaired(logits >= 0, self.needed)))
            times = count + greedy
            self.network.choose_each(paths)
            outputs = self.network(inputs.repeat(times, 1, 1, 1))
            worth = rewards(
                outputs if believed is None else outputs + believed.repeat(times, 1),
                labels.repeat(times),
                relative_costs(paths, self.costs),
                thrift.repeat(times),
                options,
                with_costs=greedy or not priced,
            ).view(times, -1)
            found = worth[:count]
            advantages = found - (worth[count] if greedy else (found.sum(0) - found) / (count - 1))
        expected, reward = None, float(found.mean())
        if priced and not greedy:
            # What a path costs is linear in its decisions: the gradient of its expectation needs no samples.
            price = prices(thrift, options)
            paid = price * relative_costs(probabilities, self.costs)
            expected, advantages = paid / (1 + price), advantages / (1 + price)
            reward -= float(paid.detach().mean())
        return policy_loss(probabilities, drawn, advantages, expected, options.entropy_weight), reward
