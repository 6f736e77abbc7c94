"""The fully connected layer."""

from __future__ import annotations

from dotnn.layers.base import (
    ACTIVATION,
    CONSTRAINT,
    INHERIT,
    INIT,
    PENALTY,
    Attrs,
    Layer,
    Lowering,
    ParamSpec,
    ShapeError,
    Types,
    activate,
    is_identity,
    require_real,
)
from dotnn.layers.keras import Keras, without
from dotnn.ops.base import Builder, TensorType, Value
from dotnn.schema import BOOL, POSITIVE_INT, Arg, Symbol


def _infer(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_real(x, "dense")
    if len(x.example) == 0:
        raise ShapeError("dense needs at least one feature axis, its operand has none")
    if len(x.example) == 3:
        raise ShapeError(
            f"dense would act on the last axis of an image {list(x.example)} only",
            "put flatten before it: -> flatten ->",
        )
    return TensorType((*x.shape[:-1], attrs["units"]))


def _params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    inputs, units = types[0].example[-1], attrs["units"]
    weights = [ParamSpec("W", (inputs, units), attrs["init"], attrs["penalty"], constraint=attrs["constraint"])]
    if attrs["bias"]:
        weights.append(ParamSpec("b", (units,), attrs["bias_init"], is_weight=False))
    z = TensorType((*types[0].shape[:-1], units))
    return (*weights, *attrs["act"].entry.params((z,), attrs["act"].attrs))


def _lower(b: Builder, low: Lowering) -> Value:
    act = low.attrs["act"]
    weights = [low.params["W"]] + ([low.params["b"]] if low.attrs["bias"] else [])
    z = b.emit("affine", low.x, *weights, name="" if is_identity(act) else "z")
    return z if is_identity(act) else activate(b, act, z, low.params)


def _keras(types: Types, attrs: Attrs) -> Keras:
    return Keras("keras.layers.Dense", (attrs["units"],), without(use_bias=attrs["bias"]), attrs["act"])


DENSE = Layer(
    "dense",
    "Fully connected layer; acts on the last axis.",
    _lower,
    (
        Arg("units", POSITIVE_INT, doc="number of outputs"),
        Arg("act", ACTIVATION, Symbol("identity"), "activation applied to z"),
        Arg("bias", BOOL, True, "whether to add b"),
        Arg("init", INIT, INHERIT, "initialiser of W; `train { init }`, else xavier"),
        Arg("bias_init", INIT, INHERIT, "initialiser of b; `train { bias_init }`, else zeros"),
        Arg("penalty", PENALTY, INHERIT, "penalty on W, added to the loss; `train { decay }`, else none"),
        Arg(
            "constraint",
            CONSTRAINT,
            INHERIT,
            "what W is put back to after an update; `train { constraint }`, else none",
        ),
    ),
    infer=_infer,
    params=_params,
    equation="z = x W + b,  a = act(z)",
    keras="Dense",
    tensorflow=_keras,
)
