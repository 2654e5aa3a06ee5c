"""NAO with weight sharing (Luo et al. 2018, section 3.4)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.errors import InputError
from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.warmup import WarmupSettings
from naopt.searchers.base import Known, Proposal, sample_new
from naopt.searchers.nao_settings import NAOSettings, Preset
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.one_shot.path_trainer import PathTrainer
    from naopt.searchers.nao_rounds import NAORounds


_OFFICIAL: dict[str, Any] = {
    "warmup": 0.0,
    "outside": 0.0,
    "sampling": "uniform",
    "new": 300,
    "seeds": 100,
    "weights": "branch",
    "numbering": "written",
    "score_by": "accuracy",
    "nao": "official",
}


_ATTEMPTS = 5
"""How often what turns out to compute the same as something known is replaced."""


class NAOSharingSettings(WarmupSettings, PresetSettings):
    """Settings of NAO-WS; presets hold those of the three official programs and of their recurrent one."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "tensorflow": {
            **_OFFICIAL,
            "epochs": 150,
            "pool": 1000,
            "every": 30,
            "new": 500,
            "random_new": 50,
        },
        "pytorch": {**_OFFICIAL, "epochs": 150, "pool": 600, "every": 30},
        "balanced": {
            **_OFFICIAL,
            "epochs": 200,
            "pool": 1000,
            "every": 50,
            "replace": "all",
            "sampling": "parameters",
        },
        "recurrent": {
            **_OFFICIAL,
            "epochs": 1000,
            "pool": 1000,
            "every": 200,
            "random_new": 50,
            "nao": "official-recurrent",
        },
    }

    preset: Literal["default", "tensorflow", "pytorch", "balanced", "recurrent"] = "default"
    warmup: float = Field(0.5, ge=0, lt=1)
    """The share of the epochs, rounded down to whole ones, in which paths of the whole space are trained instead of the
    pool's. The programs have none: their first rounds learn from what hardly trained weights say, which is that
    operations without weights are best."""
    pool: int = Field(100, ge=4)
    """Architectures whose paths are trained after that; random ones at first."""
    every: int | None = Field(None, ge=1)
    """Epochs from one round, in which the pool is measured and renewed, to the next, the first being due at the end of
    the warm-up or, without one, after so many epochs; if unset a fifth of those after the warm-up."""
    new: int = Field(50, ge=1)
    """Architectures that NAO puts into the pool in each round."""
    random_new: int = Field(0, ge=0)
    """Fresh random ones beside them."""
    replace: Literal["worst", "all"] = "worst"
    """Whether the new ones take the places of the worst, or are the next pool. Then all that ever were in the pool are
    what NAO learns from, each measured again with the weights as they are now."""
    outside: float = Field(0.5, ge=0, lt=1)
    """After the warm-up, the share of training steps that still go to paths of the whole space. The programs have none:
    the pool is trained more than what it is compared with, so what was once in it stays there."""
    sampling: Literal["uniform", "parameters"] = "parameters"
    """How often an architecture of the pool is trained: all alike, or in proportion to its path's parameters."""
    seeds: int = Field(10, ge=1)
    """K: from how many of the best NAO ascends."""
    nao: Preset = "default"
    """Preset of the searcher `nao` whose latent model and ascent renew the pool."""


