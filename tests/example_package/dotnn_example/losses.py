"""The pseudo-Huber loss: a smooth one between the square and the absolute value."""

from __future__ import annotations

from dotnn.library.losses.base import Loss, reduce_arg
from dotnn.library.ops.losses import pointwise

PSEUDO_HUBER_OP, PSEUDO_HUBER_GRADIENT = pointwise(
    "pseudo_huber",
    "(y - t) ** 2 / (1 + sqrt(1 + (y - t) ** 2))",
    "(y - t) / sqrt(1 + (y - t) ** 2)",
    equation="E = mean of sqrt(1 + e^2) - 1;  e = y - t",
)
PSEUDO_HUBER = Loss(
    "pseudo_huber",
    "Like half the mse for small errors, like l1 for large ones.",
    "pseudo_huber",
    averages=True,
    args=(reduce_arg("mean"),),
    equation="E = mean of sqrt(1 + e²) - 1",
)
