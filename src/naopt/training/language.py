"""Training of recurrent language models: truncated backpropagation through time with NT-ASGD (Merity et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from naopt.errors import InputError
from naopt.measurement import error_name
from naopt.memory import keep_freed_memory
from naopt.networks.language_model import ChunkLoss, LanguageModel
from naopt.networks.language_settings import LanguageSettings
from naopt.tasks.parts import Part
from naopt.training.state import TrainingState
from naopt.training.trainer import DivergedError, Trainer, nothing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from naopt.tasks import Corpus

_EVALUATION_ROWS = 2048
LARGEST_LOSS = 700.0
"""Nats beyond which no perplexity can be given: its exponential ends there."""


class LanguageTrainer(Trainer):
    """SGD on chunks of text, which are read side by side from as many places as a batch has sequences.

    The hidden state goes from chunk to chunk, without its gradient. Departs from the official programs (NAO's are based
    on AWD-LSTM's and DARTS') in this: losses are means over the words that are predicted, not over all words of a part;
    the last chunk of an epoch counts in the learning rate with the length that it has; averages begin with the step
    after their trigger; after a divergence only the current epoch begins again.

    Args:
        network: on its device already.
        corpus: the text.
        settings: how.
        device: where the network is.

    Raises:
        InputError: a part is too short for its batch size.
    """

    network: LanguageModel

    def __init__(
        self, network: LanguageModel, corpus: Corpus, settings: LanguageSettings, device: torch.device
    ) -> None:
        super().__init__()
        self.network, self.corpus, self.settings, self.device = network, corpus, settings, device
        self.epochs = settings.epochs
        self.text = side_by_side(corpus.train[: settings.train_limit], "train", settings.batch_size, device)
        self._parameters = dict(network.named_parameters())
        self.optimizer = torch.optim.SGD(
            self._parameters.values(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        self._validates = settings.keep_best or settings.averaging == "triggered"
        if self._validates:
            self._held_out("valid")
        self._state: Tensor | None = None
        self._at = 0
        self._sum = 0.0
        self._losses: list[float] = []
        self._averages: dict[str, Tensor] | None = None
        self._averaged = 0
        self._rollbacks = 0
        self._good = self._copy() if settings.rollbacks or settings.keep_best else {}
        if device.type == "cpu":
            keep_freed_memory()

    def train_epoch(self, on_step: Callable[[], None] = nothing) -> dict[str, float]:
        """See ``Trainer``. Figures: ``train_loss`` in nats, ``learning_rate``; ``valid_loss`` if it validates."""
        while True:
            try:
                return self._finish_epoch(on_step)
            except DivergedError:
                if self._rollbacks == self.settings.rollbacks:
                    raise
                self._roll_back()

    def _finish_epoch(self, on_step: Callable[[], None]) -> dict[str, float]:
        last = len(self.text) - 1
        if self._state is None:
            self._state, self._at, self._sum = self.network.begin(self.settings.batch_size), 0, 0.0
        self.network.train()
        while self._at < last:
            self._step(min(self._draw_length(), last - self._at))
            self.step += 1
            on_step()
        figures = {"train_loss": self._sum / last, "learning_rate": self._rate()}
        if self._validates:
            figures["valid_loss"] = self._validate()
        elif self.settings.rollbacks:
            self._good = self._copy()
        self._state = None
        if self.epoch + 1 == self.epochs:
            self._end()
        return figures

    def _draw_length(self) -> int:
        base = self.settings.chunk_length
        if not self.settings.random_length:
            return base
        mean = base / 2 if float(torch.rand(())) < 0.05 else float(base)
        return min(max(5, int(mean + 5 * float(torch.randn(())))), base + 20)

    def _rate(self) -> float:
        """Learning rate of a chunk of base length, here and now."""
        if self.settings.schedule == "constant":
            return self.settings.learning_rate
        progress = (self.epoch + self._at / (len(self.text) - 1)) / self.epochs
        return self.settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2

    def _step(self, length: int) -> None:
        settings, at = self.settings, self._at
        assert self._state is not None
        self.optimizer.param_groups[0]["lr"] = self._rate() * length / settings.chunk_length
        self.optimizer.zero_grad()
        found = self.network.loss(self.text[at : at + length], self.text[at + 1 : at + length + 1], self._state)
        value = float(found.cross_entropy.detach())
        if not math.isfinite(value):
            raise DivergedError(f"training loss {value} in epoch {self.epoch + 1} of {self.epochs}")
        penalised(found, settings).backward()  # type: ignore[no-untyped-call]
        if settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self._parameters.values(), settings.clip_norm, foreach=True)
        self.optimizer.step()
        if self._averages is not None:
            self._averaged += 1
            weights = [weight.detach() for weight in self._parameters.values()]
            torch._foreach_lerp_(list(self._averages.values()), weights, 1 / self._averaged)
        self._state, self._at = found.state, at + length
        self._sum += value * length

    def _validate(self) -> float:
        """Loss on the validation text; keeps the weights if it is the lowest, and decides whether to average."""
        loss = self.measure("valid")["loss"]
        if self.settings.keep_best and loss < min(self._losses, default=math.inf):
            with self._measured_weights():
                self._good = self._copy()
        elif not self.settings.keep_best and self.settings.rollbacks:
            self._good = self._copy()
        earlier = self._losses[: -self.settings.patience]
        if self.settings.averaging == "triggered" and self._averages is None and earlier and loss > min(earlier):
            self._averages, self._averaged = self._copy(), 0
        self._losses.append(loss)
        return loss

    def _end(self) -> None:
        """Leaves in the network the weights that the training ends with."""
        with torch.no_grad():
            final = self._good if self.settings.keep_best else self._averages or {}
            for name, weight in final.items():
                self._parameters[name].copy_(weight)
        self._averages = None

    def _roll_back(self) -> None:
        self._rollbacks += 1
        self._state = None
        with torch.no_grad():
            for name, weight in self._good.items():
                self._parameters[name].copy_(weight)
        if self._averages is not None:
            self._averages, self._averaged = self._copy(), 0

    def _copy(self) -> dict[str, Tensor]:
        return {name: weight.detach().clone() for name, weight in self._parameters.items()}

    @contextmanager
    def _measured_weights(self) -> Iterator[None]:
        """Inside, the network has its averaged weights, if there are any."""
        if self._averages is None:
            yield
            return
        own = self._copy()
        with torch.no_grad():
            for name, weight in self._averages.items():
                self._parameters[name].copy_(weight)
            try:
                yield
            finally:
                for name, weight in own.items():
                    self._parameters[name].copy_(weight)

    def _held_out(self, part: Part) -> Tensor:
        if part == "test":
            return side_by_side(self.corpus.test, part, self.settings.test_batch_size, self.device)
        limits = {"train": self.settings.train_limit, "valid": self.settings.valid_limit}
        return side_by_side(self.corpus.part(part)[: limits[part]], part, self.settings.valid_batch_size, self.device)

    def measure(self, part: Part) -> dict[str, float]:
        """Mean cross entropy of a part's words in nats, ``loss``, and its exponential, the perplexity ``ppl``.

        Both with standard errors, if the part is long enough: from stretches of text, whose words are not independent.

        The hidden state goes through the whole part. Each sequence begins with its second word; what is left when the
        part is cut into sequences of equal length is not measured (nothing with ``test_batch_size`` 1, the default).
        """
        text = self._held_out(part)
        training = self.network.training
        self.network.eval()
        with self._measured_weights():
            loss, error = text_loss(self.network, text)
        self.network.train(training)
        if not loss < LARGEST_LOSS:
            raise DivergedError(f"loss {loss} on the {part} text")
        found = {"loss": loss, "ppl": math.exp(loss)}
        if error is not None:
            found |= {error_name("loss"): error, error_name("ppl"): found["ppl"] * error}
        return found

    def own_state(self) -> TrainingState:
        """Place in the epoch, hidden state, averages, the weights to go back to, and what decides about them."""
        tensors = {f"good.{name}": weight for name, weight in self._good.items()}
        tensors |= {f"average.{name}": weight for name, weight in (self._averages or {}).items()}
        if self._state is not None:
            tensors["state"] = self._state
        facts = {
            "at": self._at,
            "sum": self._sum,
            "losses": self._losses,
            "averaged": self._averaged,
            "rollbacks": self._rollbacks,
        }
        return TrainingState(tensors, facts)

    def restore_own(self, state: TrainingState) -> None:
        """See ``Trainer``."""
        facts = state.facts
        self._at, self._sum = int(facts["at"]), float(facts["sum"])
        self._losses = [float(loss) for loss in facts["losses"]]
        self._averaged, self._rollbacks = int(facts["averaged"]), int(facts["rollbacks"])

        def here(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensors[name].to(self.device, copy=True) for name in self._parameters if name in tensors}

        self._good, self._averages = here(state.below("good")), here(state.below("average")) or None
        hidden = state.tensors.get("state")
        self._state = None if hidden is None else hidden.to(self.device, copy=True)


def penalised(found: ChunkLoss, settings: LanguageSettings) -> Tensor:
    """The cross entropy of a chunk with the penalties on its outputs: what training minimises, a scalar."""
    loss = found.cross_entropy
    if settings.output_penalty:
        loss = loss + settings.output_penalty * found.dropped.square().mean()
    if settings.change_penalty and len(found.raw) > 1:
        loss = loss + settings.change_penalty * (found.raw[1:] - found.raw[:-1]).square().mean()
    return loss


@torch.no_grad()
def text_loss(network: LanguageModel, text: Tensor) -> tuple[float, float | None]:
    """Mean cross entropy in nats of text ``(length, batch)``, whose first words are not predicted; its standard error.

    The error is that of the mean of stretches of equal length, of which the last is left out if it is shorter; ``None``
    of fewer than two.

    The hidden state begins with zeros and goes through the whole text. The network should be in evaluation mode.
    """
    last, batch = len(text) - 1, text.shape[1]
    length = max(1, _EVALUATION_ROWS // batch)
    total, state = torch.zeros((), dtype=torch.float64, device=text.device), network.begin(batch)
    whole: list[Tensor] = []
    for at in range(0, last, length):
        stop = min(at + length, last)
        found = network.loss(text[at:stop], text[at + 1 : stop + 1], state)
        total += found.cross_entropy * (stop - at)
        if stop - at == length:
            whole.append(found.cross_entropy)
        state = found.state
    error = float(torch.stack(whole).double().std() / math.sqrt(len(whole))) if len(whole) > 1 else None
    return float(total) / last, error


def side_by_side(words: NDArray[np.int32], part: str, batch: int, device: torch.device) -> Tensor:
    """Text cut into ``batch`` sequences of equal length, what is left over at its end left out: ``(length, batch)``."""
    length = len(words) // batch
    if length < 2:
        raise InputError("text", f"{len(words)} words", f"{part} is too short for {batch} sequences side by side")
    ids = torch.from_numpy(words[: length * batch].astype("int64"))
    return ids.view(batch, length).t().contiguous().to(device)
