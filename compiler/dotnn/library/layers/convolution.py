"""Convolutional layers. Shapes, borders and kernel layouts are Keras's; images are [rows, columns, channels]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ParamSpec, ShapeError, Types
from dotnn.library.layers.keras import Keras, without
from dotnn.library.layers.weighted import ACT, WEIGHTS, weighted, weights
from dotnn.library.layers.windows import PAD, WINDOW, borders, entries, require_fit, require_places
from dotnn.library.ops import windows

FILTERS = Arg("filters", POSITIVE_INT, doc="number of filters: the channels of the result")
KERNEL = Arg("kernel", WINDOW, doc="size of the kernel, k or one number per axis")
STRIDE = Arg("stride", WINDOW, 1, "steps from place to place")
BORDER = Arg(
    "pad", PAD, "valid",
    "`valid`: no border; `same`: ceil(n / stride) places; or numbers: p, [p, q], [[before, after], …]",
)  # fmt: skip
DILATION = Arg("dilation", WINDOW, 1, "steps between the elements of the kernel")
GROUPS = Arg("groups", POSITIVE_INT, 1, "groups of channels that meet filters of their own; all channels: depthwise")


def _geometry(x: TensorType, attrs: Attrs) -> dict[str, Any]:
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


def _keras(name: str, types: Types, attrs: Attrs, pads: Any) -> Keras:
    """Return the Keras layer; a border in numbers is a layer before it. XLA slows convolutions on a CPU."""
    rank = len(types[0].example) - 1
    first = attrs["multiplier"] if name == "DepthwiseConv" else attrs["filters"]
    numbers = attrs["pad"] not in ("valid", "same")
    options = {
        **({"depth_multiplier": first} if name == "DepthwiseConv" and first != 1 else {}),
        **({"strides": attrs["stride"]} if attrs["stride"] != 1 else {}),
        **({"padding": "same"} if attrs["pad"] == "same" else {}),
        **({"dilation_rate": attrs["dilation"]} if attrs.get("dilation", 1) != 1 else {}),
        **({"groups": attrs["groups"]} if attrs.get("groups", 1) != 1 else {}),
        **without(use_bias=attrs["bias"]),
    }
    around = Keras(f"keras.layers.ZeroPadding{rank}D", (pads if rank > 1 else pads[0],)) if numbers and pads else None
    depthwise = name == "DepthwiseConv"
    return Keras(
        f"keras.layers.{name.replace('Conv', f'Conv{rank}D', 1)}",
        (attrs["kernel"],) if depthwise else (first, attrs["kernel"]),
        options, attrs["act"], before=around, xla=False, keywords={"kernel": "depthwise"} if depthwise else {},
    )  # fmt: skip


def _convolution(rank: int) -> Layer:
    name = f"conv{rank}d"

    def infer(types: Types, attrs: Attrs) -> TensorType:
        (x,) = types
        require_places(x, name, rank)
        where = _geometry(x, attrs)
        for what, count in (("channels", x.example[-1]), ("filters", attrs["filters"])):
            if count % where["groups"]:
                message = f"{count} {what} do not divide into {where['groups']} groups"
                raise ShapeError(message, f"the number of groups must divide {x.example[-1]} and {attrs['filters']}")
        span = _span(where["kernel"], where["dilation"])
        require_fit(windows.sizes(x), span, where["pad"], "the kernel", x)
        return TensorType((BATCH, *windows.places(windows.sizes(x), where["kernel"], where), attrs["filters"]))

    def params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
        where = _geometry(types[0], attrs)
        inputs = types[0].example[-1] // where["groups"]
        return weights(infer(types, attrs), (*where["kernel"], inputs, attrs["filters"]), attrs)

    def lower(b: Builder, low: Lowering) -> Value:
        where = _geometry(low.x.type, low.attrs)
        return weighted(b, low, name, **windows.geometry(where))

    kind = "sequences [steps, channels]" if rank == 1 else "images [rows, columns, channels]"
    return Layer(
        name,
        f"Convolution of {kind}: at every place the same filters, each a weighted sum of what is under it.",
        lower,
        (FILTERS, KERNEL, ACT, STRIDE, BORDER, DILATION, GROUPS, *WEIGHTS),
        infer=infer,
        params=params,
        equation="z[p] = sum_i x[p s + i d] W[i] + b,  a = act(z)"
        if rank == 1
        else "z[p, q] = sum_ij x[p s + i d, q s + j d] W[i, j] + b,  a = act(z)",
        keras=f"Conv{rank}D",
        tensorflow=lambda types, attrs: _keras("Conv", types, attrs, _geometry(types[0], attrs)["pad"]),
    )


def _transposed(rank: int) -> Layer:
    name = f"conv{rank}d_transpose"

    def where(x: TensorType, attrs: Attrs) -> dict[str, Any]:
        """Return the geometry of the convolution that this one turns round, and the size of its input."""
        found = _geometry(x, attrs)
        around = zip(windows.sizes(x), found["kernel"], found["stride"], strict=True)
        if attrs["pad"] == "same":
            size = tuple(n * s for n, _, s in around)
            found["pad"] = borders("same", size, found["kernel"], found["stride"])
        elif attrs["pad"] == "valid":
            size = tuple(n * s + max(k - s, 0) for n, k, s in around)
        else:
            size = tuple((n - 1) * s + k - sum(p) for (n, k, s), p in zip(around, found["pad"], strict=True))
        return {**found, "size": size}

    def infer(types: Types, attrs: Attrs) -> TensorType:
        (x,) = types
        require_places(x, name, rank)
        size = where(x, attrs)["size"]
        if min(size) < 1:
            raise ShapeError(f"nothing would be left: the border of {name} is cut off, not added", "make pad smaller")
        return TensorType((BATCH, *size, attrs["filters"]))

    def params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
        kernel = entries(attrs["kernel"], rank, "kernel")
        return weights(infer(types, attrs), (*kernel, attrs["filters"], types[0].example[-1]), attrs)

    def lower(b: Builder, low: Lowering) -> Value:
        found = where(low.x.type, low.attrs)
        return weighted(b, low, name, size=found["size"], **windows.geometry(found))

    def counterpart(types: Types, attrs: Attrs) -> Keras:
        found = _keras("ConvTranspose", types, attrs, ())
        if attrs["pad"] in ("valid", "same"):
            return found
        where = _geometry(types[0], attrs)
        around = zip(where["kernel"], where["stride"], where["pad"], strict=True)
        # A stride longer than the kernel leaves zeros behind the last one: Keras keeps them, as `valid` does.
        cut = tuple((before, after + max(s - k, 0)) for k, s, (before, after) in around)
        cropping = Keras(f"keras.layers.Cropping{rank}D", (cut if rank > 1 else cut[0],))
        return replace(found, before=None, then=cropping)

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
        keras=f"Conv{rank}DTranspose",
        tensorflow=counterpart,
    )


def _depthwise_infer(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_places(x, "depthwise_conv2d", 2)
    where = _geometry(x, attrs)
    require_fit(windows.sizes(x), _span(where["kernel"], where["dilation"]), where["pad"], "the kernel", x)
    places = windows.places(windows.sizes(x), where["kernel"], where)
    return TensorType((BATCH, *places, x.example[-1] * attrs["multiplier"]))


def _depthwise_params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    kernel = entries(attrs["kernel"], 2, "kernel")
    return weights(_depthwise_infer(types, attrs), (*kernel, types[0].example[-1], attrs["multiplier"]), attrs)


def _depthwise_lower(b: Builder, low: Lowering) -> Value:
    where, channels = _geometry(low.x.type, low.attrs), low.x.type.example[-1]
    shape = (*where["kernel"], 1, channels * low.attrs["multiplier"])
    weight = b.emit("reshape_weight", low.params["W"], name="W_by_group", shape=shape)
    return weighted(b, low, "conv2d", weight, **windows.geometry(where) | {"groups": channels})


CONV1D = _convolution(1)
CONV2D = _convolution(2)
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
    keras="DepthwiseConv2D",
    tensorflow=lambda types, attrs: _keras("DepthwiseConv", types, attrs, _geometry(types[0], attrs)["pad"]),
)
