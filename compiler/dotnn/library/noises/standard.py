"""Noise on the gradient and on the weights."""

from __future__ import annotations

from dotnn.core.arguments import NON_NEGATIVE, POSITIVE, Arg
from dotnn.library.noises import Noise

_SIGMA = Arg("sigma", POSITIVE, doc="standard deviation")

GRADIENT = Noise(
    "gradient",
    "Every gradient, once it is clipped; with `fade` the noise dies away.",
    "g = g + normal(sigma / (1 + step) ^ (fade / 2))",
    "Neelakantan et al. 2015, Section 3, where fade is 0.55",
    (_SIGMA, Arg("fade", NON_NEGATIVE, 0.0, "how fast the variance falls: like (1 + step) ^ -fade")),
    on="gradient",
    deviation="sigma / (1 + step) ** (fade / 2)",
)
WEIGHTS = Noise(
    "weights",
    "The weights that an update's loss and gradient are computed with; what is updated is without noise.",
    "loss and g at w + normal(sigma)",
    "An 1996; Graves 2011, Section 3",
    (_SIGMA,),
    on="weights",
    deviation="sigma",
)
