"""Gradient descent with a momentum that averages."""

from __future__ import annotations

from dotnn.core.arguments import FRACTION, Arg
from dotnn.ir.expr import equations
from dotnn.library.optimizers import Optimizer, learning_rate

HEAVY_BALL = Optimizer(
    "heavy_ball",
    "Gradient descent with a momentum that averages.",
    (learning_rate(0.01), Arg("beta", FRACTION, 0.9, "how much of the average is kept")),
    lambda attrs: equations("v = beta * v + (1 - beta) * g", "w = w - lr * v"),
    lambda attrs: {"v": 0},
    "Polyak 1964",
)
