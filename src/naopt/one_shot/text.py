"""Text, as shared weights are trained and measured on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from naopt.measurement import Goal
from naopt.networks.path import Path
from naopt.networks.supernet_recurrent import SharedLanguageModel
from naopt.one_shot.data import SharedData
from naopt.training.language import LARGEST_LOSS, penalised, side_by_side, text_loss
from naopt.training.state import TrainingState

if TYPE_CHECKING:
    from naopt.networks.language_settings import LanguageSettings
    from naopt.tasks import Corpus

_REWARD = 80.0
"""c of the reward c / perplexity (Pham et al. 2018): the value of Google's program ``enas_lm``."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """A chunk of text.

    Attributes:
        words: ``(t, b)``.
        targets: ``(t, b)``, the words that follow.
        state: ``(1, b, h)``, of the cell before the first word.
    """

    words: Tensor
    targets: Tensor
    state: Tensor


class SharedText(SharedData):
    """Text whose next word is predicted.

    The training text is cut into sequences that are read side by side, chunk by chunk; the hidden state goes from
    chunk to chunk also where the path changes, as in ENAS, and begins each pass with zeros. Where several paths are
    trained on one chunk, it is that of the last.

    Departs from the training of one child (``LanguageTrainer``) in this: a pass has as many chunks as it takes with
    ``chunk_length`` words at most, all equally long up to a word, so that its steps are known in advance
    (``random_length`` does not apply); rate, rollbacks and averaging are those of the training of shared weights.

    Args:
        network: the supernet, on its device.
        corpus: ``train`` and ``valid``.
        training: batch sizes, chunk length, limits and penalties.

    Raises:
        InputError: a part is too short for its batch size.
    """

    metric = "ppl"
    goal: Goal = "min"
    network: SharedLanguageModel

    def __init__(self, network: SharedLanguageModel, corpus: Corpus, training: LanguageSettings) -> None:
        super().__init__(network)
        self.training, device = training, network.embedding.device
        self.train = side_by_side(corpus.train[: training.train_limit], "train", training.batch_size, device)
        valid = corpus.valid[: training.valid_limit]
        self.valid = side_by_side(valid, "valid", training.valid_batch_size, device)
        self._valid_words = torch.from_numpy(valid.astype("int64")).to(device)
        self.steps = math.ceil((len(self.train) - 1) / training.chunk_length)
        self._at = 0
        self._state: Tensor | None = None
        self._trained: Chunk | None = None

    def next_train(self) -> Chunk:
        """See ``SharedData``."""
        if self._at == self.steps:
            self._at, self._state = 0, None
        last = len(self.train) - 1
        start, stop = self._at * last // self.steps, (self._at + 1) * last // self.steps
        state = self.network.begin(self.train.shape[1]) if self._state is None else self._state
        self._trained = Chunk(self.train[start:stop], self.train[start + 1 : stop + 1], state)
        self._at += 1
        return self._trained

    def next_valid(self) -> Chunk:
        """A chunk of ``batch_size`` sequences, each from a place of its own anywhere in the validation text.

        All begin with a state of zeros. (NAO-WS' program draws one place for all, in the first 1/35 of the text: it
        forgets to multiply by the chunk's length.)
        """
        batch = self.training.batch_size
        length = min(self.training.chunk_length, len(self._valid_words) - 1)
        starts = torch.randint(len(self._valid_words) - length, (batch,), device=self._valid_words.device)
        places = torch.arange(length + 1, device=starts.device)[:, None] + starts
        words = self._valid_words[places]
        return Chunk(words[:-1], words[1:], self.network.begin(batch))

    def loss(self, batch: Chunk) -> Tensor:
        """Mean cross entropy in nats, with the penalties on outputs that the training settings say."""
        found = self.network.loss(batch.words, batch.targets, batch.state)
        if batch is self._trained:
            self._state = found.state
        return penalised(found, self.training)

    def reward(self, batch: Chunk) -> float:
        """80 / perplexity (ENAS); 0 where there is none."""
        with self.without_gradients():
            loss = float(self.network.loss(batch.words, batch.targets, batch.state).cross_entropy)
        return _REWARD * math.exp(-loss) if math.isfinite(loss) else 0.0

    def log_likelihoods(self, paths: Sequence[Path], batch: Chunk) -> NDArray[np.float64]:
        """See ``SharedData``; nats a word. The state that goes on from chunk to chunk stays as it is."""
        found: dict[Path, Tensor] = {}
        with self.without_gradients():
            for path in dict.fromkeys(paths):
                self.network.choose(path)
                found[path] = -self.network.loss(batch.words, batch.targets, batch.state).cross_entropy
        return torch.stack([found[path] for path in paths]).double().cpu().numpy()

    def measure(self, path: Path) -> dict[str, float]:
        """``ppl`` and ``loss``, mean cross entropy in nats, on all validation text, through which the state goes."""
        self.network.choose(path)
        with self.without_gradients():
            loss, _ = text_loss(self.network, self.valid)
        return {"ppl": math.exp(loss), "loss": loss} if loss < LARGEST_LOSS else {}

    def memory(self) -> TrainingState:
        """See ``SharedData``."""
        return TrainingState({} if self._state is None else {"state": self._state}, {"at": self._at})

    def restore(self, memory: TrainingState) -> None:
        """See ``SharedData``."""
        state = memory.tensors.get("state")
        self._state = None if state is None else state.to(self.train.device, copy=True)
        self._at, self._trained = int(memory.facts["at"]), None
