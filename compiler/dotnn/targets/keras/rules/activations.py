"""Activations: a word of Keras, or a layer."""

from __future__ import annotations

from dotnn.core.arguments import Symbol
from dotnn.library.layers.base import Attrs, Types
from dotnn.targets.keras.call import Keras
from dotnn.targets.keras.rules.base import LayerRule, plain, with_arguments


def activation(name: str) -> LayerRule:
    """Return the rule of an activation that has the same name in Keras."""
    return LayerRule(
        name, (f"keras.activations.{name}",), lambda kind, types, attrs: Keras("keras.layers.Activation", (name,))
    )


def _leaky_relu(kind: str, types: Types, attrs: Attrs) -> Keras:
    """Keras takes no negative slope."""
    return Keras(kind if attrs["slope"] >= 0 else "SteepReLU", (attrs["slope"],))


IDENTITY = plain("identity", "keras.layers.Identity")
SIGMOID = activation("sigmoid")
TANH = activation("tanh")
RELU = activation("relu")
LEAKY_RELU = LayerRule("leaky_relu", ("keras.layers.LeakyReLU",), _leaky_relu)
ELU = with_arguments("elu", "keras.layers.ELU", "alpha")
GELU = LayerRule(
    "gelu",
    ("gelu",),
    lambda kind, types, attrs: Keras("keras.layers.Activation", (Symbol(kind),)),
    "as gelu(approximate=True)",
)
SILU = activation("silu")
SOFTPLUS = activation("softplus")
SOFTMAX = activation("softmax")
THRESHOLD = with_arguments("threshold", "Threshold", "at")
PRELU = LayerRule(
    "prelu",
    ("PReLU",),
    lambda kind, types, attrs: Keras(kind, variables={"slope": "alpha"}),
    "as PReLU with one slope per unit",
)
