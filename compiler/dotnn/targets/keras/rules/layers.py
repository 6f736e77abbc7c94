"""Layers of vectors: dense, normalisation, noise, symbols, joins, and what moves features."""

from __future__ import annotations

from dataclasses import replace

from dotnn.library.layers.base import Attrs, Types
from dotnn.targets.keras.call import Keras, without
from dotnn.targets.keras.rules.base import LayerRule, ValueRule, plain, with_arguments


def _dense(kind: str, types: Types, attrs: Attrs) -> Keras:
    return Keras(kind, (attrs["units"],), without(use_bias=attrs["bias"]), attrs["act"])


def _normalisation(kind: str, attrs: Attrs, **variables: str) -> Keras:
    """Return the call of a layer that normalises; `variables` are those beside gamma and beta."""
    options = {"momentum": attrs["momentum"]} if attrs.get("momentum", 0.99) != 0.99 else {}
    options |= {"epsilon": attrs["epsilon"]} if attrs["epsilon"] != 1e-3 else {}
    switches = without(center=attrs["beta"], scale=attrs["gamma"])
    return Keras(kind, (), {**options, **switches}, variables={"gamma": "gamma", "beta": "beta", **variables})


def _batchnorm(kind: str, types: Types, attrs: Attrs) -> Keras:
    call = _normalisation(kind, attrs, mean="moving_mean", var="moving_variance")
    return replace(call, replicas="GlobalBatchNormalization", any_rank="AnyRankBatchNormalization")


def _gaussian_noise(kind: str, types: Types, attrs: Attrs) -> Keras:
    return Keras("StrongNoise" if attrs["sigma"] > 1 else kind, (attrs["sigma"],), replicas="GlobalGaussianNoise")


def _dropout(kind: str, types: Types, attrs: Attrs) -> Keras:
    if attrs["always"]:
        return Keras("LastingDropout", (attrs["rate"],))
    return Keras(kind, (attrs["rate"],), replicas="GlobalDropout")


def _concat(kind: str, types: Types, attrs: Attrs) -> Keras:
    axis = attrs["axis"] % len(types[0].example)
    return Keras(kind, (), {} if axis == len(types[0].example) - 1 else {"axis": axis + 1})


def _stack(kind: str, types: Types, attrs: Attrs) -> Keras:
    operands = f"[{', '.join(f'{{{i}}}' for i in range(len(types)))}]"
    return Keras(kind, (), {"axis": attrs["axis"] % (len(types[0].example) + 1) + 1}, operands=operands)


def _noise(types: Types, attrs: Attrs) -> Keras:
    draw = attrs["draw"]
    word = {"normal": ("normal", "mean", "stddev"), "uniform": ("uniform", "minval", "maxval")}[draw.name]
    numbers = (0.0, *draw.attrs.values()) if draw.name == "normal" else tuple(draw.attrs.values())
    return Keras("Noise", (list(attrs["shape"]), word[0]), dict(zip(word[1:], numbers, strict=True)))


DENSE = LayerRule("dense", ("keras.layers.Dense",), _dense)
BATCHNORM = LayerRule("batchnorm", ("keras.layers.BatchNormalization",), _batchnorm)
LAYERNORM = LayerRule(
    "layernorm", ("keras.layers.LayerNormalization",), lambda kind, types, attrs: _normalisation(kind, attrs)
)
DROPOUT = LayerRule("dropout", ("keras.layers.Dropout",), _dropout)
NOISE = ValueRule("noise", _noise)
GAUSSIAN_NOISE = LayerRule("gaussian_noise", ("keras.layers.GaussianNoise",), _gaussian_noise)
STOP_GRADIENT = plain("stop_gradient", "keras.ops.stop_gradient")

EMBEDDING = with_arguments("embedding", "keras.layers.Embedding", "vocab", "dim", variables={"W": "embeddings"})
ONE_HOT = with_arguments("one_hot", "keras.ops.one_hot", "units")

SUM = plain("sum", "keras.layers.Add")
MULTIPLY = plain("multiply", "keras.layers.Multiply")
MAX = plain("max", "keras.layers.Maximum")
SUBTRACT = plain("subtract", "keras.layers.Subtract")
CONCAT = LayerRule("concat", ("keras.layers.Concatenate",), _concat)
STACK = LayerRule("stack", ("keras.ops.stack",), _stack)
SELECT = plain("select", "Select")

FLATTEN = plain("flatten", "keras.layers.Flatten")
RESHAPE = LayerRule(
    "reshape", ("keras.layers.Reshape",), lambda kind, types, attrs: Keras(kind, (tuple(attrs["shape"]),))
)
PERMUTE = LayerRule(
    "permute", ("keras.layers.Permute",), lambda kind, types, attrs: Keras(kind, (tuple(a + 1 for a in attrs["axes"]),))
)
REPEAT_VECTOR = with_arguments("repeat_vector", "keras.layers.RepeatVector", "times")
MEAN_FEATURES = plain("mean_features", "keras.ops.mean", axis=-1, keepdims=True)
SUM_FEATURES = plain("sum_features", "keras.ops.sum", axis=-1, keepdims=True)
SPREAD = LayerRule(
    "spread", ("keras.ops.repeat",), lambda kind, types, attrs: Keras(kind, (attrs["units"],), {"axis": -1})
)
SCALE = with_arguments("scale", "keras.layers.Rescaling", "factor")
