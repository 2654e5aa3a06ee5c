"""Settings of networks. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings

FEWEST, MOST = 2, 4096
"""Filters that a network can have."""


class NetworkSettings(Settings):
    """The skeleton that cells are put into (NAO, appendix; official program).

    The official programs differ in ``skeleton``, ``calibrate_newer``, ``drop_identities``, ``auxiliary_at`` and
    ``head_relu``; the defaults are those of the PyTorch port, but identities are not dropped and the head has its ReLU.

    Attributes:
        skeleton: ``cifar``, a 3x3 convolution to 3 F channels before the cells, or ``imagenet``, three of stride 2 to F
            / 2, F and F channels (PyTorch port), for maps an eighth as large.
        cells_per_stage: N; the network has 3 N cells and two reductions (3 N + 2 cells in all for ``conv-cell``).
            ``insta`` has as many blocks as its option says.
        filters: F, the channels of the first stage's cells; doubled by each reduction.
        parameters: instead of ``filters``: the most filters whose network has at most so many parameters, auxiliary
            head left out, so that cells of equal size can be compared.
        drop_path_keep: probability that a branch of the last cell survives at the end of training; 1 switches it off.
        drop_identities: drop-path on identity branches too, as in the PyTorch port.
        dropout: probability that a feature is dropped before the classifier.
        auxiliary_weight: weight of the auxiliary classifier's loss; 0 builds none.
        auxiliary_at: on the second ``reduction`` (PyTorch port), or on the ``cell`` after it (TensorFlow program).
        calibrate_newer: when a cell's newer input is convolved to its channels: if ``needed`` (PyTorch port);
            ``always`` (TensorFlow program); ``twice``, always and, where it is needed, once more (TensorFlow program
            with weight sharing, ENAS).
        head_relu: ReLU before global pooling, as in the official TensorFlow program; the PyTorch port has none.
    """

    skeleton: Literal["cifar", "imagenet"] = "cifar"
    cells_per_stage: int = Field(default=3, ge=1, le=100)
    filters: int = Field(default=32, ge=FEWEST, le=MOST)
    parameters: int | None = Field(default=None, ge=1)
    drop_path_keep: float = Field(default=1.0, gt=0, le=1)
    drop_identities: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)
    auxiliary_weight: float = Field(default=0.0, ge=0)
    auxiliary_at: Literal["reduction", "cell"] = "reduction"
    calibrate_newer: Literal["needed", "always", "twice"] = "needed"
    head_relu: bool = True
