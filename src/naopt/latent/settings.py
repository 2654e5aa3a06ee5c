"""Settings of the latent model, and the two published sets of them.

Wherever paper and official program differ, the choice is an option here; ``preset=paper`` and ``preset=official``
select the two sets (``-recurrent``: those for recurrent cells) and ``preset=default`` what measures best
(docs/searchers/nao.md shows them side by side).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from naopt.configuration import Settings

Preset = Literal["default", "paper", "official", "paper-recurrent", "official-recurrent"]

_PUBLISHED: dict[str, Any] = {
    "form": "given",
    "embedding_size": 32,
    "hidden_size": 96,
    "predictor_layers": (),
    "decoder_positions": False,
    "pretraining_steps": 0,
    "unlabelled": 0,
    "ensemble": 1,
    "bootstrap": False,
    "epochs": 1000,
    "min_steps": 1,
    "max_steps": None,
    "learning_rate": 0.001,
    "schedule": "constant",
    "weight_decay": 0.0001,
    "held_out": 0.1,
    "finishing": 0.1,
}
"""What the presets share.

The paper prints sizes (4.1), Adam, its rate and 1,000 epochs, and fits on all of X (Algorithm 1); the programs have the
same. One predictor, no pretraining and no positions: neither has more. The weight decay is the programs', the paper
prints none. Finishing is ours: after the report on a tenth that was held out a tenth of the steps more, on everything,
which together cost what 1,000 epochs on everything do.
"""

_PAPER = _PUBLISHED | {
    "augmentation": "pair",
    "tokens_per_step": 1,
    "dropout": 0.0,
    "pooling": "mean",
    "predictor_output": "linear",
    "decoder_state": "last",
    "attention": "additive",
    "attention_size": 32,
    "decoder_output": "concatenated",
    "reconstruction": "sum",
    "trade_off": 0.9,
    "normalisation": "standard",
    "batch_size": 100,
}
"""Sections 3.2, 3.3 and 4.1; not printed: the width in which attention compares, the targets' scale, the batch."""

_OFFICIAL = _PUBLISHED | {
    "augmentation": "none",
    "tokens_per_step": None,
    "dropout": 0.1,
    "pooling": "mean-normalised",
    "predictor_output": "sigmoid",
    "decoder_state": "mean",
    "attention": "additive",
    "decoder_output": "concatenated",
    "trade_off": 0.8,
    "normalisation": "min-max",
    "batch_size": 50,
}
"""The TensorFlow program for convolutional cells without weight sharing, with the values of its published scripts."""

LATENT_PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": _PAPER,
    "official": _OFFICIAL,
    "paper-recurrent": _PAPER
    | {"embedding_size": 64, "hidden_size": 128, "predictor_layers": (200,), "trade_off": 0.8},
    "official-recurrent": _OFFICIAL
    | {
        "embedding_size": 96,
        "hidden_size": 96,
        "tokens_per_step": 1,
        "predictor_layers": (200, 200, 200),
        "attention": "dot",
        "decoder_output": "combined",
    },
}
"""``-recurrent``: section 4.3, and the PyTorch program for recurrent cells without weight sharing."""


