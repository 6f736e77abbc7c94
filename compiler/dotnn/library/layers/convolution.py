"""Convolutional layers. Shapes, borders and kernel layouts are Keras's; images are [rows, columns, channels]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, ShapeError, Types
from dotnn.library.layers.weighted import ACT, WEIGHTS, weighted, weights
from dotnn.library.layers.windows import PAD, WINDOW, Pads, borders, entries, require_fit, require_places
from dotnn.library.ops import windows
from dotnn.library.ops.convolution import EQUATIONS

PLURAL = {
    1: "sequences [steps, channels]",
    2: "images [rows, columns, channels]",
    3: "volumes [planes, rows, columns, channels]",
}
FILTERS = Arg("filters", POSITIVE_INT, doc="number of filters: the channels of the result")
KERNEL = Arg("kernel", WINDOW, doc="size of the kernel, k or one number per axis")
STRIDE = Arg("stride", WINDOW, 1, "steps from place to place")
BORDER = Arg(
    "pad",
    PAD,
    "valid",
    "`valid`: no border; `same`: ceil(n / stride) places; or numbers: p, [p, q], [[before, after], …]",
)
DILATION = Arg("dilation", WINDOW, 1, "steps between the elements of the kernel")
GROUPS = Arg("groups", POSITIVE_INT, 1, "groups of channels that meet filters of their own; all channels: depthwise")


class Geometry(TypedDict):
    """Where a kernel stands, one entry for each axis; `pad` is (before, after), the batch and the channels left out."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: Pads
    dilation: tuple[int, ...]
    groups: int


def geometry(x: TensorType, attrs: Attrs) -> Geometry:
    """Return where the kernel stands, one entry per axis, and its size."""
    lengths = windows.sizes(x)
    kernel, stride, dilation = (
        entries(attrs.get(name, 1), len(lengths), name) for name in ("kernel", "stride", "dilation")
    )
    if max(stride) > 1 and max(dilation) > 1:
        raise ShapeError("a stride and a dilation together are not supported, here as in Keras", "leave one at 1")
    span = _span(kernel, dilation)
    pads = borders(attrs["pad"], lengths, span, stride)
    groups = attrs.get("groups", 1)
    return {"kernel": kernel, "stride": stride, "pad": pads, "dilation": dilation, "groups": groups}


