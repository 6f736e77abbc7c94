"""Gradient descent, with momentum and Nesterov's look-ahead."""

from __future__ import annotations

from dotnn.core.arguments import BOOL, FRACTION, Arg, Attrs
from dotnn.ir.expr import equations
from dotnn.library.optimizers import Equations, Optimizer, learning_rate


def _equations(attrs: Attrs) -> Equations:
    if not attrs["momentum"]:
        return equations("w = w - lr * g")
    velocity = "v = momentum * v - lr * g"
    return equations(velocity, "w = w + momentum * v - lr * g" if attrs["nesterov"] else "w = w + v")


SGD = Optimizer(
    "sgd",
    "Gradient descent; with `momentum` a velocity carries past gradients on.",
    (
        learning_rate(0.01),
        Arg("momentum", FRACTION, 0, "how much of the velocity is kept (0: plain gradient descent)"),
        Arg("nesterov", BOOL, False, "look ahead along the velocity"),
    ),
    _equations,
    lambda attrs: {"v": 0} if attrs["momentum"] else {},
    "Rumelhart et al. 1986; Nesterov 1983 in the form of Sutskever et al. 2013",
)
