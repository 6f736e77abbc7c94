"""Inverted dropout."""

from __future__ import annotations

from dotnn.core.arguments import BOOL, FRACTION, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.library.layers.base import Layer, Lowering


def _lower(b: Builder, low: Lowering) -> Value:
    keep = round(1.0 - low.attrs["rate"], 12)
    mask = b.emit("lasting_mask" if low.attrs["always"] else "dropout_mask", low.x, name="mask", keep=keep)
    return b.emit("dropout", low.x, mask)


DROPOUT = Layer(
    "dropout",
    "Silences each unit with probability `rate` while training and scales the others by 1/(1 - rate).",
    _lower,
    (
        Arg(
            "rate",
            FRACTION,
            doc="probability that a unit is silenced; it is kept with probability 1 - rate",
            training=True,
            until="always",
        ),
        Arg("always", BOOL, False, "whether units are silenced in prediction, too"),
    ),
    equation="a' = a mask,  mask = 1/rho with probability rho, else 0",
)
