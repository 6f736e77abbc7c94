"""What layers of the form act(W x + b) share, whatever the product: their weights, and the activation behind it."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.arguments import BOOL, Arg, Symbol
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import (
    ACTIVATION,
    CONSTRAINT,
    INHERIT,
    INIT,
    PENALTY,
    Attrs,
    Lowering,
    ParamSpec,
    activate,
    is_identity,
)

ACT = Arg("act", ACTIVATION, Symbol("identity"), "activation applied to z")
WEIGHTS = (
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
)


def weights(z: TensorType, shape: Sequence[int], attrs: Attrs) -> tuple[ParamSpec, ...]:
    """Return W of this shape, b where the layer has one, and the parameters of the activation of z."""
    found = [ParamSpec("W", tuple(shape), attrs["init"], attrs["penalty"], constraint=attrs["constraint"])]
    if attrs["bias"]:
        found.append(ParamSpec("b", z.example[-1:], attrs["bias_init"], is_weight=False))
    return (*found, *attrs["act"].entry.params((z,), attrs["act"].attrs))


def weighted(b: Builder, low: Lowering, op: str, weight: Value | None = None, **attrs: object) -> Value:
    """Emit z = op(x, W, b) and apply the activation. `weight` stands for W where that is reshaped first."""
    act = low.attrs["act"]
    operands = [low.x, weight or low.params["W"]] + ([low.params["b"]] if low.attrs["bias"] else [])
    z = b.emit(op, *operands, name="" if is_identity(act) else "z", **attrs)
    return z if is_identity(act) else activate(b, act, z, low.params)
