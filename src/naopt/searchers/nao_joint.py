"""Rounds of ``nao`` with the latent model of the paper, fitted jointly: Algorithm 1, lines 4 to 11."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.latent import GradientAscent, LatentModel
from naopt.latent.settings import LatentSettings
from naopt.searchers.base import Known, Proposal
from naopt.searchers.feasible import Unlikely
from naopt.searchers.nao_rounds import Found, NAORounds
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class JointRounds(NAORounds):
    """Fit encoder, predictor and decoder; climb from the best; decode.

    In the paper a seed is left at the first step that decodes to another architecture, so a round holds one of each
    seed at most; the programs decode every seed at every step and keep all that is new, until the round is full.
    Departures from both, each an option and off in their presets: several ascents a seed, each of which moves a few of
    the states only; unit steps; and a choice among all decoded architectures by what is predicted for the real ones.
    What ascent leaves open is refilled.
    """

    def __init__(self, space: SearchSpace, options: NAOSettings, seeds: int, seed: int) -> None:
        super().__init__(space, options, seeds, seed)
        fields = {name: getattr(options, name) for name in LatentSettings.model_fields}
        fields["normalisation"] = options.normalisation or "rank"
        fields["preset"] = "default"  # Every field is given, and presets of the ascent alone are unknown there.
        self.model = LatentModel(space, LatentSettings(**fields), seed, options.device)
        self._log: dict[str, Any] = {}
        self._fit_log: dict[str, float] = {}
        self._fitted: tuple[list[Architecture], NDArray[np.float64]] | None = None

    def propose(
        self,
        architectures: list[Architecture],
        scores: NDArray[np.float64],
        known: Known,
        pending: Sequence[Architecture],  # noqa: ARG002 - known already; the model believes nothing
        wanted: int,
        rng: np.random.Generator,
        errors: NDArray[np.float64] | None = None,  # noqa: ARG002 - it minimises squared errors, all alike
    ) -> tuple[list[Proposal], dict[str, Any]]:
        """See ``NAORounds``; the log holds losses, held-out quality and yields of fit and ascent."""
        self.known, self.unlikely = known, Unlikely(self.feasible)
        with self.model.reproducible(self.seed):
            self._fit(architectures, scores)
            started = time.perf_counter()
            order = np.argsort(-scores, kind="stable")[: self.seeds]
            seeds = [architectures[i] for i in order]
            found = self._ascend(seeds, architectures, wanted, rng)
            self.add_neighbours(found, seeds, rng)
            chosen = self.filled_up(self.choose(found, wanted), seeds, wanted, rng)
        return chosen, self._log | {"seeds": len(seeds), "ascent_seconds": time.perf_counter() - started}

    def _fit(self, architectures: list[Architecture], scores: NDArray[np.float64]) -> None:
        """Fits the model, unless the latest fit was to the same: many may ask before the next one."""
        if self._fitted is None or self._fitted[0] != architectures or not np.array_equal(self._fitted[1], scores):
            self._fit_log = dict(self.model.fit(architectures, scores))
            self._fitted = architectures, scores
        self._log = dict(self._fit_log)

    # Ascent.

    def _ascend(
        self, seeds: list[Architecture], pool: list[Architecture], wanted: int, rng: np.random.Generator
    ) -> Found:
        """New architectures that decode from moved embeddings of the seeds, in order of discovery.

        All that the steps lead to; with ``choose="first"`` seeds are left once they change, with ``"all"`` it ends
        after the step at which there are ``wanted``.
        """
        options = self.options
        ascent = GradientAscent(
            options.first_step, options.step_growth, options.steps, options.scale, options.step_states
        )
        found: Found = {}
        decoded = changed = valid = novel = 0
        parents = seeds
        for hop in range(options.hops):
            if hop:
                parents = [p.architecture for p in self.choose(found, len(seeds))]
            if not parents:
                break
            states, moving = self._starts(self.model.encode(parents), pool, rng)
            origins = parents * options.starts
            before = [self.space.canonical(parent.tokens) for parent in origins]
            open_ = [True] * len(origins)
            for _, moved in ascent.path(self.model, states, moving):
                active = [i for i, is_open in enumerate(open_) if is_open]
                if not active or (options.choose == "all" and len(found) >= wanted):
                    break
                for i, tokens in zip(active, self.model.decode(moved[active]), strict=True):
                    decoded += 1
                    if not self.space.contains(tokens):
                        continue
                    valid += 1
                    if self.space.canonical(tokens) == before[i]:
                        continue
                    changed += 1
                    open_[i] = options.choose != "first"
                    novel += self.collect(found, self.space.architecture(tokens), "ascent", origins[i])
        self._log |= {
            "decoded": decoded,
            "valid": valid / decoded,
            "changed": changed / decoded,
            "novel": novel / decoded,
        }
        return found

    def _starts(self, states: Tensor, pool: list[Architecture], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Where ascents start, and which of their states move ``(starts * n, steps)``.

        First the states ``(n, steps, hidden)`` themselves, then copies of them with noise. In each a random share of
        the states moves, one at least.
        """
        import torch
        from torch.nn import functional as F

        options = self.options
        count, steps, _ = states.shape
        copies = (options.starts - 1) * count
        spread = self.model.encode(pool).flatten(0, 1).std(dim=0) if options.noise else states.new_zeros(1)
        noise = torch.from_numpy(rng.standard_normal((copies, *states.shape[1:]), dtype=np.float32))
        noisy = states.repeat(options.starts - 1, 1, 1) + options.noise * spread * noise.to(states.device)
        starts = torch.cat([states, F.normalize(noisy, dim=-1)])
        ranks = rng.random((len(starts), steps)).argsort(axis=1).argsort(axis=1)
        moving = ranks < max(1, round(options.moved_share * steps))
        return starts, torch.from_numpy(moving).to(states.device)

    # Choice.

    def choose(self, found: Found, wanted: int) -> list[Proposal]:
        """By predictions for the architectures' own embeddings, or the first that were found; see ``NAOSettings``."""
        proposals = list(found.values())
        if self.options.choose in ("first", "all") or len(proposals) <= wanted:
            return proposals[:wanted]
        targets = self.model.member_targets(self.model.encode([proposal.architecture for proposal in proposals]))
        if self.options.choose == "predicted":
            targets = targets.mean(axis=0, keepdims=True)
        ranked = np.argsort(-targets, axis=1, kind="stable").T.ravel().tolist()
        return [proposals[i] for i in list(dict.fromkeys(ranked))[:wanted]]

    def predict(self, architectures: list[Architecture]) -> NDArray[np.float64]:
        """The mean of the ensemble, as scores."""
        return self.model.predict(architectures) if architectures else np.empty(0)
