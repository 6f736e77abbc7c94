"""Initialisers that do not look at the layer."""

from __future__ import annotations

from dotnn.core.arguments import NON_NEGATIVE, NUMBER, STRING, Arg
from dotnn.library.inits.base import Init

UNIFORM = Init(
    "uniform",
    "Uniform on [low, high).",
    "rng.uniform({low}, {high}, {shape})",
    (Arg("low", NUMBER, -0.05, "lower end"), Arg("high", NUMBER, 0.05, "upper end")),
)

NORMAL = Init(
    "normal",
    "Gaussian with mean 0.",
    "rng.normal(0, {sigma}, {shape})",
    (Arg("sigma", NON_NEGATIVE, 0.05, "standard deviation"),),
)

TRUNCATED_NORMAL = Init(
    "truncated_normal",
    "Gaussian with mean 0, without what lies beyond two sigma, widened to keep its deviation.",
    "{sigma} * truncated_normal(rng, {shape})",
    (Arg("sigma", NON_NEGATIVE, 0.05, "standard deviation of what is drawn"),),
    ("truncated_normal",),
)

CONSTANT = Init(
    "constant",
    "The same value everywhere.",
    "np.full({shape}, {value}, dtype=float)",
    (Arg("value", NUMBER, doc="the value; 0.1 is usual for the biases of relu units"),),
)

ONES = Init("ones", "One everywhere.", "np.ones({shape})")

ZEROS = Init("zeros", "Zero everywhere.", "np.zeros({shape})")

FILE = Init(
    "file",
    "The array of the parameter's name (such as `h1.W`) in an .npz file beside the spec.",
    None,
    (Arg("path", STRING, doc="the file, relative to the spec"),),
)
