"""Gaussian and uniform numbers, as NumPy's generator draws them."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, POSITIVE, Arg
from dotnn.library.draws import Draw

NORMAL = Draw(
    "normal",
    "Gaussian numbers with mean 0.",
    "rng.normal(0, {sigma}, {shape})",
    (Arg("sigma", POSITIVE, 1.0, "standard deviation"),),
)

UNIFORM = Draw(
    "uniform",
    "Numbers on [low, high), all alike.",
    "rng.uniform({low}, {high}, {shape})",
    (Arg("low", NUMBER, 0.0, "lower end"), Arg("high", NUMBER, 1.0, "upper end")),
)
