"""Spaces that the tests run over."""

from __future__ import annotations

import numpy as np

from naopt.spaces import (
    ConvCellSpace,
    EnumeratedSpace,
    GenericSpace,
    ImageBaselineSpace,
    InstaSpace,
    NASBench101Space,
    NASBench201Space,
    Position,
    RecurrentBaselineSpace,
    RecurrentCellSpace,
    SearchSpace,
    Space,
    integer,
    ordinal,
)


def mlp() -> GenericSpace:
    return GenericSpace([Position("width", ("16", "32", "64")), Position("depth", ("1", "2"))], "mlp")


def awkward() -> GenericSpace:
    """Names and values that a careless text form would trip over."""
    return GenericSpace(
        [
            Position('a "b", c=d', ("", " ", "x,y=z", '"', "\\", "'")),
            Position("line\nbreak", ("\n", "\u2028", "plain")),
            Position("größe", ("null", "true", "1")),
        ],
        "awkward",
    )


def typed() -> Space:
    """Values of every type."""
    return Space(
        {
            "depth": integer(1, 3),
            "rate": ordinal([0.1, 1e-05]),
            "act": ["relu", None, "None", "null", 1, True, 1.0, "1", '"', "a b"],
            "norm": bool,
        },
        "typed",
    )


def listed(whole: SearchSpace, count: int) -> EnumeratedSpace:
    rng = np.random.default_rng(1)
    return EnumeratedSpace(whole, [whole.sample(rng).tokens for _ in range(count)])


SPACES: dict[str, SearchSpace] = {
    "paper": ConvCellSpace(),
    **{
        f"{operations}-{nodes}": ConvCellSpace(nodes, operations)
        for operations in ("nao-11", "enas-5")
        for nodes in (1, 3)
    },
    "darts": ConvCellSpace(4, "darts-7", "nodes"),
    "darts-1": ConvCellSpace(1, "identity+dil_conv3x3", "nodes"),
    "pnas": ConvCellSpace(3, "pnas-8"),
    "one-operation": ConvCellSpace(1, "conv3x3"),
    "two-operations": ConvCellSpace(1, "conv3x3+identity"),
    "enas-7": ConvCellSpace(7, "enas-5"),
    "custom-2": ConvCellSpace(2, "dil_conv3x3+max_pool7x7+identity"),
    "custom-6": ConvCellSpace(6, "sep_conv7x7+identity"),
    "nasbench101": NASBench101Space(),
    "nasbench201": NASBench201Space(),
    "insta": InstaSpace(),
    "insta-8": InstaSpace(8, 5),
    "insta-2": InstaSpace(3, 2, "mb3e1+mb5e12"),
    "insta-1": InstaSpace(3, 3, "mb7e6"),
    "baseline": RecurrentBaselineSpace(),
    "image-baseline": ImageBaselineSpace(),
    "recurrent": RecurrentCellSpace(),
    **{f"recurrent-{nodes}": RecurrentCellSpace(nodes) for nodes in (1, 3, 5)},
    "recurrent-tree": RecurrentCellSpace(6, "relu"),
    "recurrent-two": RecurrentCellSpace(4, "sigmoid+identity"),
    "recurrent-large": RecurrentCellSpace(20, "tanh+relu"),
    "recurrent-only": RecurrentCellSpace(1, "tanh"),
    "mlp": mlp(),
    "awkward": awkward(),
    "typed": typed(),
    "single": GenericSpace([Position("only", ("this",))]),
    "listed-cells": listed(ConvCellSpace(3, "enas-5"), 200),
    "listed-dense": listed(ConvCellSpace(1, "conv3x3+identity"), 100),
    "listed-101": listed(NASBench101Space(), 250),
    "listed-201": listed(NASBench201Space(), 250),
    "listed-recurrent": listed(RecurrentCellSpace(4), 100),
    "listed-one": listed(ConvCellSpace(2), 1),
    "listed-mlp": EnumeratedSpace(mlp(), [(0, 0), (2, 1)]),
}
