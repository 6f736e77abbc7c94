"""Activations without parameters: usable as a stage (`-> relu`), as a function (`relu(x + f)`), or as `act`."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, POSITIVE, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.library.layers.base import Layer, Lowering, activation


def _identity(b: Builder, low: Lowering) -> Value:
    return b.emit("pass_on", low.x)


IDENTITY = Layer(
    "identity",
    "a = z.",
    _identity,
    family="activation",
    equation="a = z",
)
SIGMOID = activation("sigmoid", "The logistic function.", equation="a = 1 / (1 + exp(-z))")
TANH = activation("tanh", "The hyperbolic tangent.", equation="a = tanh(z)")
RELU = activation("relu", "Rectified linear unit; relu'(0) = 0.", equation="a = max(z, 0)")
LEAKY_RELU = activation(
    "leaky_relu",
    "Rectified linear unit with a small slope below zero.",
    Arg("slope", NUMBER, 0.01, "slope for z <= 0 (Maas et al. 2013 have 0.01, Keras has 0.3)"),
    equation="a = z if z > 0 else slope z",
)
ELU = activation(
    "elu",
    "Exponential linear unit.",
    Arg("alpha", POSITIVE, 1.0, "value approached for very negative z is -alpha"),
    equation="a = z if z > 0 else alpha (exp(z) - 1)",
)
GELU = activation(
    "gelu",
    "Gaussian error linear unit in its tanh form (NumPy has no erf, so not Keras's default form).",
    equation="a = z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))",
)
SILU = activation("silu", "z times its logistic function (swish).", equation="a = z sigmoid(z)")
SOFTPLUS = activation("softplus", "A smooth relu.", equation="a = log(1 + exp(z))")
SOFTMAX = activation(
    "softmax", "Probabilities over the last axis, with the full Jacobian.", equation="p_i = exp(z_i) / sum_j exp(z_j)"
)
THRESHOLD = activation(
    "threshold",
    "The McCulloch-Pitts unit: 1 from the threshold on, else 0. Its derivative is zero: nothing before it learns.",
    Arg("at", NUMBER, 0.0, "the threshold"),
    equation="a = 1 if z >= at else 0",
)
