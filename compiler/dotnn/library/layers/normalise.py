"""What batch and layer norm share: the division by the standard deviation, gamma and beta."""

from __future__ import annotations

from dotnn.core.arguments import BOOL, POSITIVE, Arg, Bound
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Lowering, ParamSpec

SCALE_AND_SHIFT = (
    Arg("epsilon", POSITIVE, 1e-3, "added to the variance"),
    Arg("gamma", BOOL, True, "whether to multiply by a learned gamma"),
    Arg("beta", BOOL, True, "whether to add a learned beta"),
)


def scale_and_shift_params(x: TensorType, attrs: Attrs) -> tuple[ParamSpec, ...]:
    """Return gamma, which starts at one, and beta, which starts at zero, where the layer has them."""
    from dotnn.library.inits import INITS

    starts = {"gamma": "ones", "beta": "zeros"}
    return tuple(
        ParamSpec(name, x.example[-1:], Bound(INITS[start], {}), is_weight=False)
        for name, start in starts.items()
        if attrs[name]
    )


def scale_and_shift(b: Builder, low: Lowering, centred: Value, variance: Value) -> Value:
    """Divide centred values by their standard deviation, multiply by gamma and add beta."""
    has = [name for name in ("gamma", "beta") if low.attrs[name]]
    inverse = b.emit("inverse_root", variance, name="inv_sigma", epsilon=low.attrs["epsilon"])
    unit = b.emit("rescale", centred, inverse, name="unit" if has else "")
    if not has:
        return unit
    op = "rescale" if low.attrs["gamma"] else "shift"
    return b.emit(op, unit, *(low.params[name] for name in has))
