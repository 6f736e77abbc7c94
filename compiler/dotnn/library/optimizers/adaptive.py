"""Optimizers that scale each step by the size of past gradients."""

from __future__ import annotations

from dotnn.core.arguments import FRACTION, NON_NEGATIVE, POSITIVE, Arg
from dotnn.ir.expr import equations
from dotnn.library.optimizers import Optimizer, learning_rate

_MOMENTS = (
    "m = beta1 * m + (1 - beta1) * g",
    "v = beta2 * v + (1 - beta2) * g * g",
    "m_hat = m / (1 - beta1 ** t)",
    "v_hat = v / (1 - beta2 ** t)",
)
_BETAS = (
    Arg("beta1", FRACTION, 0.9, "decay of the mean of the gradients"),
    Arg("beta2", FRACTION, 0.999, "decay of the mean of their squares"),
    Arg("epsilon", POSITIVE, 1e-7, "keeps the division finite (Keras's value; the paper's is 1e-8)"),
)

# m and v without their factors (1 - beta), which go into the step size and epsilon: two passes fewer.
_FAST_MOMENTS = (
    "m = beta1 * m + g",
    "v = beta2 * v + g * g",
    "s = sqrt((1 - beta2) / (1 - beta2 ** t))",
)
_FAST_STEP = "(1 - beta1) / (1 - beta1 ** t) / s * m / (sqrt(v) + epsilon / s)"

ADAM = Optimizer(
    "adam",
    "Adaptive moments.",
    (learning_rate(0.001), *_BETAS),
    lambda attrs: equations(*_MOMENTS, "w = w - lr * m_hat / (sqrt(v_hat) + epsilon)"),
    lambda attrs: {"m": 0, "v": 0},
    "Kingma and Ba 2015, Algorithm 1 (epsilon outside the root, after bias correction)",
    fast_equations=lambda attrs: equations(*_FAST_MOMENTS, f"w = w - lr * {_FAST_STEP}"),
)

ADAMW = Optimizer(
    "adamw",
    "Adam with decoupled weight decay.",
    (learning_rate(0.001), *_BETAS, Arg("decay", NON_NEGATIVE, 0.004, "each update subtracts lr decay w")),
    lambda attrs: equations(*_MOMENTS, "w = w - lr * (m_hat / (sqrt(v_hat) + epsilon) + decay * w)"),
    lambda attrs: {"m": 0, "v": 0},
    "Loshchilov and Hutter 2019, Algorithm 2",
    fast_equations=lambda attrs: equations(*_FAST_MOMENTS, f"w = w - lr * ({_FAST_STEP} + decay * w)"),
)

RMSPROP = Optimizer(
    "rmsprop",
    "Divides by a running root mean square of the gradients.",
    (
        learning_rate(0.001),
        Arg("rho", FRACTION, 0.9, "decay of the mean square"),
        Arg("epsilon", POSITIVE, 1e-7, "keeps the division finite; inside the root, as in Keras"),
    ),
    lambda attrs: equations("v = rho * v + (1 - rho) * g * g", "w = w - lr * g / sqrt(v + epsilon)"),
    lambda attrs: {"v": 0},
    "Tieleman and Hinton 2012, lecture 6e",
)

ADAGRAD = Optimizer(
    "adagrad",
    "Divides by the root of the sum of all squared gradients so far.",
    (
        learning_rate(0.001),
        Arg("start", NON_NEGATIVE, 0.1, "the sum before the first step"),
        Arg("epsilon", POSITIVE, 1e-7, "keeps the division finite; inside the root, as in Keras"),
    ),
    lambda attrs: equations("s = s + g * g", "w = w - lr * g / sqrt(s + epsilon)"),
    lambda attrs: {"s": attrs["start"]},
    "Duchi et al. 2011",
)
