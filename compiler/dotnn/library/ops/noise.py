"""Random ops: drawn in training mode only, from the generator that the caller passes in."""

from __future__ import annotations

from dotnn.ir.algebra import ABOVE_ZERO, FACTORS
from dotnn.ir.op import Op, no_gradient, same_as_first, sends

DROPOUT_MASK = Op(
    "dropout_mask",
    ("x",),
    same_as_first,
    "dropout_mask(rng, x.shape, keep).astype(x.real.dtype)",
    no_gradient,
    ("dropout_mask",),
    equation="mask = 1/rho with probability rho, else 0   (rho = {keep})",
    random=True,
    inference="1.0",
    detached=True,
    algebra=ABOVE_ZERO,
)

GAUSSIAN_NOISE = Op(
    "gaussian_noise",
    ("x",),
    same_as_first,
    "rng.normal(0, sigma, x.shape).astype(x.real.dtype)",
    no_gradient,
    equation="noise ~ N(0, {sigma}^2)",
    random=True,
    inference="0.0",
    detached=True,
)

DROPOUT = Op(
    "dropout",
    ("x", "mask"),
    same_as_first,
    "x * mask",
    sends(x="multiply(d, mask)"),
    elementwise=True,
    algebra=FACTORS,
)