class LatentSettings(Settings):
    """How the encoder, the performance predictor and the decoder are built and fitted (NAO, section 3).

    ``preset`` fills every field that is not given.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = LATENT_PRESETS

    preset: Preset = "default"

    # What the model sees.
    form: Literal["canonical", "given"] = "canonical"
    """Encode each architecture's canonical form, so that isomorphic ones share one embedding, or its own tokens."""
    augmentation: Literal["none", "pair", "replace"] = "none"
    """Symmetric counterparts (section 3.2): one more sample each, drawn anew every epoch (``pair``, the paper), or in
    place of the sample (``replace``, the PyTorch program)."""

    # Encoder.
    encoder: Literal["lstm", "transformer"] = "lstm"
    """What encoder and decoder are made of: an LSTM each (NAO) or Transformer layers (TNAO)."""
    layers: int = Field(2, ge=1, le=32)
    """Transformer layers of the encoder, and as many of the decoder."""
    heads: int = Field(4, ge=1, le=64)
    """Heads of every attention in a Transformer layer; they divide its width."""
    feed_forward_size: int = Field(128, ge=1, le=16384)
    """Width of the hidden layer inside a Transformer layer."""
    tokens_per_step: int | None = Field(None, ge=1)
    """Tokens whose embeddings are joined to one LSTM step; 1 in the paper, the space's own unit (a branch) if null."""
    embedding_size: int = Field(32, ge=1, le=4096)
    hidden_size: int = Field(64, ge=1, le=4096)
    dropout: float = Field(0.0, ge=0, lt=1)
    pooling: Literal["mean", "mean-normalised"] = "mean"
    """Architecture embedding: mean of the unit-length states (Eq. before 1), or that mean at unit length again."""

    # Predictor.
    predictor_layers: tuple[int, ...] = (64,)
    """Widths of its hidden layers; one linear layer in the paper's CIFAR setting, 200 for PTB."""
    predictor_output: Literal["linear", "sigmoid"] = "linear"
    ensemble: int = Field(8, ge=1, le=64)
    """Predictors with different initial weights on the same embedding; their mean is the prediction."""

    bootstrap: bool = True
    """Each member learns from its own bootstrap sample of the measurements, so that members disagree where little is
    known."""

    # Decoder.
    decoder_state: Literal["mean", "last"] = "mean"
    """Its initial state: the architecture embedding (program) or the encoder's last state (paper)."""
    attention: Literal["bilinear", "dot", "additive"] = "dot"
    attention_size: int | None = Field(None, ge=1, le=4096)
    """Width of the layer in which additive attention compares; the hidden size if null."""
    decoder_output: Literal["combined", "concatenated"] = "combined"
    """What a word's logits are linear in: ``tanh(W [context; state])`` (PyTorch program) or ``[state; context]`` itself
    (paper)."""
    decoder_positions: bool = True
    """The decoder's input and its attention know the position (a learned vector and a learned bias a position); paper
    and program leave it to the LSTM to count."""

    # Targets and loss.
    normalisation: Literal["rank", "yeo-johnson", "min-max", "standard"] = "rank"
    """Targets: normal scores of the ranks, the likeliest power of the scores, the pool's range mapped to [0, 1], or
    zero mean and unit variance."""
    loss: Literal["mse", "logistic", "hinge", "listmle", "bpr"] = "mse"
    """Prediction loss: squared error (Eq. 1), or one of the order alone: ``logistic`` and ``hinge`` over all pairs of a
    batch, ``bpr`` over drawn pairs, ``listmle`` over the whole order."""
    mse_share: float = Field(0.0, ge=0, le=1)
    """Share of the squared error in a prediction loss that learns the order."""
    pair_threshold: float = Field(0.0, ge=0)
    """Targets that differ by no more than this, in targets' units, have no order to learn."""
    margin: float = Field(0.1, gt=0)
    """By how much the hinge loss wants the better of a pair to be ahead."""
    reconstruction: Literal["mean", "sum"] = "mean"
    """Reconstruction loss of an architecture: mean over its tokens (programs) or their sum (Eq. 1)."""
    trade_off: float = Field(0.3, ge=0, le=1)
    """lambda of Eq. 1: its share is the prediction loss, the rest the reconstruction loss."""

    # Fitting.
    pretraining_steps: int | None = Field(None, ge=0)
    """Steps on unlabelled architectures of the space before any label is seen; 0 in paper and program. If null 40 for
    each position of the space, 600 at least and 2,000 at most: longer sequences take an LSTM longer to learn. 300 with
    a Transformer, whose attention starts out aligned."""
    unlabelled: int = Field(4000, ge=0)
    """How many random architectures of the space the auto-encoder may also learn from. They cost no query."""
    epochs: int = Field(40, ge=1)
    """Each of as many steps as the architectures fill batches. With ``pair`` half of a batch are counterparts."""
    min_steps: int = Field(60, ge=1)
    max_steps: int | None = Field(150, ge=1)
    """Limits to the optimiser's steps of one fit, whatever the epochs say."""
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float = Field(5.0, gt=0)
    held_out: float = Field(0.1, ge=0, le=0.5)
    """Share of the measured architectures that is left out at first, to report the predictor's quality honestly."""
    finishing: float = Field(0.25, ge=0)
    """After that report, training goes on with everything for this share of the steps (0: the part stays out)."""

    threads: int = Field(1, ge=1)
    """CPU threads; more than one seldom helps networks of this size, and their number changes the last bits."""

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("preset", "default"), str):
            return cls.presets.get(values.get("preset", "default"), {}) | values
        return values

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.encoder == "transformer" and self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of {self.heads} heads")
        return self


class TNAOLatentSettings(LatentSettings):
    """The latent model of TNAO (He et al. 2023): Transformer auto-encoder, predictor that learns the order.

    The abstract, all that is public, names these two and no figure; sizes and fitting are ours.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}}

    preset: Literal["default"] = "default"
    encoder: Literal["lstm", "transformer"] = "transformer"
    """What encoder and decoder are made of: Transformer layers, or an LSTM each (NAO)."""
    loss: Literal["mse", "logistic", "hinge", "listmle", "bpr"] = "logistic"
    """Prediction loss: of the order alone (``logistic`` and ``hinge`` over all pairs of a batch, ``bpr`` over drawn
    pairs, ``listmle`` over the whole order), or the squared error."""
    learning_rate: float = Field(2e-3, gt=0)
