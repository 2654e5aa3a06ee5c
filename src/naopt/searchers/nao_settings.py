"""Settings of the searcher ``nao``."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from naopt.configuration import Settings
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.settings import LATENT_PRESETS, LatentSettings

Preset = Literal["default", "joint", "paper", "paper-scaled", "paper-recurrent", "official", "official-recurrent"]

_JOINT: dict[str, Any] = {
    "model": "joint",
    "initial_share": 0.2,
    "round_share": 1 / 15,
    "seeds_share": 0.1,
    "first_step": 0.25,
    "step_growth": 0.5,
    "steps": 8,
    "noise": 0.0,
    "moved_share": 0.15,
    "hops": 1,
    "neighbours": 0,
    "choose": "members",
    "refill": "mutation",
}

_PUBLISHED: dict[str, Any] = _JOINT | {
    "starts": 1,
    "moved_share": 1.0,
    "refill": "random",
    "first_step": 10.0,
    "scale": "raw",
}

# Section 4.1: 600 + 200 + 200, K = 200, eta = 10; footnote 4: from eta by half of it until another architecture is
# decoded. The paper names no end: at 50 times eta every state points along the gradient, whatever the seed.
_PAPER: dict[str, Any] = _PUBLISHED | {
    "initial_share": 0.6,
    "round_share": 0.2,
    "seeds_share": 0.2,
    "step_growth": 5.0,
    "steps": 100,
    "choose": "first",
}
# Section 4.3: L = 2, which is one ascent after the random pool. N and K are not printed: 600 and 200 as in 4.1.
_PAPER_RECURRENT: dict[str, Any] = _PAPER | {"initial_share": 0.75, "round_share": 0.25, "seeds_share": 0.25}
# The gradient of a mean falls with the number of states; 60 is that of the cells for which section 4.1 has eta = 10.
_PAPER_SCALED: dict[str, Any] = _PAPER | {"step_states": 60}

# README of the program without weight sharing: 300 new a round, from the 100 best at steps of 10, 20 and 30. The
# programs with weight sharing let the step grow until a round is full, up to 100 in the TensorFlow one.
_OFFICIAL: dict[str, Any] = _PUBLISHED | {
    "initial_share": 0.6,
    "round_share": 0.3,
    "seeds_share": 0.1,
    "step_growth": 10.0,
    "steps": 10,
    "choose": "all",
}


class NAOSettings(LatentSettings, EmbeddingSettings):
    """Settings of the rounds, the ascent and the latent model. Counts take precedence over shares of the budget.

    ``model=joint`` is the encoder, predictor and decoder of the paper, fitted jointly; the presets ``paper`` and
    ``official`` (``-recurrent``: for recurrent cells) are the published sets of its settings, ``paper-scaled`` is
    ``paper`` with steps that suit any number of tokens, ``joint`` a set of our own. What means nothing to the
    chosen model is refused.
    With a budget of 1,000 ``preset=paper`` trains 600 random architectures and then twice 200 that ascent found.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "joint": _JOINT,
        "paper": LATENT_PRESETS["paper"] | _PAPER,
        "paper-scaled": LATENT_PRESETS["paper"] | _PAPER_SCALED,
        "paper-recurrent": LATENT_PRESETS["paper-recurrent"] | _PAPER_RECURRENT,
        "official": LATENT_PRESETS["official"] | _OFFICIAL,
        "official-recurrent": LATENT_PRESETS["official-recurrent"] | _OFFICIAL,
    }

    preset: Preset = "default"  # type: ignore[assignment]

    normalisation: Literal["yeo-johnson", "rank", "min-max", "standard"] | None = None  # type: ignore[assignment]
    """Targets: the likeliest power of the scores, normal scores of their ranks, the pool's range mapped to [0, 1], or
    zero mean and unit variance; if unset the first, and with several objectives, the joint model or `history` of other
    tasks the second."""

    model: Literal["embedding", "joint"] = "embedding"
    """An embedding learned from the space alone with a Gaussian process on it, or encoder, predictor and decoder fitted
    jointly (paper)."""

    # Rounds.
    initial: int | None = Field(None, ge=1)
    """Random architectures before the first fit; if unset a sixth of the budget, 5 at most (10 with several
    objectives or limits that have to be measured), or with the joint model its share of the budget."""
    initial_share: float | None = Field(None, gt=0, le=1)
    """The same as a share of the budget."""
    new_per_round: int | None = Field(None, ge=1)
    """Architectures that a round asks for, which can be measured at the same time; if unset 2, or with the joint model
    its share of the budget. With 1 a search on one worker needs a few queries less."""
    round_share: float | None = Field(None, gt=0, le=1)
    """The same as a share of the budget."""
    rounds: int | None = Field(None, ge=1)
    """Rounds of ascent after the random pool (L - 1: Algorithm 1 counts that pool too); the budget alone ends the
    search if null."""
    seeds: int | None = Field(None, ge=1)
    """K: the best architectures so far, from which ascent starts; if unset 5, or with the joint model its share of the
    budget."""
    seeds_share: float | None = Field(None, gt=0, le=1)
    """The same as a share of the budget."""

    # Ascent (Eq. 2).
    first_step: float = Field(1.0, gt=0)
    """The smallest step: in distances of neighbouring architectures in the embedding, or, with the joint model, in
    lengths of a state."""
    step_growth: float = Field(1.0, ge=0)
    steps: int = Field(6, ge=1)
    scale: Literal["raw", "unit"] = "unit"
    """Whether steps multiply the gradient itself (joint model only) or one of unit length."""
    step_states: int | None = Field(None, ge=1)
    """How many states of the joint model the steps are meant for: with T of them steps are multiplied by T over this,
    for the gradient of a mean falls with T. Steps are as given if null. Needs `scale=raw`."""
    starts: int = Field(8, ge=1)
    """Ascents from each seed, which differ in what they move and in their noise."""
    noise: float = Field(2.0, ge=0)
    """Length of the noise that is added where all but a seed's first ascent start: in distances of neighbouring
    architectures, or, with the joint model, in standard deviations of the embeddings of what was measured."""
    moved_share: float = Field(0.3, gt=0, le=1)
    """Share of an embedding's coordinates, or of the joint model's states, that an ascent moves, at least one; which,
    is drawn anew for each start. With the joint model the gradient of a mean is the same for all states: moving them
    all makes all branches alike."""
    hops: int = Field(2, ge=1)
    """After an ascent the best that it found are encoded anew and ascend again, so often in all."""
    neighbours: int = Field(16, ge=0)
    """Random one-change neighbours of each seed that compete with what ascent finds."""

    # Choice.
    choose: Literal["improvement", "members", "predicted", "first", "all"] = "improvement"
    """Propose the new architectures whose own embedding, encoded anew, promises the greatest improvement; with the
    joint model those predicted best by the members of the ensemble in turn or by their mean; or what each seed becomes
    at the first step that changes it, small steps and good seeds first (paper); or all that is new, of every seed at
    every step in the same order, until the round is full (programs)."""
    refill: Literal["mutation", "random"] = "mutation"
    """Where a round gets the rest from if ascent yields too few."""
    device: str = "cpu"
    """Where the joint model lives: `cpu`, `cuda`, `mps`."""

    @model_validator(mode="after")
    def _belong_together(self) -> NAOSettings:
        if self.model == "joint":
            if self.choose == "improvement":
                raise ValueError(
                    "model=joint needs choose=members, predicted, first or all; preset=joint sets them all"
                )
            if self.step_states is not None and self.scale == "unit":
                raise ValueError("step_states means nothing to a gradient of unit length; give scale=raw, too")
            if name := self._first_of(EmbeddingSettings, LatentSettings):
                raise ValueError(f"{name} means nothing to the joint model")
            return self
        if self.choose != "improvement" or self.scale != "unit" or self.step_states or self.device != "cpu":
            raise ValueError(
                "choose, scale, step_states and device other than the default need model=joint, or preset=joint"
            )
        if name := self._first_of(LatentSettings, EmbeddingSettings):
            raise ValueError(f"{name} belongs to the joint model: give model=joint, or preset=joint, too")
        return self

    def _first_of(self, settings: type[Settings], other: type[Settings]) -> str | None:
        """The first setting that only one of the models has, and that is not as by default."""
        fields = settings.model_fields
        names = [name for name in fields if name != "preset" and name not in other.model_fields]
        return next((name for name in names if getattr(self, name) != fields[name].default), None)