@one_shot.register("nao-ws")
class NAOSharing(OneShotSearcher):
    """NAO with weight sharing: a pool of architectures is trained in one supernet, and NAO renews the pool.

    Luo et al. 2018, section 3.4: the pipeline of ENAS with its controller replaced by NAO. Every minibatch trains one
    architecture of the pool; now and then all of the pool are measured with the shared weights, the latent model is
    fitted to that, and what it finds uphill of the best takes the places of the worst.

    Departures from the official programs: all architectures of a round are measured on the same validation images (they
    draw one minibatch each); half of the steps go on training the whole space (``outside``); no two
    architectures of the pool compute the same (where they may, on NAS-Bench-201, one cell in many spellings would fill
    it); and
    in the end NAO searches on, with trained weights that change no more, until the budget of candidates is spent.
    """

    settings_type = NAOSharingSettings

    def __init__(self, space: SearchSpace, settings: NAOSharingSettings, *, seed: int) -> None:
        super().__init__(space, settings, seed=seed)
        self.options = settings
        self.warm = int(settings.warmup * settings.epochs)
        self.every = settings.every or max(1, round((settings.epochs - self.warm) / 5))
        self.pool = self._random(set(), settings.pool)
        if len(self.pool) < 2:
            raise InputError("space", space.name, "has too few architectures for a pool")
        self.former: list[Architecture] = []
        self._shares: NDArray[np.float64] | None = None

    def begin(self, trainer: PathTrainer) -> None:
        """See ``OneShotSearcher``."""
        super().begin(trainer)
        self._weigh(trainer)

    def step(self, trainer: PathTrainer) -> float:
        """One training step, on a path of the pool, or of the whole space: while warming up, and by ``outside``."""
        anywhere = self.options.warming_up(trainer.epoch) or self.rng.random() < self.options.outside
        return trainer.train_path(trainer.path(super().sample() if anywhere else self.sample()))

    def sample(self) -> Architecture:
        """A random architecture of the pool, by the shares that ``sampling`` gives."""
        index = int(self.rng.choice(len(self.pool), p=self._shares))
        return self.pool[index]

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:
        """A round, where one is due. Figures: mean and best of the pool by shared weights, and where the new are from.

        The last epoch has none: what would be new could not be trained any more. Where nothing of the pool has a score
        the figure is not finite.
        """
        epoch = trainer.epoch + 1
        trained = epoch - self.warm
        if trained < 0 or epoch == trainer.epochs or trained % self.every or not (trained or self.warm):
            return {}
        known = [a for a in self.former if a not in self.pool] + self.pool
        values = _without_gaps(self._scores(known, trainer))
        scores = values[len(known) - len(self.pool) :]
        if not np.isfinite(scores).all():
            return {"pool_mean": math.nan}
        new = self._ascend(known, values, self.options.new)
        seen = {*known, *(proposal.architecture for proposal in new)}
        added = [proposal.architecture for proposal in new]
        added += self._random(seen, self.options.random_new)
        if self.options.replace == "worst":
            order = np.argsort(-scores, kind="stable")
            added = [self.pool[index] for index in order[: max(1, len(self.pool) - len(added))]] + added
        else:
            self.former = known
        self.pool = added
        self._weigh(trainer)
        sign = 1.0 if trainer.data.goal == "max" else -1.0
        ascent = sum(proposal.origin == "ascent" for proposal in new)
        return {"pool_mean": sign * float(scores.mean()), "pool_best": sign * float(scores.max()), "ascent": ascent}

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:
        """Half of them the best of the pool, the other half what NAO finds from them in rounds with trained weights."""
        scores = _without_gaps(self._scores(self.pool, trainer))
        order = np.argsort(-scores, kind="stable")
        found = [Proposal(self.pool[index], "pool") for index in order[: max(2, (count + 1) // 2)]][:count]
        known, values = list(self.pool), scores
        # A fit of the joint model takes as long as thousands of others: one for all.
        share = max(1, count // 10) if self._latent().model == "embedding" else count
        while len(found) < count and np.isfinite(values).all():
            new = self._ascend(known, values, min(count - len(found), share))
            if not new:
                break
            found += new
            fresh = [proposal.architecture for proposal in new]
            known, values = known + fresh, _without_gaps(np.append(values, self._scores(fresh, trainer)))
        taken = {*known, *(proposal.architecture for proposal in found)}
        return found + [Proposal(a, "refill") for a in self._random(taken, count - len(found))]

    def _scores(self, architectures: list[Architecture], trainer: PathTrainer) -> NDArray[np.float64]:
        return trainer.data.scores([trainer.path(architecture) for architecture in architectures])

    def _ascend(self, known: list[Architecture], scores: NDArray[np.float64], wanted: int) -> list[Proposal]:
        """At most ``wanted`` new architectures from one round of NAO, and as many more as it takes to replace twins."""
        taken, barred, found = {self._computed(a) for a in known}, set(known), list[Proposal]()
        rounds = self._rounds()
        for _ in range(_ATTEMPTS):
            if len(found) == wanted:
                break
            proposals, _ = rounds.propose(known, scores, Known(barred), (), wanted - len(found), self.rng)
            for proposal in proposals:
                architecture = self._standing(proposal.architecture)
                barred |= {proposal.architecture, architecture}
                if (computed := self._computed(architecture)) not in taken:
                    taken.add(computed)
                    found.append(replace(proposal, architecture=architecture))
        return found

    def _random(self, taken: set[Architecture], count: int) -> list[Architecture]:
        """At most ``count`` random architectures, no two of which compute the same."""
        out, found = {self._computed(a) for a in taken}, dict[Tokens, Architecture]()
        for _ in range(_ATTEMPTS):
            known = {*taken, *found.values()}
            for drawn in sample_new(self.space, known, count - len(found), self.rng):
                if (computed := self._computed(drawn)) not in out:
                    found.setdefault(computed, self._standing(drawn))
        return list(found.values())

    def _computed(self, architecture: Architecture) -> Tokens:
        """The same for all architectures that compute the same."""
        return self.space.canonical(architecture.tokens)

    def _standing(self, architecture: Architecture) -> Architecture:
        """One for all that compute the same, which train each other's weights; or itself, where spelling matters."""
        if self.options.numbering == "written":
            return architecture
        return self.space.architecture(self._computed(architecture))

    def _latent(self) -> NAOSettings:
        return NAOSettings.parse({"preset": self.options.nao})

    def _rounds(self) -> NAORounds:
        """Made anew for each round: its model depends on nothing but what it is fitted to."""
        options = self._latent()
        if options.model == "joint":
            from naopt.searchers.nao_joint import JointRounds

            return JointRounds(self.space, options, self.options.seeds, self.seed)
        from naopt.searchers.nao_embedding import EmbeddingRounds

        # Losses by shared weights are mostly noise: what the tables of weight sharing were measured with is kept.
        options = options.model_copy(update={"normalisation": "rank", "mean": "zero"})
        return EmbeddingRounds(self.space, options, self.options.seeds, self.seed)

    def _weigh(self, trainer: PathTrainer) -> None:
        if self.options.sampling == "parameters":
            counts = []
            for architecture in self.pool:
                trainer.shared.choose(trainer.path(architecture))
                counts.append(sum(parameter.numel() for parameter in trainer.shared.path_parameters()))
            self._shares = np.array(counts, dtype=np.float64) / sum(counts)

    def memory(self) -> Memory:
        """The pool now, and all that it ever was where that is learned from."""
        facts = {
            "pool": [architecture.tokens for architecture in self.pool],
            "former": [architecture.tokens for architecture in self.former],
            "shares": None if self._shares is None else self._shares.tolist(),
        }
        return Memory({}, facts)

    def restore(self, memory: Memory) -> None:
        """See ``OneShotSearcher``."""
        self.pool = [self.space.architecture(tokens) for tokens in memory.facts["pool"]]
        facts = memory.facts
        former = facts["former"] if "former" in facts else [tokens for tokens, _ in facts["measured"]]  # naopt 0.1
        self.former = [self.space.architecture(tokens) for tokens in former if self.options.replace == "all"]
        shares = memory.facts["shares"]
        self._shares = None if shares is None else np.array(shares)


def _without_gaps(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores where one that is missing is as bad as the worst; all are ``-inf`` if none is there."""
    finite = np.isfinite(scores)
    return np.where(finite, scores, scores.min(where=finite, initial=np.inf)) if finite.any() else scores