def _span(kernel: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


def _convolution(rank: int) -> Layer:
    name = f"conv{rank}d"

    def infer(types: Types, attrs: Attrs) -> TensorType:
        (x,) = types
        require_places(x, name, rank)
        where = geometry(x, attrs)
        for what, count in (("channels", x.example[-1]), ("filters", attrs["filters"])):
            if count % where["groups"]:
                message = f"{count} {what} do not divide into {where['groups']} groups"
                raise ShapeError(message, f"the number of groups must divide {x.example[-1]} and {attrs['filters']}")
        span = _span(where["kernel"], where["dilation"])
        require_fit(windows.sizes(x), span, where["pad"], "the kernel", x)
        return TensorType((BATCH, *windows.places(windows.sizes(x), where["kernel"], where), attrs["filters"]))

    def params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
        where = geometry(types[0], attrs)
        inputs = types[0].example[-1] // where["groups"]
        return weights(infer(types, attrs), (*where["kernel"], inputs, attrs["filters"]), attrs)

    def lower(b: Builder, low: Lowering) -> Value:
        where = geometry(low.x.type, low.attrs)
        return weighted(b, low, name, **windows.geometry(where))

    return Layer(
        name,
        f"Convolution of {PLURAL[rank]}: at every place the same filters, each a weighted sum of what is under it.",
        lower,
        (FILTERS, KERNEL, ACT, STRIDE, BORDER, DILATION, GROUPS, *WEIGHTS),
        infer=infer,
        params=params,
        equation=f"{EQUATIONS[rank]} + b,  a = act(z)",
    )


def _transposed(rank: int) -> Layer:
    name = f"conv{rank}d_transpose"

    def where(x: TensorType, attrs: Attrs) -> tuple[Geometry, tuple[int, ...]]:
        """Return the geometry of the convolution that this one turns round, and the size of its input."""
        found = geometry(x, attrs)
        around = zip(windows.sizes(x), found["kernel"], found["stride"], strict=True)
        if attrs["pad"] == "same":
            size = tuple(n * s for n, _, s in around)
            found["pad"] = borders("same", size, found["kernel"], found["stride"])
        elif attrs["pad"] == "valid":
            size = tuple(n * s + max(k - s, 0) for n, k, s in around)
        else:
            size = tuple((n - 1) * s + k - sum(p) for (n, k, s), p in zip(around, found["pad"], strict=True))
        return found, size

    def infer(types: Types, attrs: Attrs) -> TensorType:
        (x,) = types
        require_places(x, name, rank)
        _, size = where(x, attrs)
        if min(size) < 1:
            raise ShapeError(f"nothing would be left: the border of {name} is cut off, not added", "make pad smaller")
        return TensorType((BATCH, *size, attrs["filters"]))

    def params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
        kernel = entries(attrs["kernel"], rank, "kernel")
        return weights(infer(types, attrs), (*kernel, attrs["filters"], types[0].example[-1]), attrs)

    def lower(b: Builder, low: Lowering) -> Value:
        found, size = where(low.x.type, low.attrs)
        return weighted(b, low, name, size=size, **windows.geometry(found))

    return Layer(
        name,
        "The way back through a convolution: every value writes the filters, times itself, into a larger result.",
        lower,
        (FILTERS, KERNEL, ACT, STRIDE, BORDER, *WEIGHTS),
        infer=infer,
        params=params,
        equation="z[p s + i] = sum over p, i of x[p] W[i]ᵀ, + b,  a = act(z)"
        if rank == 1
        else "z[p s + i, q s + j] = sum over p, q, i, j of x[p, q] W[i, j]ᵀ, + b,  a = act(z)",
    )


def _depthwise_infer(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_places(x, "depthwise_conv2d", 2)
    where = geometry(x, attrs)
    require_fit(windows.sizes(x), _span(where["kernel"], where["dilation"]), where["pad"], "the kernel", x)
    places = windows.places(windows.sizes(x), where["kernel"], where)
    return TensorType((BATCH, *places, x.example[-1] * attrs["multiplier"]))


def _depthwise_params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    kernel = entries(attrs["kernel"], 2, "kernel")
    return weights(_depthwise_infer(types, attrs), (*kernel, types[0].example[-1], attrs["multiplier"]), attrs)


def _depthwise_lower(b: Builder, low: Lowering) -> Value:
    where, channels = geometry(low.x.type, low.attrs), low.x.type.example[-1]
    shape = (*where["kernel"], 1, channels * low.attrs["multiplier"])
    weight = b.emit("reshape_weight", low.params["W"], name="W_by_group", shape=shape)
    return weighted(b, low, "conv2d", weight, **{**windows.geometry(where), "groups": channels})


CONV1D = _convolution(1)
CONV2D = _convolution(2)
CONV3D = _convolution(3)
CONV1D_TRANSPOSE = _transposed(1)
CONV2D_TRANSPOSE = _transposed(2)
DEPTHWISE_CONV2D = Layer(
    "depthwise_conv2d",
    "Convolution of every channel by itself, with `multiplier` filters for each.",
    _depthwise_lower,
    (
        KERNEL,
        ACT,
        STRIDE,
        BORDER,
        DILATION,
        Arg("multiplier", POSITIVE_INT, 1, "filters per channel"),
        *WEIGHTS,
    ),
    infer=_depthwise_infer,
    params=_depthwise_params,
    equation="z[p, q, c] = sum_ij x[p s + i d, q s + j d, c] W[i, j, c] + b[c],  a = act(z)",
)
