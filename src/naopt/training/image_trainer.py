"""Training of image classifiers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.measurement import error_name
from naopt.memory import keep_freed_memory
from naopt.networks.base import ChildNetwork
from naopt.tasks.parts import Part
from naopt.training.distributed import ALONE, World
from naopt.training.images import ImageSource, batch_count
from naopt.training.precision import arithmetic, choose_precision
from naopt.training.schedules import learning_rate
from naopt.training.settings import TrainingSettings
from naopt.training.state import TrainingState
from naopt.training.trainer import DivergedError, Trainer, nothing

_EVALUATION_BATCH = 1000


class _Outputs(nn.Module):
    """Calls ``network.outputs``: wrappers of several processes go by ``forward``."""

    def __init__(self, network: ChildNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.network.outputs(images)


def classification_loss(logits: Tensor, auxiliary: Tensor | None, labels: Tensor, settings: TrainingSettings) -> Tensor:
    """Mean cross entropy of ``(n, classes)`` logits, smoothed; that of the auxiliary head is added with its weight."""
    loss = F.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
    if auxiliary is not None:
        extra = F.cross_entropy(auxiliary, labels, label_smoothing=settings.label_smoothing)
        loss = loss + settings.auxiliary_weight * extra
    return loss


class ImageTrainer(Trainer):
    """SGD on images, with a learning rate that moves every step.

    Args:
        network: on its device already.
        parts: images by part; ``train`` is needed.
        settings: how.
        device: where network and images are.
        world: the processes that share each batch; their batch statistics are their own.
    """

    network: ChildNetwork

    def __init__(
        self,
        network: ChildNetwork,
        parts: Mapping[Part, ImageSource],
        settings: TrainingSettings,
        device: torch.device,
        world: World = ALONE,
    ) -> None:
        super().__init__()
        self.network, self.parts, self.settings, self.device, self.world = network, parts, settings, device, world
        self.epochs = settings.epochs
        self.batches = batch_count(len(parts["train"]), settings.batch_size)
        self._parameters = list(network.parameters())
        self.optimizer = torch.optim.SGD(
            self._parameters,
            settings.learning_rate,
            settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.nesterov and settings.momentum > 0,
            fused=device.type in ("cpu", "cuda"),
        )
        self.precision: str = settings.precision
        self._scaler = torch.amp.GradScaler(device.type, enabled=False)
        self._forward: Callable[[Tensor], tuple[Tensor, Tensor | None]] = network.outputs
        if device.type == "cpu":
            keep_freed_memory()
        self._order: Tensor | None = None
        self._at = 0
        self._sums = torch.zeros(2, device=device)
        if self.precision != "auto":
            self._begin(self.precision)

    def _begin(self, precision: str) -> None:
        """Fixes the precision, and what the forward pass goes through."""
        self.precision = precision
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self._forward = self.world.wrap(_Outputs(self.network), self.device) if self.world.size > 1 else self._forward
        if self.settings.compile:
            self._forward = torch.compile(self._forward)

    def train_epoch(self, on_step: Callable[[], None] = nothing) -> dict[str, float]:
        """See ``Trainer``. Figures: ``train_loss`` (auxiliary loss included), ``train_acc`` in percent, the rate."""
        train, settings = self.parts["train"], self.settings
        self.network.train()
        if self._order is None:
            self._order = torch.randperm(len(train), device=self.device)
            self._at = 0
            self._sums = torch.zeros(2, device=self.device)
        batches = self._order.tensor_split(self.batches)[self._at :]
        sizes = [len(batch) for batch in batches]
        if train.separate:
            batches = tuple(self.world.share(batch) for batch in batches)
        sources = train.training_batches(batches, settings, self.epoch)
        for size, (inputs, labels) in zip(sizes, sources, strict=True):
            if not train.separate:
                inputs, labels = self.world.share(inputs), self.world.share(labels)
            if self.precision == "auto":
                self._begin(self.world.agree(self._probe(inputs, labels)))
            self.network.progress = self.step / (self.epochs * self.batches)
            self.optimizer.param_groups[0]["lr"] = learning_rate(settings, self.step, self.batches)
            self._step(inputs, labels, len(labels) / size)
            self._at += 1
            self.step += 1
            on_step()
        loss, hits = self.world.total(self._sums).tolist()
        self._order = None
        mean = loss / self.batches
        if not math.isfinite(mean):
            raise DivergedError(f"training loss {mean} in epoch {self.epoch + 1} of {self.epochs}")
        if self.epoch + 1 == self.epochs:
            self.network.progress = 1.0
        rate = learning_rate(settings, self.step - 1, self.batches)
        return {"train_loss": mean, "train_acc": 100 * hits / len(train), "learning_rate": rate}

    def _step(self, inputs: Tensor, labels: Tensor, weight: float) -> None:
        """One step; the mean loss of this process's share of the batch counts as much as ``weight``, its size."""
        if self.settings.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with self._own_randomness(), _compilation(self.settings):
            with arithmetic(self.precision, self.device):
                logits, auxiliary = self._forward(inputs)
                loss = classification_loss(logits, auxiliary, labels, self.settings)
            self.optimizer.zero_grad()
            scaled = loss * (weight * self.world.size) if self.world.size > 1 else loss
            self._scaler.scale(scaled).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip_norm:
            self._scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self._parameters, self.settings.clip_norm, foreach=True)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self._sums[0] += loss.detach() * weight
        self._sums[1] += (logits.detach().argmax(1) == labels).sum()

    def _own_randomness(self) -> _Fork:
        return _Fork(self.step * self.world.size + self.world.rank if self.world.size > 1 else None, self.device)

    def _probe(self, inputs: Tensor, labels: Tensor) -> str:
        def loss(network: nn.Module) -> Tensor:
            assert isinstance(network, ChildNetwork)
            return classification_loss(*network.outputs(inputs), labels, self.settings)

        return choose_precision(self.network, loss, self.device)[0]

    def measure(self, part: Part) -> dict[str, float]:
        """``acc`` in percent and ``loss``, the mean cross entropy without smoothing, with standard errors.

        Those are what other images of the same kind would change: of a share of images that is binomial (with half an
        image more on either side, so that no network is known to make no mistakes), and of a mean of losses.
        """
        images = self.parts[part]
        self.network.eval()
        hits, loss, squares, count = 0, 0.0, 0.0, len(images)
        with torch.inference_mode():
            for inputs, labels in images.batches(_EVALUATION_BATCH):
                logits = self.network(inputs)
                hits += int((logits.argmax(1) == labels).sum())
                loss += float(F.cross_entropy(logits, labels, reduction="sum"))
                squares += float(F.cross_entropy(logits, labels, reduction="none").double().square().sum())
        if not math.isfinite(loss):
            raise DivergedError(f"loss {loss} on held-out images")
        share, mean = (hits + 0.5) / (count + 1), loss / count
        spread = max(squares / count - mean**2, 0.0)
        return {
            "acc": 100 * hits / count,
            "loss": mean,
            error_name("acc"): 100 * math.sqrt(share * (1 - share) / count),
            error_name("loss"): math.sqrt(spread / count),
        }

    def chosen(self) -> dict[str, str]:
        """The precision."""
        return {"precision": self.precision}

    def own_state(self) -> TrainingState:
        """The order of the current epoch, the place in it, its sums, and the precision that was chosen."""
        tensors = {"sums": self._sums}
        if self._order is not None:
            tensors["order"] = self._order
        scale = self._scaler.state_dict()
        return TrainingState(tensors, {"at": self._at, "precision": self.precision, "scaler": scale})

    def restore_own(self, state: TrainingState) -> None:
        """See ``Trainer``."""
        if self.precision == "auto" and state.facts["precision"] != "auto":
            self._begin(str(state.facts["precision"]))
        self._at = int(state.facts["at"])
        self._sums = state.tensors["sums"].to(self.device)
        order = state.tensors.get("order")
        self._order = None if order is None else order.to(self.device)
        if state.facts["scaler"]:
            self._scaler.load_state_dict(state.facts["scaler"])


@contextmanager
def _compilation(settings: TrainingSettings) -> Iterator[None]:
    """Tells a compiler that fails from a network that fails."""
    try:
        yield
    except Exception as error:
        if settings.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            first = str(error).strip().partition("\n")[0]
            raise InputError("training setting compile", True, f"torch.compile fails here: {first}") from error
        raise


class _Fork:
    """Randomness of its own for each process inside, the common one after; nothing for a process alone."""

    def __init__(self, seed: int | None, device: torch.device) -> None:
        self._seed = seed
        self._fork = torch.random.fork_rng([device.index or 0] if device.type == "cuda" else [])

    def __enter__(self) -> None:
        if self._seed is not None:
            self._fork.__enter__()
            torch.manual_seed(self._seed)

    def __exit__(self, *error: object) -> None:
        if self._seed is not None:
            self._fork.__exit__(None, None, None)
