"""The latent model of NAO: encoder, predictor and decoder, fitted jointly."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from naopt.latent.base import PerformanceModel
from naopt.latent.flat_adam import FlatAdam
from naopt.latent.modules import AutoEncoder
from naopt.latent.ranking import prediction_loss
from naopt.latent.settings import LatentSettings
from naopt.latent.targets import Targets
from naopt.latent.vocabulary import Vocabulary
from naopt.memory import keep_freed_memory
from naopt.metrics.rank import kendall_tau, pairwise_accuracy, spearman
from naopt.metrics.sequence import hamming_distance
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Words ``(n, tokens)``, targets ``(n,)``, what each counts for each member ``(members, n)`` and for the decoder
``(n,)``."""

_CHUNK = 2048
_FEWEST_HELD_OUT = 3
_LEAST_SPREAD = 1e-6
_TRANSFORMER_STEPS = 300


class LatentModel(PerformanceModel):
    """Encoder, performance predictor and decoder of one space (NAO, section 3).

    ``fit`` minimises ``trade_off * prediction error + (1 - trade_off) * reconstruction error`` (Eq. 1). It always
    starts from the same weights, those after pretraining, so that a fit depends only on what it is given and the seed.

    With ``encoder=transformer`` it is the latent model of TNAO, with a ``loss`` other than ``mse`` the predictor learns
    the order of the targets; its scores are then given their mean and spread, so that they can be read as targets.

    Departures, each switched off by ``preset=paper``: the auto-encoder also learns from random architectures of the
    space, which cost no query; targets are normal scores of ranks; isomorphic architectures share one embedding.

    Args:
        space: the space of all architectures it will see.
        settings: how it is built and fitted.
        seed: of weights, batches and unlabelled architectures.
        device: where the tensors live.
    """

    def __init__(self, space: SearchSpace, settings: LatentSettings, seed: int, device: str = "cpu") -> None:
        self.space, self.settings, self.seed, self.device = space, settings, seed, torch.device(device)
        self.vocabulary = Vocabulary(space)
        with self.reproducible(seed):
            self.network = AutoEncoder(self.vocabulary, settings).to(self.device)
        self.targets: Targets | None = None
        self._start: dict[str, Tensor] | None = None
        self._unlabelled = torch.empty(0, self.vocabulary.length, dtype=torch.long)

    # Fitting.

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        """Fits on measured architectures; see the class.

        Returns:
            ``fit_seconds``, ``train_size``, mean ``loss_performance`` and ``loss_reconstruction`` of the last tenth of
            the steps and their sum ``loss`` (Eq. 1), and, if a part was held out, its size ``held_out`` and the quality
            on it: ``pairwise_accuracy``, ``kendall_tau``, ``spearman``, ``hamming``, ``exact_match``.
        """
        started = time.perf_counter()
        self._pretrain()
        self.targets = Targets.fit(scores, self.settings.normalisation)
        rng = np.random.default_rng([self.seed, 1, len(architectures)])
        order = rng.permutation(len(architectures))
        count = round(self.settings.held_out * len(architectures))
        held = order[:count] if count >= _FEWEST_HELD_OUT else order[:0]
        kept = order[len(held) :]
        log = self._train([architectures[i] for i in kept], scores[kept], rng, 1.0)
        if len(held):
            log |= self._assess([architectures[i] for i in held], scores[held])
            if self.settings.finishing > 0:
                log |= self._train(architectures, scores, rng, self.settings.finishing)
        return log | {"train_size": float(len(kept)), "fit_seconds": time.perf_counter() - started}

    def _pretrain(self) -> None:
        """Loads the weights that every fit starts from; makes them at the first call."""
        if self._start is None:
            settings, rng = self.settings, np.random.default_rng([self.seed, 0])
            if settings.unlabelled:
                samples = [self.space.sample(rng) for _ in range(settings.unlabelled)]
                self._unlabelled = self._words(self.presented(samples))
            steps = settings.pretraining_steps
            if steps is None:
                longer = min(max(40 * self.vocabulary.length, 600), 2000)
                steps = _TRANSFORMER_STEPS if settings.encoder == "transformer" else longer
            if settings.unlabelled and steps:
                self._optimise(steps, repeat(None), rng)
            self._start = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self._start)

    def _train(
        self, architectures: Sequence[Architecture], scores: NDArray[np.float64], rng: np.random.Generator, share: float
    ) -> dict[str, float]:
        assert self.targets is not None
        settings = self.settings
        tokens = self.presented(architectures)
        targets = torch.from_numpy(self.targets.transform(scores)).float().to(self.device)
        batches = -(-len(tokens) // settings.batch_size)
        steps = max(settings.epochs * batches, settings.min_steps)
        steps = max(1, round(share * (steps if settings.max_steps is None else min(steps, settings.max_steps))))

        shape = (settings.ensemble, len(tokens))
        drawn = rng.poisson(1.0, shape) if settings.bootstrap else np.ones(shape)
        weights = torch.from_numpy(drawn).float().to(self.device)

        def labelled() -> Iterator[Batch]:
            # A sample and its counterpart share a batch.
            size = settings.batch_size if settings.augmentation != "pair" else max(1, settings.batch_size // 2)
            while True:
                order = rng.permutation(len(tokens))
                for chosen in np.split(order, range(size, len(order), size)):
                    samples, of_sample, counts = self._augment([tokens[i] for i in chosen], rng)
                    index = torch.from_numpy(chosen)[of_sample]
                    shares = counts * (len(counts) / counts.sum())
                    yield self._words(samples), targets[index], weights[:, index] * shares, counts

        self.network.predictor.calibration = None
        log = self._optimise(steps, labelled(), rng)
        if settings.loss != "mse":
            self._calibrate(architectures, targets)
        return log

    @torch.no_grad()
    def _calibrate(self, architectures: Sequence[Architecture], targets: Tensor) -> None:
        """Gives the scores of a predictor that learned the order the mean and the spread of the targets.

        Each member by itself; the order that it predicts stays.
        """
        scores = self.network.predictor.members(self.encode(architectures))
        spread = scores.std(dim=1, correction=0, keepdim=True)
        scale = torch.where(spread > _LEAST_SPREAD, targets.std(correction=0) / spread.clamp_min(_LEAST_SPREAD), 1.0)
        self.network.predictor.calibration = (scale, targets.mean() - scale * scores.mean(dim=1, keepdim=True))

    def _augment(self, tokens: list[Tokens], rng: np.random.Generator) -> tuple[list[Tokens], Tensor, Tensor]:
        """Samples of a batch, for each the index of the architecture that it stands for, and how often it counts.

        A counterpart that is the sample itself is not computed twice: the sample counts twice instead.
        """
        index, counts = torch.arange(len(tokens)), torch.ones(len(tokens))
        if self.settings.augmentation == "none":
            return tokens, index, counts
        counterparts = [self.space.symmetric(sample, rng) for sample in tokens]
        if self.settings.augmentation == "replace":
            return counterparts, index, counts
        differ = torch.tensor([counterpart != sample for counterpart, sample in zip(counterparts, tokens, strict=True)])
        others = index[differ]
        samples = tokens + [counterparts[i] for i in others.tolist()]
        return samples, torch.cat([index, others]), torch.cat([2.0 - differ.float(), counts[differ]])

    def _optimise(self, steps: int, labelled: Iterator[Batch | None], rng: np.random.Generator) -> dict[str, float]:
        settings, network = self.settings, self.network
        if self.device.type == "cpu":
            keep_freed_memory()
        joined = self.device.type == "cpu"
        optimiser = FlatAdam(
            network.parameters(), settings.learning_rate, settings.weight_decay, settings.clip_norm, joined
        )
        prediction = prediction_loss(settings)
        tail: list[tuple[float, float]] = []
        network.train()
        with self.reproducible(int(rng.integers(2**62))):
            for step in range(steps):
                if settings.schedule == "cosine":
                    share = (1 + np.cos(np.pi * step / steps)) / 2
                    optimiser.learning_rate = settings.learning_rate * max(share, 0.02)
                batch = next(labelled)
                words, parts = batch[0] if batch else self._unlabelled[:0], []
                if len(self._unlabelled):
                    chosen = torch.from_numpy(rng.integers(len(self._unlabelled), size=settings.batch_size))
                    words = torch.cat([words, self._unlabelled[chosen]])
                states = network.encoder(words)
                counts = batch[3] if batch and settings.augmentation == "pair" else None
                reconstruction = network.reconstruction_loss(words, states, counts)
                if batch:
                    # A part that is the whole would still cost a copy on the way back.
                    measured = states if len(batch[0]) == len(words) else states[: len(batch[0])]
                    performance = prediction(network.predictor.members(measured), batch[1], batch[2])
                    parts = [settings.trade_off * performance, (1 - settings.trade_off) * reconstruction]
                else:
                    performance = torch.zeros(())
                    parts = [reconstruction]
                optimiser.step(torch.stack(parts).sum())
                if step >= steps - max(1, steps // 10):
                    tail.append((performance.item(), reconstruction.item()))
        optimiser.release()
        network.eval()
        first, second = np.mean(tail, axis=0).tolist()
        loss = settings.trade_off * first + (1 - settings.trade_off) * second
        return {"loss": loss, "loss_performance": first, "loss_reconstruction": second}

    def _assess(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        predicted = self.predict(architectures)
        given, decoded = self.presented(architectures), self.reconstruct(architectures)
        return {
            "held_out": float(len(scores)),
            "pairwise_accuracy": pairwise_accuracy(scores, predicted),
            "kendall_tau": kendall_tau(scores, predicted),
            "spearman": spearman(scores, predicted),
            "hamming": float(np.mean([hamming_distance(a, b) for a, b in zip(given, decoded, strict=True)])),
            "exact_match": float(np.mean([a == b for a, b in zip(given, decoded, strict=True)])),
        }

    # Use.

    def presented(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """The token sequences that the model encodes for these architectures."""
        if self.settings.form == "canonical":
            return [self.space.canonical(architecture.tokens) for architecture in architectures]
        return [architecture.tokens for architecture in architectures]

    @torch.no_grad()
    def encode(self, architectures: Sequence[Architecture]) -> Tensor:
        """States ``(n, steps, hidden)`` of unit length."""
        words = self._words(self.presented(architectures))
        return torch.cat([self.network.encoder(chunk) for chunk in torch.split(words, _CHUNK)])

    @torch.no_grad()
    def decode(self, states: Tensor) -> list[Tokens]:
        """The architecture that each ``(steps, hidden)`` state sequence decodes to, greedily; every one is valid."""
        pooled = self.network.predictor.pool
        tokens = torch.cat([self.network.decoder.greedy(chunk, pooled(chunk)) for chunk in torch.split(states, _CHUNK)])
        return [tuple(row) for row in tokens.tolist()]

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Predicted scores ``(n,)``. Raises ``RuntimeError`` before the first ``fit``."""
        return self.predict_states(self.encode(architectures))

    def predict_states(self, states: Tensor) -> NDArray[np.float64]:
        """Predicted scores ``(n,)`` of embeddings, wherever they lie."""
        if self.targets is None:
            raise RuntimeError("predict needs a fit first")
        return self.targets.inverse(self.member_targets(states).mean(axis=0))

    @torch.no_grad()
    def member_targets(self, states: Tensor) -> NDArray[np.float64]:
        """Targets ``(members, n)`` that each member of the ensemble predicts of embeddings."""
        members: NDArray[np.float64] = self.network.predictor.members(states).double().cpu().numpy()
        return members

    def gradient(self, states: Tensor) -> Tensor:
        """Gradient of the predicted target with respect to the states, same shape ``(n, steps, hidden)``."""
        with torch.enable_grad():
            leaf = states.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.network.predictor(leaf).sum(), leaf)
        return gradient

    def reconstruct(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Tokens decoded from each architecture's own embedding."""
        return self.decode(self.encode(architectures))

    @contextmanager
    def reproducible(self, seed: int) -> Iterator[None]:
        """Torch's randomness from ``seed`` and as many threads as the settings say; afterwards all is as before."""
        threads = torch.get_num_threads()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            (torch.default_generator if self.device.type == "cpu" else torch).manual_seed(seed)
            torch.set_num_threads(self.settings.threads)
            try:
                yield
            finally:
                torch.set_num_threads(threads)

    def _words(self, tokens: Sequence[Tokens]) -> Tensor:
        return torch.from_numpy(self.vocabulary.encode(tokens)).to(self.device)
